// SPDX-License-Identifier: Apache-2.0
// Sessions and what they own: the rules N (sessions) and C (ephemerals) that hold in the state.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "storage/history.h"
#include "storage/session.h"
#include "storage/state_internal.h"

enum { TEXT_BYTES = 2048 };

static struct op op_ephemeral(const char *path)
{
    return op_kind(op_create(path, ""), ZNODE_EPHEMERAL);
}

// ---- Looking -----------------------------------------------------------------------------------

static enum error look(struct fixture *fixture, uint64_t id, struct session_info *info)
{
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    enum error error = view_session(view, id, info);
    view_close(view);
    return error;
}

static struct session_info info_of(struct fixture *fixture, uint64_t id)
{
    struct session_info info;

    assert_int_equal(look(fixture, id, &info), ERROR_OK);
    return info;
}

static bool lives(struct fixture *fixture, uint64_t id)
{
    struct session_info info;
    enum error error = look(fixture, id, &info);

    assert_true(error == ERROR_OK || error == ERROR_SESSION_EXPIRED);
    return error == ERROR_OK;
}

static bool append_path(void *context, uint64_t node, const char *path, size_t length)
{
    char *text = context;
    size_t at = strlen(text);

    (void)node;
    snprintf(text + at, TEXT_BYTES - at, "%.*s ", (int)length, path);
    return true;
}

static void check_owned(struct fixture *fixture, uint64_t id, const char *expected)
{
    char text[TEXT_BYTES] = "";
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_session_nodes(view, id, 0, append_path, text), ERROR_OK);
    view_close(view);
    assert_string_equal(text, expected);
}

static bool append_change(void *context, const struct change *change)
{
    char *text = context;
    size_t at = strlen(text);

    snprintf(text + at, TEXT_BYTES - at, "%llu%c%.*s%s ", (unsigned long long)change->zxid,
             "?+=-"[change->kind], (int)change -> path_length, change -> path,
             change -> last ? "." : "");
    return true;
}

static void check_changes(struct fixture *fixture, uint64_t after, const char *expected)
{
    char text[TEXT_BYTES] = "";
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_changes(view, after, append_change, text), ERROR_OK);
    view_close(view);
    assert_string_equal(text, expected);
}

// ---- Life --------------------------------------------------------------------------------------

// N1, N5.
static void session_is_its_zxid_and_what_was_asked(void **context)
{
    struct fixture *fixture = *context;
    struct op op = op_open(12345);

    run(fixture, op_create("/a", ""));
    fixture->wall_ms = 777;
    assert_int_equal(run(fixture, op), ERROR_OK);
    assert_int_equal(fixture->last.result.zxid, 2);
    assert_int_equal(position_of(fixture).zxid, 2);
    struct session_info info = info_of(fixture, 2);
    assert_int_equal(info.id, 2);
    assert_memory_equal(info.proof, op.session.proof, SESSION_PROOF_BYTES);
    assert_int_equal(info.timeout_ms, 12345);
    assert_int_equal(info.created_ms, 777);
    assert_int_equal(info.binding.node, 0);
    assert_int_equal(info.generation, 0);
    assert_int_equal(info.ephemeral_count, 0);
    assert_int_equal(position_of(fixture).session_count, 1);
    check_changes(fixture, 1, "");
}

static void timeout_has_bounds(void **context)
{
    struct fixture *fixture = *context;

    assert_int_equal(run(fixture, op_open(SESSION_TIMEOUT_MIN_MS - 1)), ERROR_BAD_ARGUMENTS);
    assert_int_equal(run(fixture, op_open(SESSION_TIMEOUT_MAX_MS + 1)), ERROR_BAD_ARGUMENTS);
    assert_int_equal(position_of(fixture).zxid, 0);
    assert_int_equal(position_of(fixture).session_count, 0);
    assert_int_equal(run(fixture, op_open(SESSION_TIMEOUT_MIN_MS)), ERROR_OK);
    assert_int_equal(run(fixture, op_open(SESSION_TIMEOUT_MAX_MS)), ERROR_OK);
}

static void sessions_are_limited(void **context)
{
    struct fixture *fixture = *context;

    uint64_t first = open_session(fixture);
    fixture->state->position.session_count = SESSIONS_MAX - 1;
    assert_int_equal(run(fixture, op_open(1000)), ERROR_OK);
    assert_int_equal(run(fixture, op_open(1000)), ERROR_SESSIONS_FULL);
    assert_int_equal(fixture->last.result.zxid, 2);
    assert_int_equal(run(fixture, op_on_session(OP_SESSION_CLOSE, first)), ERROR_OK);
    assert_int_equal(run(fixture, op_open(1000)), ERROR_OK);
}

static void closed_session_is_gone(void **context)
{
    struct fixture *fixture = *context;
    uint64_t id = open_session(fixture);

    assert_int_equal(run(fixture, op_on_session(OP_SESSION_CLOSE, id)), ERROR_OK);
    assert_int_equal(fixture->last.result.zxid, 2);
    assert_int_equal(fixture->last.ops[0].deleted, 0);
    assert_false(lives(fixture, id));
    assert_int_equal(position_of(fixture).session_count, 0);
    assert_int_equal(run(fixture, op_on_session(OP_SESSION_CLOSE, id)), ERROR_SESSION_EXPIRED);
    assert_int_equal(run(fixture, op_bind(id, (struct session_binding){1, 1, 1})),
                     ERROR_SESSION_EXPIRED);
    assert_int_equal(fixture->last.result.zxid, 2);
}

struct walk {
    uint64_t ids[8];
    unsigned count, limit;
};

static bool walk_session(void *context, const struct session_info *info)
{
    struct walk *walk = context;

    walk->ids[walk->count++] = info->id;
    return walk->count != walk->limit;
}

static struct walk sessions_after(struct fixture *fixture, uint64_t after, unsigned limit)
{
    struct walk walk = {.limit = limit};
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_sessions(view, after, walk_session, &walk), ERROR_OK);
    view_close(view);
    return walk;
}

static void sessions_are_listed_in_order(void **context)
{
    struct fixture *fixture = *context;

    for (unsigned i = 0; i < 4; i++)
        open_session(fixture);
    run(fixture, op_on_session(OP_SESSION_CLOSE, 2));
    struct walk walk = sessions_after(fixture, 0, 0);
    assert_int_equal(walk.count, 3);
    assert_int_equal(walk.ids[1], 3);
    walk = sessions_after(fixture, 1, 1);
    assert_int_equal(walk.count, 1);
    assert_int_equal(walk.ids[0], 3);
    assert_int_equal(sessions_after(fixture, 4, 0).count, 0);
    assert_int_equal(sessions_after(fixture, UINT64_MAX, 0).count, 0);
}

// ---- Expiry and bindings -----------------------------------------------------------------------

static bool had_no_effect(struct fixture *fixture, uint64_t zxid)
{
    assert_int_equal(fixture->last.result.error, ERROR_OK);
    assert_int_equal(fixture->last.result.zxid, zxid);
    assert_int_equal(position_of(fixture).zxid, zxid);
    return (fixture->last.ops[0].flags & RESULT_NO_EFFECT) != 0;
}

// N15: and a session that was bound meanwhile does not expire.
static void expiry_needs_the_generation(void **context)
{
    struct fixture *fixture = *context;
    struct session_binding binding = {.node = 1, .boot = 2, .counter = 3};
    uint64_t id = open_session(fixture);

    run(fixture, op_bind(id, binding));
    assert_int_equal(info_of(fixture, id).generation, 1);
    run(fixture, op_expire(id, 0));
    assert_true(had_no_effect(fixture, 2));
    assert_true(lives(fixture, id));
    run(fixture, op_expire(id, 2));
    assert_true(had_no_effect(fixture, 2));
    run(fixture, op_expire(id, 1));
    assert_false(had_no_effect(fixture, 3));
    assert_false(lives(fixture, id));
    run(fixture, op_expire(id, 1));
    assert_true(had_no_effect(fixture, 3));
}

// A leader that was deposed, and has heard nothing since, may still have its proposal forwarded.
static void expiry_needs_the_leader_that_says_so(void **context)
{
    struct fixture *fixture = *context;
    uint64_t id = open_session(fixture);
    struct op op = op_expire(id, 0);

    op.session.leader.round++;
    run(fixture, op);
    assert_true(had_no_effect(fixture, 1));
    op = op_expire(id, 0);
    op.session.leader.node++;
    run(fixture, op);
    assert_true(had_no_effect(fixture, 1));
    assert_true(lives(fixture, id));
    run(fixture, op_expire(id, 0));
    assert_false(lives(fixture, id));
}

static void check_changed(struct fixture *fixture, size_t count, uint64_t id)
{
    assert_int_equal(state_changed_sessions(fixture->state), count);
    if (count > 0)
        assert_int_equal(state_changed_session(fixture->state, count - 1), id);
}

static void changed_sessions_are_named(void **context)
{
    struct session_binding binding = {.node = 1, .boot = 2, .counter = 3};
    struct fixture *fixture = *context;
    uint64_t id = open_session(fixture);

    check_changed(fixture, 1, id);
    run(fixture, op_create("/a", ""));
    check_changed(fixture, 0, 0);
    run(fixture, op_bind(id, binding));
    check_changed(fixture, 1, id);
    run(fixture, op_expire(id, 0));
    check_changed(fixture, 0, 0);
    run(fixture, op_expire(id, 1));
    check_changed(fixture, 1, id);
    uint64_t other = open_session(fixture);
    check_changed(fixture, 1, other);
    struct op ops[] = {op_open(1000), op_on_session(OP_SESSION_CLOSE, other)};
    run_entry(fixture, ops, 2);
    check_changed(fixture, 2, other);
    assert_int_equal(state_changed_session(fixture->state, 0), other + 1);
}

// N6: the newest stream binds; the end of an older one ends nothing.
static void only_the_current_binding_closes(void **context)
{
    struct fixture *fixture = *context;
    struct session_binding none = {0}, old = {.node = 1, .boot = 2, .counter = 3};
    struct session_binding others[] = {{2, 2, 3}, {1, 3, 3}, {1, 2, 4}, {0, 0, 0}};
    uint64_t id = open_session(fixture);

    run(fixture, op_unbind(id, none));
    assert_true(had_no_effect(fixture, 1));
    for (unsigned i = 0; i < 4; i++) {
        run(fixture, op_bind(id, old));
        run(fixture, op_bind(id, others[i]));
        uint64_t zxid = position_of(fixture).zxid;
        run(fixture, op_unbind(id, old));
        assert_true(had_no_effect(fixture, zxid));
        assert_true(lives(fixture, id));
    }
    run(fixture, op_bind(id, old));
    struct session_info info = info_of(fixture, id);
    assert_int_equal(info.generation, 9);
    assert_int_equal(info.binding.node, 1);
    assert_int_equal(info.binding.boot, 2);
    assert_int_equal(info.binding.counter, 3);
    assert_int_equal(info.grace_ms, 250);
    run(fixture, op_unbind(id, old));
    assert_false(lives(fixture, id));
    uint64_t zxid = position_of(fixture).zxid;
    run(fixture, op_unbind(id, old));
    assert_true(had_no_effect(fixture, zxid));
}

// ---- Who asks ----------------------------------------------------------------------------------

// N7: a wrong proof does not harm the real session.
static void actor_must_exist_and_prove_itself(void **context)
{
    struct fixture *fixture = *context;
    uint64_t id = open_session(fixture);
    uint8_t wrong[SESSION_PROOF_BYTES];

    act_as(fixture, id + 1);
    assert_int_equal(run(fixture, op_put("/a", "")), ERROR_SESSION_EXPIRED);
    assert_int_equal(fixture->last.result.op_count, 0);
    assert_int_equal(fixture->last.result.zxid, 1);
    act_as(fixture, id);
    memcpy(wrong, fixture->keyed.proof, sizeof wrong);
    fixture->keyed.proof = wrong;
    for (unsigned i = 0; i < SESSION_PROOF_BYTES; i++) {
        wrong[i] ^= 1;
        assert_int_equal(run(fixture, op_put("/a", "")), ERROR_SESSION_DENIED);
        assert_int_equal(run(fixture, op_on_session(OP_SESSION_CLOSE, id)), ERROR_SESSION_DENIED);
        wrong[i] ^= 1;
    }
    assert_true(lives(fixture, id));
    assert_false(exists(fixture, "/a"));
    assert_int_equal(run(fixture, op_put("/a", "")), ERROR_OK);
    assert_int_equal(run(fixture, op_on_session(OP_SESSION_CLOSE, id)), ERROR_OK);
    assert_int_equal(run(fixture, op_put("/a", "")), ERROR_SESSION_EXPIRED); // N19
}

static void keyed_outcome_outlives_the_session(void **context)
{
    struct fixture *fixture = *context;
    uint64_t id = open_session(fixture);
    uint8_t wrong[SESSION_PROOF_BYTES] = {0};

    act_as(fixture, id);
    fixture->keyed.key = (const uint8_t *)"key";
    fixture->keyed.key_length = 3;
    fixture->keyed.key_retention_us = 1000000;
    fixture->keyed.key_capacity = 10;
    run(fixture, op_ephemeral("/e"));
    fixture->keyed.proof = wrong;
    assert_int_equal(run(fixture, op_ephemeral("/e")), ERROR_SESSION_DENIED);
    fixture->keyed.key = NULL;
    act_as(fixture, 0);
    run(fixture, op_on_session(OP_SESSION_CLOSE, id));
    act_as(fixture, id);
    fixture->keyed.key = (const uint8_t *)"key";
    assert_int_equal(run(fixture, op_ephemeral("/e")), ERROR_OK);
    assert_true(fixture->last.result.replayed);
    assert_int_equal(fixture->last.result.zxid, 2);
    assert_false(exists(fixture, "/e"));
    fixture->keyed.key = (const uint8_t *)"yek";
    for (unsigned i = 0; i < 2; i++) { // not kept
        assert_int_equal(run(fixture, op_ephemeral("/e")), ERROR_SESSION_EXPIRED);
        assert_false(fixture->last.result.replayed);
    }
}

// ---- Ephemerals --------------------------------------------------------------------------------

// C13, C17.
static void ephemeral_belongs_to_its_session(void **context)
{
    struct fixture *fixture = *context;
    uint64_t id = open_session(fixture);

    assert_int_equal(run(fixture, op_ephemeral("/e")), ERROR_SESSION_REQUIRED);
    act_as(fixture, id);
    assert_int_equal(run(fixture, op_ephemeral("/e")), ERROR_OK);
    assert_int_equal(fixture->last.ops[0].stat.owner, id);
    assert_int_equal(stat_of(fixture, "/e").owner, id);
    assert_int_equal(run(fixture, op_flagged(op_ephemeral("/e"), OP_SEQUENTIAL)), ERROR_OK);
    assert_int_equal(run(fixture, op_flagged(op_ephemeral("/d/e"), OP_SEQUENTIAL | OP_PARENTS)),
                     ERROR_OK);
    assert_int_equal(stat_of(fixture, "/d").owner, 0);
    assert_int_equal(run(fixture, op_ephemeral("/e")), ERROR_NODE_EXISTS);
    assert_int_equal(run(fixture, op_put("/p", "")), ERROR_OK);
    assert_int_equal(stat_of(fixture, "/p").owner, 0);
    check_owned(fixture, id, "/e /e0000000001 /d/e0000000000 ");
    assert_int_equal(info_of(fixture, id).ephemeral_count, 3);
}

// C14, T12.
static void ephemeral_has_no_children(void **context)
{
    struct fixture *fixture = *context;

    act_as(fixture, open_session(fixture));
    run(fixture, op_ephemeral("/e"));
    assert_int_equal(run(fixture, op_create("/e/x", "")), ERROR_NO_CHILDREN_FOR_EPHEMERALS);
    assert_int_equal(run(fixture, op_ephemeral("/e/x")), ERROR_NO_CHILDREN_FOR_EPHEMERALS);
    assert_int_equal(run(fixture, op_put("/e/x", "")), ERROR_NO_CHILDREN_FOR_EPHEMERALS);
    assert_int_equal(run(fixture, op_flagged(op_create("/e/x/y", ""), OP_PARENTS)),
                     ERROR_NO_CHILDREN_FOR_EPHEMERALS);
}

// C15: whoever sets or deletes it; a PUT leaves it what it is.
static void others_may_set_and_delete_an_ephemeral(void **context)
{
    struct fixture *fixture = *context;
    uint64_t id = open_session(fixture);

    act_as(fixture, id);
    run(fixture, op_ephemeral("/e"));
    run(fixture, op_ephemeral("/f"));
    run(fixture, op_flagged(op_ephemeral("/d/g"), OP_PARENTS));
    act_as(fixture, open_session(fixture));
    assert_int_equal(run(fixture, op_set("/e", "x", 0)), ERROR_OK);
    assert_int_equal(run(fixture, op_put("/e", "y")), ERROR_OK);
    assert_int_equal(stat_of(fixture, "/e").owner, id);
    act_as(fixture, 0);
    assert_int_equal(run(fixture, op_delete("/f", 0)), ERROR_OK);
    check_owned(fixture, id, "/e /d/g ");
    assert_int_equal(run(fixture, op_tree("/d", 10, 0)), ERROR_OK);
    check_owned(fixture, id, "/e ");
    assert_int_equal(info_of(fixture, id).ephemeral_count, 1);
    assert_int_equal(run(fixture, op_put("/f", "")), ERROR_OK);
    run(fixture, op_on_session(OP_SESSION_CLOSE, id));
    assert_int_equal(fixture->last.ops[0].deleted, 1);
    assert_true(exists(fixture, "/f"));
    assert_false(exists(fixture, "/e"));
}

// N17, N18, T24: one zxid, the order of creation.
static void closing_deletes_all_at_one_zxid(void **context)
{
    struct fixture *fixture = *context;
    uint64_t id = open_session(fixture), other = open_session(fixture);

    run(fixture, op_create("/a", ""));
    run(fixture, op_create("/b", ""));
    act_as(fixture, other);
    run(fixture, op_ephemeral("/a/other"));
    act_as(fixture, id);
    run(fixture, op_ephemeral("/b/z"));
    run(fixture, op_ephemeral("/a/y"));
    run(fixture, op_ephemeral("/b/x"));
    assert_int_equal(run(fixture, op_on_session(OP_SESSION_CLOSE, id)), ERROR_OK);
    assert_int_equal(fixture->last.ops[0].deleted, 3);
    assert_int_equal(fixture->last.result.zxid, 9);
    check_changes(fixture, 8, "9-/b/z 9-/a/y 9-/b/x. ");
    assert_int_equal(stat_of(fixture, "/a").pzxid, 9);
    assert_int_equal(stat_of(fixture, "/b").pzxid, 9);
    assert_int_equal(stat_of(fixture, "/a").num_children, 1);
    assert_int_equal(stat_of(fixture, "/b").num_children, 0);
    assert_int_equal(stat_of(fixture, "/b").cversion, 4);
    check_owned(fixture, id, "");
    check_owned(fixture, other, "/a/other ");
}

static void expiry_and_hang_up_delete_as_well(void **context)
{
    struct fixture *fixture = *context;
    struct session_binding binding = {.node = 1, .boot = 1, .counter = 1};
    uint64_t id = open_session(fixture);

    act_as(fixture, id);
    run(fixture, op_ephemeral("/e"));
    act_as(fixture, 0);
    run(fixture, op_expire(id, 0));
    check_changes(fixture, 2, "3-/e. ");
    id = open_session(fixture);
    act_as(fixture, id);
    run(fixture, op_ephemeral("/e"));
    run(fixture, op_bind(id, binding));
    act_as(fixture, 0);
    run(fixture, op_unbind(id, binding));
    check_changes(fixture, 5, "7-/e. ");
}

static void failed_multi_leaves_ownership_alone(void **context)
{
    struct fixture *fixture = *context;
    uint64_t id = open_session(fixture);

    act_as(fixture, id);
    run(fixture, op_ephemeral("/e"));
    struct state_position before = position_of(fixture);
    assert_int_equal(RUN_MULTI(fixture, op_ephemeral("/f"), op_delete("/e", -1), op_ephemeral("/e"),
                               op_check("/nope", -1)),
                     ERROR_NO_NODE);
    struct state_position after = position_of(fixture);
    assert_int_equal(before.data_bytes, after.data_bytes);
    check_owned(fixture, id, "/e ");
    assert_int_equal(
        RUN_MULTI(fixture, op_ephemeral("/f"), op_delete("/e", -1), op_ephemeral("/e")), ERROR_OK);
    check_owned(fixture, id, "/f /e ");
    assert_int_equal(info_of(fixture, id).ephemeral_count, 2);
}

static void session_with_many_ephemerals_closes(void **context)
{
    enum { MANY = 10000, AT_ONCE = 500 };
    struct fixture *fixture = *context;
    struct op *ops = memory_zalloc(AT_ONCE * sizeof *ops);
    char(*paths)[16] = memory_zalloc(AT_ONCE * sizeof *paths);
    uint64_t id = open_session(fixture);

    run(fixture, op_create("/d", ""));
    act_as(fixture, id);
    for (unsigned i = 0; i < MANY; i += AT_ONCE) {
        for (unsigned k = 0; k < AT_ONCE; k++) {
            snprintf(paths[k], sizeof *paths, "/d/%06u", MANY - i - k);
            ops[k] = op_ephemeral(paths[k]);
        }
        run_entry(fixture, ops, AT_ONCE);
    }
    assert_int_equal(info_of(fixture, id).ephemeral_count, MANY);
    assert_int_equal(run(fixture, op_on_session(OP_SESSION_CLOSE, id)), ERROR_OK);
    assert_int_equal(fixture->last.ops[0].deleted, MANY);
    assert_int_equal(position_of(fixture).zxid, MANY + 3);
    assert_int_equal(stat_of(fixture, "/d").num_children, 0);
    assert_int_equal(stat_of(fixture, "/d").pzxid, MANY + 3);
    assert_int_equal(position_of(fixture).node_count, 5);
    assert_int_equal(position_of(fixture).history_start, 0);
    free(ops);
    free(paths);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(session_is_its_zxid_and_what_was_asked),
        TEST(timeout_has_bounds),
        TEST(sessions_are_limited),
        TEST(closed_session_is_gone),
        TEST(sessions_are_listed_in_order),
        TEST(expiry_needs_the_generation),
        TEST(expiry_needs_the_leader_that_says_so),
        TEST(changed_sessions_are_named),
        TEST(only_the_current_binding_closes),
        TEST(actor_must_exist_and_prove_itself),
        TEST(keyed_outcome_outlives_the_session),
        TEST(ephemeral_belongs_to_its_session),
        TEST(ephemeral_has_no_children),
        TEST(others_may_set_and_delete_an_ephemeral),
        TEST(closing_deletes_all_at_one_zxid),
        TEST(expiry_and_hang_up_delete_as_well),
        TEST(failed_multi_leaves_ownership_alone),
        TEST(session_with_many_ephemerals_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
