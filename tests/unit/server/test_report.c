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

static void a_round_trip_leaves_out_how_long_the_peer_held_it(void **state)
{
    struct report report = {.echo_us = 1000, .held_us = 300};

    (void)state;
    assert_int_equal(report_round_trip_us(&report, 1350), 50);
    report.echo_us = 0;
    assert_int_equal(report_round_trip_us(&report, 1350), 0);
}

// A peer may say what it likes.
static void an_impossible_echo_is_no_round_trip(void **state)
{
    struct report late = {.echo_us = 2000};
    struct report long_held = {.echo_us = 1000, .held_us = UINT64_MAX};

    (void)state;
    assert_int_equal(report_round_trip_us(&late, 1999), 0);
    assert_int_equal(report_round_trip_us(&long_held, 1999), 0);
}

static void a_report_comes_back_as_it_was(void **state)
{
    struct report report = {.role = PAXOS_LEADER,
                            .ballot = {.round = 7, .node = 2},
                            .serving = true,
                            .draining = true,
                            .zxid = 11,
                            .applied = 12,
                            .confirmed = true,
                            .confirmed_age_us = 13,
                            .confirmed_decided = 14,
                            .sent_us = 15,
                            .echo_us = 16,
                            .held_us = 17};
    struct report back;
    struct buffer frame = {0};

    (void)state;
    report_encode(&report, &frame);
    assert_int_equal(report_decode(frame.data, frame.length, &back), ERROR_OK);
    assert_int_equal(back.role, PAXOS_LEADER);
    assert_int_equal(back.ballot.round, 7);
    assert_true(back.serving && back.draining && back.confirmed && !back.disk_full);
    assert_int_equal(back.zxid, 11);
    assert_int_equal(back.applied, 12);
    assert_int_equal(back.confirmed_age_us, 13);
    assert_int_equal(back.confirmed_decided, 14);
    assert_int_equal(back.sent_us, 15);
    assert_int_equal(back.echo_us, 16);
    assert_int_equal(back.held_us, 17);
    for (size_t length = 0; length < frame.length; length++)
        assert_int_equal(report_decode(frame.data, length, &back), ERROR_CORRUPT);
    buffer_deinit(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(age_is_unknown_before_a_leader_was_heard_and_caught_up_with),
        cmocka_unit_test(age_grows_with_time),
        cmocka_unit_test(a_round_trip_leaves_out_how_long_the_peer_held_it),
        cmocka_unit_test(an_impossible_echo_is_no_round_trip),
        cmocka_unit_test(a_report_comes_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
