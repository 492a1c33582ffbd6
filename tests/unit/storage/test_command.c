// SPDX-License-Identifier: Apache-2.0
// Encodings: what was written is read back, and everything else is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "storage/command.h"

static const struct op sample_ops[] = {
    {.type = OP_CHECK, .path = "/a", .path_length = 2, .version = 3},
    {.type = OP_CREATE,
     .flags = OP_SEQUENTIAL | OP_PARENTS,
     .path = "/a/b",
     .path_length = 4,
     .data = (const uint8_t *)"data",
     .data_length = 4},
    {.type = OP_PUT,
     .flags = OP_NULL_DATA,
     .path = "/c",
     .path_length = 2,
     .version = -1,
     .match_count = 2,
     .match = {7, 1ull << 40}},
    {.type = OP_DELETE_TREE, .flags = OP_PARTIAL, .path = "/d", .path_length = 2, .limit = 1000},
};
enum { SAMPLE_OPS = sizeof sample_ops / sizeof *sample_ops };

static void encode_sample(struct buffer *into)
{
    struct command command = {.multi = true,
                              .op_count = SAMPLE_OPS,
                              .key = (const uint8_t *)"key",
                              .key_length = 3,
                              .identity = {.low = 1, .high = 2},
                              .key_retention_us = 600000000,
                              .key_capacity = 1000};

    command_encode_begin(into, &command);
    for (unsigned i = 0; i < SAMPLE_OPS; i++)
        command_encode_op(into, &sample_ops[i]);
}

static void command_round_trip_keeps_every_field(void **context)
{
    struct buffer bytes = {0};
    struct command command;
    struct op op;

    (void)context;
    encode_sample(&bytes);
    assert_int_equal(command_decode(bytes.data, bytes.length, &command), ERROR_OK);
    assert_true(command.multi);
    assert_int_equal(command.op_count, SAMPLE_OPS);
    assert_int_equal(command.key_length, 3);
    assert_memory_equal(command.key, "key", 3);
    assert_int_equal(command.identity.high, 2);
    assert_int_equal(command.key_retention_us, 600000000);
    assert_int_equal(command.key_capacity, 1000);
    for (unsigned i = 0; i < SAMPLE_OPS; i++) {
        command_next_op(&command, &op);
        assert_int_equal(op.type, sample_ops[i].type);
        assert_int_equal(op.flags, sample_ops[i].flags);
        assert_int_equal(op.version, sample_ops[i].version);
        assert_int_equal(op.limit, sample_ops[i].limit);
        assert_int_equal(op.match_count, sample_ops[i].match_count);
        assert_memory_equal(op.match, sample_ops[i].match, op.match_count * sizeof *op.match);
        assert_int_equal(op.path_length, sample_ops[i].path_length);
        assert_memory_equal(op.path, sample_ops[i].path, op.path_length);
        assert_int_equal(op.data_length, sample_ops[i].data_length);
    }
    buffer_deinit(&bytes);
}

static void command_decode_refuses_every_truncation(void **context)
{
    struct buffer bytes = {0};
    struct command command;

    (void)context;
    encode_sample(&bytes);
    for (size_t length = 0; length < bytes.length; length++)
        assert_int_equal(command_decode(bytes.data, length, &command), ERROR_BAD_ARGUMENTS);
    buffer_deinit(&bytes);
}

static void command_decode_refuses_every_trailing_byte(void **context)
{
    struct buffer bytes = {0};
    struct command command;

    (void)context;
    encode_sample(&bytes);
    for (unsigned value = 0; value < 256; value++) {
        buffer_u8(&bytes, (uint8_t)value);
        assert_int_equal(command_decode(bytes.data, bytes.length, &command), ERROR_BAD_ARGUMENTS);
        bytes.length--;
    }
    buffer_deinit(&bytes);
}

static enum error decode_one(const struct command *command, const struct op *op)
{
    struct buffer bytes = {0};
    struct command decoded;

    command_encode_begin(&bytes, command);
    command_encode_op(&bytes, op);
    enum error error = command_decode(bytes.data, bytes.length, &decoded);
    buffer_deinit(&bytes);
    return error;
}

static void command_decode_refuses_what_it_does_not_know(void **context)
{
    const struct command one = {.op_count = 1};
    const struct command two = {.op_count = 2};
    struct op good = {.type = OP_SET, .path = "/a", .path_length = 2};
    struct op op;

    (void)context;
    assert_int_equal(decode_one(&one, &good), ERROR_OK);
    assert_int_equal(decode_one(&two, &good), ERROR_BAD_ARGUMENTS);
    op = good, op.type = 0;
    assert_int_equal(decode_one(&one, &op), ERROR_BAD_ARGUMENTS);
    op = good, op.type = OP_SESSION_UNBIND_CLOSE + 1;
    assert_int_equal(decode_one(&one, &op), ERROR_BAD_ARGUMENTS);
    op = good, op.kind = ZNODE_EPHEMERAL;
    assert_int_equal(decode_one(&one, &op), ERROR_BAD_ARGUMENTS);
    op = good, op.flags = OP_PARTIAL << 1;
    assert_int_equal(decode_one(&one, &op), ERROR_BAD_ARGUMENTS);
    op = good, op.flags = OP_NULL_DATA, op.data = (const uint8_t *)"x", op.data_length = 1;
    assert_int_equal(decode_one(&one, &op), ERROR_BAD_ARGUMENTS);
    op = good, op.type = OP_DELETE, op.data = (const uint8_t *)"x", op.data_length = 1;
    assert_int_equal(decode_one(&one, &op), ERROR_BAD_ARGUMENTS);
}

static const uint8_t proof[SESSION_PROOF_BYTES] = "thirty-two bytes of the SHA-256";

static const struct op session_ops[] = {
    {.type = OP_SESSION_OPEN, .session = {.timeout_ms = 1 << 20, .proof = proof}},
    {.type = OP_SESSION_CLOSE, .session = {.id = 1ull << 40}},
    {.type = OP_SESSION_EXPIRE,
     .session = {.id = 3, .generation = 1ull << 33, .leader = {.round = 1ull << 34, .node = 9}}},
    {.type = OP_SESSION_BIND,
     .session = {.id = 4,
                 .binding = {.node = 300, .boot = 1ull << 34, .counter = 9},
                 .grace_ms = 5}},
    {.type = OP_SESSION_UNBIND_CLOSE,
     .session = {.id = 5, .binding = {.node = 7, .boot = 8, .counter = 1ull << 35}}},
    {.type = OP_REAP,
     .kind = ZNODE_TTL,
     .path = "/a",
     .path_length = 2,
     .match_count = 1,
     .match = {77}},
    {.type = OP_CREATE, .kind = ZNODE_TTL, .path = "/a", .path_length = 2, .ttl_ms = 1ull << 36},
    {.type = OP_CREATE, .kind = ZNODE_EPHEMERAL, .path = "/a", .path_length = 2},
    {.type = OP_CREATE, .kind = ZNODE_CONTAINER, .path = "/a", .path_length = 2},
};

static void operations_that_stand_alone_keep_every_field(void **context)
{
    (void)context;
    for (unsigned i = 0; i < sizeof session_ops / sizeof *session_ops; i++) {
        const struct op *op = &session_ops[i];
        struct command command = {.op_count = 1, .actor = 1ull << 50, .proof = proof};
        struct buffer bytes = {0};
        struct op back;
        command_encode_begin(&bytes, &command);
        command_encode_op(&bytes, op);
        for (size_t length = 0; length < bytes.length; length++)
            assert_int_equal(command_decode(bytes.data, length, &command), ERROR_BAD_ARGUMENTS);
        assert_int_equal(command_decode(bytes.data, bytes.length, &command), ERROR_OK);
        assert_int_equal(command.actor, 1ull << 50);
        assert_memory_equal(command.proof, proof, sizeof proof);
        command_next_op(&command, &back);
        assert_int_equal(back.type, op->type);
        assert_int_equal(back.kind, op->kind);
        assert_int_equal(back.ttl_ms, op->ttl_ms);
        assert_int_equal(back.match[0], op->match[0]);
        assert_int_equal(back.session.id, op->session.id);
        assert_int_equal(back.session.generation, op->session.generation);
        assert_int_equal(ballot_compare(back.session.leader, op->session.leader), 0);
        assert_int_equal(back.session.timeout_ms, op->session.timeout_ms);
        assert_int_equal(back.session.grace_ms, op->session.grace_ms);
        assert_int_equal(back.session.binding.node, op->session.binding.node);
        assert_int_equal(back.session.binding.boot, op->session.binding.boot);
        assert_int_equal(back.session.binding.counter, op->session.binding.counter);
        if (op->session.proof != NULL)
            assert_memory_equal(back.session.proof, proof, sizeof proof);
        buffer_deinit(&bytes);
    }
}

static void only_operations_on_znodes_go_into_a_multi(void **context)
{
    const struct command multi = {.multi = true, .op_count = 1}, one = {.op_count = 1};

    (void)context;
    for (unsigned i = 0; i < sizeof session_ops / sizeof *session_ops; i++) {
        bool on_znode = session_ops[i].type == OP_CREATE;
        assert_int_equal(decode_one(&one, &session_ops[i]), ERROR_OK);
        assert_int_equal(decode_one(&multi, &session_ops[i]),
                         on_znode ? ERROR_OK : ERROR_BAD_ARGUMENTS);
    }
}

static void kinds_belong_to_operations(void **context)
{
    const struct command one = {.op_count = 1};
    struct op reap = {
        .type = OP_REAP, .kind = ZNODE_TTL, .path = "/a", .path_length = 2, .match_count = 1};

    (void)context;
    for (uint8_t type = OP_CHECK; type <= OP_DELETE_TREE; type++) {
        for (uint8_t kind = ZNODE_PERSISTENT; kind <= ZNODE_TTL + 1; kind++) {
            struct op op = {.type = type, .kind = kind, .path = "/a", .path_length = 2};
            bool good = kind == ZNODE_PERSISTENT || (type == OP_CREATE && kind <= ZNODE_TTL);
            assert_int_equal(decode_one(&one, &op), good ? ERROR_OK : ERROR_BAD_ARGUMENTS);
        }
    }
    assert_int_equal(decode_one(&one, &reap), ERROR_OK);
    reap.kind = ZNODE_EPHEMERAL;
    assert_int_equal(decode_one(&one, &reap), ERROR_BAD_ARGUMENTS);
    reap.kind = ZNODE_CONTAINER, reap.match_count = 0;
    assert_int_equal(decode_one(&one, &reap), ERROR_BAD_ARGUMENTS);
    reap.match_count = 2;
    assert_int_equal(decode_one(&one, &reap), ERROR_BAD_ARGUMENTS);
}

static void encode_sample_result(struct buffer *into)
{
    struct result result = {
        .error = ERROR_BAD_VERSION, .multi = true, .zxid = 9, .failed_op = 1, .op_count = 2};
    struct op_result create = {.type = OP_CREATE,
                               .flags = RESULT_HAS_PATH | RESULT_HAS_STAT,
                               .path = "/a/0000000001",
                               .path_length = 13,
                               .stat = {.czxid = 1, .version = -5, .owner = 1ull << 63}};
    struct op_result tree = {
        .type = OP_DELETE_TREE, .error = ERROR_BAD_VERSION, .flags = RESULT_MORE, .deleted = 77};

    result_encode_begin(into, &result);
    result_encode_op(into, &create);
    result_encode_op(into, &tree);
}

static void result_round_trip_keeps_every_field(void **context)
{
    struct buffer bytes = {0};
    struct result result;
    struct op_result op;

    (void)context;
    encode_sample_result(&bytes);
    result_mark_replayed(bytes.data, bytes.length);
    assert_int_equal(result_decode(bytes.data, bytes.length, &result), ERROR_OK);
    assert_int_equal(result.error, ERROR_BAD_VERSION);
    assert_true(result.replayed);
    assert_true(result.multi);
    assert_int_equal(result.zxid, 9);
    assert_int_equal(result.failed_op, 1);
    result_next_op(&result, &op);
    assert_int_equal(op.path_length, 13);
    assert_memory_equal(op.path, "/a/0000000001", 13);
    assert_int_equal(op.stat.version, -5);
    assert_true(op.stat.owner == 1ull << 63);
    result_next_op(&result, &op);
    assert_int_equal(op.deleted, 77);
    assert_int_equal(op.flags, RESULT_MORE);
    assert_int_equal(op.error, ERROR_BAD_VERSION);
    buffer_deinit(&bytes);
}

static void result_decode_refuses_truncation_and_trailing_bytes(void **context)
{
    struct buffer bytes = {0};
    struct result result;

    (void)context;
    encode_sample_result(&bytes);
    for (size_t length = 0; length < bytes.length; length++)
        assert_int_equal(result_decode(bytes.data, length, &result), ERROR_CORRUPT);
    buffer_u8(&bytes, 0);
    assert_int_equal(result_decode(bytes.data, bytes.length, &result), ERROR_CORRUPT);
    buffer_deinit(&bytes);
}

static void encode_sample_batch(struct buffer *into)
{
    struct origin first = {.node = 1, .boot = 2, .sequence = 3};
    struct origin second = {.node = 4, .boot = 5, .sequence = 6};

    batch_begin(into);
    batch_begin_part(into, &first, 2);
    batch_add_command(into, "one", 3);
    batch_add_command(into, "two!", 4);
    batch_begin_part(into, &second, 1);
    batch_add_command(into, "", 0);
}

static void batch_round_trip_keeps_parts_and_commands(void **context)
{
    struct buffer bytes = {0};
    struct batch_part part;
    struct reader parts;
    const uint8_t *command;
    size_t length;

    (void)context;
    encode_sample_batch(&bytes);
    assert_int_equal(batch_open(bytes.data, bytes.length, &parts), ERROR_OK);
    assert_int_equal(batch_next_part(&parts, &part), ERROR_OK);
    assert_int_equal(part.origin.sequence, 3);
    assert_int_equal(part.count, 2);
    assert_int_equal(batch_next_command(&part, &command, &length), ERROR_OK);
    assert_memory_equal(command, "one", 3);
    assert_int_equal(batch_next_command(&part, &command, &length), ERROR_OK);
    assert_int_equal(length, 4);
    assert_int_equal(batch_next_command(&part, &command, &length), ERROR_MISSING);
    assert_int_equal(batch_next_part(&parts, &part), ERROR_OK);
    assert_int_equal(part.origin.node, 4);
    assert_int_equal(part.origin.boot, 5);
    assert_int_equal(batch_next_command(&part, &command, &length), ERROR_OK);
    assert_int_equal(length, 0);
    assert_int_equal(batch_next_part(&parts, &part), ERROR_MISSING);
    buffer_deinit(&bytes);
}

// Whether all parts of a batch can be read.
static bool batch_is_whole(const void *data, size_t length, unsigned *count)
{
    struct batch_part part;
    struct reader parts;
    enum error error = batch_open(data, length, &parts);

    *count = 0;
    while (error == ERROR_OK && (error = batch_next_part(&parts, &part)) == ERROR_OK)
        ++*count;
    return error == ERROR_MISSING;
}

static void batch_with_any_byte_missing_is_not_the_whole_batch(void **context)
{
    struct buffer bytes = {0};
    unsigned count;

    (void)context;
    encode_sample_batch(&bytes);
    assert_true(batch_is_whole(bytes.data, bytes.length, &count));
    assert_int_equal(count, 2);
    for (size_t length = 0; length < bytes.length; length++)
        assert_false(batch_is_whole(bytes.data, length, &count) && count == 2);
    buffer_u8(&bytes, 0);
    assert_false(batch_is_whole(bytes.data, bytes.length, &count));
    buffer_deinit(&bytes);
}

static void batch_of_another_version_is_refused(void **context)
{
    uint8_t version[4];
    struct reader parts;

    (void)context;
    bytes_put_u32(version, STATE_VERSION + 1);
    assert_int_equal(batch_open(version, sizeof version, &parts), ERROR_BAD_ARGUMENTS);
    bytes_put_u32(version, STATE_VERSION);
    assert_int_equal(batch_open(version, sizeof version, &parts), ERROR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_round_trip_keeps_every_field),
        cmocka_unit_test(command_decode_refuses_every_truncation),
        cmocka_unit_test(command_decode_refuses_every_trailing_byte),
        cmocka_unit_test(command_decode_refuses_what_it_does_not_know),
        cmocka_unit_test(operations_that_stand_alone_keep_every_field),
        cmocka_unit_test(only_operations_on_znodes_go_into_a_multi),
        cmocka_unit_test(kinds_belong_to_operations),
        cmocka_unit_test(result_round_trip_keeps_every_field),
        cmocka_unit_test(result_decode_refuses_truncation_and_trailing_bytes),
        cmocka_unit_test(batch_round_trip_keeps_parts_and_commands),
        cmocka_unit_test(batch_with_any_byte_missing_is_not_the_whole_batch),
        cmocka_unit_test(batch_of_another_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
