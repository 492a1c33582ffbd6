// SPDX-License-Identifier: Apache-2.0
// A ring of entries indexed by slot. The log is contiguous by construction: nothing can be appended
// but the successor of its end.
#include "paxos/log.h"

#include "base/assert.h"

_Static_assert((LOG_RING & (LOG_RING - 1)) == 0, "slots map to the ring by masking");
_Static_assert((int)LOG_RETAINED_MAX + (int)PAXOS_WINDOW <= (int)LOG_RING,
               "the retained and the open entries fit");

static struct entry *place(struct paxos_log *log, paxos_slot slot)
{
    return &log->ring[slot % LOG_RING];
}

// Frees the entry and returns the length of its value.
static size_t drop(struct paxos_log *log, paxos_slot slot)
{
    struct entry *entry = place(log, slot);
    size_t length = entry->value->length;

    ASSERT(entry->slot == slot);
    blob_unref(entry->value);
    *entry = (struct entry){0};
    return length;
}

void paxos_log_init(struct paxos_log *log, paxos_slot slot, struct hash128 hash)
{
    log->first = slot + 1;
    log->last = log->applied = slot;
    log->last_hash = log->base_hash = hash;
    log->open_bytes = log->retained_bytes = 0;
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
    ASSERT(log->last - log->applied < PAXOS_WINDOW);

    *place(log, entry->slot) = *entry;
    blob_ref(entry->value);
    log->last = entry->slot;
    log->last_hash = entry->hash;
    log->open_bytes += entry->value->length;
}

void paxos_log_truncate(struct paxos_log *log, paxos_slot slot)
{
    ASSERT(slot >= log->applied && slot <= log->last);

    struct hash128 hash = paxos_log_hash(log, slot);
    for (paxos_slot dropped = slot + 1; dropped <= log->last; dropped++)
        log->open_bytes -= drop(log, dropped);
    log->last = slot;
    log->last_hash = hash;
}

static void release_first(struct paxos_log *log)
{
    log->base_hash = place(log, log->first)->hash;
    log->retained_bytes -= drop(log, log->first);
    log->first++;
}

void paxos_log_advance(struct paxos_log *log, paxos_slot slot, size_t retain)
{
    ASSERT(slot >= log->applied && slot <= log->last && retain <= LOG_RETAINED_MAX);
    for (paxos_slot executed = log->applied + 1; executed <= slot; executed++) {
        size_t length = place(log, executed)->value->length;
        log->open_bytes -= length;
        log->retained_bytes += length;
    }
    log->applied = slot;
    while (log->first <= slot &&
           (slot - log->first + 1 > retain || log->retained_bytes > LOG_RETAINED_BYTES_MAX))
        release_first(log);
}

const struct entry *paxos_log_entry(const struct paxos_log *log, paxos_slot slot)
{
    ASSERT(slot >= log->first && slot <= log->last);
    return &log->ring[slot % LOG_RING];
}

bool paxos_log_knows(const struct paxos_log *log, paxos_slot slot)
{
    return slot + 1 >= log->first && slot <= log->last;
}

struct hash128 paxos_log_hash(const struct paxos_log *log, paxos_slot slot)
{
    ASSERT(paxos_log_knows(log, slot));
    if (slot == log->last)
        return log->last_hash;
    if (slot + 1 == log->first)
        return log->base_hash;
    return paxos_log_entry(log, slot)->hash;
}
