// SPDX-License-Identifier: Apache-2.0
// What a disk says about its acceptor: kept from the records that were flushed, or read from the
// journal, without the core. Votes are compared with it when they are sent, and it with the disk
// after every restart.
#pragma once

#include "base/failure.h"
#include "paxos/types.h"
#include "storage/disk.h"

struct shadow {
    struct ballot promised;
    struct ballot log_ballot;
    paxos_slot base; // the log is known above this slot
    struct hash128 base_hash;
    paxos_slot last;
    struct hash128 *hashes; // of base + 1 .. last
    size_t capacity;
    paxos_slot decided;     // highest mark
    paxos_slot replaced;    // lowest slot of the log of this ballot that a LEARN took away; 0: none
    bool drops;             // LEARN: the next entry replaces one ...
    struct hash128 dropped; // ... with this hash
};

void shadow_deinit(struct shadow *shadow);
void shadow_copy(struct shadow *to, const struct shadow *from);
// Applies a record that became durable. False when it does not follow.
bool shadow_record(struct shadow *shadow, const struct paxos_record *record);
// Reads it from a copy of the disk.
enum error shadow_read(struct shadow *shadow, struct disk *disk, const struct identity *identity,
                       uint32_t segment_bytes, struct failure *failure);
// Whether both say the same: ballots, and the log from end to end.
bool shadow_equal(const struct shadow *a, const struct shadow *b);
// Whether the log has this slot with this hash; slots at or below the base are taken on trust.
bool shadow_holds(const struct shadow *shadow, paxos_slot slot, struct hash128 hash);
// ... or had it in the ballot of this log, until a LEARN took it away.
bool shadow_held(const struct shadow *shadow, paxos_slot slot, struct hash128 hash);
