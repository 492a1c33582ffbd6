// SPDX-License-Identifier: Apache-2.0
// Execution of entries: origins, idempotency keys, what a rollback leaves, and what the digest
// says.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

// ---- Origins -----------------------------------------------------------------------------------

enum { SEEN_MAX = 8 };

struct seen {
    unsigned count;
    bool executed[SEEN_MAX];
    uint64_t sequence[SEEN_MAX];
};

static void note_result(void *context, const struct origin *origin, struct blob *result)
{
    struct seen *seen = context;

    assert_true(seen->count < SEEN_MAX);
    seen->executed[seen->count] = result != NULL;
    seen->sequence[seen->count++] = origin->sequence;
}

// Executes `count` sequential creates of one origin in one part.
static struct seen execute_part(struct fixture *fixture, uint64_t boot, uint64_t sequence,
                                uint32_t count)
{
    struct origin origin = {.node = 9, .boot = boot, .sequence = sequence};
    struct op op = op_sequential("/s");
    struct seen seen = {0};

    encode(&fixture->command, fixture, false, &op, 1);
    buffer_clear(&fixture->batch);
    batch_begin(&fixture->batch);
    batch_begin_part(&fixture->batch, &origin, count);
    for (uint32_t i = 0; i < count; i++)
        batch_add_command(&fixture->batch, fixture->command.data, fixture->command.length);
    assert_int_equal(
        execute_value(fixture, fixture->batch.data, fixture->batch.length, note_result, &seen),
        ERROR_OK);
    assert_int_equal(seen.count, count);
    return seen;
}

static void origin_commands_run_once_and_in_order(void **context)
{
    struct fixture *fixture = *context;

    struct seen seen = execute_part(fixture, 1, 0, 2);
    assert_true(seen.executed[0] && seen.executed[1]);
    assert_int_equal(seen.sequence[1], 1);
    seen = execute_part(fixture, 1, 1, 3);
    assert_false(seen.executed[0]);
    assert_true(seen.executed[1] && seen.executed[2]);
    assert_int_equal(position_of(fixture).zxid, 4);
    assert_int_equal(position_of(fixture).applied, 2);
}

static void origin_command_behind_a_gap_has_no_effect(void **context)
{
    struct fixture *fixture = *context;

    execute_part(fixture, 1, 0, 1);
    struct seen seen = execute_part(fixture, 1, 2, 2);
    assert_false(seen.executed[0] || seen.executed[1]);
    assert_int_equal(position_of(fixture).zxid, 1);
    assert_true(execute_part(fixture, 1, 1, 1).executed[0]);
}

static void origin_of_a_new_boot_starts_at_zero(void **context)
{
    struct fixture *fixture = *context;

    execute_part(fixture, 1, 0, 2);
    assert_false(execute_part(fixture, 2, 1, 1).executed[0]);
    assert_true(execute_part(fixture, 2, 0, 1).executed[0]);
    assert_false(execute_part(fixture, 1, 1, 1).executed[0]);
    assert_false(execute_part(fixture, 1, 2, 1).executed[0]);
    assert_int_equal(position_of(fixture).zxid, 3);
}

// ---- Entries -----------------------------------------------------------------------------------

static struct entry next_entry(struct fixture *fixture, enum entry_type type)
{
    const struct state_position *position = state_writing_position(fixture->state);
    struct entry entry = {.slot = position->applied + 1,
                          .epoch = 3,
                          .origin = {.round = 7, .node = 2},
                          .type = (uint8_t)type,
                          .log_time_us = 55,
                          .wall_ms = 66,
                          .prev_hash = position->hash,
                          .hash = {.low = 8, .high = 9},
                          .value = blob_new(0)};

    return entry;
}

static enum error execute_entry(struct fixture *fixture, struct entry *entry)
{
    assert_int_equal(state_begin(fixture->state), ERROR_OK);
    enum error error = state_execute(fixture->state, entry, NULL, NULL);
    if (error == ERROR_OK)
        assert_int_equal(state_commit(fixture->state), ERROR_OK);
    else
        state_abort(fixture->state);
    blob_unref(entry->value);
    return error;
}

static void leader_start_only_moves_the_position(void **context)
{
    struct fixture *fixture = *context;
    struct state_position before = position_of(fixture);
    struct entry entry = next_entry(fixture, ENTRY_LEADER_START);

    assert_int_equal(execute_entry(fixture, &entry), ERROR_OK);
    struct state_position after = position_of(fixture);
    assert_int_equal(after.applied, 1);
    assert_int_equal(after.ballot.round, 7);
    assert_int_equal(after.epoch, 3);
    assert_int_equal(after.log_time_us, 55);
    assert_int_equal(after.wall_ms, 66);
    assert_int_equal(after.hash.high, 9);
    assert_int_equal(after.zxid, 0);
    assert_true(hash128_equal(after.digest, before.digest));
}

static void entry_that_does_not_follow_is_refused(void **context)
{
    struct fixture *fixture = *context;

    struct entry gap = next_entry(fixture, ENTRY_LEADER_START);
    gap.slot++;
    assert_int_equal(execute_entry(fixture, &gap), ERROR_CORRUPT);
    struct entry other = next_entry(fixture, ENTRY_LEADER_START);
    other.prev_hash.low++;
    assert_int_equal(execute_entry(fixture, &other), ERROR_CORRUPT);
    struct entry unknown = next_entry(fixture, (enum entry_type)99);
    assert_int_equal(execute_entry(fixture, &unknown), ERROR_CORRUPT);
    struct entry empty = next_entry(fixture, ENTRY_BATCH);
    assert_int_equal(execute_entry(fixture, &empty), ERROR_CORRUPT);
    assert_int_equal(position_of(fixture).applied, 0);
}

static void aborted_entries_leave_no_trace(void **context)
{
    struct fixture *fixture = *context;
    struct state_position before = position_of(fixture);

    run(fixture, op_create("/a", ""));
    struct state_position kept = position_of(fixture);
    assert_int_equal(state_begin(fixture->state), ERROR_OK);
    struct entry entry = next_entry(fixture, ENTRY_LEADER_START);
    assert_int_equal(state_execute(fixture->state, &entry, NULL, NULL), ERROR_OK);
    assert_int_equal(state_writing_position(fixture->state)->applied, 2);
    state_abort(fixture->state);
    blob_unref(entry.value);
    assert_int_equal(state_writing_position(fixture->state)->applied, kept.applied);
    assert_false(hash128_equal(before.digest, kept.digest));
}

// ---- Rollback and digest -----------------------------------------------------------------------

static void rollback_leaves_digest_and_counters(void **context)
{
    struct fixture *fixture = *context;
    char *big = memory_zalloc(5001);

    memset(big, 'b', 5000);
    run(fixture, op_create("/a", ""));
    run(fixture, op_create("/a/b", big));
    run(fixture, op_create("/c", big));
    // Makes the row of the origin as it will be behind the failing command.
    struct state_position before = position_of(fixture);
    struct op tree = op_make(OP_DELETE_TREE, "/a");
    tree.limit = 10;
    assert_int_equal(RUN_MULTI(fixture, op_create("/d", big), op_set("/c", "small", -1),
                               op_set("/d", "small", -1), tree,
                               op_flagged(op_create("/x/y/z", big), OP_PARENTS),
                               op_delete("/c", -1), op_check("/nope", -1)),
                     ERROR_NO_NODE);
    struct state_position after = position_of(fixture);
    assert_int_equal(after.data_bytes, before.data_bytes);
    assert_int_equal(after.node_count, before.node_count);
    assert_int_equal(after.next_id, before.next_id);
    assert_int_equal(after.zxid, before.zxid);
    assert_int_equal(stat_of(fixture, "/a/b").data_length, 5000);
    assert_int_equal(stat_of(fixture, "/c").data_length, 5000);
    free(big);
}

// The digest of a state in which the origin's row counts one command more or less is another one,
// so the commands are compared with ones that fail at once.
static void rollback_equals_never_having_tried(void **context)
{
    struct fixture *fixture = *context, *other;

    fixture_setup((void **)&other);
    run(fixture, op_create("/a", "x"));
    run(other, op_create("/a", "x"));
    RUN_MULTI(fixture, op_create("/a/b", ""), op_set("/a", "y", -1), op_delete("/nope", -1));
    RUN_MULTI(other, op_delete("/nope", -1));
    assert_true(hash128_equal(position_of(fixture).digest, position_of(other).digest));
    run(fixture, op_create("/a/c", "x"));
    assert_false(hash128_equal(position_of(fixture).digest, position_of(other).digest));
    fixture_teardown((void **)&other);
}

static void deleting_takes_back_what_creating_added(void **context)
{
    struct fixture *fixture = *context;
    char *big = memory_zalloc(100001);

    memset(big, 'b', 100000);
    run(fixture, op_create("/p", ""));
    uint64_t bytes = bytes_of(fixture);
    run(fixture, op_create("/p/big", big));
    assert_true(bytes_of(fixture) > bytes + 100000);
    run(fixture, op_set("/p/big", big + 50000, -1));
    run(fixture, op_delete("/p/big", -1));
    assert_int_equal(bytes_of(fixture), bytes);
    free(big);
}

static struct op batched_op(unsigned i)
{
    static const char *const paths[] = {"/a", "/a/b", "/c", "/a/b/d"};
    struct op op = op_put(paths[i % 4], i % 3 == 0 ? "three" : "other");

    if (i % 7 == 6)
        op.type = OP_DELETE, op.data = NULL, op.data_length = 0;
    return op;
}

// Executes 60 commands, so many per entry and so many entries per transaction.
static struct state_position execute_batched(unsigned per_entry, unsigned per_transaction)
{
    struct fixture *fixture;
    unsigned entries = 0;

    fixture_setup((void **)&fixture);
    assert_int_equal(state_begin(fixture->state), ERROR_OK);
    for (unsigned i = 0; i < 60;) {
        struct origin origin = {.node = 1, .boot = 1, .sequence = i};
        buffer_clear(&fixture->batch);
        batch_begin(&fixture->batch);
        batch_begin_part(&fixture->batch, &origin, per_entry);
        for (unsigned k = 0; k < per_entry; k++) {
            struct op op = batched_op(i++);
            encode(&fixture->command, fixture, false, &op, 1);
            batch_add_command(&fixture->batch, fixture->command.data, fixture->command.length);
        }
        assert_int_equal(
            execute_value_open(fixture, fixture->batch.data, fixture->batch.length, NULL, NULL),
            ERROR_OK);
        if (++entries % per_transaction == 0) {
            assert_int_equal(state_commit(fixture->state), ERROR_OK);
            assert_int_equal(state_begin(fixture->state), ERROR_OK);
        }
    }
    assert_int_equal(state_commit(fixture->state), ERROR_OK);
    struct state_position position = position_of(fixture);
    fixture_teardown((void **)&fixture);
    return position;
}

static void digest_does_not_depend_on_batching(void **context)
{
    static const unsigned ways[][2] = {{1, 3}, {2, 1}, {6, 4}, {60, 1}};
    struct state_position expected = execute_batched(1, 1);

    (void)context;
    for (unsigned i = 0; i < 4; i++) {
        struct state_position position = execute_batched(ways[i][0], ways[i][1]);
        assert_true(hash128_equal(position.digest, expected.digest));
        assert_int_equal(position.zxid, expected.zxid);
        assert_int_equal(position.data_bytes, expected.data_bytes);
    }
}

// ---- Idempotency keys --------------------------------------------------------------------------

static void use_key(struct fixture *fixture, const char *key, uint64_t identity)
{
    fixture->keyed = (struct command){.key = (const uint8_t *)key,
                                      .key_length = strlen(key),
                                      .identity = {.low = identity, .high = 1},
                                      .key_retention_us = 100,
                                      .key_capacity = 3};
}

static void repeated_key_gets_the_first_outcome(void **context)
{
    struct fixture *fixture = *context;

    use_key(fixture, "k", 1);
    assert_int_equal(run(fixture, op_sequential("/s")), ERROR_OK);
    assert_false(fixture->last.result.replayed);
    run(fixture, op_put("/s0000000000", "x"));
    assert_int_equal(run(fixture, op_sequential("/s")), ERROR_OK);
    assert_true(fixture->last.result.replayed);
    assert_int_equal(fixture->last.result.zxid, 1);
    assert_memory_equal(fixture->last.ops[0].path, "/s0000000000", 12);
    assert_int_equal(position_of(fixture).key_count, 1);
    assert_int_equal(position_of(fixture).zxid, 1);
}

static void kept_errors_are_those_the_log_decided(void **context)
{
    struct fixture *fixture = *context;

    use_key(fixture, "missing", 1);
    assert_int_equal(run(fixture, op_set("/a", "", -1)), ERROR_NO_NODE);
    use_key(fixture, "bad", 1);
    assert_int_equal(run(fixture, op_set("/a/", "", -1)), ERROR_BAD_PATH);
    fixture->keyed = (struct command){0};
    run(fixture, op_create("/a", ""));
    use_key(fixture, "missing", 1);
    assert_int_equal(run(fixture, op_set("/a", "", -1)), ERROR_NO_NODE);
    assert_true(fixture->last.result.replayed);
    use_key(fixture, "bad", 1);
    assert_int_equal(run(fixture, op_set("/a", "", -1)), ERROR_OK);
    assert_false(fixture->last.result.replayed);
}

static void key_of_another_request_is_refused(void **context)
{
    struct fixture *fixture = *context;

    use_key(fixture, "k", 1);
    run(fixture, op_create("/a", ""));
    use_key(fixture, "k", 2);
    assert_int_equal(run(fixture, op_create("/b", "")), ERROR_KEY_REUSED);
    assert_int_equal(fixture->last.result.op_count, 0);
    assert_int_equal(fixture->last.result.failed_op, UINT32_MAX);
    assert_false(exists(fixture, "/b"));
}

static void full_table_of_keys_refuses_new_ones(void **context)
{
    struct fixture *fixture = *context;

    for (unsigned i = 0; i < 3; i++) {
        char key[2] = {(char)('a' + i), 0};
        use_key(fixture, key, 1);
        assert_int_equal(run(fixture, op_put("/a", "")), ERROR_OK);
    }
    use_key(fixture, "d", 1);
    assert_int_equal(run(fixture, op_put("/a", "")), ERROR_KEYS_FULL);
    use_key(fixture, "a", 1);
    assert_int_equal(run(fixture, op_put("/a", "")), ERROR_OK);
    assert_true(fixture->last.result.replayed);
    assert_int_equal(position_of(fixture).key_count, 3);
}

static void key_is_forgotten_when_its_time_is_over(void **context)
{
    struct fixture *fixture = *context;

    use_key(fixture, "k", 1);
    run(fixture, op_put("/a", ""));
    uint64_t kept_at = fixture->log_time_us - 1;
    fixture->log_time_us = kept_at + 99;
    run(fixture, op_put("/a", ""));
    assert_true(fixture->last.result.replayed);
    fixture->log_time_us = kept_at + 100;
    run(fixture, op_put("/a", ""));
    assert_false(fixture->last.result.replayed);
    assert_int_equal(position_of(fixture).key_count, 1);
}

// More than one entry reaps, so that the key is still there when it is used again.
static void expired_key_that_was_not_reaped_is_not_answered(void **context)
{
    struct fixture *fixture = *context;
    char key[8];

    for (unsigned i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "k%u", i);
        use_key(fixture, key, 1);
        fixture->keyed.key_capacity = 100;
        run(fixture, op_put("/a", ""));
    }
    fixture->log_time_us += 200;
    assert_int_equal(run(fixture, op_put("/a", "")), ERROR_OK);
    assert_false(fixture->last.result.replayed);
    assert_in_range(position_of(fixture).key_count, 2, 59);
}

static void expired_keys_are_reaped_by_later_entries(void **context)
{
    struct fixture *fixture = *context;
    uint64_t bytes = 0;

    run(fixture, op_put("/a", ""));
    bytes = bytes_of(fixture);
    use_key(fixture, "k", 1);
    run(fixture, op_put("/a", ""));
    use_key(fixture, "l", 1);
    run(fixture, op_put("/a", ""));
    assert_true(bytes_of(fixture) > bytes);
    fixture->keyed = (struct command){0};
    fixture->log_time_us += 200;
    run(fixture, op_put("/a", ""));
    assert_int_equal(position_of(fixture).key_count, 0);
    assert_int_equal(bytes_of(fixture), bytes);
}

static void view_key_finds_the_kept_outcome(void **context)
{
    struct fixture *fixture = *context;
    struct hash128 identity;
    struct result result;
    struct view *view;
    struct blob *blob;

    use_key(fixture, "k", 42);
    run(fixture, op_create("/a", ""));
    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_key(view, "other", 5, &identity, &blob), ERROR_MISSING);
    assert_int_equal(view_key(view, "k", 1, &identity, &blob), ERROR_OK);
    view_close(view);
    assert_int_equal(identity.low, 42);
    assert_int_equal(result_decode(blob->data, blob->length, &result), ERROR_OK);
    assert_true(result.replayed);
    assert_int_equal(result.zxid, 1);
    blob_unref(blob);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(origin_commands_run_once_and_in_order),
        TEST(origin_command_behind_a_gap_has_no_effect),
        TEST(origin_of_a_new_boot_starts_at_zero),
        TEST(leader_start_only_moves_the_position),
        TEST(entry_that_does_not_follow_is_refused),
        TEST(aborted_entries_leave_no_trace),
        TEST(rollback_leaves_digest_and_counters),
        TEST(rollback_equals_never_having_tried),
        TEST(deleting_takes_back_what_creating_added),
        TEST(digest_does_not_depend_on_batching),
        TEST(repeated_key_gets_the_first_outcome),
        TEST(kept_errors_are_those_the_log_decided),
        TEST(key_of_another_request_is_refused),
        TEST(full_table_of_keys_refuses_new_ones),
        TEST(key_is_forgotten_when_its_time_is_over),
        TEST(expired_key_that_was_not_reaped_is_not_answered),
        TEST(expired_keys_are_reaped_by_later_entries),
        TEST(view_key_finds_the_kept_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
