// SPDX-License-Identifier: Apache-2.0
// Who is woken by which change, and that nothing is lost between looking and waiting.
#include "tests/unit/api/check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/hub.h"
#include "api/session_changes.h"
#include "base/clock.h"
#include "storage/command.h"
#include "tests/unit/api/backend.h"

enum { PATIENCE_MS = 10000 };

struct fixture {
    struct backend backend;
    struct hub *hub;
};

struct waiter {
    struct hub_wait wait;
    struct hub_key key;
    atomic_uint reasons;
    atomic_uint wakes;
};

// ---- Changing the state ------------------------------------------------------------------------

struct writing {
    struct submission submission;
    atomic_bool done;
};

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void complete(struct submission *submission, enum error error, struct blob *result)
{
    struct writing *writing = CONTAINER_OF(submission, struct writing, submission);

    assert_int_equal(error, ERROR_OK);
    blob_unref(result);
    atomic_store(&writing->done, true);
}

static uint64_t position(struct fixture *fixture)
{
    struct live_view view;

    assert_int_equal(live_acquire(fixture->backend.live, &view), ERROR_OK);
    uint64_t zxid = view_position(view.view)->zxid;
    live_release(fixture->backend.live, &view);
    return zxid;
}

// Executes one op and tells the hub. Returns the zxid.
static uint64_t change(struct fixture *fixture, enum op_type type, const char *path)
{
    struct command command = {.op_count = 1};
    struct op op = {
        .type = (uint8_t)type, .path = path, .path_length = strlen(path), .version = -1};
    struct writing writing = {.submission = {.complete = complete}};
    struct buffer encoded = {0};

    command_encode_begin(&encoded, &command);
    command_encode_op(&encoded, &op);
    writing.submission.command = blob_copy(encoded.data, encoded.length);
    fixture->backend.port.submit(fixture->backend.port.context, &writing.submission);
    while (!atomic_load(&writing.done))
        pause_briefly();
    blob_unref(writing.submission.command);
    buffer_deinit(&encoded);
    hub_changed(fixture->hub, position(fixture));
    return position(fixture);
}

static void create(struct fixture *fixture, const char *path)
{
    change(fixture, OP_CREATE, path);
}

// ---- Waiting -----------------------------------------------------------------------------------

static void wake(struct hub_wait *wait, unsigned reasons)
{
    struct waiter *waiter = CONTAINER_OF(wait, struct waiter, wait);

    atomic_fetch_or(&waiter->reasons, reasons);
    atomic_fetch_add(&waiter->wakes, 1);
}

static void prepare(struct waiter *waiter, enum hub_kind kind, const char *path)
{
    memset(waiter, 0, sizeof *waiter);
    waiter->key = (struct hub_key){.path = path, .length = strlen(path), .kind = kind};
    waiter->wait.keys = &waiter->key;
    waiter->wait.key_count = 1;
    waiter->wait.deadline_ns = clock_monotonic_ns() + UINT64_C(3600000000000);
    waiter->wait.period_ns = UINT64_C(3600000000000);
    waiter->wait.wake = wake;
}

static void add(struct fixture *fixture, struct waiter *waiter, enum hub_kind kind,
                const char *path)
{
    prepare(waiter, kind, path);
    assert_int_equal(hub_add(fixture->hub, &waiter->wait, position(fixture)), HUB_ADDED);
}

static unsigned await_wake(struct waiter *waiter)
{
    for (int i = 0; i < PATIENCE_MS && atomic_load(&waiter->wakes) == 0; i++)
        pause_briefly();
    assert_int_equal(atomic_load(&waiter->wakes), 1);
    return atomic_exchange(&waiter->reasons, 0);
}

// The hub has read everything: it has woken one who waits for a change of its own.
static void settle(struct fixture *fixture)
{
    struct waiter last;
    static unsigned number;
    char path[32];

    snprintf(path, sizeof path, "/settled%u", number++);
    add(fixture, &last, HUB_NODE, path);
    create(fixture, path);
    assert_int_equal(await_wake(&last), HUB_CHANGED);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    backend_start(&fixture->backend);
    fixture->hub = hub_start(fixture->backend.live, 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    hub_stop(fixture->hub);
    hub_free(fixture->hub);
    backend_stop(&fixture->backend);
    free(fixture);
    return 0;
}

// ---- Tests -------------------------------------------------------------------------------------

static const struct {
    enum hub_kind kind;
    const char *path;
    const char *woken; // by: create, set and delete of /a/b, then create of /a/b2
} cases[] = {
    {HUB_NODE, "/a/b", "csd-"},     {HUB_PRESENCE, "/a/b", "c-d-"}, {HUB_CHILDREN, "/a", "c-dc"},
    {HUB_CHILDREN, "/a/b", "----"}, {HUB_CHILDREN, "/", "----"},    {HUB_TREE, "/", "csdc"},
    {HUB_TREE, "/a", "csdc"},       {HUB_TREE, "/a/b", "csd-"},     {HUB_TREE, "/a/b/c", "----"},
    {HUB_NODE, "/a", "----"},       {HUB_NODE, "/", "----"},        {HUB_TREE, "/a/", "----"},
};

static void expect_step(struct fixture *fixture, size_t step, enum op_type type, const char *path)
{
    struct waiter waiters[COUNT_OF(cases)];

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        add(fixture, &waiters[i], cases[i].kind, cases[i].path);
    change(fixture, type, path);
    settle(fixture);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        // "/settled" is created below the root, too.
        bool root = strcmp(cases[i].path, "/") == 0 && cases[i].kind != HUB_NODE;
        bool woken = cases[i].woken[step] != '-' || root;
        assert_int_equal(atomic_load(&waiters[i].wakes), woken);
        assert_int_equal(hub_remove(fixture->hub, &waiters[i].wait), !woken);
    }
}

static void hub_wakes_those_whose_keys_match(void **state)
{
    struct fixture *fixture = *state;

    create(fixture, "/a");
    expect_step(fixture, 0, OP_CREATE, "/a/b");
    expect_step(fixture, 1, OP_SET, "/a/b");
    expect_step(fixture, 2, OP_DELETE, "/a/b");
    expect_step(fixture, 3, OP_CREATE, "/a/b2");
}

static void hub_refuses_who_has_not_looked_far_enough(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;

    settle(fixture);
    prepare(&waiter, HUB_NODE, "/a");
    assert_int_equal(hub_add(fixture->hub, &waiter.wait, position(fixture) - 1), HUB_LATE);
    assert_false(hub_remove(fixture->hub, &waiter.wait));
    assert_int_equal(hub_add(fixture->hub, &waiter.wait, position(fixture)), HUB_ADDED);
    create(fixture, "/a");
    assert_int_equal(await_wake(&waiter), HUB_CHANGED);
}

// Nothing is read while nobody waits; the first who does must not be told of that.
static void hub_skips_what_came_while_nobody_waited(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;

    create(fixture, "/a");
    change(fixture, OP_SET, "/a");
    prepare(&waiter, HUB_NODE, "/a");
    assert_int_equal(hub_add(fixture->hub, &waiter.wait, 0), HUB_LATE);
    add(fixture, &waiter, HUB_NODE, "/a");
    settle(fixture);
    assert_int_equal(atomic_load(&waiter.wakes), 0);
    assert_true(hub_remove(fixture->hub, &waiter.wait));
}

static void hub_keeps_deadlines(void **state)
{
    struct fixture *fixture = *state;
    struct waiter late, soon;

    add(fixture, &late, HUB_NODE, "/a");
    prepare(&soon, HUB_NODE, "/a");
    soon.wait.deadline_ns = clock_monotonic_ns() + 30000000;
    assert_int_equal(hub_add(fixture->hub, &soon.wait, position(fixture)), HUB_ADDED);
    assert_int_equal(await_wake(&soon), HUB_DEADLINE);
    assert_true(clock_monotonic_ns() >= soon.wait.deadline_ns);
    assert_int_equal(atomic_load(&late.wakes), 0);
    assert_true(hub_remove(fixture->hub, &late.wait));
}

static void hub_ends_a_wait_once(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;

    add(fixture, &waiter, HUB_NODE, "/a");
    hub_end(fixture->hub, &waiter.wait);
    hub_end(fixture->hub, &waiter.wait);
    assert_int_equal(await_wake(&waiter), HUB_GONE);
    assert_int_equal(hub_add(fixture->hub, &waiter.wait, position(fixture)), HUB_ENDED);
}

static void hub_lets_nobody_wait_while_draining(void **state)
{
    struct fixture *fixture = *state;
    struct waiter before, lasting, after;

    add(fixture, &before, HUB_NODE, "/a");
    prepare(&lasting, HUB_TREE, "/a");
    lasting.wait.lasting = true;
    assert_true(hub_add_lasting(fixture->hub, &lasting.wait));
    hub_drain(fixture->hub);
    hub_drain(fixture->hub);
    assert_int_equal(await_wake(&before), HUB_DRAINING);
    assert_int_equal(await_wake(&lasting), HUB_DRAINING);
    assert_true(hub_remove(fixture->hub, &lasting.wait));
    prepare(&after, HUB_NODE, "/a");
    assert_int_equal(hub_add(fixture->hub, &after.wait, position(fixture)), HUB_CLOSED);
    assert_false(hub_add_lasting(fixture->hub, &after.wait));
}

// Takes a range, which must be this one.
static void assert_range(struct fixture *fixture, struct waiter *waiter, uint64_t first,
                         uint64_t last)
{
    struct hub_range range;
    uint64_t looked = 0;

    assert_true(hub_take(fixture->hub, &waiter->wait, &looked, &range));
    assert_int_equal(range.first, first);
    assert_int_equal(range.last, last);
    assert_int_equal(looked, first - 1);
}

// There is none, which is known without reading.
static void assert_no_range(struct fixture *fixture, struct waiter *waiter, uint64_t clear)
{
    struct hub_range range;
    uint64_t looked = 0;

    assert_false(hub_take(fixture->hub, &waiter->wait, &looked, &range));
    assert_int_equal(looked, clear);
}

// A wait that has looked at everything.
static void add_lasting(struct fixture *fixture, struct waiter *waiter)
{
    create(fixture, "/a");
    prepare(waiter, HUB_NODE, "/a");
    waiter->wait.lasting = true;
    assert_true(hub_add_lasting(fixture->hub, &waiter->wait));
    assert_range(fixture, waiter, 1, UINT64_MAX); // it has still to look at everything
    settle(fixture);
}

static void hub_tells_lasting_waits_where_to_read(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;

    add_lasting(fixture, &waiter);
    assert_no_range(fixture, &waiter, position(fixture));
    uint64_t first = change(fixture, OP_SET, "/a");
    uint64_t second = change(fixture, OP_SET, "/a");
    create(fixture, "/other");
    uint64_t third = change(fixture, OP_SET, "/a");
    settle(fixture);
    assert_int_equal(atomic_load(&waiter.wakes), 1);
    assert_range(fixture, &waiter, first, second);
    assert_range(fixture, &waiter, third, third);
    assert_no_range(fixture, &waiter, position(fixture));
    assert_true(hub_remove(fixture->hub, &waiter.wait));
}

static void hub_joins_what_is_too_much_to_be_kept_apart(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;
    uint64_t zxids[HUB_RANGES + 3];
    char path[] = "/a0";

    add_lasting(fixture, &waiter);
    for (size_t i = 0; i < HUB_RANGES + 3; i++) {
        zxids[i] = change(fixture, OP_SET, "/a");
        path[2] = (char)('a' + i);
        create(fixture, path);
    }
    settle(fixture);
    for (size_t i = 0; i < HUB_RANGES - 1; i++)
        assert_range(fixture, &waiter, zxids[i], zxids[i]);
    assert_range(fixture, &waiter, zxids[HUB_RANGES - 1], zxids[HUB_RANGES + 2]);
    assert_no_range(fixture, &waiter, position(fixture));
    assert_true(hub_remove(fixture->hub, &waiter.wait));
}

static void hub_finds_its_way_among_many(void **state)
{
    enum { MANY = 5000 };
    struct fixture *fixture = *state;
    struct waiter *waiters = calloc(MANY, sizeof *waiters);
    char(*paths)[24] = calloc(MANY, sizeof *paths);

    for (int i = 0; i < MANY; i++) {
        snprintf(paths[i], sizeof paths[i], "/many%d", i);
        add(fixture, &waiters[i], i % 2 ? HUB_TREE : HUB_NODE, paths[i]);
    }
    create(fixture, "/many4321");
    assert_int_equal(await_wake(&waiters[4321]), HUB_CHANGED);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(hub_remove(fixture->hub, &waiters[i].wait), i != 4321);
    free(paths);
    free(waiters);
}

// ---- Sessions ------------------------------------------------------------------------------------

static void add_session(struct fixture *fixture, struct waiter *waiter, const uint64_t *id)
{
    prepare(waiter, HUB_SESSION, "");
    waiter->key.path = (const char *)id;
    waiter->key.length = sizeof *id;
    waiter->wait.lasting = true;
    assert_true(hub_add_lasting(fixture->hub, &waiter->wait));
}

static void take(struct fixture *fixture, struct waiter *waiter)
{
    struct hub_range range;
    uint64_t looked = 0;

    while (hub_take(fixture->hub, &waiter->wait, &looked, &range))
        continue;
}

static void hub_wakes_those_whose_session_changed(void **state)
{
    static const uint64_t ids[] = {7, 8, 8};
    struct fixture *fixture = *state;
    struct waiter waiters[3];

    hub_session_changed(fixture->hub, 7); // nobody waits
    for (size_t i = 0; i < 3; i++) {
        add_session(fixture, &waiters[i], &ids[i]);
        take(fixture, &waiters[i]);
    }
    create(fixture, "/other");
    hub_session_changed(fixture->hub, 8);
    for (size_t i = 1; i < 3; i++)
        assert_int_equal(await_wake(&waiters[i]), HUB_CHANGED);
    assert_int_equal(atomic_load(&waiters[0].wakes), 0);
    take(fixture, &waiters[1]);
    hub_session_changed(fixture->hub, 0);
    assert_int_equal(await_wake(&waiters[0]), HUB_CHANGED);
    while (atomic_load(&waiters[1].wakes) < 2)
        pause_briefly();
    for (size_t i = 0; i < 3; i++)
        hub_remove(fixture->hub, &waiters[i].wait);
}

static void hub_wakes_for_more_sessions_than_it_notes(void **state)
{
    static const uint64_t last = 2 * SESSION_CHANGES_MAX;
    struct fixture *fixture = *state;
    struct waiter waiter;

    add_session(fixture, &waiter, &last);
    take(fixture, &waiter);
    for (uint64_t id = 1; id <= last; id++)
        hub_session_changed(fixture->hub, id);
    assert_int_equal(await_wake(&waiter), HUB_CHANGED);
    hub_remove(fixture->hub, &waiter.wait);
}

// Three deadlines of a period that is shorter than a group of others.
static void hub_keeps_short_periods(void **state)
{
    static const uint64_t id = 1, period_ns = 20000000;
    struct fixture *fixture = *state;
    struct waiter waiter;

    prepare(&waiter, HUB_SESSION, "");
    waiter.key.path = (const char *)&id;
    waiter.key.length = sizeof id;
    waiter.wait.lasting = true;
    waiter.wait.period_ns = period_ns;
    uint64_t began_ns = clock_monotonic_ns();
    waiter.wait.deadline_ns = began_ns + period_ns;
    assert_true(hub_add_lasting(fixture->hub, &waiter.wait));
    while (atomic_load(&waiter.wakes) < 3)
        pause_briefly();
    assert_true(clock_monotonic_ns() - began_ns >= 3 * period_ns);
    hub_remove(fixture->hub, &waiter.wait);
}

#define HUB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(hub_wakes_those_whose_keys_match),
        HUB_TEST(hub_refuses_who_has_not_looked_far_enough),
        HUB_TEST(hub_skips_what_came_while_nobody_waited),
        HUB_TEST(hub_keeps_deadlines),
        HUB_TEST(hub_ends_a_wait_once),
        HUB_TEST(hub_lets_nobody_wait_while_draining),
        HUB_TEST(hub_tells_lasting_waits_where_to_read),
        HUB_TEST(hub_joins_what_is_too_much_to_be_kept_apart),
        HUB_TEST(hub_finds_its_way_among_many),
        HUB_TEST(hub_wakes_those_whose_session_changed),
        HUB_TEST(hub_wakes_for_more_sessions_than_it_notes),
        HUB_TEST(hub_keeps_short_periods),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
