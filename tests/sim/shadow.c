// SPDX-License-Identifier: Apache-2.0
// The records' meaning, said a second time and as plainly as possible.
#include "tests/sim/shadow.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "storage/journal_format.h"
#include "tests/lib/disk_fake.h"

void shadow_deinit(struct shadow *shadow)
{
    free(shadow->hashes);
    *shadow = (struct shadow){0};
}

void shadow_copy(struct shadow *to, const struct shadow *from)
{
    size_t count = from->last - from->base;

    free(to->hashes);
    *to = *from;
    to->capacity = count + 1;
    to->hashes = memory_alloc(to->capacity * sizeof *to->hashes);
    if (count > 0)
        memcpy(to->hashes, from->hashes, count * sizeof *to->hashes);
}

static struct hash128 hash_at(const struct shadow *shadow, paxos_slot slot)
{
    return slot == shadow->base ? shadow->base_hash : shadow->hashes[slot - shadow->base - 1];
}

static bool append(struct shadow *shadow, const struct entry *entry)
{
    if (entry->slot != shadow->last + 1 ||
        !hash128_equal(entry->prev_hash, hash_at(shadow, shadow->last)))
        return false;
    if (shadow->last - shadow->base == shadow->capacity) {
        shadow->capacity = shadow->capacity * 2 + 64;
        shadow->hashes = memory_realloc(shadow->hashes, shadow->capacity * sizeof *shadow->hashes);
    }
    shadow->hashes[shadow->last - shadow->base] = entry->hash;
    shadow->last = entry->slot;
    return true;
}

// A cut below the base can only be taken on trust: the segments before are gone.
static bool keep(struct shadow *shadow, const struct paxos_record *record)
{
    if (record->slot < shadow->base) {
        shadow->base = shadow->last = record->slot;
        shadow->base_hash = record->hash;
        return true;
    }
    if (record->slot > shadow->last || !hash128_equal(hash_at(shadow, record->slot), record->hash))
        return false;
    shadow->last = record->slot;
    return true;
}

static void raise_promise(struct shadow *shadow, struct ballot ballot)
{
    if (ballot_compare(ballot, shadow->promised) > 0)
        shadow->promised = ballot;
}

// 11: LEARN drops only what hangs on a value that is not the decided one.
static bool append_any(struct shadow *shadow, const struct entry *entry)
{
    bool learns_what_it_drops = shadow->drops && hash128_equal(shadow->dropped, entry->hash);

    shadow->drops = false;
    return !learns_what_it_drops && append(shadow, entry);
}

static bool learn(struct shadow *shadow, const struct paxos_record *record)
{
    shadow->drops = record->slot >= shadow->base && record->slot < shadow->last;
    if (shadow->drops) {
        shadow->dropped = hash_at(shadow, record->slot + 1);
        if (shadow->replaced == 0 || record->slot < shadow->replaced)
            shadow->replaced = record->slot + 1;
    }
    raise_promise(shadow, record->ballot);
    return keep(shadow, record);
}

// Never below what is known decided, nor where the log agrees with the checkpoint.
static bool install(struct shadow *shadow, const struct paxos_record *record)
{
    if (record->slot >= shadow->base && record->slot <= shadow->last &&
        hash128_equal(hash_at(shadow, record->slot), record->hash))
        return false;
    raise_promise(shadow, record->ballot);
    shadow->drops = false;
    shadow->base = shadow->last = record->slot;
    shadow->base_hash = record->hash;
    return true;
}

// 11: nothing is dropped within a ballot.
static bool sync(struct shadow *shadow, const struct paxos_record *record)
{
    if (ballot_compare(record->ballot, shadow->promised) < 0 ||
        (ballot_compare(record->ballot, shadow->log_ballot) == 0 && record->slot < shadow->last))
        return false;
    shadow->promised = shadow->log_ballot = record->ballot;
    shadow->replaced = 0;
    return keep(shadow, record);
}

bool shadow_record(struct shadow *shadow, const struct paxos_record *record)
{
    switch ((enum record_type)record->type) {
    case RECORD_PROMISE:
        if (ballot_compare(record->ballot, shadow->promised) < 0)
            return false;
        raise_promise(shadow, record->ballot);
        return true;
    case RECORD_APPEND:
        return append_any(shadow, &record->entry);
    case RECORD_SYNC:
        return sync(shadow, record);
    case RECORD_LEARN:
        return learn(shadow, record);
    case RECORD_INSTALL:
        return install(shadow, record);
    }
    return false;
}

static enum error read_start(void *context, const struct paxos_scalars *scalars,
                             struct failure *failure)
{
    struct shadow *shadow = context;

    (void)failure;
    shadow->promised = scalars->promised;
    shadow->log_ballot = scalars->log_ballot;
    shadow->base = shadow->last = scalars->last;
    shadow->base_hash = scalars->last_hash;
    shadow->decided = scalars->decided;
    return ERROR_OK;
}

static enum error read_record(void *context, const struct paxos_record *record,
                              struct failure *failure)
{
    struct shadow *shadow = context;

    if (shadow_record(shadow, record))
        return ERROR_OK;
    return failure_set(failure, ERROR_CORRUPT,
                       "record type %u slot %lu entry slot %lu does not follow", record->type,
                       record->slot, record->entry.slot);
}

static enum error read_group_end(void *context, paxos_slot decided, struct failure *failure)
{
    struct shadow *shadow = context;

    (void)failure;
    if (decided > shadow->decided)
        shadow->decided = decided;
    return ERROR_OK;
}

enum error shadow_read(struct shadow *shadow, struct disk *disk, const struct identity *identity,
                       uint32_t segment_bytes, struct failure *failure)
{
    struct journal_handler handler = {
        .context = shadow, .start = read_start, .record = read_record, .group_end = read_group_end};
    struct disk *copy = disk_fake_clone(disk);
    struct journal *journal = NULL;

    shadow_deinit(shadow);
    enum error error =
        journal_open_sized(copy, identity, &handler, segment_bytes, &journal, failure);
    journal_close(journal);
    disk_fake_free(copy);
    return error;
}

bool shadow_equal(const struct shadow *a, const struct shadow *b)
{
    return ballot_compare(a->promised, b->promised) == 0 &&
           ballot_compare(a->log_ballot, b->log_ballot) == 0 && a->last == b->last &&
           hash128_equal(hash_at(a, a->last), hash_at(b, b->last));
}

bool shadow_holds(const struct shadow *shadow, paxos_slot slot, struct hash128 hash)
{
    if (slot > shadow->last)
        return false;
    return slot <= shadow->base || hash128_equal(hash_at(shadow, slot), hash);
}

bool shadow_held(const struct shadow *shadow, paxos_slot slot, struct hash128 hash)
{
    return shadow_holds(shadow, slot, hash) || (shadow->replaced != 0 && slot >= shadow->replaced);
}
