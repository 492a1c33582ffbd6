// SPDX-License-Identifier: Apache-2.0
// From journal to acceptor: the records of a crashed run, one flush group after the other, rebuild
// the scalars and the suffix of the log. Only what the groups' decided marks cover is executed; an
// undecided tail waits for a leader, who may still replace it.
#include <inttypes.h>

#include "base/assert.h"
#include "paxos/core.h"

enum error paxos_recover_start(struct paxos *paxos, const struct paxos_scalars *scalars,
                               const struct paxos_position *position, struct failure *failure)
{
    paxos_slot applied = position->slot;

    if (scalars->last > applied)
        return failure_set(failure, ERROR_CORRUPT,
                           "the journal starts behind slot %" PRIu64
                           " but the newest usable checkpoint ends at slot %" PRIu64
                           ": the slots between them are missing",
                           scalars->last, applied);
    paxos_log_init(&paxos->log, scalars->last, scalars->last_hash);
    paxos->promised = scalars->promised;
    paxos->log_ballot = scalars->log_ballot;
    paxos->applying = paxos->decided = applied;
    paxos->executed = applied;
    paxos->checkpoint = *position;
    paxos->log_time_us = position->log_time_us;
    paxos->wall_ms = position->wall_ms;
    if (scalars->last == applied)
        paxos->covered_hash = scalars->last_hash;
    return ERROR_OK;
}

// The state that execution goes on from must be the log's state at that slot. Asked when the first
// entry above it is executed and at the end; not earlier, because an undecided entry at that slot
// may have been replaced later in the journal.
static enum error check_checkpoint(const struct paxos *paxos, struct failure *failure)
{
    if (hash128_equal(paxos->covered_hash, paxos->checkpoint.hash))
        return ERROR_OK;
    return failure_set(failure, ERROR_CORRUPT, "journal and checkpoint differ at slot %" PRIu64,
                       paxos->checkpoint.slot);
}

// An entry that the checkpoint already holds: only the chain is followed.
static void recover_covered(struct paxos *paxos, const struct entry *entry)
{
    paxos_log_init(&paxos->log, entry->slot, entry->hash);
    if (entry->slot == paxos->checkpoint.slot)
        paxos->covered_hash = entry->hash;
}

static enum error recover_append(struct paxos *paxos, const struct entry *entry,
                                 struct failure *failure)
{
    if (entry->slot != paxos->log.last + 1 ||
        !hash128_equal(entry->prev_hash, paxos->log.last_hash))
        return failure_set(failure, ERROR_CORRUPT,
                           "the entry of slot %" PRIu64 " does not follow slot %" PRIu64,
                           entry->slot, paxos->log.last);
    paxos->log_time_us = entry->log_time_us;
    paxos->wall_ms = entry->wall_ms;
    if (entry->slot <= paxos->checkpoint.slot) {
        recover_covered(paxos, entry);
        return ERROR_OK;
    }
    if (paxos->log.last - paxos->log.applied >= PAXOS_WINDOW)
        return failure_set(failure, ERROR_CORRUPT,
                           "more than %d undecided slots up to slot %" PRIu64, PAXOS_WINDOW,
                           entry->slot);
    paxos_log_append(&paxos->log, entry);
    return ERROR_OK;
}

// SYNC and LEARN: the log is kept up to a slot, the entries that follow replace the rest.
static enum error recover_cut(struct paxos *paxos, const struct paxos_record *record,
                              struct failure *failure)
{
    paxos_slot keep = record->slot;

    if (keep > paxos->log.last || keep < paxos->recovered_mark)
        return failure_set(failure, ERROR_CORRUPT,
                           "a record of ballot %" PRIu64 ".%u keeps slot %" PRIu64
                           ", which contradicts the log",
                           record->ballot.round, record->ballot.node, keep);
    if (keep < paxos->log.applied) {
        paxos_log_deinit(&paxos->log);
        paxos_log_init(&paxos->log, keep, record->hash);
        return ERROR_OK;
    }
    if (!hash128_equal(record->hash, paxos_log_hash(&paxos->log, keep)))
        return failure_set(failure, ERROR_CORRUPT,
                           "a record of ballot %" PRIu64
                           ".%u differs from the log at slot %" PRIu64,
                           record->ballot.round, record->ballot.node, keep);
    paxos_log_truncate(&paxos->log, keep);
    return ERROR_OK;
}

static enum error recover_sync(struct paxos *paxos, const struct paxos_record *record,
                               struct failure *failure)
{
    if (ballot_less(record->ballot, paxos->promised))
        return failure_set(failure, ERROR_CORRUPT,
                           "a SYNC of ballot %" PRIu64 ".%u follows the promise of a higher one",
                           record->ballot.round, record->ballot.node);
    paxos->promised = paxos->log_ballot = record->ballot;
    return recover_cut(paxos, record, failure);
}

static enum error recover_learn(struct paxos *paxos, const struct paxos_record *record,
                                struct failure *failure)
{
    if (ballot_less(paxos->promised, record->ballot))
        paxos->promised = record->ballot;
    return recover_cut(paxos, record, failure);
}

// The log went on from a checkpoint, which must be what the state was loaded from, or older.
static enum error recover_install(struct paxos *paxos, const struct paxos_record *record,
                                  struct failure *failure)
{
    if (record->slot > paxos->checkpoint.slot)
        return failure_set(failure, ERROR_CORRUPT,
                           "the journal goes on from the checkpoint of slot %" PRIu64
                           ", which is missing or damaged",
                           record->slot);
    if (record->slot <= paxos->recovered_mark)
        return failure_set(failure, ERROR_CORRUPT,
                           "a checkpoint of slot %" PRIu64
                           " was installed below the decided %" PRIu64,
                           record->slot, paxos->recovered_mark);
    if (ballot_less(paxos->promised, record->ballot))
        paxos->promised = record->ballot;
    paxos_log_deinit(&paxos->log);
    paxos_log_init(&paxos->log, record->slot, record->hash);
    if (record->slot == paxos->checkpoint.slot) {
        paxos->covered_hash = record->hash;
        paxos->log_time_us = paxos->checkpoint.log_time_us;
        paxos->wall_ms = paxos->checkpoint.wall_ms;
    }
    return ERROR_OK;
}

static enum error recover_promise(struct paxos *paxos, const struct paxos_record *record,
                                  struct failure *failure)
{
    if (ballot_compare(record->ballot, paxos->promised) < 0)
        return failure_set(failure, ERROR_CORRUPT,
                           "a promise of round %" PRIu64 " follows a higher", record->ballot.round);
    paxos->promised = record->ballot;
    return ERROR_OK;
}

enum error paxos_recover_record(struct paxos *paxos, const struct paxos_record *record,
                                struct failure *failure)
{
    if (record->epoch != paxos->config.epoch)
        return failure_set(failure, ERROR_FOREIGN,
                           "a record of epoch %" PRIu64 " in epoch %" PRIu64, record->epoch,
                           paxos->config.epoch);
    switch (record->type) {
    case RECORD_PROMISE:
        return recover_promise(paxos, record, failure);
    case RECORD_APPEND:
        return recover_append(paxos, &record->entry, failure);
    case RECORD_SYNC:
        return recover_sync(paxos, record, failure);
    case RECORD_LEARN:
        return recover_learn(paxos, record, failure);
    case RECORD_INSTALL:
        return recover_install(paxos, record, failure);
    }
    return failure_set(failure, ERROR_FOREIGN, "a record of the unknown type %u", record->type);
}

enum error paxos_recover_group(struct paxos *paxos, paxos_slot decided, paxos_slot *from,
                               paxos_slot *to, struct failure *failure)
{
    *from = *to = 0;
    if (decided > paxos->log.last)
        return failure_set(failure, ERROR_CORRUPT,
                           "slot %" PRIu64 " was decided but the log ends at slot %" PRIu64,
                           decided, paxos->log.last);
    if (decided > paxos->recovered_mark)
        paxos->recovered_mark = decided;
    if (decided <= paxos->decided)
        return ERROR_OK;
    enum error error = check_checkpoint(paxos, failure);
    if (error != ERROR_OK)
        return error;
    paxos->decided = paxos->applying = decided;
    *from = paxos->log.applied + 1;
    *to = decided;
    return ERROR_OK;
}

void paxos_recover_applied(struct paxos *paxos, paxos_slot slot)
{
    ASSERT(slot == paxos->applying);
    paxos->executed = slot;
    paxos_log_advance(&paxos->log, slot, paxos->config.retain);
}

enum error paxos_recover_end(struct paxos *paxos, struct failure *failure)
{
    if (paxos->log.last < paxos->checkpoint.slot)
        return failure_set(failure, ERROR_CORRUPT,
                           "the journal ends at slot %" PRIu64
                           " but the checkpoint holds slot %" PRIu64,
                           paxos->log.last, paxos->checkpoint.slot);
    enum error error = check_checkpoint(paxos, failure);
    if (error != ERROR_OK)
        return error;
    paxos->durable = paxos->log.last;
    paxos->durable_ballot = paxos->log_ballot;
    paxos->durable_promise = paxos->promised;
    paxos__check(paxos);
    return ERROR_OK;
}
