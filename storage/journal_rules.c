// SPDX-License-Identifier: Apache-2.0
// The rules of the acceptor's log: see the header.
#include "storage/journal_rules.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

enum { FIRST_HASHES = 64 };

static void hash_put(struct journal_rules *rules, struct hash128 hash)
{
    size_t index = (size_t)(rules->scalars.last - rules->base);

    if (rules->hashes == NULL)
        return;
    if (index >= rules->hash_capacity) {
        ASSERT(index == rules->hash_capacity);
        rules->hash_capacity *= 2;
        rules->hashes = memory_realloc(rules->hashes, rules->hash_capacity * sizeof *rules->hashes);
    }
    rules->hashes[index] = hash;
}

static const char *start(struct journal_rules *rules, const struct paxos_scalars *scalars,
                         bool genesis, bool track)
{
    const struct hash128 none = {0};

    if (genesis && (scalars->promised.round != 0 || scalars->log_ballot.round != 0 ||
                    scalars->last != 0 || !hash128_equal(scalars->last_hash, none)))
        return "the first group of the journal builds on something before it";
    if (ballot_compare(scalars->log_ballot, scalars->promised) > 0)
        return "the ballot of the log is above the promised one";
    rules->scalars = *scalars;
    rules->started = true;
    rules->base = scalars->last;
    if (track) {
        rules->hash_capacity = FIRST_HASHES;
        rules->hashes = memory_alloc(rules->hash_capacity * sizeof *rules->hashes);
        hash_put(rules, scalars->last_hash);
    }
    return NULL;
}

const char *journal_rules_begin(struct journal_rules *rules, const struct paxos_scalars *scalars,
                                bool genesis, bool track)
{
    struct paxos_scalars *known = &rules->scalars;

    if (!rules->started)
        return start(rules, scalars, genesis, track);
    if (scalars->epoch < known->epoch)
        return "the epoch in its head goes back";
    if (ballot_compare(scalars->promised, known->promised) != 0)
        return "the promised ballot in its head is not the one of the records before it";
    if (ballot_compare(scalars->log_ballot, known->log_ballot) != 0)
        return "the log's ballot in its head is not the one of the records before it";
    if (scalars->last != known->last || !hash128_equal(scalars->last_hash, known->last_hash))
        return "the last slot in its head is not the one of the records before it";
    rules->settled = known->decided;
    known->epoch = scalars->epoch;
    known->decided = scalars->decided;
    return NULL;
}

// Ballots compare within one epoch only, so a later epoch may start anywhere.
static bool ballot_is_admissible(const struct journal_rules *rules,
                                 const struct paxos_record *record)
{
    if (record->epoch != rules->scalars.epoch)
        return record->epoch > rules->scalars.epoch;
    return ballot_compare(record->ballot, rules->scalars.promised) >= 0;
}

static const char *apply_promise(struct journal_rules *rules, const struct paxos_record *record)
{
    if (!ballot_is_admissible(rules, record))
        return "a promise goes back behind an earlier one";
    rules->scalars.epoch = record->epoch;
    rules->scalars.promised = record->ballot;
    return NULL;
}

// What lies before the oldest segment is not known any more: there the SYNC's word is taken.
static bool sync_hash_is_right(const struct journal_rules *rules, const struct paxos_record *record)
{
    if (record->slot == rules->scalars.last)
        return hash128_equal(record->hash, rules->scalars.last_hash);
    if (rules->hashes == NULL || record->slot < rules->base)
        return true;
    return hash128_equal(record->hash, rules->hashes[record->slot - rules->base]);
}

// SYNC and LEARN: the log is kept up to the slot, entries follow.
static const char *apply_cut(struct journal_rules *rules, const struct paxos_record *record)
{
    struct paxos_scalars *scalars = &rules->scalars;

    if (record->slot > scalars->last)
        return "a synchronisation keeps more than there is";
    if (!sync_hash_is_right(rules, record))
        return "a synchronisation keeps a slot with another hash";
    if (record->slot < rules->base)
        rules->base = record->slot;
    scalars->last = record->slot;
    scalars->last_hash = record->hash;
    hash_put(rules, record->hash);
    scalars->epoch = record->epoch;
    rules->pending = record->count;
    return NULL;
}

static const char *apply_sync(struct journal_rules *rules, const struct paxos_record *record)
{
    if (!ballot_is_admissible(rules, record))
        return "a synchronisation has a ballot below the promised one";
    const char *complaint = apply_cut(rules, record);
    if (complaint == NULL)
        rules->scalars.promised = rules->scalars.log_ballot = record->ballot;
    return complaint;
}

static const char *apply_learn(struct journal_rules *rules, const struct paxos_record *record)
{
    const char *complaint = apply_cut(rules, record);

    if (complaint == NULL && ballot_compare(record->ballot, rules->scalars.promised) > 0)
        rules->scalars.promised = record->ballot;
    return complaint;
}

// The mark of the checkpoint's own group may be one that was reached behind it.
static const char *apply_install(struct journal_rules *rules, const struct paxos_record *record)
{
    struct paxos_scalars *scalars = &rules->scalars;

    if (record->slot <= rules->settled)
        return "a checkpoint was installed below what was decided";
    if (ballot_compare(record->ballot, scalars->promised) > 0)
        scalars->promised = record->ballot;
    rules->base = scalars->last = record->slot;
    scalars->last_hash = record->hash;
    scalars->epoch = record->epoch;
    hash_put(rules, record->hash);
    return NULL;
}

static const char *apply_append(struct journal_rules *rules, const struct entry *entry)
{
    struct paxos_scalars *scalars = &rules->scalars;

    if (entry->slot != scalars->last + 1)
        return "an entry does not follow the slot before it";
    if (!hash128_equal(entry->prev_hash, scalars->last_hash))
        return "an entry does not continue the hash chain";
    scalars->last = entry->slot;
    scalars->last_hash = entry->hash;
    hash_put(rules, entry->hash);
    if (rules->pending > 0)
        rules->pending--;
    return NULL;
}

const char *journal_rules_record(struct journal_rules *rules, const struct paxos_record *record)
{
    if (rules->pending > 0 && record->type != RECORD_APPEND)
        return "a synchronisation is interrupted by another record";
    switch (record->type) {
    case RECORD_PROMISE:
        return apply_promise(rules, record);
    case RECORD_SYNC:
        return apply_sync(rules, record);
    case RECORD_LEARN:
        return apply_learn(rules, record);
    case RECORD_APPEND:
        return apply_append(rules, &record->entry);
    case RECORD_INSTALL:
        return apply_install(rules, record);
    default:
        return "a record has an unknown type";
    }
}

const char *journal_rules_end(const struct journal_rules *rules)
{
    return rules->pending == 0 ? NULL : "entries of a synchronisation are missing";
}

void journal_rules_forget(struct journal_rules *rules)
{
    free(rules->hashes);
    rules->hashes = NULL;
    rules->hash_capacity = 0;
}
