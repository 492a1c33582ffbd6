// SPDX-License-Identifier: Apache-2.0
// From a data directory to a running state: the newest usable checkpoint, then the journal. There
// is no other way to start, so it is tested at every start.
#pragma once

#include "paxos/paxos.h"
#include "storage/checkpoint.h"
#include "storage/journal.h"
#include "storage/state.h"

struct recovery_settings {
    struct paxos_config config; // of the core; node and boot are taken from the identity
    uint32_t segment_bytes;     // of the journal; 0: JOURNAL_SEGMENT_BYTES
};

struct recovery_result {
    struct journal *journal;           // open for appending
    struct paxos *paxos;               // recovered, not started
    struct checkpoint_info checkpoint; // that was loaded; slot 0 if none
    paxos_slot older_checkpoint;       // the one before it, 0 if none
};

// Loads `state`, which must be new. Refuses rather than forgets: a damaged checkpoint is passed
// over only while an older one and the journal together lose nothing. Errors: CORRUPT, FOREIGN, IO,
// DISK_FULL with a sentence that names the file. At the first start it notes in the identity that
// the journal was made. Ownership: the caller closes journal and paxos.
enum error recovery_run(struct disk *disk, struct identity *identity,
                        const struct recovery_settings *settings, struct state *state,
                        struct recovery_result *result, struct failure *failure);
