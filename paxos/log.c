// SPDX-License-Identifier: Apache-2.0
// A ring of entries indexed by slot. The log is contiguous by construction: nothing can be appended
// but the successor of its end.
#include "paxos/log.h"

#include "base/assert.h"

_Static_assert((PAXOS_WINDOW & (PAXOS_WINDOW - 1)) == 0, "slots map to the ring by masking");

static struct entry *place(struct paxos_log *log, paxos_slot slot)
{
    return &log->ring[slot % PAXOS_WINDOW];
}

static void drop(struct paxos_log *log, paxos_slot slot)
{
    struct entry *entry = place(log, slot);

    ASSERT(entry->slot == slot);
    log->value_bytes -= entry->value->length;
    blob_unref(entry->value);
    *entry = (struct entry){0};
}

void paxos_log_init(struct paxos_log *log, paxos_slot slot, struct hash128 hash)
{
    log->first = slot + 1;
    log->last = slot;
    log->last_hash = hash;
    log->base_hash = hash;
    log->value_bytes = 0;
}

void paxos_log_deinit(struct paxos_log *log)
{
    for (paxos_slot slot = log->first; slot <= log->last; slot++)
        drop(log, slot);
    log->first = log->last + 1;
}

void paxos_log_append(struct paxos_log *log, const struct entry *entry)
{
    ASSERT(entry->slot == log->last + 1);
    ASSERT(hash128_equal(entry->prev_hash, log->last_hash));
    ASSERT(!paxos_log_full(log));

    *place(log, entry->slot) = *entry;
    blob_ref(entry->value);
    log->last = entry->slot;
    log->last_hash = entry->hash;
    log->value_bytes += entry->value->length;
}

void paxos_log_truncate(struct paxos_log *log, paxos_slot slot)
{
    ASSERT(slot + 1 >= log->first && slot <= log->last);

    struct hash128 hash = paxos_log_hash(log, slot);
    for (paxos_slot dropped = slot + 1; dropped <= log->last; dropped++)
        drop(log, dropped);
    log->last = slot;
    log->last_hash = hash;
}

void paxos_log_release(struct paxos_log *log, paxos_slot slot)
{
    ASSERT(slot <= log->last);
    while (log->first <= slot) {
        log->base_hash = place(log, log->first)->hash;
        drop(log, log->first);
        log->first++;
    }
}

const struct entry *paxos_log_entry(const struct paxos_log *log, paxos_slot slot)
{
    ASSERT(slot >= log->first && slot <= log->last);
    return &log->ring[slot % PAXOS_WINDOW];
}

struct hash128 paxos_log_hash(const struct paxos_log *log, paxos_slot slot)
{
    if (slot == log->last)
        return log->last_hash;
    if (slot + 1 == log->first)
        return log->base_hash;
    return paxos_log_entry(log, slot)->hash;
}

bool paxos_log_full(const struct paxos_log *log)
{
    return log->last + 1 - log->first >= PAXOS_WINDOW;
}
