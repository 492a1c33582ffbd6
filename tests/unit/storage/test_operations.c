// SPDX-License-Identifier: Apache-2.0
// The rules of the operations (stat fields, order of errors, multi), by their ids.
#include "fixture.h"

#include <limits.h>
#include <string.h>

#include "storage/state_internal.h"

// ---- The first start ---------------------------------------------------------------------------

static void T1_initial_tree_has_zero_stats(void **context)
{
    struct stat_fields root = stat_of(*context, "/");
    struct stat_fields zookeeper = stat_of(*context, "/zookeeper");

    assert_int_equal(root.cversion, -1);
    assert_int_equal(root.num_children, 1);
    assert_int_equal(root.version, 0);
    assert_int_equal(root.pzxid, 0);
    assert_int_equal(zookeeper.cversion, -2);
    assert_int_equal(zookeeper.num_children, 2);
    assert_int_equal(stat_of(*context, "/zookeeper/quota").cversion, 0);
    assert_int_equal(stat_of(*context, "/zookeeper/config").version, -1);
    assert_int_equal(stat_of(*context, "/zookeeper/config").aversion, -1);
    assert_int_equal(position_of(*context).node_count, 4);
    assert_int_equal(position_of(*context).zxid, 0);
}

// ---- Stat fields -------------------------------------------------------------------------------

static void create_sets_stat_of_node_and_parent(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", "x"));
    fixture->wall_ms = 6000;
    assert_int_equal(run(fixture, op_create("/p/a", "hello")), ERROR_OK);
    struct stat_fields a = stat_of(fixture, "/p/a"), p = stat_of(fixture, "/p");
    assert_int_equal(a.czxid, 2);
    assert_int_equal(a.mzxid, 2);
    assert_int_equal(a.pzxid, 2);
    assert_int_equal(a.ctime, 6000);
    assert_int_equal(a.mtime, 6000);
    assert_int_equal(a.version, 0);
    assert_int_equal(a.cversion, 0);
    assert_int_equal(a.data_length, 5);
    assert_int_equal(p.pzxid, 2);
    assert_int_equal(p.cversion, 1);
    assert_int_equal(p.num_children, 1);
    assert_int_equal(p.mzxid, 1);
    assert_int_equal(p.mtime, 5000);
    assert_int_equal(p.version, 0);
    assert_int_equal(p.data_length, 1);
}

static void S2_set_counts_even_with_the_same_bytes(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", "x"));
    fixture->wall_ms = 7000;
    assert_int_equal(run(fixture, op_set("/p", "x", -1)), ERROR_OK);
    struct stat_fields p = stat_of(fixture, "/p");
    assert_int_equal(p.version, 1);
    assert_int_equal(p.mzxid, 2);
    assert_int_equal(p.mtime, 7000);
    assert_int_equal(p.czxid, 1);
    assert_int_equal(p.ctime, 5000);
    assert_int_equal(p.pzxid, 1);
    assert_true(same_stat(&fixture->last.ops[0].stat, &p));
}

static void delete_raises_pzxid_and_cversion_of_the_parent(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    run(fixture, op_create("/p/a", ""));
    assert_int_equal(run(fixture, op_delete("/p/a", 0)), ERROR_OK);
    struct stat_fields p = stat_of(fixture, "/p");
    assert_int_equal(p.pzxid, 3);
    assert_int_equal(p.num_children, 0);
    assert_int_equal(p.cversion, 2);
    assert_int_equal(p.mzxid, 1);
    assert_false(exists(fixture, "/p/a"));
}

static void S1_grandchildren_do_not_touch_grandparents(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    run(fixture, op_create("/p/a", ""));
    struct stat_fields before = stat_of(fixture, "/p");
    run(fixture, op_create("/p/a/b", ""));
    struct stat_fields after = stat_of(fixture, "/p");
    assert_true(same_stat(&before, &after));
}

static void S3_T2_visible_cversion_counts_creates_and_deletes(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    run(fixture, op_create("/p/a", ""));
    run(fixture, op_create("/p/b", ""));
    run(fixture, op_delete("/p/a", -1));
    assert_int_equal(stat_of(fixture, "/p").cversion, 3);
    assert_int_equal(run(fixture, op_sequential("/p/s-")), ERROR_OK);
    assert_memory_equal(fixture->last.ops[0].path, "/p/s-0000000002", 15);
    assert_true(exists(fixture, "/p/s-0000000002"));
    assert_int_equal(stat_of(fixture, "/p").cversion, 4);
    assert_int_equal(stat_of(fixture, "/p").num_children, 2);
}

// Writes a node's record as no command could.
static void rewrite(struct fixture *fixture, const char *path, void (*change)(struct node *node))
{
    struct state *state = fixture->state;
    struct buffer row = {0};
    struct spot spot;

    assert_int_equal(state_begin(state), ERROR_OK);
    assert_int_equal(tree_find(&state->writer, path, strlen(path), &spot), ERROR_OK);
    change(&spot.node);
    node_encode(&row, &spot.node);
    buffer_append(&row, spot.inline_data, spot.node.data_length);
    assert_int_equal(table_put(&state->writer, TABLE_NODE,
                               (struct bytes){spot.key, spot.key_length},
                               (struct bytes){row.data, row.length}),
                     ERROR_OK);
    state->position.digest = state->writer.digest;
    state->position.data_bytes = state->writer.bytes;
    assert_int_equal(state_commit(state), ERROR_OK);
    buffer_deinit(&row);
}

static void make_last_version(struct node *node)
{
    node->version = INT32_MAX;
}

static void make_version_minus_two(struct node *node)
{
    node->version = -2;
}

static void S5_version_wraps_and_leaves_out_minus_one(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    rewrite(fixture, "/p", make_last_version);
    run(fixture, op_set("/p", "", INT32_MAX));
    assert_int_equal(stat_of(fixture, "/p").version, INT32_MIN);
    rewrite(fixture, "/p", make_version_minus_two);
    run(fixture, op_set("/p", "", -2));
    assert_int_equal(stat_of(fixture, "/p").version, 0);
}

static void make_creates_last(struct node *node)
{
    node->creates = INT32_MAX;
}

static void C10_child_counter_sticks_at_its_end(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    rewrite(fixture, "/p", make_creates_last);
    assert_int_equal(run(fixture, op_sequential("/p/s-")), ERROR_OK);
    assert_true(exists(fixture, "/p/s-2147483647"));
    assert_int_equal(run(fixture, op_sequential("/p/s-")), ERROR_NODE_EXISTS);
    assert_int_equal(run(fixture, op_sequential("/p/t-")), ERROR_OK);
}

static void make_ephemeral(struct node *node)
{
    node->kind = ZNODE_EPHEMERAL;
    node->owner = 0x1234;
}

static void C14_T12_ephemerals_have_no_children(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/e", ""));
    rewrite(fixture, "/e", make_ephemeral);
    assert_int_equal(run(fixture, op_create("/e/x", "")), ERROR_NO_CHILDREN_FOR_EPHEMERALS);
    assert_int_equal(run(fixture, op_put("/e/x", "")), ERROR_NO_CHILDREN_FOR_EPHEMERALS);
    assert_int_equal(run(fixture, op_flagged(op_create("/e/x/y", ""), OP_PARENTS)),
                     ERROR_NO_CHILDREN_FOR_EPHEMERALS);
    assert_true(stat_of(fixture, "/e").owner == 0x1234); // C17
    assert_int_equal(run(fixture, op_create("/e/\x01", "")), ERROR_BAD_PATH);
}

// ---- Create ------------------------------------------------------------------------------------

static void C5_missing_parents_are_not_made(void **context)
{
    assert_int_equal(run(*context, op_create("/a/b", "")), ERROR_NO_NODE);
    assert_false(exists(*context, "/a"));
}

static void C6_null_data_differs_from_empty(void **context)
{
    struct fixture *fixture = *context;
    struct znode node;
    struct view *view;

    run(fixture, op_flagged(op_create("/null", ""), OP_NULL_DATA));
    run(fixture, op_create("/empty", ""));
    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_get(view, "/null", 5, true, &node), ERROR_OK);
    assert_true(node.null_data);
    assert_int_equal(node.stat.data_length, 0);
    assert_int_equal(view_get(view, "/empty", 6, true, &node), ERROR_OK);
    assert_false(node.null_data);
    view_close(view);
}

static void C8_T3_only_successful_creates_count(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    run(fixture, op_create("/p/x", ""));
    assert_int_equal(run(fixture, op_create("/p/x", "")), ERROR_NODE_EXISTS);
    run(fixture, op_set("/p", "y", -1));
    assert_int_equal(run(fixture, op_sequential("/p/")), ERROR_OK);
    assert_int_equal(fixture->last.ops[0].path_length, 13);
    assert_memory_equal(fixture->last.ops[0].path, "/p/0000000001", 13);
}

static void C9_new_parent_starts_at_zero(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    run(fixture, op_sequential("/p/"));
    run(fixture, op_delete("/p/0000000000", -1));
    run(fixture, op_delete("/p", -1));
    run(fixture, op_create("/p", ""));
    run(fixture, op_sequential("/p/"));
    assert_memory_equal(fixture->last.ops[0].path, "/p/0000000000", 13);
}

static void C12_sequential_creates_of_a_multi_get_distinct_numbers(void **context)
{
    struct fixture *fixture = *context;

    assert_int_equal(RUN_MULTI(fixture, op_sequential("/a"), op_sequential("/b")), ERROR_OK);
    assert_memory_equal(fixture->last.ops[0].path, "/a0000000000", 12);
    assert_memory_equal(fixture->last.ops[1].path, "/b0000000001", 12);
}

struct precedence {
    const char *path;
    enum error error;
};

static void order_of_errors_of_create(void **context)
{
    static const struct precedence cases[] = {
        {"no-slash", ERROR_BAD_PATH},
        {"", ERROR_BAD_PATH},
        {"/nope/x\x1e", ERROR_NO_NODE},      // the parent before the name
        {"/zookeeper/x\x1e", ERROR_NO_AUTH}, // the permission before the name
        {"/zookeeper/quota", ERROR_NO_AUTH},
        {"/zookeeper/nope/x", ERROR_NO_NODE}, // the parent before the permission
        {"/x\x1e", ERROR_BAD_PATH},
        {"/p/", ERROR_BAD_PATH},
        {"/a//b", ERROR_NO_NODE},
        {"/", ERROR_NODE_EXISTS}, // P29
        {"/zookeeper", ERROR_NODE_EXISTS},
        {"/p", ERROR_NODE_EXISTS},
    };
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (run(fixture, op_create(cases[i].path, "")) != cases[i].error)
            fail_msg("create %s: %d", cases[i].path, fixture->last.result.error);
        assert_int_equal(fixture->last.result.failed_op, 0);
        assert_int_equal(fixture->last.result.zxid, 1);
    }
}

static void T34_legal_names_can_be_created(void **context)
{
    static const char *const paths[] = {"/...", "/a", "/a/.b", "/ ", "/a.."};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(run(*context, op_create(paths[i], "")), ERROR_OK);
}

static void parents_are_made_at_the_same_zxid(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/a", ""));
    assert_int_equal(run(fixture, op_flagged(op_create("/a/b/c/d", "x"), OP_PARENTS)), ERROR_OK);
    assert_int_equal(fixture->last.result.zxid, 2);
    assert_int_equal(stat_of(fixture, "/a").pzxid, 2);
    assert_int_equal(stat_of(fixture, "/a").cversion, 1);
    assert_int_equal(stat_of(fixture, "/a/b").czxid, 2);
    assert_int_equal(stat_of(fixture, "/a/b").num_children, 1);
    assert_int_equal(stat_of(fixture, "/a/b/c").cversion, 1);
    assert_int_equal(stat_of(fixture, "/a/b/c/d").data_length, 1);
    assert_int_equal(run(fixture, op_flagged(op_sequential("/s/t/"), OP_PARENTS)), ERROR_OK);
    assert_true(exists(fixture, "/s/t/0000000000"));
    assert_int_equal(position_of(fixture).node_count, 4 + 4 + 3);
}

static void parents_are_made_only_where_a_create_is_allowed(void **context)
{
    struct fixture *fixture = *context;

    assert_int_equal(run(fixture, op_flagged(op_create("/zookeeper/a/b", ""), OP_PARENTS)),
                     ERROR_NO_AUTH);
    assert_int_equal(run(fixture, op_flagged(op_create("/a//b", ""), OP_PARENTS)), ERROR_BAD_PATH);
    assert_int_equal(run(fixture, op_flagged(op_create("/a/b/", ""), OP_PARENTS)), ERROR_BAD_PATH);
    assert_int_equal(run(fixture, op_flagged(op_create("a/b", ""), OP_PARENTS)), ERROR_BAD_PATH);
    assert_int_equal(run(fixture, op_flagged(op_put("/a/b", ""), OP_PARENTS | OP_MUST_EXIST)),
                     ERROR_PRECONDITION_FAILED);
    assert_int_equal(position_of(fixture).node_count, 4);
}

// ---- Set, put, check ---------------------------------------------------------------------------

static void order_of_errors_of_set_and_check(void **context)
{
    static const struct precedence cases[] = {
        {"/nope/x\x1e", ERROR_BAD_PATH},
        {"/nope", ERROR_NO_NODE},
        {"/a//b", ERROR_BAD_PATH},
        {"/nope/x", ERROR_NO_NODE},
    };
    struct fixture *fixture = *context;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(run(fixture, op_set(cases[i].path, "", 7)), cases[i].error);
        assert_int_equal(RUN_MULTI(fixture, op_check(cases[i].path, 7)), cases[i].error);
    }
    assert_int_equal(run(fixture, op_set("/zookeeper", "", 7)), ERROR_NO_AUTH);
    assert_int_equal(run(fixture, op_set("/zookeeper/config", "", 7)), ERROR_NO_AUTH);
    assert_int_equal(run(fixture, op_set("/zookeeper/nope", "", 7)), ERROR_NO_NODE);
    assert_int_equal(RUN_MULTI(fixture, op_check("/zookeeper", 0)), ERROR_OK);
    assert_int_equal(run(fixture, op_set("/", "root", 0)), ERROR_OK); // P27
}

static void O1_version_minus_one_matches_any(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    assert_int_equal(run(fixture, op_set("/p", "a", 1)), ERROR_BAD_VERSION);
    assert_int_equal(fixture->last.ops[0].stat.version, 0);
    assert_true((fixture->last.ops[0].flags & RESULT_HAS_STAT) != 0);
    assert_int_equal(run(fixture, op_set("/p", "a", 0)), ERROR_OK);
    assert_int_equal(run(fixture, op_set("/p", "a", -1)), ERROR_OK);
    assert_int_equal(run(fixture, op_delete("/p", 1)), ERROR_BAD_VERSION);
    assert_int_equal(run(fixture, op_delete("/p", -1)), ERROR_OK);
}

static void put_creates_or_sets(void **context)
{
    struct fixture *fixture = *context;

    assert_int_equal(run(fixture, op_put("/p", "a")), ERROR_OK);
    assert_int_equal(fixture->last.ops[0].flags, RESULT_CREATED | RESULT_HAS_STAT);
    assert_int_equal(run(fixture, op_put("/p", "b")), ERROR_OK);
    assert_int_equal(fixture->last.ops[0].flags, RESULT_HAS_STAT);
    assert_int_equal(fixture->last.ops[0].stat.version, 1);
    assert_int_equal(run(fixture, op_put("/q/r", "")), ERROR_NO_NODE);
    assert_int_equal(run(fixture, op_flagged(op_put("/q/r", ""), OP_PARENTS)), ERROR_OK);
    assert_int_equal(run(fixture, op_flagged(op_put("/new", ""), OP_HAS_VERSION)), ERROR_NO_NODE);
    assert_int_equal(run(fixture, op_put("/zookeeper/x", "")), ERROR_NO_AUTH);
    assert_int_equal(run(fixture, op_put("/zookeeper", "")), ERROR_NO_AUTH);
    assert_int_equal(run(fixture, op_put("/nope/\x01", "")), ERROR_BAD_PATH);
}

static void preconditions_compare_the_mzxid(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    run(fixture, op_set("/p", "", -1));
    assert_int_equal(run(fixture, op_matching(op_put("/p", ""), 1)), ERROR_PRECONDITION_FAILED);
    assert_int_equal(fixture->last.ops[0].stat.mzxid, 2);
    assert_int_equal(run(fixture, op_matching(op_matching(op_put("/p", ""), 1), 2)), ERROR_OK);
    assert_int_equal(run(fixture, op_matching(op_delete("/p", -1), 2)), ERROR_PRECONDITION_FAILED);
    assert_int_equal(run(fixture, op_matching(op_set("/p", "", 7), 3)), ERROR_BAD_VERSION);
    assert_int_equal(run(fixture, op_matching(op_set("/p", "", 7), 4)), ERROR_PRECONDITION_FAILED);
    assert_int_equal(run(fixture, op_matching(op_delete("/p", -1), 3)), ERROR_OK);
}

static void preconditions_on_absent_nodes(void **context)
{
    struct fixture *fixture = *context;

    assert_int_equal(run(fixture, op_flagged(op_put("/n", ""), OP_MUST_EXIST)),
                     ERROR_PRECONDITION_FAILED);
    assert_int_equal(fixture->last.ops[0].flags, 0);
    assert_int_equal(run(fixture, op_matching(op_set("/n", "", -1), 1)), ERROR_PRECONDITION_FAILED);
    assert_int_equal(run(fixture, op_matching(op_delete("/n", -1), 1)), ERROR_PRECONDITION_FAILED);
    assert_int_equal(run(fixture, op_matching(op_put("/n/m", ""), 1)), ERROR_NO_NODE);
    assert_int_equal(run(fixture, op_matching(op_set("/n/m", "", -1), 1)), ERROR_NO_NODE);
    assert_int_equal(run(fixture, op_matching(op_delete("/n/m", -1), 1)), ERROR_NO_NODE);
}

static void must_not_exist_comes_behind_a_missing_parent(void **context)
{
    struct fixture *fixture = *context;

    assert_int_equal(run(fixture, op_flagged(op_put("/n/m", ""), OP_MUST_NOT_EXIST)),
                     ERROR_NO_NODE);
    assert_int_equal(run(fixture, op_flagged(op_put("/n", ""), OP_MUST_NOT_EXIST)), ERROR_OK);
    assert_int_equal(run(fixture, op_flagged(op_put("/n", ""), OP_MUST_NOT_EXIST)),
                     ERROR_PRECONDITION_FAILED);
    assert_int_equal(fixture->last.ops[0].stat.mzxid, 1);
    assert_int_equal(run(fixture, op_flagged(op_create("/n", ""), OP_MUST_NOT_EXIST)),
                     ERROR_PRECONDITION_FAILED);
}

// ---- Delete ------------------------------------------------------------------------------------

static void T15_T16_order_of_errors_of_delete(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    run(fixture, op_create("/p/c", ""));
    assert_int_equal(run(fixture, op_delete("/p", 5)), ERROR_BAD_VERSION);
    assert_int_equal(run(fixture, op_delete("/p", 0)), ERROR_NOT_EMPTY);
    assert_int_equal(run(fixture, op_delete("/zookeeper/quota", -1)), ERROR_BAD_ARGUMENTS);
    assert_int_equal(run(fixture, op_delete("/", -1)), ERROR_BAD_ARGUMENTS);
    assert_int_equal(run(fixture, op_delete("no-slash", -1)), ERROR_BAD_ARGUMENTS);
    assert_int_equal(run(fixture, op_delete("/zookeeper/x", -1)), ERROR_NO_AUTH);
    assert_int_equal(run(fixture, op_delete("/zookeeper/x/y", -1)), ERROR_NO_NODE);
    assert_int_equal(run(fixture, op_delete("/a//b", -1)), ERROR_NO_NODE);
    assert_int_equal(run(fixture, op_delete("/p/", -1)), ERROR_NO_NODE);
    assert_int_equal(run(fixture, op_delete("/nope", -1)), ERROR_NO_NODE);
}

static struct op op_delete_tree(const char *path, uint32_t limit)
{
    struct op op = op_make(OP_DELETE_TREE, path);

    op.limit = limit;
    return op;
}

static void make_small_tree(struct fixture *fixture)
{
    static const char *const paths[] = {"/t", "/t/a", "/t/a/x", "/t/a/y", "/t/b", "/u"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(run(fixture, op_create(paths[i], "")), ERROR_OK);
}

static void delete_tree_removes_all_at_one_zxid(void **context)
{
    struct fixture *fixture = *context;

    make_small_tree(fixture);
    assert_int_equal(run(fixture, op_delete_tree("/t", 5)), ERROR_OK);
    assert_int_equal(fixture->last.ops[0].deleted, 5);
    assert_int_equal(fixture->last.ops[0].flags, 0);
    assert_int_equal(fixture->last.result.zxid, 7);
    assert_int_equal(position_of(fixture).node_count, 5);
    assert_int_equal(stat_of(fixture, "/").pzxid, 7);
    assert_int_equal(stat_of(fixture, "/").num_children, 2);
    assert_false(exists(fixture, "/t"));
}

static void delete_tree_above_its_limit_changes_nothing(void **context)
{
    struct fixture *fixture = *context;

    make_small_tree(fixture);
    uint64_t bytes = position_of(fixture).data_bytes;
    assert_int_equal(run(fixture, op_delete_tree("/t", 4)), ERROR_TOO_MANY_NODES);
    assert_int_equal(fixture->last.ops[0].deleted, 0);
    assert_int_equal(fixture->last.result.zxid, 6);
    assert_true(exists(fixture, "/t/a/x"));
    assert_int_equal(position_of(fixture).data_bytes, bytes);
}

static void partial_delete_tree_takes_leaves_first(void **context)
{
    struct fixture *fixture = *context;

    make_small_tree(fixture);
    assert_int_equal(run(fixture, op_flagged(op_delete_tree("/t", 2), OP_PARTIAL)), ERROR_OK);
    assert_int_equal(fixture->last.ops[0].deleted, 2);
    assert_int_equal(fixture->last.ops[0].flags, RESULT_MORE);
    assert_false(exists(fixture, "/t/a/x"));
    assert_false(exists(fixture, "/t/a/y"));
    assert_true(exists(fixture, "/t/a"));
    assert_int_equal(stat_of(fixture, "/t/a").num_children, 0);
    assert_int_equal(stat_of(fixture, "/t/a").pzxid, 7);
    assert_int_equal(run(fixture, op_flagged(op_delete_tree("/t", 3), OP_PARTIAL)), ERROR_OK);
    assert_int_equal(fixture->last.ops[0].flags, 0);
    assert_false(exists(fixture, "/t"));
}

static void delete_tree_checks_its_top(void **context)
{
    struct fixture *fixture = *context;

    make_small_tree(fixture);
    struct op wrong = op_delete_tree("/t", 10);
    wrong.version = 3;
    assert_int_equal(run(fixture, wrong), ERROR_BAD_VERSION);
    assert_int_equal(run(fixture, op_matching(op_delete_tree("/t", 10), 99)),
                     ERROR_PRECONDITION_FAILED);
    assert_int_equal(run(fixture, op_delete_tree("/", 10)), ERROR_BAD_ARGUMENTS);
    assert_int_equal(run(fixture, op_delete_tree("/zookeeper", 10)), ERROR_BAD_ARGUMENTS);
    assert_int_equal(run(fixture, op_delete_tree("/zookeeper/x", 10)), ERROR_NO_AUTH);
    assert_int_equal(run(fixture, op_delete_tree("/nope", 10)), ERROR_NO_NODE);
    assert_int_equal(position_of(fixture).node_count, 10);
}

// ---- Multi -------------------------------------------------------------------------------------

static void M3_S6_multi_has_one_zxid_and_time(void **context)
{
    struct fixture *fixture = *context;

    assert_int_equal(
        RUN_MULTI(fixture, op_create("/a", ""), op_create("/b", ""), op_set("/", "", -1)),
        ERROR_OK);
    assert_int_equal(fixture->last.result.zxid, 1);
    assert_true(fixture->last.result.multi);
    assert_int_equal(stat_of(fixture, "/a").czxid, 1);
    assert_int_equal(stat_of(fixture, "/b").czxid, 1);
    assert_int_equal(stat_of(fixture, "/").mzxid, 1);
    assert_int_equal(position_of(fixture).zxid, 1);
}

static void M4_M9_ops_see_earlier_ones(void **context)
{
    struct fixture *fixture = *context;

    assert_int_equal(RUN_MULTI(fixture, op_create("/a", ""), op_create("/a/b", ""),
                               op_set("/a", "x", 0), op_set("/a", "y", 1), op_check("/a", 2),
                               op_delete("/a/b", 0)),
                     ERROR_OK);
    assert_int_equal(fixture->last.result.op_count, 6);
    assert_int_equal(fixture->last.ops[0].flags, RESULT_HAS_PATH | RESULT_HAS_STAT);
    assert_int_equal(fixture->last.ops[2].stat.version, 1);
    assert_int_equal(fixture->last.ops[3].stat.version, 2);
    assert_int_equal(fixture->last.ops[4].flags, 0);
    assert_int_equal(fixture->last.ops[5].flags, 0);
    assert_int_equal(stat_of(fixture, "/a").cversion, 2);
}

static void M8_T18_failed_multi_names_every_op(void **context)
{
    struct fixture *fixture = *context;

    assert_int_equal(RUN_MULTI(fixture, op_create("/m", ""), op_set("/m", "", 0),
                               op_set("/m", "", 0), op_create("/n", "")),
                     ERROR_BAD_VERSION);
    assert_int_equal(fixture->last.result.failed_op, 2);
    assert_int_equal(fixture->last.ops[0].error, ERROR_OK);
    assert_int_equal(fixture->last.ops[0].flags, 0);
    assert_int_equal(fixture->last.ops[1].error, ERROR_OK);
    assert_int_equal(fixture->last.ops[2].error, ERROR_BAD_VERSION);
    assert_int_equal(fixture->last.ops[2].flags, 0); // there is no /m whose stat could be told
    assert_int_equal(fixture->last.ops[3].error, ERROR_RUNTIME_INCONSISTENCY);
    assert_int_equal(fixture->last.result.zxid, 0);
    assert_false(exists(fixture, "/m"));
}

static void failed_multi_shows_the_stat_that_remains(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/m", ""));
    assert_int_equal(RUN_MULTI(fixture, op_set("/m", "", 0), op_check("/m", 0)), ERROR_BAD_VERSION);
    assert_int_equal(fixture->last.ops[1].flags, RESULT_HAS_STAT);
    assert_int_equal(fixture->last.ops[1].stat.version, 0);
    assert_int_equal(fixture->last.ops[1].stat.mzxid, 1);
}

static void M6_T4_failed_multi_burns_no_numbers(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_create("/p", ""));
    struct state_position before = position_of(fixture);
    assert_int_equal(
        RUN_MULTI(fixture, op_sequential("/p/"), op_sequential("/p/"), op_delete("/p/missing", -1)),
        ERROR_NO_NODE);
    assert_int_equal(position_of(fixture).next_id, before.next_id);
    assert_int_equal(position_of(fixture).node_count, before.node_count);
    run(fixture, op_sequential("/p/"));
    assert_memory_equal(fixture->last.ops[0].path, "/p/0000000000", 13);
    assert_int_equal(fixture->last.result.zxid, 2);
}

static void M16_T19_check_without_version_asks_for_existence(void **context)
{
    struct fixture *fixture = *context;

    assert_int_equal(RUN_MULTI(fixture, op_check("/x", -1), op_create("/y", "")), ERROR_NO_NODE);
    assert_int_equal(fixture->last.ops[0].error, ERROR_NO_NODE);
    assert_int_equal(fixture->last.ops[1].error, ERROR_RUNTIME_INCONSISTENCY);
    run(fixture, op_create("/x", ""));
    assert_int_equal(RUN_MULTI(fixture, op_check("/x", -1)), ERROR_OK);
    assert_int_equal(fixture->last.result.zxid, 1); // nothing changed
    assert_int_equal(position_of(fixture).zxid, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(T1_initial_tree_has_zero_stats),
        TEST(create_sets_stat_of_node_and_parent),
        TEST(S2_set_counts_even_with_the_same_bytes),
        TEST(delete_raises_pzxid_and_cversion_of_the_parent),
        TEST(S1_grandchildren_do_not_touch_grandparents),
        TEST(S3_T2_visible_cversion_counts_creates_and_deletes),
        TEST(S5_version_wraps_and_leaves_out_minus_one),
        TEST(C10_child_counter_sticks_at_its_end),
        TEST(C14_T12_ephemerals_have_no_children),
        TEST(C5_missing_parents_are_not_made),
        TEST(C6_null_data_differs_from_empty),
        TEST(C8_T3_only_successful_creates_count),
        TEST(C9_new_parent_starts_at_zero),
        TEST(C12_sequential_creates_of_a_multi_get_distinct_numbers),
        TEST(order_of_errors_of_create),
        TEST(T34_legal_names_can_be_created),
        TEST(parents_are_made_at_the_same_zxid),
        TEST(parents_are_made_only_where_a_create_is_allowed),
        TEST(order_of_errors_of_set_and_check),
        TEST(O1_version_minus_one_matches_any),
        TEST(put_creates_or_sets),
        TEST(preconditions_compare_the_mzxid),
        TEST(preconditions_on_absent_nodes),
        TEST(must_not_exist_comes_behind_a_missing_parent),
        TEST(T15_T16_order_of_errors_of_delete),
        TEST(delete_tree_removes_all_at_one_zxid),
        TEST(delete_tree_above_its_limit_changes_nothing),
        TEST(partial_delete_tree_takes_leaves_first),
        TEST(delete_tree_checks_its_top),
        TEST(M3_S6_multi_has_one_zxid_and_time),
        TEST(M4_M9_ops_see_earlier_ones),
        TEST(M8_T18_failed_multi_names_every_op),
        TEST(failed_multi_shows_the_stat_that_remains),
        TEST(M6_T4_failed_multi_burns_no_numbers),
        TEST(M16_T19_check_without_version_asks_for_existence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
