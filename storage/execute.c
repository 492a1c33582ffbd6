// SPDX-License-Identifier: Apache-2.0
// Execution of decided entries: which commands run (origins, idempotency keys), each command all or
// nothing at one zxid, and what it answers.
#include <string.h>

#include "base/assert.h"
#include "storage/keys.h"
#include "storage/view_internal.h"
#include "storage/operations.h"
#include "storage/sessions.h"

enum {
    REAPED_PER_ENTRY = 16,
    REAPED_PER_KEYED_COMMAND = 2, // more than one, so that the table cannot only grow
};

// ---- One command -------------------------------------------------------------------------------

static bool has_changed(const struct op_result *done)
{
    if (done->type == OP_DELETE_TREE)
        return done->deleted > 0;
    return done->type != OP_CHECK && (done->flags & RESULT_NO_EFFECT) == 0;
}

// Executes the ops in order until one fails; their results go to state->results.
static enum error run_ops(struct state *state, struct command command, const struct stamp *stamp,
                          struct result *result, struct op_result *failed)
{
    struct op_result op_result;
    struct op op;
    bool changed = false;

    buffer_clear(&state->results);
    for (uint32_t i = 0; i < command.op_count; i++) {
        command_next_op(&command, &op);
        enum error error = operation_execute(&state->tree, &op, stamp, &op_result);
        if (operation_error_is_fatal(error))
            return error;
        if (error != ERROR_OK) {
            result->error = (uint8_t)error;
            result->failed_op = i;
            *failed = op_result;
            return ERROR_OK;
        }
        changed |= has_changed(&op_result);
        result_encode_op(&state->results, &op_result);
    }
    if (changed)
        result->zxid = stamp->zxid;
    return ERROR_OK;
}

// The stat that goes with a refused precondition must be one that exists: in a multi the op may
// have seen what earlier ops did and what was then taken back.
static enum error refresh_stat(struct state *state, const struct op *op, struct op_result *failed)
{
    struct spot spot;

    if ((failed->flags & RESULT_HAS_STAT) == 0)
        return ERROR_OK;
    enum error error = tree_find(&state->writer, op->path, op->path_length, &spot);
    if (error == ERROR_OK)
        failed->stat = node_stat(&spot.node);
    else
        failed->flags = (uint8_t)(failed->flags & ~RESULT_HAS_STAT);
    return operation_error_is_fatal(error) ? error : ERROR_OK;
}

// M8: OK before the failing op, its error, and RUNTIME_INCONSISTENCY behind it.
static enum error write_failure(struct state *state, struct command command, uint32_t failed_op,
                                struct op_result *failed)
{
    struct op op;

    buffer_clear(&state->results);
    for (uint32_t i = 0; i < command.op_count; i++) {
        command_next_op(&command, &op);
        struct op_result op_result = {.type = op.type};
        if (i > failed_op)
            op_result.error = ERROR_RUNTIME_INCONSISTENCY;
        if (i == failed_op) {
            enum error error = refresh_stat(state, &op, failed);
            if (error != ERROR_OK)
                return error;
            op_result = *failed;
            op_result.flags &= RESULT_HAS_STAT;
        }
        result_encode_op(&state->results, &op_result);
    }
    return ERROR_OK;
}

static struct blob *encode_result(struct state *state, const struct result *result)
{
    struct buffer *header = &state->row;
    const struct buffer *ops = &state->results;

    buffer_clear(header);
    result_encode_begin(header, result);
    struct blob *blob = blob_new(header->length + ops->length);
    memcpy(blob->data, header->data, header->length);
    if (ops->length > 0)
        memcpy(blob->data + header->length, ops->data, ops->length);
    return blob;
}

// Notes which session was opened, bound or closed: such an op stands alone.
static void note_session(struct state *state, struct command command, const struct result *result)
{
    struct op op;

    command_next_op(&command, &op);
    if (op.type == OP_SESSION_OPEN)
        buffer_u64(&state->sessions, result->zxid);
    else if (op.type > OP_SESSION_OPEN)
        buffer_u64(&state->sessions, op.session.id);
}

// Only a command of several ops can have changed something when it fails: see operations.h.
static enum error run(struct state *state, const struct command *command, struct result *result,
                      const struct entry *entry)
{
    struct stamp stamp = {
        .zxid = state->position.zxid + 1,
        .time_ms = entry->wall_ms,
        .log_time_us = entry->log_time_us,
        .actor = command->proof != NULL ? command->actor : 0,
        .ballot = entry->origin,
    };
    struct state_position before = state->position;
    bool undoable = command->op_count > 1;
    struct op_result failed;

    if (undoable)
        transaction_mark(&state->writer);
    enum error error = run_ops(state, *command, &stamp, result, &failed);
    if (error != ERROR_OK)
        return error;
    if (result->error == ERROR_OK) {
        if (undoable)
            transaction_release(&state->writer);
        state->position.zxid = result->zxid;
        if (result->zxid == stamp.zxid)
            note_session(state, *command, result);
        error = tree_settle(&state->tree);
        return error != ERROR_OK ? error
                                 : history_keep(&state->writer, &state->position,
                                                &state->tree.changes, result->zxid);
    }
    tree_forget(&state->tree);
    state->position = before;
    error = undoable ? transaction_rollback(&state->writer) : ERROR_OK;
    return error != ERROR_OK ? error : write_failure(state, *command, result->failed_op, &failed);
}

static bool is_kept(enum error error)
{
    int status = error_entry(error)->status;

    return (status >= 200 && status < 300) || status == 404 || status == 409 || status == 412;
}

// The command fails before its first op.
static struct blob *refuse(struct state *state, struct result *result, enum error error)
{
    result->error = (uint8_t)error;
    result->op_count = 0;
    buffer_clear(&state->results);
    return encode_result(state, result);
}

// ERROR_OK with a result that needs no execution, MISSING when it does.
static enum error admit(struct state *state, const struct command *command,
                        const struct entry *entry, struct result *result, struct blob **blob)
{
    if (command->key == NULL)
        return ERROR_MISSING;
    enum error error = keys_reap(state, entry->log_time_us, REAPED_PER_KEYED_COMMAND);
    if (error == ERROR_OK)
        error = keys_admit(state, command, entry->log_time_us, blob);
    if (error != ERROR_KEY_REUSED && error != ERROR_KEYS_FULL)
        return error;
    *blob = refuse(state, result, error);
    return ERROR_OK;
}

static enum error check_actor(struct state *state, const struct command *command)
{
    return command->proof == NULL ? ERROR_OK
                                  : session_check(&state->writer, command->actor, command->proof);
}

static enum error execute_command(struct state *state, const struct entry *entry,
                                  const uint8_t *data, size_t length, struct blob **blob)
{
    struct command command;

    if (command_decode(data, length, &command) != ERROR_OK)
        return ERROR_CORRUPT;
    struct result result = {.multi = command.multi,
                            .zxid = state->position.zxid,
                            .failed_op = UINT32_MAX,
                            .op_count = command.op_count};
    enum error actor = check_actor(state, &command);
    if (operation_error_is_fatal(actor))
        return actor;
    // What a session asked while it lived may be asked again when it is gone: the outcome is known.
    enum error error = actor == ERROR_SESSION_DENIED ? ERROR_MISSING
                                                     : admit(state, &command, entry, &result, blob);
    if (error != ERROR_MISSING)
        return error;
    if (actor != ERROR_OK) {
        *blob = refuse(state, &result, actor);
        return ERROR_OK;
    }
    error = run(state, &command, &result, entry);
    if (error != ERROR_OK)
        return error;
    *blob = encode_result(state, &result);
    if (command.key != NULL && is_kept(result.error)) {
        error = keys_keep(state, &command, entry->log_time_us, *blob);
        if (error != ERROR_OK)
            blob_unref(*blob);
    }
    return error;
}

// ---- Origins -----------------------------------------------------------------------------------

struct progress {
    uint64_t boot;
    uint64_t next; // sequence of the next command that runs
};

enum { ORIGIN_KEY_BYTES = 2, ORIGIN_BYTES = 16 };

static struct bytes origin_key(uint8_t key[ORIGIN_KEY_BYTES], uint16_t node)
{
    key[0] = (uint8_t)(node >> 8);
    key[1] = (uint8_t)node;
    return (struct bytes){.data = key, .length = ORIGIN_KEY_BYTES};
}

static enum error read_progress(struct transaction *transaction, uint16_t node,
                                struct progress *progress)
{
    uint8_t key[ORIGIN_KEY_BYTES];
    struct bytes value;

    *progress = (struct progress){0};
    enum error error = table_get(transaction, TABLE_ORIGIN, origin_key(key, node), &value);
    if (error == ERROR_MISSING)
        return ERROR_OK;
    if (error != ERROR_OK)
        return error;
    if (value.length != ORIGIN_BYTES)
        return ERROR_CORRUPT;
    progress->boot = bytes_get_u64(value.data);
    progress->next = bytes_get_u64((const uint8_t *)value.data + 8);
    return ERROR_OK;
}

enum error view_origin(struct view *view, uint16_t node, uint64_t boot, uint64_t *next)
{
    struct progress progress;
    enum error error = read_progress(&view->transaction, node, &progress);

    *next = error == ERROR_OK && progress.boot == boot ? progress.next : 0;
    return error;
}

static enum error write_progress(struct state *state, uint16_t node,
                                 const struct progress *progress)
{
    uint8_t key[ORIGIN_KEY_BYTES], value[ORIGIN_BYTES];

    bytes_put_u64(value, progress->boot);
    bytes_put_u64(value + 8, progress->next);
    return table_put(&state->writer, TABLE_ORIGIN, origin_key(key, node),
                     (struct bytes){value, sizeof value});
}

static enum error execute_part(struct state *state, const struct entry *entry,
                               struct batch_part *part, state_result receive, void *context)
{
    struct origin origin = part->origin;
    struct progress progress;
    const uint8_t *data;
    size_t length;

    enum error error = read_progress(&state->writer, origin.node, &progress);
    if (error != ERROR_OK)
        return error;
    struct progress before = progress;
    if (origin.boot > progress.boot)
        progress = (struct progress){.boot = origin.boot};
    while ((error = batch_next_command(part, &data, &length)) == ERROR_OK) {
        struct blob *result = NULL;
        if (origin.boot == progress.boot && origin.sequence == progress.next) {
            error = execute_command(state, entry, data, length, &result);
            if (error != ERROR_OK)
                return error;
            progress.next++;
        }
        if (receive != NULL)
            receive(context, &origin, result);
        blob_unref(result);
        origin.sequence++;
    }
    if (error != ERROR_MISSING)
        return ERROR_CORRUPT;
    if (progress.boot == before.boot && progress.next == before.next)
        return ERROR_OK;
    return write_progress(state, origin.node, &progress);
}

// ---- Entries -----------------------------------------------------------------------------------

static enum error execute_batch(struct state *state, const struct entry *entry,
                                state_result receive, void *context)
{
    struct batch_part part;
    struct reader parts;

    if (batch_open(entry->value->data, entry->value->length, &parts) != ERROR_OK)
        return ERROR_CORRUPT;
    enum error error = keys_reap(state, entry->log_time_us, REAPED_PER_ENTRY);
    if (error != ERROR_OK)
        return error;
    while ((error = batch_next_part(&parts, &part)) == ERROR_OK) {
        error = execute_part(state, entry, &part, receive, context);
        if (error != ERROR_OK)
            return error;
    }
    return error == ERROR_MISSING ? history_trim(&state->writer, &state->position) : ERROR_CORRUPT;
}

enum error state_execute(struct state *state, const struct entry *entry, state_result receive,
                         void *context)
{
    struct state_position *position = &state->position;
    enum error error = ERROR_OK;

    ASSERT(state->writer.handle != NULL);
    if (entry->slot != position->applied + 1 || !hash128_equal(entry->prev_hash, position->hash))
        return ERROR_CORRUPT;
    if (entry->type == ENTRY_BATCH)
        error = execute_batch(state, entry, receive, context);
    else if (entry->type != ENTRY_LEADER_START)
        error = ERROR_CORRUPT;
    if (error != ERROR_OK)
        return error;
    position->applied = entry->slot;
    position->hash = entry->hash;
    position->ballot = entry->origin;
    position->epoch = entry->epoch;
    position->log_time_us = entry->log_time_us;
    position->wall_ms = entry->wall_ms;
    position->digest = state->writer.digest;
    position->data_bytes = state->writer.bytes;
    return ERROR_OK;
}
