// SPDX-License-Identifier: Apache-2.0
// How an acceptor's records may follow each other. The same rules are asserted on what is appended
// and demanded of what is recovered, so nothing is written that could not be opened again. Private
// to storage/journal*.c.
#pragma once

#include <stdbool.h>

#include "paxos/types.h"

struct journal_rules {
    struct paxos_scalars scalars; // after all records so far
    bool started;                 // a group was seen
    paxos_slot settled;           // decided mark of the group before the one of the records
    uint32_t pending;             // entries that the last SYNC announced and that are still to come
    // Hashes of the slots from `base` to scalars.last, for the hash of a SYNC; NULL while
    // appending.
    struct hash128 *hashes; // owned
    size_t hash_capacity;
    paxos_slot base;
};

// All return NULL, or a clause that says what is wrong, such as "slot 7 does not follow".

// The head of a group. The first head that is seen is taken as the truth; `genesis` says that
// nothing can have happened before it. `track` keeps hashes from here on.
const char *journal_rules_begin(struct journal_rules *rules, const struct paxos_scalars *scalars,
                                bool genesis, bool track);
const char *journal_rules_record(struct journal_rules *rules, const struct paxos_record *record);
const char *journal_rules_end(const struct journal_rules *rules);
// Frees the hashes and goes on without.
void journal_rules_forget(struct journal_rules *rules);
