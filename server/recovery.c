// SPDX-License-Identifier: Apache-2.0
// The journal's records go through the core, which says what may be executed; that is executed here
// in large transactions.
#include "server/recovery.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "storage/identity.h"

enum {
    CHECKPOINTS_LOOKED_AT = 8,
    TRANSACTION_BYTES = 32 << 20, // of values executed in one transaction
};

struct replay {
    struct paxos *paxos;
    struct state *state;
    const struct checkpoint_info *checkpoint;
    bool writing;         // a transaction is open
    uint64_t value_bytes; // executed in it
};

static enum error replay_start(void *context, const struct paxos_scalars *scalars,
                               struct failure *failure)
{
    struct replay *replay = context;
    const struct state_position *state = &replay->checkpoint->position;
    struct paxos_position position = {.slot = state->applied,
                                      .hash = state->hash,
                                      .log_time_us = state->log_time_us,
                                      .wall_ms = state->wall_ms};

    return paxos_recover_start(replay->paxos, scalars, &position, failure);
}

static enum error replay_record(void *context, const struct paxos_record *record,
                                struct failure *failure)
{
    struct replay *replay = context;

    return paxos_recover_record(replay->paxos, record, failure);
}

static enum error commit(struct replay *replay, struct failure *failure)
{
    if (!replay->writing)
        return ERROR_OK;
    replay->writing = false;
    replay->value_bytes = 0;
    enum error error = state_commit(replay->state);
    if (error != ERROR_OK)
        return failure_set(failure, error, "the live tree could not be written: %s",
                           error_entry(error)->title);
    return ERROR_OK;
}

static void drop_result(void *context, const struct origin *origin, struct blob *result)
{
    (void)context;
    (void)origin;
    (void)result;
}

static enum error execute(struct replay *replay, paxos_slot slot, struct failure *failure)
{
    const struct entry *entry = paxos_entry(replay->paxos, slot);
    enum error error = ERROR_OK;

    if (!replay->writing)
        error = state_begin(replay->state);
    if (error == ERROR_OK) {
        replay->writing = true;
        replay->value_bytes += entry->value->length;
        error = state_execute(replay->state, entry, drop_result, NULL);
    }
    if (error != ERROR_OK)
        return failure_set(failure, error, "slot %" PRIu64 " could not be executed: %s", slot,
                           error_entry(error)->title);
    return ERROR_OK;
}

static enum error execute_decided(struct replay *replay, paxos_slot decided,
                                  struct failure *failure)
{
    paxos_slot from, to;
    enum error error = paxos_recover_group(replay->paxos, decided, &from, &to, failure);

    if (error != ERROR_OK || from == 0)
        return error;
    for (paxos_slot slot = from; slot <= to && error == ERROR_OK; slot++)
        error = execute(replay, slot, failure);
    if (error == ERROR_OK && replay->value_bytes >= TRANSACTION_BYTES)
        error = commit(replay, failure);
    if (error == ERROR_OK)
        paxos_recover_applied(replay->paxos, to);
    return error;
}

// What is settled is executed before more is taken in, as it was when the group was made.
static enum error replay_group_begin(void *context, paxos_slot settled, struct failure *failure)
{
    struct replay *replay = context;
    struct paxos_status status;

    paxos_status(replay->paxos, &status);
    return execute_decided(replay, settled < status.last ? settled : status.last, failure);
}

static enum error replay_group_end(void *context, paxos_slot decided, struct failure *failure)
{
    return execute_decided(context, decided, failure);
}

// Loads the newest checkpoint below `below` that is whole. When none is, the journal must reach back to
// slot 1, which paxos_recover_start checks.
static enum error load_checkpoint(struct disk *disk, struct identity *identity, paxos_slot below,
                                  struct state *state, struct recovery_result *result,
                                  struct failure *failure)
{
    paxos_slot slots[CHECKPOINTS_LOOKED_AT];
    size_t count;
    enum error error = checkpoint_list(disk, slots, CHECKPOINTS_LOOKED_AT, &count);

    if (error != ERROR_OK)
        return failure_set(failure, error, "the checkpoints could not be listed");
    for (size_t i = 0; i < count; i++) {
        char quoted[LOG_QUOTED_MAX];
        if (slots[i] >= below)
            continue;
        error = checkpoint_load(disk, identity, slots[i], state, &result->checkpoint, failure);
        if (error == ERROR_OK) {
            result->older_checkpoint = i + 1 < count ? slots[i + 1] : 0;
            return ERROR_OK;
        }
        if (error != ERROR_CORRUPT)
            return error;
        log_write(LOG_ERROR, "a checkpoint is damaged; trying an older one",
                  "slot=%" PRIu64 " reason=%s", slots[i], log_quote(quoted, failure->text));
        result->checkpoint = (struct checkpoint_info){0};
        error = state_reset(state);
        if (error != ERROR_OK)
            return failure_set(failure, error, "the live tree could not be emptied");
    }
    return ERROR_OK;
}

static enum error replay_journal(struct disk *disk, struct identity *identity,
                                 uint32_t segment_bytes, struct state *state,
                                 struct recovery_result *result, struct failure *failure)
{
    struct replay replay = {
        .paxos = result->paxos, .state = state, .checkpoint = &result->checkpoint};
    struct journal_handler handler = {.context = &replay,
                                      .start = replay_start,
                                      .group_begin = replay_group_begin,
                                      .record = replay_record,
                                      .group_end = replay_group_end};
    enum error error =
        journal_open_sized(disk, identity, &handler, segment_bytes, &result->journal, failure);

    if (error == ERROR_OK && !identity->journal_made)
        error = identity_note_journal(disk, identity, failure);
    if (error == ERROR_OK)
        error = commit(&replay, failure);
    if (replay.writing)
        state_abort(state);
    if (error == ERROR_OK)
        error = paxos_recover_end(result->paxos, failure);
    return error;
}

static enum error try_below(struct disk *disk, struct identity *identity,
                            const struct recovery_settings *settings, paxos_slot below,
                            struct state *state, struct recovery_result *result,
                            struct failure *failure)
{
    struct paxos_config config = settings->config;
    uint32_t segment_bytes =
        settings->segment_bytes > 0 ? settings->segment_bytes : JOURNAL_SEGMENT_BYTES;

    config.node = identity->node;
    config.boot = identity->boot_count;
    *result = (struct recovery_result){.paxos = paxos_new(&config)};
    enum error error = load_checkpoint(disk, identity, below, state, result, failure);
    if (error == ERROR_OK)
        error = replay_journal(disk, identity, segment_bytes, state, result, failure);
    if (error == ERROR_OK)
        return ERROR_OK;
    journal_close(result->journal);
    paxos_free(result->paxos);
    result->journal = NULL;
    result->paxos = NULL;
    return error;
}

// A checkpoint of another node becomes durable before the journal knows of it. If this process died in
// between, the journal ends before it, or holds something undecided in its place: then the start goes on
// from what there was before, which may be another such checkpoint.
static enum error forget_checkpoint(struct state *state, const struct recovery_result *result,
                                    struct failure *failure)
{
    enum error error = state_reset(state);

    if (error != ERROR_OK)
        return failure_set(failure, error, "the live tree could not be emptied");
    log_write(LOG_WARNING, "a received checkpoint was not installed yet; starting without it",
              "slot=%" PRIu64, result->checkpoint.position.applied);
    return ERROR_OK;
}

enum error recovery_run(struct disk *disk, struct identity *identity,
                        const struct recovery_settings *settings, struct state *state,
                        struct recovery_result *result, struct failure *failure)
{
    uint64_t started_ns = clock_monotonic_ns();
    enum error error = try_below(disk, identity, settings, UINT64_MAX, state, result, failure);

    while (error == ERROR_CORRUPT && result->checkpoint.received) {
        paxos_slot slot = result->checkpoint.position.applied;
        enum error reset = forget_checkpoint(state, result, failure);
        if (reset != ERROR_OK)
            return reset;
        error = try_below(disk, identity, settings, slot, state, result, failure);
    }
    if (error != ERROR_OK) {
        *result = (struct recovery_result){0};
        return error;
    }
    struct paxos_status status;
    paxos_status(result->paxos, &status);
    log_write(LOG_INFO, "state recovered",
              "checkpoint_slot=%" PRIu64 " applied_slot=%" PRIu64 " last_slot=%" PRIu64
              " duration_ms=%" PRIu64,
              result->checkpoint.position.applied, status.applied, status.last,
              (clock_monotonic_ns() - started_ns) / 1000000);
    return ERROR_OK;
}
