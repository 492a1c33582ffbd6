// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding of commands and results.
//
// command: u8 flags, u32 op count, [u8 key length, key, u64 x 2 identity, u64 retention,
// u32 capacity], [u64 actor, proof], ops.
// op: u8 type, u8 kind, u16 flags, u32 version, u32 limit, u8 match count, u64 each, path, data,
// [u64 TTL: of a CREATE of that kind].
// op on a session: u8 type, then what that type needs (write_session).
// result: u8 error, u8 flags, u64 zxid, u32 failed op, u32 op count, ops.
// op result: u8 type, u8 error, u8 flags, u32 deleted, [path], [stat].
#include "storage/command.h"

#include "base/assert.h"
#include "storage/path.h"

enum {
    COMMAND_MULTI = 1,
    COMMAND_KEYED = 2,
    COMMAND_ACTOR = 4,
    COMMAND_FLAGS = COMMAND_MULTI | COMMAND_KEYED | COMMAND_ACTOR,
};
enum { RESULT_REPLAYED = 1, RESULT_MULTI = 2, RESULT_FLAGS = RESULT_REPLAYED | RESULT_MULTI };
enum {
    OP_FLAGS = OP_SEQUENTIAL | OP_PARENTS | OP_NULL_DATA | OP_HAS_VERSION | OP_MUST_EXIST |
               OP_MUST_NOT_EXIST | OP_PARTIAL,
    OP_RESULT_FLAGS =
        RESULT_CREATED | RESULT_HAS_STAT | RESULT_HAS_PATH | RESULT_MORE | RESULT_NO_EFFECT,
};

static void write_hash(struct buffer *into, struct hash128 hash)
{
    buffer_u64(into, hash.low);
    buffer_u64(into, hash.high);
}

static struct hash128 read_hash(struct reader *reader)
{
    struct hash128 hash;

    hash.low = reader_u64(reader);
    hash.high = reader_u64(reader);
    return hash;
}

static void write_key(struct buffer *into, const struct command *command)
{
    ASSERT(command->key_length >= 1 && command->key_length <= COMMAND_KEY_MAX);
    buffer_u8(into, (uint8_t)command->key_length);
    buffer_append(into, command->key, command->key_length);
    write_hash(into, command->identity);
    buffer_u64(into, command->key_retention_us);
    buffer_u32(into, command->key_capacity);
}

void command_encode_begin(struct buffer *into, const struct command *command)
{
    bool keyed = command->key != NULL, acted = command->proof != NULL;

    buffer_u8(into, (uint8_t)((command->multi ? COMMAND_MULTI : 0) | (keyed ? COMMAND_KEYED : 0) |
                              (acted ? COMMAND_ACTOR : 0)));
    buffer_u32(into, command->op_count);
    if (keyed)
        write_key(into, command);
    if (acted) {
        buffer_u64(into, command->actor);
        buffer_append(into, command->proof, SESSION_PROOF_BYTES);
    }
}

// ---- Operations on sessions --------------------------------------------------------------------

static bool is_on_session(uint8_t type)
{
    return type >= OP_SESSION_OPEN && type <= OP_SESSION_UNBIND_CLOSE;
}

static bool has_binding(uint8_t type)
{
    return type == OP_SESSION_BIND || type == OP_SESSION_UNBIND_CLOSE;
}

static void write_session(struct buffer *into, uint8_t type, const struct session_op *session)
{
    if (type == OP_SESSION_OPEN) {
        buffer_u32(into, session->timeout_ms);
        buffer_append(into, session->proof, SESSION_PROOF_BYTES);
        return;
    }
    buffer_u64(into, session->id);
    if (type == OP_SESSION_EXPIRE) {
        buffer_u64(into, session->generation);
        buffer_u64(into, session->leader.round);
        buffer_u16(into, session->leader.node);
    }
    if (has_binding(type)) {
        buffer_u16(into, session->binding.node);
        buffer_u64(into, session->binding.boot);
        buffer_u64(into, session->binding.counter);
    }
    if (type == OP_SESSION_BIND)
        buffer_u32(into, session->grace_ms);
}

static void read_session(struct reader *reader, uint8_t type, struct session_op *session)
{
    if (type == OP_SESSION_OPEN) {
        session->timeout_ms = reader_u32(reader);
        session->proof = reader_bytes(reader, SESSION_PROOF_BYTES);
        return;
    }
    session->id = reader_u64(reader);
    if (type == OP_SESSION_EXPIRE) {
        session->generation = reader_u64(reader);
        session->leader.round = reader_u64(reader);
        session->leader.node = reader_u16(reader);
    }
    if (has_binding(type)) {
        session->binding.node = reader_u16(reader);
        session->binding.boot = reader_u64(reader);
        session->binding.counter = reader_u64(reader);
    }
    if (type == OP_SESSION_BIND)
        session->grace_ms = reader_u32(reader);
}

// ---- Operations --------------------------------------------------------------------------------

static bool has_ttl(const struct op *op)
{
    return op->type == OP_CREATE && op->kind == ZNODE_TTL;
}

void command_encode_op(struct buffer *into, const struct op *op)
{
    ASSERT(op->match_count <= COMMAND_MATCH_MAX);
    buffer_u8(into, op->type);
    if (is_on_session(op->type)) {
        write_session(into, op->type, &op->session);
        return;
    }
    buffer_u8(into, op->kind);
    buffer_u16(into, op->flags);
    buffer_u32(into, (uint32_t)op->version);
    buffer_u32(into, op->limit);
    buffer_u8(into, op->match_count);
    for (unsigned i = 0; i < op->match_count; i++)
        buffer_u64(into, op->match[i]);
    buffer_string(into, op->path, op->path_length);
    buffer_string(into, op->data, op->data_length);
    if (has_ttl(op))
        buffer_u64(into, op->ttl_ms);
}

static bool op_takes_data(const struct op *op)
{
    return op->type == OP_CREATE || op->type == OP_SET || op->type == OP_PUT;
}

static bool kind_plausible(const struct op *op)
{
    if (op->type == OP_CREATE)
        return op->kind <= ZNODE_TTL;
    if (op->type == OP_REAP)
        return op->kind == ZNODE_CONTAINER || op->kind == ZNODE_TTL;
    return op->kind == ZNODE_PERSISTENT;
}

static bool op_plausible(const struct op *op, bool alone)
{
    if (op->type >= OP_REAP && !alone)
        return false;
    if (is_on_session(op->type))
        return true;
    return op->type >= OP_CHECK && op->type <= OP_REAP && kind_plausible(op) &&
           (op->flags & ~OP_FLAGS) == 0 && (op->type != OP_REAP || op->match_count == 1) &&
           (op->data_length == 0 || (op_takes_data(op) && (op->flags & OP_NULL_DATA) == 0));
}

static void read_op(struct reader *reader, struct op *op)
{
    *op = (struct op){.type = reader_u8(reader)};
    if (is_on_session(op->type)) {
        read_session(reader, op->type, &op->session);
        return;
    }
    op->kind = reader_u8(reader);
    op->flags = reader_u16(reader);
    op->version = (int32_t)reader_u32(reader);
    op->limit = reader_u32(reader);
    op->match_count = reader_u8(reader);
    if (op->match_count > COMMAND_MATCH_MAX) {
        reader_fail(reader);
        op->match_count = 0;
    }
    for (unsigned i = 0; i < op->match_count; i++)
        op->match[i] = reader_u64(reader);
    op->path = (const char *)reader_string(reader, ZNODE_PATH_MAX, &op->path_length);
    op->data = reader_string(reader, DATA_MAX, &op->data_length);
    if (op->data_length == 0)
        op->data = NULL;
    if (has_ttl(op))
        op->ttl_ms = reader_u64(reader);
}

// ---- Commands ----------------------------------------------------------------------------------

static void read_key(struct reader *reader, struct command *command)
{
    command->key_length = reader_u8(reader);
    command->key = reader_bytes(reader, command->key_length);
    command->identity = read_hash(reader);
    command->key_retention_us = reader_u64(reader);
    command->key_capacity = reader_u32(reader);
    if (command->key_length == 0)
        reader_fail(reader);
}

enum error command_decode(const void *data, size_t length, struct command *command)
{
    struct reader reader;
    struct op op;

    *command = (struct command){0};
    if (length > COMMAND_BYTES_MAX)
        return ERROR_BAD_ARGUMENTS;
    reader_init(&reader, data, length);
    uint8_t flags = reader_u8(&reader);
    command->multi = (flags & COMMAND_MULTI) != 0;
    command->op_count = reader_u32(&reader);
    if ((flags & ~COMMAND_FLAGS) != 0 || command->op_count == 0 ||
        command->op_count > COMMAND_OPS_MAX || (!command->multi && command->op_count != 1))
        return ERROR_BAD_ARGUMENTS;
    if ((flags & COMMAND_KEYED) != 0)
        read_key(&reader, command);
    if ((flags & COMMAND_ACTOR) != 0) {
        command->actor = reader_u64(&reader);
        command->proof = reader_bytes(&reader, SESSION_PROOF_BYTES);
    }
    command->ops = reader;
    for (uint32_t i = 0; i < command->op_count && !reader.failed; i++) {
        read_op(&reader, &op);
        if (!op_plausible(&op, !command->multi))
            reader_fail(&reader);
    }
    return reader_done(&reader) ? ERROR_OK : ERROR_BAD_ARGUMENTS;
}

void command_next_op(struct command *command, struct op *op)
{
    read_op(&command->ops, op);
    ASSERT(!command->ops.failed);
}

// ---- Results -----------------------------------------------------------------------------------

void stat_write(struct buffer *into, const struct stat_fields *stat)
{
    uint8_t *at = buffer_reserve(into, STAT_BYTES);

    bytes_put_u64(at, stat->czxid);
    bytes_put_u64(at + 8, stat->mzxid);
    bytes_put_u64(at + 16, stat->pzxid);
    bytes_put_u64(at + 24, stat->ctime);
    bytes_put_u64(at + 32, stat->mtime);
    bytes_put_u32(at + 40, (uint32_t)stat->version);
    bytes_put_u32(at + 44, (uint32_t)stat->cversion);
    bytes_put_u32(at + 48, (uint32_t)stat->aversion);
    bytes_put_u32(at + 52, stat->data_length);
    bytes_put_u32(at + 56, stat->num_children);
    bytes_put_u64(at + 60, stat->owner);
    into->length += STAT_BYTES;
}

void stat_read(struct reader *reader, struct stat_fields *stat)
{
    stat->czxid = reader_u64(reader);
    stat->mzxid = reader_u64(reader);
    stat->pzxid = reader_u64(reader);
    stat->ctime = reader_u64(reader);
    stat->mtime = reader_u64(reader);
    stat->version = (int32_t)reader_u32(reader);
    stat->cversion = (int32_t)reader_u32(reader);
    stat->aversion = (int32_t)reader_u32(reader);
    stat->data_length = reader_u32(reader);
    stat->num_children = reader_u32(reader);
    stat->owner = reader_u64(reader);
}

void result_encode_begin(struct buffer *into, const struct result *result)
{
    buffer_u8(into, result->error);
    buffer_u8(into, (uint8_t)((result->replayed ? RESULT_REPLAYED : 0) |
                              (result->multi ? RESULT_MULTI : 0)));
    buffer_u64(into, result->zxid);
    buffer_u32(into, result->failed_op);
    buffer_u32(into, result->op_count);
}

void result_encode_op(struct buffer *into, const struct op_result *op)
{
    buffer_u8(into, op->type);
    buffer_u8(into, op->error);
    buffer_u8(into, op->flags);
    buffer_u32(into, op->deleted);
    if ((op->flags & RESULT_HAS_PATH) != 0)
        buffer_string(into, op->path, op->path_length);
    if ((op->flags & RESULT_HAS_STAT) != 0)
        stat_write(into, &op->stat);
}

static void read_op_result(struct reader *reader, struct op_result *op)
{
    *op = (struct op_result){0};
    op->type = reader_u8(reader);
    op->error = reader_u8(reader);
    op->flags = reader_u8(reader);
    op->deleted = reader_u32(reader);
    if ((op->flags & RESULT_HAS_PATH) != 0)
        op->path = (const char *)reader_string(reader, ZNODE_PATH_MAX, &op->path_length);
    if ((op->flags & RESULT_HAS_STAT) != 0)
        stat_read(reader, &op->stat);
    if (op->type < OP_CHECK || op->type > OP_SESSION_UNBIND_CLOSE || op->error >= ERROR_COUNT ||
        (op->flags & ~OP_RESULT_FLAGS) != 0)
        reader_fail(reader);
}

enum error result_decode(const void *data, size_t length, struct result *result)
{
    struct reader reader;
    struct op_result op;

    reader_init(&reader, data, length);
    result->error = reader_u8(&reader);
    uint8_t flags = reader_u8(&reader);
    result->replayed = (flags & RESULT_REPLAYED) != 0;
    result->multi = (flags & RESULT_MULTI) != 0;
    result->zxid = reader_u64(&reader);
    result->failed_op = reader_u32(&reader);
    result->op_count = reader_u32(&reader);
    result->ops = reader;
    if (result->error >= ERROR_COUNT || (flags & ~RESULT_FLAGS) != 0 ||
        result->op_count > COMMAND_OPS_MAX)
        return ERROR_CORRUPT;
    for (uint32_t i = 0; i < result->op_count && !reader.failed; i++)
        read_op_result(&reader, &op);
    return reader_done(&reader) ? ERROR_OK : ERROR_CORRUPT;
}

void result_next_op(struct result *result, struct op_result *op)
{
    read_op_result(&result->ops, op);
    ASSERT(!result->ops.failed);
}

void result_mark_replayed(void *encoded, size_t length)
{
    uint8_t *bytes = encoded;

    ASSERT(length >= 2);
    bytes[1] |= RESULT_REPLAYED;
}
