// SPDX-License-Identifier: Apache-2.0
// When all is over: the decided log is executed once more, on a fresh state, one slot at a time, and
// what clients were told is compared with what it did.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "storage/history.h"
#include "tests/sim/holder.h"
#include "tests/sim/model.h"
#include "tests/sim/oracle_internal.h"
#include "tests/sim/workload.h"

// What executing the log did to one operation.
struct effect {
    unsigned executed; // first executions; replays of a keyed outcome are not counted
    unsigned matched;  // executions whose result is the one that the client got
    uint64_t zxid;
};

struct listed {
    const uint8_t *data; // borrowed from the entry
    size_t length;
    uint64_t hash;
};

struct replay {
    struct world *world;
    const struct history *history;
    struct state *state;
    struct effect *effects; // by operation
    size_t *by_hash;        // open addressing: operation + 1, 0 = free
    size_t by_hash_size;
    const struct entry *entry; // that is executed
    struct listed *commands;   // of it
    size_t command_count;
    size_t command_capacity;
    size_t at; // command whose result comes next
    struct model *model;
    uint64_t *starts; // of the history, by zxid
    size_t start_capacity;
    uint64_t zxid; // of the last change
    size_t *reads; // operations that looked, by slot
    size_t read_count;
    size_t next_read;
};

// ---- Index of the operations -------------------------------------------------------------------

static void index_operations(struct replay *replay)
{
    replay->by_hash_size = replay->history->count * 2 + 1;
    replay->by_hash = memory_zalloc(replay->by_hash_size * sizeof *replay->by_hash);
    for (size_t i = 0; i < replay->history->count; i++) {
        const struct operation *operation = &replay->history->operations[i];
        if (operation->read)
            continue;
        size_t at = operation->command_hash % replay->by_hash_size;
        while (replay->by_hash[at] != 0)
            at = (at + 1) % replay->by_hash_size;
        replay->by_hash[at] = i + 1;
    }
}

static size_t find_operation(const struct replay *replay, uint64_t hash)
{
    size_t at = hash % replay->by_hash_size;

    while (replay->by_hash[at] != 0) {
        size_t found = replay->by_hash[at] - 1;
        if (replay->history->operations[found].command_hash == hash)
            return found;
        at = (at + 1) % replay->by_hash_size;
    }
    // 7: every decided command was submitted by a client exactly as it is, or is the end of a session.
    if (oracle_was_proposed(replay->world, hash))
        return replay->history->count;
    world_fail(replay->world, SIM_CORRECTNESS, "validity",
               "a command that nobody sent was decided");
}

static const struct history *sort_history;

static int by_slot(const void *a, const void *b)
{
    const struct operation *first = &sort_history->operations[*(const size_t *)a];
    const struct operation *second = &sort_history->operations[*(const size_t *)b];

    return (first->slot > second->slot) - (first->slot < second->slot);
}

static void sort_reads(struct replay *replay)
{
    replay->reads = memory_alloc((replay->history->count + 1) * sizeof *replay->reads);
    for (size_t i = 0; i < replay->history->count; i++) {
        const struct operation *operation = &replay->history->operations[i];
        if (operation->read && operation->status == OPERATION_OK)
            replay->reads[replay->read_count++] = i;
    }
    sort_history = replay->history;
    qsort(replay->reads, replay->read_count, sizeof *replay->reads, by_slot);
}

// ---- One slot ----------------------------------------------------------------------------------

static void add_command(struct replay *replay, const uint8_t *data, size_t length)
{
    if (replay->command_count == replay->command_capacity) {
        replay->command_capacity = replay->command_capacity * 2 + 64;
        replay->commands =
            memory_realloc(replay->commands, replay->command_capacity * sizeof *replay->commands);
    }
    replay->commands[replay->command_count++] =
        (struct listed){.data = data, .length = length, .hash = hash64(data, length, 0)};
}

static void list_commands(struct replay *replay, const struct entry *entry)
{
    struct batch_part part;
    struct reader parts;
    const uint8_t *command;
    size_t length;

    replay->entry = entry;
    replay->command_count = 0;
    replay->at = 0;
    if (entry->type != ENTRY_BATCH)
        return;
    if (batch_open(entry->value->data, entry->value->length, &parts) != ERROR_OK)
        world_fail(replay->world, SIM_CORRECTNESS, "validity", "slot %" PRIu64 " is no batch",
                   entry->slot);
    while (batch_next_part(&parts, &part) == ERROR_OK) {
        while (batch_next_command(&part, &command, &length) == ERROR_OK)
            add_command(replay, command, length);
    }
}

static bool same_answer(const struct operation *operation, const struct result *result)
{
    struct result told;

    if (operation->status != OPERATION_OK)
        return false;
    ASSERT(result_decode(operation->result->data, operation->result->length, &told) == ERROR_OK);
    return told.zxid == result->zxid && told.error == result->error &&
           told.failed_op == result->failed_op && told.op_count == result->op_count;
}

static void note_effect(const struct replay *replay, size_t found, const struct result *result)
{
    if (found == replay->history->count)
        return; // no client waits for it
    struct effect *effect = &replay->effects[found];
    effect->executed += !result->replayed;
    effect->matched += same_answer(&replay->history->operations[found], result);
}

static void on_result(void *context, const struct origin *origin, struct blob *blob)
{
    struct replay *replay = context;
    const struct listed *command = &replay->commands[replay->at++];
    size_t found = find_operation(replay, command->hash);
    struct result result;

    (void)origin;
    if (blob == NULL)
        return;
    ASSERT(result_decode(blob->data, blob->length, &result) == ERROR_OK);
    note_effect(replay, found, &result);
    if (result.replayed)
        return;
    if (result.error == ERROR_OK && result.zxid == replay->zxid + 1)
        replay->zxid++;
    if (result.zxid != replay->zxid)
        world_fail(replay->world, SIM_CORRECTNESS, "zxid", "zxid %" PRIu64 " follows %" PRIu64,
                   result.zxid, replay->zxid);
    model_execute(replay->model, replay->entry, command->data, command->length, &result);
}

static uint64_t content_of(struct view *view, const struct operation *operation)
{
    uint64_t value;

    return operation->asks == ASKS_RENEWAL ? holder_look(view, operation->session)
                                           : workload_look(view, operation->key, &value);
}

// Reads that looked at the state behind this slot saw what is there now.
static void check_reads(struct replay *replay, paxos_slot slot)
{
    struct view *view;

    ASSERT(view_open(replay->state, &view) == ERROR_OK);
    while (replay->next_read < replay->read_count) {
        const struct operation *operation =
            &replay->history->operations[replay->reads[replay->next_read]];
        if (operation->slot > slot)
            break;
        replay->next_read++;
        if (operation->zxid != view_position(view)->zxid ||
            operation->content != content_of(view, operation))
            world_fail(replay->world, SIM_CORRECTNESS, "read-content",
                       "a read of /k%u, session %" PRIu64 ", at slot %" PRIu64
                       " saw something else than is there",
                       operation->key, operation->session, operation->slot);
    }
    view_close(view);
}

static void compare(const struct replay *replay, void (*how)(struct model *, struct view *))
{
    struct view *view;

    ASSERT(view_open(replay->state, &view) == ERROR_OK);
    how(replay->model, view);
    view_close(view);
}

static void note_start(struct replay *replay)
{
    struct view *view;
    size_t capacity = replay->start_capacity;

    ASSERT(view_open(replay->state, &view) == ERROR_OK);
    uint64_t zxid = view_position(view)->zxid;
    if (zxid >= capacity) {
        replay->start_capacity = (zxid + 1) * 2;
        replay->starts =
            memory_realloc(replay->starts, replay->start_capacity * sizeof *replay->starts);
        memset(replay->starts + capacity, 0xff,
               (replay->start_capacity - capacity) * sizeof *replay->starts);
    }
    replay->starts[zxid] = view_history_start(view);
    view_close(view);
}

static void execute_slot(struct replay *replay, paxos_slot slot)
{
    const struct entry *entry = oracle_entry(replay->world, slot);
    bool known;

    list_commands(replay, entry);
    ASSERT(state_begin(replay->state) == ERROR_OK);
    if (state_execute(replay->state, entry, on_result, replay) != ERROR_OK)
        world_fail(replay->world, SIM_CORRECTNESS, "executes", "slot %" PRIu64 " does not execute",
                   slot);
    struct hash128 digest = state_writing_position(replay->state)->digest;
    ASSERT(state_commit(replay->state) == ERROR_OK);
    struct hash128 expected = oracle_digest(replay->world, slot, &known);
    if (known && !hash128_equal(digest, expected))
        world_fail(replay->world, SIM_CORRECTNESS, "digest",
                   "executing the log again gives another state at slot %" PRIu64, slot);
    compare(replay, model_compare);
    note_start(replay);
    check_reads(replay, slot);
}

// ---- Operations --------------------------------------------------------------------------------

static void operation_fails(const struct replay *replay, size_t index, const char *oracle)
{
    const struct operation *operation = &replay->history->operations[index];

    world_fail(replay->world, SIM_CORRECTNESS, oracle,
               "write %zu (%s, zxid %" PRIu64
               ", asked %u times without an answer) was executed %u "
               "times, %u times as it was answered",
               index, error_entry(operation->error)->slug, operation->zxid,
               operation->unknown_attempts, replay->effects[index].executed,
               replay->effects[index].matched);
}

static void check_operation(const struct replay *replay, size_t index)
{
    const struct operation *operation = &replay->history->operations[index];
    const struct effect *effect = &replay->effects[index];

    switch (operation->status) {
    case OPERATION_OK:
        if (effect->matched == 0 || (effect->executed != 1 && operation->result != NULL &&
                                     (!operation->keyed || operation->changed)))
            operation_fails(replay, index, "acknowledged");
        break;
    case OPERATION_REFUSED:
        if (effect->executed != 0)
            operation_fails(replay, index, "refused");
        break;
    case OPERATION_UNKNOWN:
    case OPERATION_PENDING:
        if (effect->executed > 1 && (!operation->keyed || operation->changed))
            operation_fails(replay, index, "unknown-once");
        break;
    }
}

void oracle_check_history(struct world *world)
{
    struct replay replay = {.world = world, .history = workload_history(world)};
    struct failure failure;

    replay.effects = memory_zalloc((replay.history->count + 1) * sizeof *replay.effects);
    replay.model = model_new(world);
    index_operations(&replay);
    sort_reads(&replay);
    ASSERT(state_open("", 0, &replay.state, &failure) == ERROR_OK);
    check_reads(&replay, 0);
    note_start(&replay);
    for (paxos_slot slot = 1; slot <= oracle_last(world); slot++)
        execute_slot(&replay, slot);
    compare(&replay, model_compare_all);
    note_start(&replay);
    oracle_check_watchers(world, replay.model, replay.starts, replay.zxid);
    for (size_t i = 0; i < replay.history->count; i++) {
        if (!replay.history->operations[i].read)
            check_operation(&replay, i);
    }
    state_close(replay.state);
    model_free(replay.model);
    free(replay.starts);
    free(replay.effects);
    free(replay.by_hash);
    free(replay.commands);
    free(replay.reads);
}
