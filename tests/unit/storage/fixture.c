// SPDX-License-Identifier: Apache-2.0
// One origin whose commands follow each other, one command per entry.
#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum { NODE = 1, BOOT = 1 };

int fixture_setup(void **context)
{
    struct fixture *fixture = memory_zalloc(sizeof *fixture);
    struct failure failure;

    strcpy(fixture->directory, "/tmp/curlew-state-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    assert_int_equal(state_open(fixture->directory, 1 << 30, &fixture->state, &failure), ERROR_OK);
    fixture->log_time_us = 1000;
    fixture->wall_ms = 5000;
    *context = fixture;
    return 0;
}

int fixture_teardown(void **context)
{
    struct fixture *fixture = *context;

    blob_unref(fixture->last.blob);
    state_close(fixture->state);
    buffer_deinit(&fixture->batch);
    buffer_deinit(&fixture->command);
    rmdir(fixture->directory);
    free(fixture);
    return 0;
}

struct op op_make(enum op_type type, const char *path)
{
    return (struct op){
        .type = (uint8_t)type, .path = path, .path_length = strlen(path), .version = -1};
}

struct op op_create(const char *path, const char *data)
{
    struct op op = op_make(OP_CREATE, path);

    op.data = (const uint8_t *)data;
    op.data_length = strlen(data);
    return op;
}

struct op op_sequential(const char *path)
{
    return op_flagged(op_create(path, ""), OP_SEQUENTIAL);
}

struct op op_set(const char *path, const char *data, int32_t version)
{
    struct op op = op_create(path, data);

    op.type = OP_SET;
    op.version = version;
    return op;
}

struct op op_delete(const char *path, int32_t version)
{
    struct op op = op_make(OP_DELETE, path);

    op.version = version;
    return op;
}

struct op op_check(const char *path, int32_t version)
{
    struct op op = op_make(OP_CHECK, path);

    op.version = version;
    return op;
}

struct op op_put(const char *path, const char *data)
{
    struct op op = op_create(path, data);

    op.type = OP_PUT;
    return op;
}

struct op op_flagged(struct op op, unsigned flags)
{
    op.flags = (uint16_t)(op.flags | flags);
    return op;
}

struct op op_matching(struct op op, uint64_t mzxid)
{
    op.match[op.match_count++] = mzxid;
    return op;
}

struct op op_kind(struct op op, enum znode_kind kind)
{
    op.kind = (uint8_t)kind;
    return op;
}

struct op op_ttl(const char *path, uint64_t ttl_ms)
{
    struct op op = op_kind(op_create(path, ""), ZNODE_TTL);

    op.ttl_ms = ttl_ms;
    return op;
}

struct op op_tree(const char *path, uint32_t limit, unsigned flags)
{
    struct op op = op_make(OP_DELETE_TREE, path);

    op.limit = limit;
    op.flags = (uint16_t)flags;
    return op;
}

struct op op_reap(const char *path, enum znode_kind kind, uint64_t mzxid)
{
    return op_matching(op_kind(op_make(OP_REAP, path), kind), mzxid);
}

static const uint8_t proof[SESSION_PROOF_BYTES] = "thirty-two bytes of the SHA-256";

struct op op_open(uint32_t timeout_ms)
{
    return (struct op){.type = OP_SESSION_OPEN,
                       .session = {.timeout_ms = timeout_ms, .proof = proof}};
}

struct op op_on_session(enum op_type type, uint64_t id)
{
    return (struct op){.type = (uint8_t)type, .session.id = id};
}

struct op op_expire(uint64_t id, uint64_t generation)
{
    struct op op = op_on_session(OP_SESSION_EXPIRE, id);

    op.session.generation = generation;
    op.session.leader = (struct ballot){.round = 1, .node = NODE};
    return op;
}

struct op op_bind(uint64_t id, struct session_binding binding)
{
    struct op op = op_on_session(OP_SESSION_BIND, id);

    op.session.binding = binding;
    op.session.grace_ms = 250;
    return op;
}

struct op op_unbind(uint64_t id, struct session_binding binding)
{
    struct op op = op_on_session(OP_SESSION_UNBIND_CLOSE, id);

    op.session.binding = binding;
    return op;
}

void encode(struct buffer *into, const struct fixture *fixture, bool multi, const struct op *ops,
            uint32_t count)
{
    struct command command = fixture->keyed;

    command.multi = multi;
    command.op_count = count;
    buffer_clear(into);
    command_encode_begin(into, &command);
    for (uint32_t i = 0; i < count; i++)
        command_encode_op(into, &ops[i]);
}

enum error execute_value_open(struct fixture *fixture, const void *value, size_t length,
                              state_result receive, void *context)
{
    const struct state_position *position = state_writing_position(fixture->state);
    struct entry entry = {
        .slot = position->applied + 1,
        .epoch = 1,
        .origin = {.round = 1, .node = NODE},
        .type = ENTRY_BATCH,
        .log_time_us = fixture->log_time_us++,
        .wall_ms = fixture->wall_ms,
        .prev_hash = position->hash,
        .value = blob_copy(value, length),
    };
    entry.hash = entry_hash(&entry);
    enum error error = state_execute(fixture->state, &entry, receive, context);
    blob_unref(entry.value);
    return error;
}

enum error execute_value(struct fixture *fixture, const void *value, size_t length,
                         state_result receive, void *context)
{
    assert_int_equal(state_begin(fixture->state), ERROR_OK);
    enum error error = execute_value_open(fixture, value, length, receive, context);
    if (error == ERROR_OK)
        return state_commit(fixture->state);
    state_abort(fixture->state);
    return error;
}

static void keep_answer(void *context, const struct origin *origin, struct blob *result)
{
    struct answer *answer = context;

    (void)origin;
    blob_unref(answer->blob);
    *answer = (struct answer){0};
    if (result == NULL)
        return;
    answer->blob = blob_ref(result);
    assert_int_equal(result_decode(result->data, result->length, &answer->result), ERROR_OK);
    for (uint32_t i = 0; i < answer->result.op_count && i < FIXTURE_OPS; i++)
        result_next_op(&answer->result, &answer->ops[i]);
}

static enum error run_command(struct fixture *fixture, bool multi, const struct op *ops,
                              uint32_t count)
{
    struct origin origin = {.node = NODE, .boot = BOOT, .sequence = fixture->sequence++};

    encode(&fixture->command, fixture, multi, ops, count);
    buffer_clear(&fixture->batch);
    batch_begin(&fixture->batch);
    batch_begin_part(&fixture->batch, &origin, 1);
    batch_add_command(&fixture->batch, fixture->command.data, fixture->command.length);
    assert_int_equal(execute_value(fixture, fixture->batch.data, fixture->batch.length, keep_answer,
                                   &fixture->last),
                     ERROR_OK);
    assert_non_null(fixture->last.blob);
    return (enum error)fixture->last.result.error;
}

void run_entry(struct fixture *fixture, const struct op *ops, uint32_t count)
{
    struct origin origin = {.node = NODE, .boot = BOOT, .sequence = fixture->sequence};

    buffer_clear(&fixture->batch);
    batch_begin(&fixture->batch);
    batch_begin_part(&fixture->batch, &origin, count);
    for (uint32_t i = 0; i < count; i++) {
        encode(&fixture->command, fixture, false, &ops[i], 1);
        batch_add_command(&fixture->batch, fixture->command.data, fixture->command.length);
    }
    assert_int_equal(execute_value(fixture, fixture->batch.data, fixture->batch.length, NULL, NULL),
                     ERROR_OK);
    fixture->sequence += count;
}

enum error run(struct fixture *fixture, struct op op)
{
    return run_command(fixture, false, &op, 1);
}

enum error run_multi(struct fixture *fixture, const struct op *ops, uint32_t count)
{
    return run_command(fixture, true, ops, count);
}

uint64_t open_session(struct fixture *fixture)
{
    assert_int_equal(run(fixture, op_open(10000)), ERROR_OK);
    return fixture->last.result.zxid;
}

void act_as(struct fixture *fixture, uint64_t session)
{
    fixture->keyed.actor = session;
    fixture->keyed.proof = session != 0 ? proof : NULL;
}

struct stat_fields stat_of(struct fixture *fixture, const char *path)
{
    struct view *view;
    struct znode node;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_get(view, path, strlen(path), false, &node), ERROR_OK);
    view_close(view);
    return node.stat;
}

bool exists(struct fixture *fixture, const char *path)
{
    struct view *view;
    struct znode node;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    enum error error = view_get(view, path, strlen(path), false, &node);
    view_close(view);
    assert_true(error == ERROR_OK || error == ERROR_NO_NODE);
    return error == ERROR_OK;
}

struct state_position position_of(struct fixture *fixture)
{
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    struct state_position position = *view_position(view);
    view_close(view);
    return position;
}

uint64_t bytes_of(struct fixture *fixture)
{
    struct state_position position = position_of(fixture);

    return position.data_bytes - position.history_bytes;
}

bool same_stat(const struct stat_fields *a, const struct stat_fields *b)
{
    return a->czxid == b->czxid && a->mzxid == b->mzxid && a->pzxid == b->pzxid &&
           a->ctime == b->ctime && a->mtime == b->mtime && a->version == b->version &&
           a->cversion == b->cversion && a->aversion == b->aversion &&
           a->data_length == b->data_length && a->num_children == b->num_children &&
           a->owner == b->owner;
}
