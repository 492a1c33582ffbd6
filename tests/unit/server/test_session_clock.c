// SPDX-License-Identifier: Apache-2.0
// Sessions end after their timeout of silence and never before, whatever the process goes through.
#include "server/session_clock.h"

#include <string.h>

#include "tests/unit/cmocka_test.h"

enum { MS = 1000000, IDS = 16 };

struct ended {
    unsigned count[IDS];
    uint64_t generation[IDS];
};

static void note(void *context, uint64_t id, uint64_t generation)
{
    struct ended *ended = context;

    ended->count[id]++;
    ended->generation[id] = generation;
}

static void pass(struct session_clock *clock, unsigned ms, struct ended *ended)
{
    for (unsigned i = 0; i < ms; i += 10)
        session_clock_advance(clock, 10 * MS, note, ended);
}

static void add(struct session_clock *clock, uint64_t id, uint32_t timeout_ms, uint64_t generation)
{
    struct session_info info = {.id = id, .timeout_ms = timeout_ms, .generation = generation};

    memset(info.proof, (int)id, sizeof info.proof);
    session_clock_set(clock, &info);
}

static int setup(void **state)
{
    *state = session_clock_new();
    return 0;
}

static int teardown(void **state)
{
    session_clock_free(*state);
    return 0;
}

static void silent_session_ends_after_its_timeout_and_soon(void **state)
{
    struct ended ended = {0};

    add(*state, 1, 500, 7);
    add(*state, 2, 300000, 1);
    pass(*state, 500, &ended);
    assert_int_equal(ended.count[1], 0);
    pass(*state, 110, &ended);
    assert_int_equal(ended.count[1], 1);
    assert_int_equal(ended.generation[1], 7);
    assert_int_equal(ended.count[2], 0);
    pass(*state, 299400, &ended);
    assert_int_equal(ended.count[2], 0);
    pass(*state, 200, &ended);
    assert_int_equal(ended.count[2], 1);
}

static void touched_session_lives_on(void **state)
{
    struct ended ended = {0};

    add(*state, 1, 500, 0);
    for (int i = 0; i < 50; i++) {
        pass(*state, 490, &ended);
        assert_true(session_clock_touch(*state, 1));
    }
    assert_int_equal(ended.count[1], 0);
    pass(*state, 610, &ended);
    assert_int_equal(ended.count[1], 1);
    assert_false(session_clock_touch(*state, 2));
}

static void stopped_process_ends_nobody_early(void **state)
{
    struct ended ended = {0};

    add(*state, 1, 500, 0);
    pass(*state, 400, &ended);
    session_clock_advance(*state, 3600000ull * MS, note, &ended);
    session_clock_advance(*state, 0, note, &ended);
    assert_int_equal(ended.count[1], 0);
    assert_true(session_clock_touch(*state, 1));
    pass(*state, 500, &ended);
    assert_int_equal(ended.count[1], 0);
}

static void new_leader_gives_everybody_the_full_time(void **state)
{
    struct ended ended = {0};

    add(*state, 1, 500, 0);
    add(*state, 2, 1000, 0);
    pass(*state, 490, &ended);
    session_clock_restart(*state);
    pass(*state, 500, &ended);
    assert_int_equal(ended.count[1], 0);
    assert_int_equal(ended.count[2], 0);
    pass(*state, 110, &ended);
    assert_int_equal(ended.count[1], 1);
    assert_int_equal(ended.count[2], 0);
}

static void ended_session_is_named_again_until_it_is_gone(void **state)
{
    struct ended ended = {0};

    add(*state, 1, 500, 0);
    pass(*state, 2000, &ended);
    assert_true(ended.count[1] >= 2);
    session_clock_remove(*state, 1);
    unsigned before = ended.count[1];
    pass(*state, 2000, &ended);
    assert_int_equal(ended.count[1], before);
    assert_int_equal(session_clock_count(*state), 0);
}

static void bound_again_session_gets_its_full_time(void **state)
{
    struct ended ended = {0};

    add(*state, 1, 500, 1);
    pass(*state, 490, &ended);
    add(*state, 1, 500, 2);
    pass(*state, 490, &ended);
    assert_int_equal(ended.count[1], 0);
    pass(*state, 120, &ended);
    assert_int_equal(ended.generation[1], 2);
    session_clock_clear(*state);
    assert_int_equal(session_clock_count(*state), 0);
    pass(*state, 2000, &ended);
    assert_int_equal(ended.count[1], 1);
}

static void only_its_own_secret_proves_a_session(void **state)
{
    uint8_t proof[SESSION_PROOF_BYTES];

    memset(proof, 1, sizeof proof);
    assert_false(session_clock_proves(*state, 1, proof));
    assert_false(session_clock_proves(*state, 0, proof));
    assert_false(session_clock_touch(*state, 0));
    add(*state, 1, 500, 0);
    add(*state, 2, 500, 0);
    assert_true(session_clock_proves(*state, 1, proof));
    assert_false(session_clock_proves(*state, 2, proof));
    proof[SESSION_PROOF_BYTES - 1] ^= 1;
    assert_false(session_clock_proves(*state, 1, proof));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(silent_session_ends_after_its_timeout_and_soon),
        TEST(touched_session_lives_on),
        TEST(stopped_process_ends_nobody_early),
        TEST(new_leader_gives_everybody_the_full_time),
        TEST(ended_session_is_named_again_until_it_is_gone),
        TEST(only_its_own_secret_proves_a_session),
        TEST(bound_again_session_gets_its_full_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
