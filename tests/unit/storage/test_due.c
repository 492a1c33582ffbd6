// SPDX-License-Identifier: Apache-2.0
// Containers and TTL znodes: when they are due (rules C19-C28, in log time) and what reaps them.
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "storage/history.h"
#include "storage/session.h"

enum { TEXT_BYTES = 1024 };

static struct op op_container(const char *path)
{
    return op_kind(op_create(path, ""), ZNODE_CONTAINER);
}

// Executes an op at a log time.
static enum error run_at(struct fixture *fixture, uint64_t log_time_us, struct op op)
{
    fixture->log_time_us = log_time_us;
    return run(fixture, op);
}

static bool append_item(void *context, const struct due_item *item)
{
    char *text = context;
    size_t at = strlen(text);

    snprintf(text + at, TEXT_BYTES - at, "%llu:%c%.*s@%llu ", (unsigned long long)item->deadline_us,
             "?eCT"[item->kind], (int)item -> path_length, item -> path,
             (unsigned long long)item -> mzxid);
    return true;
}

static bool append_first(void *context, const struct due_item *item)
{
    append_item(context, item);
    return false;
}

static void check_visited(struct fixture *fixture, uint64_t log_time_us, due_visit visit,
                          const char *expected)
{
    char text[TEXT_BYTES] = "";
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_due(view, log_time_us, visit, text), ERROR_OK);
    view_close(view);
    assert_string_equal(text, expected);
}

static void check_due(struct fixture *fixture, uint64_t log_time_us, const char *expected)
{
    check_visited(fixture, log_time_us, append_item, expected);
}

static bool reaped(struct fixture *fixture)
{
    bool effect = (fixture->last.ops[0].flags & RESULT_NO_EFFECT) == 0;

    assert_int_equal(fixture->last.result.error, ERROR_OK);
    assert_int_equal(fixture->last.ops[0].deleted, effect);
    assert_int_equal(fixture->last.result.zxid, position_of(fixture).zxid);
    return effect;
}

// ---- Creation ----------------------------------------------------------------------------------

// C2, C25.
static void kinds_that_do_not_exist_are_refused(void **context)
{
    struct fixture *fixture = *context;

    assert_int_equal(run(fixture, op_flagged(op_container("/c"), OP_SEQUENTIAL)),
                     ERROR_BAD_ARGUMENTS);
    assert_int_equal(run(fixture, op_ttl("/t", 0)), ERROR_BAD_ARGUMENTS);
    assert_int_equal(run(fixture, op_ttl("/t", TTL_MAX_MS + 1)), ERROR_BAD_ARGUMENTS);
    assert_int_equal(run(fixture, op_ttl("/no/t", 0)), ERROR_BAD_ARGUMENTS); // before the path
    assert_int_equal(run(fixture, op_ttl("/t", 1)), ERROR_OK);
    assert_int_equal(run(fixture, op_ttl("/u", TTL_MAX_MS)), ERROR_OK);
    assert_int_equal(run(fixture, op_flagged(op_ttl("/t", 1), OP_SEQUENTIAL)), ERROR_OK);
    assert_true(exists(fixture, "/t0000000002"));
    assert_int_equal(stat_of(fixture, "/t").owner, 0); // C17, C28
    assert_int_equal(run(fixture, op_container("/c")), ERROR_OK);
    assert_int_equal(stat_of(fixture, "/c").owner, 0);
}

// C14: they may have children; data of every length survives beside what the kind needs.
static void nodes_of_every_kind_keep_their_data(void **context)
{
    static const size_t lengths[] = {0, 1, 1700, 1880, 1890, 1895, 1900, 1910, 5000};
    struct fixture *fixture = *context;
    char data[5001];

    memset(data, 'x', sizeof data);
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (uint8_t kind = ZNODE_CONTAINER; kind <= ZNODE_TTL; kind++) {
            struct op op = op_kind(op_create("/n", ""), kind);
            struct view *view;
            struct znode node;
            op.data = (const uint8_t *)data;
            op.data_length = lengths[i];
            op.ttl_ms = 1000;
            assert_int_equal(run(fixture, op), ERROR_OK);
            assert_int_equal(run(fixture, op_create("/n/c", "")), ERROR_OK);
            assert_int_equal(run(fixture, op_delete("/n/c", -1)), ERROR_OK);
            assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
            assert_int_equal(view_get(view, "/n", 2, true, &node), ERROR_OK);
            assert_int_equal(node.kind, kind);
            assert_int_equal(node.stat.data_length, lengths[i]);
            if (lengths[i] > 0)
                assert_memory_equal(node.data, data, lengths[i]);
            view_close(view);
            assert_int_equal(run(fixture, op_delete("/n", -1)), ERROR_OK);
            check_due(fixture, UINT64_MAX, "");
        }
    }
}

// ---- Containers --------------------------------------------------------------------------------

// C20: never used, never due (as in 3.9); due from the time at which the last child went.
static void container_is_due_without_its_last_child(void **context)
{
    struct fixture *fixture = *context;

    run_at(fixture, 1000, op_container("/c"));
    check_due(fixture, UINT64_MAX, "");
    run_at(fixture, 2000, op_create("/c/a", ""));
    run_at(fixture, 3000, op_create("/c/b", ""));
    run_at(fixture, 4000, op_delete("/c/a", -1));
    check_due(fixture, UINT64_MAX, "");
    run_at(fixture, 5000, op_delete("/c/b", -1));
    check_due(fixture, 4999, "");
    check_due(fixture, 5000, "5000:C/c@1 ");
    run_at(fixture, 6000, op_set("/c", "x", -1)); // a set neither saves nor delays it
    check_due(fixture, 5000, "5000:C/c@6 ");
    run_at(fixture, 7000, op_create("/c/a", ""));
    check_due(fixture, UINT64_MAX, "");
    run_at(fixture, 8000, op_delete("/c/a", -1));
    check_due(fixture, UINT64_MAX, "8000:C/c@6 ");
    run_at(fixture, 9000, op_delete("/c", -1));
    check_due(fixture, UINT64_MAX, "");
}

// C22: like a delete.
static void container_is_reaped_with_a_zxid_of_its_own(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_flagged(op_container("/d/c"), OP_PARENTS));
    run_at(fixture, 2000, op_create("/d/c/a", ""));
    run_at(fixture, 3000, op_delete("/d/c/a", -1));
    run_at(fixture, 3000, op_reap("/d/c", ZNODE_CONTAINER, 1));
    assert_true(reaped(fixture));
    assert_false(exists(fixture, "/d/c"));
    assert_int_equal(stat_of(fixture, "/d").pzxid, 4);
    assert_int_equal(stat_of(fixture, "/d").cversion, 2);
    check_due(fixture, UINT64_MAX, "");
}

// C21: a reap that no longer applies has no effect and no zxid.
static void reap_checks_everything_again(void **context)
{
    struct fixture *fixture = *context;

    run(fixture, op_put("/p", ""));
    run_at(fixture, 2000, op_container("/c"));
    const struct op never[] = {
        op_reap("/c", ZNODE_CONTAINER, 2), // never used
        op_reap("/p", ZNODE_CONTAINER, 1),
        op_reap("/", ZNODE_CONTAINER, 0),
        op_reap("/nope", ZNODE_CONTAINER, 2),
        op_reap("/nope/c", ZNODE_TTL, 2),
        op_reap("", ZNODE_TTL, 2),
        op_reap("c", ZNODE_TTL, 2),
        op_reap("/c/", ZNODE_CONTAINER, 2),
    };
    for (unsigned i = 0; i < sizeof never / sizeof *never; i++) {
        run(fixture, never[i]);
        assert_false(reaped(fixture));
    }
    run_at(fixture, 3000, op_create("/c/a", ""));
    run(fixture, op_reap("/c", ZNODE_CONTAINER, 2)); // has a child
    assert_false(reaped(fixture));
    run_at(fixture, 4000, op_delete("/c/a", -1));
    run(fixture, op_reap("/c", ZNODE_CONTAINER, 1)); // another node of that name
    assert_false(reaped(fixture));
    run(fixture, op_reap("/c", ZNODE_TTL, 2));
    assert_false(reaped(fixture));
    run_at(fixture, 3999, op_reap("/c", ZNODE_CONTAINER, 2));
    assert_false(reaped(fixture));
    assert_int_equal(position_of(fixture).zxid, 4);
    run_at(fixture, 4000, op_reap("/c", ZNODE_CONTAINER, 2));
    assert_true(reaped(fixture));
    assert_int_equal(position_of(fixture).zxid, 5);
}

static void container_of_ephemerals_is_due_when_their_session_ends(void **context)
{
    struct fixture *fixture = *context;
    uint64_t id = open_session(fixture);

    run(fixture, op_container("/c"));
    act_as(fixture, id);
    run(fixture, op_kind(op_create("/c/a", ""), ZNODE_EPHEMERAL));
    run(fixture, op_kind(op_create("/c/b", ""), ZNODE_EPHEMERAL));
    run_at(fixture, 5000, op_on_session(OP_SESSION_CLOSE, id));
    check_due(fixture, UINT64_MAX, "5000:C/c@2 ");
}

// ---- TTL ---------------------------------------------------------------------------------------

// C26, T29.
static void ttl_counts_from_the_last_set(void **context)
{
    struct fixture *fixture = *context;

    run_at(fixture, 1000, op_ttl("/t", 100));
    check_due(fixture, 100999, "");
    check_due(fixture, 101000, "101000:T/t@1 ");
    run_at(fixture, 51000, op_set("/t", "x", -1));
    check_due(fixture, UINT64_MAX, "151000:T/t@2 ");
    run_at(fixture, 52000, op_create("/t/c", ""));
    check_due(fixture, UINT64_MAX, "");
    run_at(fixture, 200000, op_reap("/t", ZNODE_TTL, 2));
    assert_false(reaped(fixture));
    run_at(fixture, 1000000, op_delete("/t/c", -1)); // children do not refresh
    check_due(fixture, UINT64_MAX, "151000:T/t@2 ");
    run_at(fixture, 150999, op_reap("/t", ZNODE_TTL, 2));
    assert_false(reaped(fixture));
    run_at(fixture, 151000, op_reap("/t", ZNODE_TTL, 1));
    assert_false(reaped(fixture));
    run_at(fixture, 151000, op_reap("/t", ZNODE_TTL, 2));
    assert_true(reaped(fixture));
    assert_false(exists(fixture, "/t"));
    check_due(fixture, UINT64_MAX, "");
}

static void set_while_there_are_children_counts(void **context)
{
    struct fixture *fixture = *context;

    run_at(fixture, 1000, op_ttl("/t", 100));
    run_at(fixture, 2000, op_create("/t/c", ""));
    run_at(fixture, 3000, op_put("/t", "x"));
    check_due(fixture, UINT64_MAX, "");
    run_at(fixture, 4000, op_tree("/t/c", 1, 0));
    check_due(fixture, UINT64_MAX, "103000:T/t@3 ");
}

// Log time, whatever the wall clock says.
static void wall_clock_does_not_matter(void **context)
{
    struct fixture *fixture = *context;

    fixture->wall_ms = 1;
    run_at(fixture, 1000, op_ttl("/t", 100));
    fixture->wall_ms = 1000000;
    run_at(fixture, 100999, op_reap("/t", ZNODE_TTL, 1));
    assert_false(reaped(fixture));
    run_at(fixture, 101000, op_reap("/t", ZNODE_TTL, 1));
    assert_true(reaped(fixture));
}

static void due_items_come_in_order(void **context)
{
    struct fixture *fixture = *context;

    run_at(fixture, 1000, op_ttl("/t3", 3));
    run_at(fixture, 1000, op_ttl("/t1", 1));
    run_at(fixture, 1000, op_ttl("/t2", 2));
    run_at(fixture, 5000, op_container("/c"));
    run_at(fixture, 5000, op_create("/c/x", ""));
    run_at(fixture, 6000, op_delete("/c/x", -1));
    check_due(fixture, 3000, "2000:T/t1@2 3000:T/t2@3 ");
    check_due(fixture, 6000, "6000:C/c@4 2000:T/t1@2 3000:T/t2@3 4000:T/t3@1 ");
    check_visited(fixture, 6000, append_first, "6000:C/c@4 ");
    check_visited(fixture, 5000, append_first, "2000:T/t1@2 ");
}

static void failed_multi_leaves_deadlines_alone(void **context)
{
    struct fixture *fixture = *context;

    run_at(fixture, 1000, op_ttl("/t", 1));
    run_at(fixture, 1000, op_container("/c"));
    run_at(fixture, 1000, op_create("/c/x", ""));
    run_at(fixture, 2000, op_delete("/c/x", -1));
    struct state_position before = position_of(fixture);
    fixture->log_time_us = 3000;
    assert_int_equal(RUN_MULTI(fixture, op_set("/t", "x", -1), op_create("/c/x", ""),
                               op_create("/t/x", ""), op_ttl("/u", 7), op_check("/nope", -1)),
                     ERROR_NO_NODE);
    assert_int_equal(position_of(fixture).data_bytes, before.data_bytes);
    check_due(fixture, UINT64_MAX, "2000:C/c@2 2000:T/t@1 ");
}

// Keys and znodes share the table: neither holds up the other.
static void keys_are_reaped_beside_what_is_due(void **context)
{
    struct fixture *fixture = *context;

    run_at(fixture, 1000, op_ttl("/t", 1));
    fixture->keyed.key = (const uint8_t *)"key";
    fixture->keyed.key_length = 3;
    fixture->keyed.key_retention_us = 5000;
    fixture->keyed.key_capacity = 10;
    run_at(fixture, 2000, op_put("/p", ""));
    fixture->keyed = (struct command){0};
    check_due(fixture, UINT64_MAX, "2000:T/t@1 ");
    run_at(fixture, 6999, op_put("/p", ""));
    assert_int_equal(position_of(fixture).key_count, 1);
    run_at(fixture, 7000, op_put("/p", ""));
    assert_int_equal(position_of(fixture).key_count, 0);
    check_due(fixture, UINT64_MAX, "2000:T/t@1 ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(kinds_that_do_not_exist_are_refused),
        TEST(nodes_of_every_kind_keep_their_data),
        TEST(container_is_due_without_its_last_child),
        TEST(container_is_reaped_with_a_zxid_of_its_own),
        TEST(reap_checks_everything_again),
        TEST(container_of_ephemerals_is_due_when_their_session_ends),
        TEST(ttl_counts_from_the_last_set),
        TEST(set_while_there_are_children_counts),
        TEST(wall_clock_does_not_matter),
        TEST(due_items_come_in_order),
        TEST(failed_multi_leaves_deadlines_alone),
        TEST(keys_are_reaped_beside_what_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
