// SPDX-License-Identifier: Apache-2.0
// The history of changes: every row of table 7.2 of the rules (W), what is kept of it, and for how
// long.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "storage/history.h"

enum { KEPT = 64, TEXT_BYTES = 4096 };

// ---- Reading -----------------------------------------------------------------------------------

// What view_changes visited, as "+/a" (created), "=/a" (changed), "-/a" (deleted) with the zxid in
// front and a full stop behind the last change of a zxid; and the changes themselves.
struct seen {
    char text[TEXT_BYTES];
    struct change changes[KEPT]; // pointers are not kept
    uint64_t count;
    uint64_t limit; // stop after so many
};

static bool see(void *context, const struct change *change)
{
    struct seen *seen = context;
    size_t at = strlen(seen->text);

    assert_true(change->kind == CHANGE_DELETED || change->stat.mzxid == change->zxid);
    assert_int_equal(change->parent.pzxid, change->kind == CHANGE_CHANGED ? 0 : change->zxid);
    if (at + change->path_length + 32 < TEXT_BYTES)
        snprintf(seen->text + at, TEXT_BYTES - at, "%llu%c%.*s%s ",
                 (unsigned long long)change->zxid, "?+=-"[change->kind], (int)change -> path_length,
                 change -> path, change -> last ? "." : "");
    if (seen->count < KEPT)
        seen->changes[seen->count] = *change;
    return ++seen->count != seen->limit;
}

static struct seen *seen_after(struct fixture *fixture, uint64_t after, uint64_t limit)
{
    struct seen *seen = memory_zalloc(sizeof *seen);
    struct view *view;

    seen->limit = limit;
    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_changes(view, after, see, seen), ERROR_OK);
    view_close(view);
    return seen;
}

static void check_seen(struct fixture *fixture, uint64_t after, uint64_t limit,
                       const char *expected)
{
    struct seen *seen = seen_after(fixture, after, limit);

    assert_string_equal(seen->text, expected);
    free(seen);
}

static uint64_t start_of(struct fixture *fixture)
{
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    uint64_t start = view_history_start(view);
    view_close(view);
    return start;
}

// ---- What is a change --------------------------------------------------------------------------

// One row of 7.2: what is executed, and what the history says of it. The columns follow from a change
// and its parent's stat, which `see` checks: watches on the node, its ancestors, the parent's children.
struct cell {
    struct op ops[4];
    enum error error;
    const char *expected;
};

// What the cells find: session 1, /p (2) with /p/c (3) and the session's /p/e (4), the container /k
// (5), which had a child, and the TTL node /t (8). All that can be due is.
static void make_ground(struct fixture *fixture)
{
    act_as(fixture, open_session(fixture));
    run(fixture, op_create("/p", ""));
    run(fixture, op_create("/p/c", "c"));
    run(fixture, op_kind(op_create("/p/e", ""), ZNODE_EPHEMERAL));
    run(fixture, op_kind(op_create("/k", ""), ZNODE_CONTAINER));
    run(fixture, op_create("/k/x", ""));
    run(fixture, op_delete("/k/x", -1));
    run(fixture, op_ttl("/t", 1));
    assert_int_equal(position_of(fixture).zxid, 8);
    fixture->log_time_us += 1000000;
}

static void check_cells(const struct cell *cells, size_t cell_count)
{
    for (size_t i = 0; i < cell_count; i++) {
        struct fixture *fixture;
        uint32_t count = 0;
        fixture_setup((void **)&fixture);
        make_ground(fixture);
        while (count < 4 && cells[i].ops[count].type != 0)
            count++;
        enum error error =
            count == 1 ? run(fixture, cells[i].ops[0]) : run_multi(fixture, cells[i].ops, count);
        assert_int_equal(error, cells[i].error);
        check_seen(fixture, 8, 0, cells[i].expected);
        fixture_teardown((void **)&fixture);
    }
}

static void each_operation_on_a_znode_notes_its_changes(void **context)
{
    const struct cell cells[] = {
        {{op_create("/p/n", "x")}, ERROR_OK, "9+/p/n. "},
        {{op_sequential("/p/n")}, ERROR_OK, "9+/p/n0000000002. "},
        {{op_kind(op_create("/p/n", ""), ZNODE_EPHEMERAL)}, ERROR_OK, "9+/p/n. "},
        {{op_kind(op_sequential("/p/n"), ZNODE_EPHEMERAL)}, ERROR_OK, "9+/p/n0000000002. "},
        {{op_kind(op_create("/p/n", ""), ZNODE_CONTAINER)}, ERROR_OK, "9+/p/n. "},
        {{op_ttl("/p/n", 5)}, ERROR_OK, "9+/p/n. "},
        {{op_flagged(op_create("/p/a/b/c", ""), OP_PARENTS)},
         ERROR_OK,
         "9+/p/a 9+/p/a/b 9+/p/a/b/c. "},
        {{op_put("/p/n", "x")}, ERROR_OK, "9+/p/n. "},
        {{op_flagged(op_put("/q/n", "x"), OP_PARENTS)}, ERROR_OK, "9+/q 9+/q/n. "},
        {{op_put("/p/c", "x")}, ERROR_OK, "9=/p/c. "},
        {{op_put("/p/e", "x")}, ERROR_OK, "9=/p/e. "},
        {{op_set("/p/c", "c", -1)}, ERROR_OK, "9=/p/c. "}, // identical data
        {{op_set("/t", "", -1)}, ERROR_OK, "9=/t. "},
        {{op_delete("/p/c", -1)}, ERROR_OK, "9-/p/c. "},
        {{op_delete("/p/e", -1)}, ERROR_OK, "9-/p/e. "},
        {{op_delete("/k", -1)}, ERROR_OK, "9-/k. "},
        {{op_tree("/p", 10, 0)}, ERROR_OK, "9-/p/c 9-/p/e 9-/p. "},
        {{op_tree("/p", 1, OP_PARTIAL)}, ERROR_OK, "9-/p/c. "},
        {{op_tree("/p", 0, OP_PARTIAL)}, ERROR_OK, ""},
        {{op_tree("/p", 1, 0)}, ERROR_TOO_MANY_NODES, ""},
        {{op_check("/p", -1)}, ERROR_OK, ""},
        {{op_create("/p/c", "")}, ERROR_NODE_EXISTS, ""},
        {{op_create("/p/e/x", "")}, ERROR_NO_CHILDREN_FOR_EPHEMERALS, ""},
        {{op_set("/p/c", "", 7)}, ERROR_BAD_VERSION, ""},
        {{op_delete("/p", -1)}, ERROR_NOT_EMPTY, ""},
        {{op_create("/p/n", ""), op_check("/p", -1), op_set("/p/n", "y", 0), op_delete("/p/n", 1)},
         ERROR_OK,
         "9+/p/n 9=/p/n 9-/p/n. "},
        {{op_check("/p", -1), op_check("/p/c", -1)}, ERROR_OK, ""},
        {{op_create("/p/n", ""), op_set("/p/n", "y", 7)}, ERROR_BAD_VERSION, ""},
    };

    (void)context;
    check_cells(cells, sizeof cells / sizeof *cells);
}

static void ends_of_sessions_and_reaps_are_deletes(void **context)
{
    const struct session_binding binding = {.node = 1, .boot = 1, .counter = 1};
    const struct cell cells[] = {
        {{op_open(1000)}, ERROR_OK, ""},
        {{op_bind(1, binding)}, ERROR_OK, ""},
        {{op_on_session(OP_SESSION_CLOSE, 1)}, ERROR_OK, "9-/p/e. "},
        {{op_on_session(OP_SESSION_CLOSE, 2)}, ERROR_SESSION_EXPIRED, ""},
        {{op_expire(1, 0)}, ERROR_OK, "9-/p/e. "},
        {{op_expire(1, 1)}, ERROR_OK, ""},
        {{op_unbind(1, binding)}, ERROR_OK, ""},
        {{op_reap("/k", ZNODE_CONTAINER, 5)}, ERROR_OK, "9-/k. "},
        {{op_reap("/k", ZNODE_CONTAINER, 4)}, ERROR_OK, ""},
        {{op_reap("/t", ZNODE_TTL, 8)}, ERROR_OK, "9-/t. "},
        {{op_reap("/t", ZNODE_CONTAINER, 8)}, ERROR_OK, ""},
    };

    (void)context;
    check_cells(cells, sizeof cells / sizeof *cells);
}

static void change_carries_stats_of_node_and_parent(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    run(fixture, op_create("/p/c", "one"));
    struct stat_fields created = stat_of(fixture, "/p/c"), parent1 = stat_of(fixture, "/p");
    run(fixture, op_set("/p/c", "three", -1));
    struct stat_fields changed = stat_of(fixture, "/p/c");
    run(fixture, op_delete("/p/c", -1));
    struct stat_fields parent2 = stat_of(fixture, "/p");
    struct seen *seen = seen_after(fixture, 1, 0);
    assert_string_equal(seen->text, "2+/p/c. 3=/p/c. 4-/p/c. ");
    assert_true(same_stat(&seen->changes[0].stat, &created));
    assert_true(same_stat(&seen->changes[0].parent, &parent1));
    assert_int_equal(seen->changes[0].parent.pzxid, 2);
    assert_true(same_stat(&seen->changes[1].stat, &changed));
    assert_true(same_stat(&seen->changes[2].stat, &changed));
    assert_true(same_stat(&seen->changes[2].parent, &parent2));
    assert_int_equal(seen->changes[2].parent.cversion, 2);
    free(seen);
}

// In a multi each op's stats are those of its moment.
static void multi_carries_the_stats_of_each_step(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    RUN_MULTI(fixture, op_create("/p/a", ""), op_create("/p/b", ""), op_set("/p/a", "x", 0),
              op_delete("/p/a", 1));
    struct seen *seen = seen_after(fixture, 1, 0);
    assert_string_equal(seen->text, "2+/p/a 2+/p/b 2=/p/a 2-/p/a. ");
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(seen->changes[i].zxid, 2);
    assert_int_equal(seen->changes[0].parent.num_children, 1);
    assert_int_equal(seen->changes[1].parent.num_children, 2);
    assert_int_equal(seen->changes[2].stat.version, 1);
    assert_int_equal(seen->changes[3].parent.cversion, 3);
    assert_int_equal(seen->changes[3].parent.num_children, 1);
    free(seen);
}

// ---- Data --------------------------------------------------------------------------------------

struct expected_data {
    const uint8_t *data;
    size_t length;
    bool null, left_out;
};

static bool check_data(void *context, const struct change *change)
{
    const struct expected_data *expected = context;

    assert_int_equal(change->null_data, expected->null);
    assert_int_equal(change->data_left_out, expected->left_out);
    assert_int_equal(change->data_length, expected->length);
    if (expected->length == 0)
        assert_null(change->data);
    else
        assert_memory_equal(change->data, expected->data, expected->length);
    return true;
}

static void check_last(struct fixture *fixture, struct expected_data expected)
{
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_changes(view, view_position(view)->zxid - 1, check_data, &expected),
                     ERROR_OK);
    view_close(view);
}

static void data_is_kept_up_to_its_bound(void **context)
{
    static const size_t lengths[] = {1, 1900, 1980, 3900, HISTORY_DATA_MAX};
    struct fixture *fixture = *context;
    uint8_t *data = memory_zalloc(HISTORY_DATA_MAX + 1);
    struct op op = op_make(OP_PUT, "/a");

    for (size_t i = 0; i <= HISTORY_DATA_MAX; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    op.data = data;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        op.data_length = lengths[i];
        run(fixture, op);
        check_last(fixture, (struct expected_data){.data = data, .length = lengths[i]});
    }
    op.data_length = HISTORY_DATA_MAX + 1;
    run(fixture, op);
    check_last(fixture, (struct expected_data){.left_out = true});
    run(fixture, op_put("/a", ""));
    check_last(fixture, (struct expected_data){0});
    run(fixture, op_flagged(op_make(OP_PUT, "/a"), OP_NULL_DATA));
    check_last(fixture, (struct expected_data){.null = true});
    run(fixture, op_delete("/a", -1));
    check_last(fixture, (struct expected_data){0});
    free(data);
}

// ---- Many --------------------------------------------------------------------------------------

// Rows of every length around the size of a part: none of the seams may show.
static void changes_survive_any_split_into_parts(void **context)
{
    struct fixture *fixture = *context;
    char data[4200];
    struct op op = op_make(OP_PUT, "/a");

    memset(data, 'x', sizeof data);
    op.data = (const uint8_t *)data;
    run(fixture, op_put("/a", ""));
    for (op.data_length = 1800; op.data_length < 4200; op.data_length++) {
        run(fixture, op);
        check_last(fixture, (struct expected_data){.data = op.data, .length = op.data_length});
    }
}

static bool check_chain(void *context, const struct change *change)
{
    size_t *length = context;

    assert_int_equal(change->kind, CHANGE_DELETED);
    assert_int_equal(change->path_length, *length);
    *length -= 2;
    for (size_t i = 0; i < change->path_length; i++)
        assert_int_equal(change->path[i], i % 2 == 0 ? '/' : 'd');
    return true;
}

// The paths alone are 400 MB; what is kept of them is what differs from one to the next.
static void deep_tree_is_kept_in_little_room(void **context)
{
    enum { LEVELS = 20000 };
    struct fixture *fixture = *context;
    char *path = memory_alloc(2 * LEVELS + 1);
    size_t length = 2 * LEVELS;
    struct view *view;

    for (size_t i = 0; i < 2 * LEVELS; i++)
        path[i] = i % 2 == 0 ? '/' : 'd';
    path[length] = 0;
    assert_int_equal(run(fixture, op_flagged(op_create(path, ""), OP_PARENTS)), ERROR_OK);
    assert_int_equal(run(fixture, op_tree("/d", LEVELS, 0)), ERROR_OK);
    assert_true(position_of(fixture).history_bytes < LEVELS * 400);
    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_changes(view, 1, check_chain, &length), ERROR_OK);
    assert_int_equal(length, 0);
    view_close(view);
    free(path);
}

static bool look_around(void *context, const struct change *change)
{
    struct view *view = context;
    struct znode node;

    assert_int_equal(view_get(view, "/big", 4, true, &node), ERROR_OK);
    assert_int_equal(node.stat.data_length, 60000);
    assert_int_equal(change->path_length, 4);
    assert_memory_equal(change->path, "/big", 4);
    return true;
}

static void visitor_may_use_the_view(void **context)
{
    struct fixture *fixture = *context;
    struct op op = op_make(OP_PUT, "/big");
    struct view *view;

    op.data_length = 60000;
    op.data = memory_zalloc(op.data_length);
    for (unsigned i = 0; i < 3; i++)
        run(fixture, op);
    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_changes(view, 0, look_around, view), ERROR_OK);
    view_close(view);
    free((void *)(uintptr_t)op.data);
}

static void changes_start_behind_and_stop_when_told(void **context)
{
    struct fixture *fixture = *context;

    check_seen(fixture, 0, 0, "");
    run(fixture, op_create("/a", ""));
    RUN_MULTI(fixture, op_create("/b", ""), op_create("/c", ""));
    run(fixture, op_set("/a", "x", -1));
    check_seen(fixture, 0, 0, "1+/a. 2+/b 2+/c. 3=/a. ");
    check_seen(fixture, 1, 0, "2+/b 2+/c. 3=/a. ");
    check_seen(fixture, 1, 1, "2+/b ");
    check_seen(fixture, 1, 2, "2+/b 2+/c. ");
    check_seen(fixture, 3, 0, "");
    check_seen(fixture, UINT64_MAX, 0, "");
    assert_int_equal(start_of(fixture), 0);
}

// ---- Bounds ------------------------------------------------------------------------------------

static void check_kept_from(struct fixture *fixture, uint64_t start, uint64_t zxids)
{
    struct seen *seen = seen_after(fixture, 0, 0);
    struct state_position position = position_of(fixture);

    assert_int_equal(start_of(fixture), start);
    assert_int_equal(position.history_zxids, zxids);
    assert_int_equal(seen->count, zxids);
    assert_int_equal(seen->changes[0].zxid, start + 1);
    assert_true(position.history_bytes <= HISTORY_BYTES_MAX);
    free(seen);
}

static void oldest_go_when_there_are_too_many(void **context)
{
    enum { AT_ONCE = 1000 };
    struct fixture *fixture = *context;
    struct op *ops = memory_zalloc(AT_ONCE * sizeof *ops);

    for (unsigned i = 0; i < AT_ONCE; i++)
        ops[i] = op_put("/a", "");
    for (unsigned i = 0; i < HISTORY_ZXIDS_MAX / AT_ONCE; i++)
        run_entry(fixture, ops, AT_ONCE);
    check_kept_from(fixture, 0, HISTORY_ZXIDS_MAX);
    run(fixture, ops[0]);
    check_kept_from(fixture, 1, HISTORY_ZXIDS_MAX);
    run_entry(fixture, ops, 7);
    check_kept_from(fixture, 8, HISTORY_ZXIDS_MAX);
    free(ops);
}

// Bytes are those of the rows, so the greatest history is the one that just fits.
static void oldest_go_when_they_are_too_long(void **context)
{
    struct fixture *fixture = *context;
    struct op op = op_make(OP_PUT, "/a");

    op.data_length = 60000;
    op.data = memory_zalloc(op.data_length);
    run(fixture, op_put("/a", ""));
    uint64_t before = position_of(fixture).history_bytes;
    run(fixture, op);
    uint64_t each = position_of(fixture).history_bytes - before;
    uint64_t fit = (HISTORY_BYTES_MAX - before) / each;
    for (uint64_t i = 1; i < fit; i++)
        run(fixture, op);
    check_kept_from(fixture, 0, fit + 1);
    assert_in_range(position_of(fixture).history_bytes, HISTORY_BYTES_MAX - each,
                    HISTORY_BYTES_MAX);
    run(fixture, op);
    uint64_t dropped = (fit + 1) * each + before - HISTORY_BYTES_MAX <= before ? 1 : 2;
    check_kept_from(fixture, dropped, fit + 2 - dropped);
    free((void *)(uintptr_t)op.data);
}

// 300,000 nodes in one transaction: more than the history holds.
static void change_that_is_too_long_leaves_a_gap(void **context)
{
    enum { LEVELS = 30000, TREES = 10 };
    struct fixture *fixture = *context;
    char *paths[TREES];
    struct op ops[TREES];

    run(fixture, op_create("/a", ""));
    for (unsigned i = 0; i < TREES; i++) {
        paths[i] = memory_zalloc(2 * LEVELS + 3);
        for (size_t k = 0; k < 2 * LEVELS; k++)
            paths[i][k] = k % 2 == 0 ? '/' : 'd';
        paths[i][1] = (char)('0' + i);
        ops[i] = op_flagged(op_create(paths[i], ""), OP_PARENTS);
    }
    assert_int_equal(run_multi(fixture, ops, TREES), ERROR_OK);
    assert_int_equal(fixture->last.result.zxid, 2);
    check_seen(fixture, 0, 0, "");
    assert_int_equal(start_of(fixture), 2);
    assert_int_equal(position_of(fixture).history_zxids, 0);
    assert_int_equal(position_of(fixture).history_bytes, 0);
    run(fixture, op_set("/a", "x", -1));
    check_seen(fixture, 2, 0, "3=/a. ");
    assert_int_equal(start_of(fixture), 2);
    for (unsigned i = 0; i < TREES; i++)
        free(paths[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_operation_on_a_znode_notes_its_changes),
        TEST(ends_of_sessions_and_reaps_are_deletes),
        TEST(change_carries_stats_of_node_and_parent),
        TEST(multi_carries_the_stats_of_each_step),
        TEST(data_is_kept_up_to_its_bound),
        TEST(changes_survive_any_split_into_parts),
        TEST(deep_tree_is_kept_in_little_room),
        TEST(visitor_may_use_the_view),
        TEST(changes_start_behind_and_stop_when_told),
        TEST(oldest_go_when_there_are_too_many),
        TEST(oldest_go_when_they_are_too_long),
        TEST(change_that_is_too_long_leaves_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
