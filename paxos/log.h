// SPDX-License-Identifier: Apache-2.0
// The part of the log that the core holds: the entries above the executed slot, in a ring. Below it
// only the last hash is known; older entries are in the journal.
#pragma once

#include "base/errors.h"
#include "paxos/types.h"

struct paxos_log {
    paxos_slot first;         // lowest slot in the ring; first > last when the ring is empty
    paxos_slot last;          // last slot of the log
    struct hash128 last_hash; // chain hash at last
    struct hash128 base_hash; // chain hash at first - 1
    size_t value_bytes;       // sum of the values in the ring
    struct entry ring[PAXOS_WINDOW];
};

// An empty log that ends at slot with that hash.
void paxos_log_init(struct paxos_log *log, paxos_slot slot, struct hash128 hash);
void paxos_log_deinit(struct paxos_log *log);
// Appends a copy of the entry with a reference of its own. Requires slot last + 1, a matching
// prev_hash and a free place (asserted).
void paxos_log_append(struct paxos_log *log, const struct entry *entry);
// Drops the entries above slot. Requires first - 1 <= slot <= last.
void paxos_log_truncate(struct paxos_log *log, paxos_slot slot);
// Drops the entries up to slot from memory. Requires slot <= last.
void paxos_log_release(struct paxos_log *log, paxos_slot slot);
// Requires first <= slot <= last.
const struct entry *paxos_log_entry(const struct paxos_log *log, paxos_slot slot);
// Chain hash at slot. Requires first - 1 <= slot <= last.
struct hash128 paxos_log_hash(const struct paxos_log *log, paxos_slot slot);
bool paxos_log_full(const struct paxos_log *log);
