// SPDX-License-Identifier: Apache-2.0
// How old the state of a node may be: never told younger than it is.
#include "server/report.h"

#include "tests/unit/cmocka_test.h"

static void age_is_unknown_before_a_leader_was_heard_and_caught_up_with(void **state)
{
    struct freshness freshness = {0};
    struct report report = {.confirmed = true, .confirmed_age_us = 200, .confirmed_decided = 7};

    (void)state;
    freshness_note(&freshness, &report, 1000);
    freshness_executed(&freshness, 6);
    assert_int_equal(freshness_age_us(freshness.fresh_us, 1000), UINT64_MAX);
    freshness_executed(&freshness, 7);
    assert_int_equal(freshness_age_us(freshness.fresh_us, 1000), 200);
}

static void age_grows_with_time(void **state)
{
    (void)state;
    assert_int_equal(freshness_age_us(800, 1000), 200);
    assert_int_equal(freshness_age_us(800, 50000), 49200);
    assert_int_equal(freshness_age_us(800, 700), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(age_is_unknown_before_a_leader_was_heard_and_caught_up_with),
        cmocka_unit_test(age_grows_with_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
