// SPDX-License-Identifier: Apache-2.0
// The rules of the operations (stat fields, order of errors, multi), by their ids.
#include "fixture.h"

#include <limits.h>
#include <string.h>

#include "base/memory.h"
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(T1_initial_tree_has_zero_stats),
        TEST(create_sets_stat_of_node_and_parent),
        TEST(S2_set_counts_even_with_the_same_bytes),
        TEST(delete_raises_pzxid_and_cversion_of_the_parent),
        TEST(S1_grandchildren_do_not_touch_grandparents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
