// SPDX-License-Identifier: Apache-2.0
// The part of the log that the core holds, in a ring: the entries above the executed slot, and some
// executed ones below it for followers that are a little behind. What is older is in the journal.
#pragma once

#include "base/errors.h"
#include "paxos/types.h"

enum {
    LOG_RING = 2 * PAXOS_WINDOW,
    LOG_RETAINED_MAX = PAXOS_WINDOW,                     // executed entries that are kept
    LOG_RETAINED_BYTES_MAX = PAXOS_WINDOW_BYTES_MAX / 2, // of their values
};

struct paxos_log {
    paxos_slot first;         // lowest slot in the ring; last + 1 when the ring is empty
    paxos_slot last;          // last slot of the log
    paxos_slot applied;       // executed up to here; first <= applied + 1
    struct hash128 last_hash; // chain hash at last
    struct hash128 base_hash; // chain hash at first - 1
    size_t open_bytes;        // of the values above applied
    size_t retained_bytes;    // of the values up to applied
    struct entry ring[LOG_RING];
};

// An empty log that ends at slot with that hash, all of it executed.
void paxos_log_init(struct paxos_log *log, paxos_slot slot, struct hash128 hash);
void paxos_log_deinit(struct paxos_log *log);
// Appends a copy of the entry with a reference of its own. Requires slot last + 1, a matching
// prev_hash and less than PAXOS_WINDOW entries above applied (asserted).
void paxos_log_append(struct paxos_log *log, const struct entry *entry);
// Drops the entries above slot. Requires applied <= slot <= last.
void paxos_log_truncate(struct paxos_log *log, paxos_slot slot);
// Everything up to slot is executed. Keeps at most `retain` executed entries.
void paxos_log_advance(struct paxos_log *log, paxos_slot slot, size_t retain);
// Requires first <= slot <= last.
const struct entry *paxos_log_entry(const struct paxos_log *log, paxos_slot slot);
// Whether the chain hash at slot is known: first - 1 <= slot <= last.
bool paxos_log_knows(const struct paxos_log *log, paxos_slot slot);
// Chain hash at slot. Requires paxos_log_knows.
struct hash128 paxos_log_hash(const struct paxos_log *log, paxos_slot slot);
