// SPDX-License-Identifier: Apache-2.0
// What follows when clients leave, over a loop that the test plays.
#include "server/departures.h"

#include "tests/unit/cmocka_test.h"

enum { MANY = 3 * DEPARTURES_PROPOSED_MAX };
static const uint64_t ms = 1000000;

struct stage {
    struct departures *departures;
    uint64_t now_ns;
    struct fifo submissions;
    unsigned submitted;
    unsigned wakes;
};

static void submit(void *context, struct submission *submission)
{
    struct stage *stage = context;

    assert_true(submission->shrinks);
    assert_true(submission->deadline_ns > stage->now_ns);
    fifo_push(&stage->submissions, &submission->link);
    stage->submitted++;
}

static void wake(void *context)
{
    ((struct stage *)context)->wakes++;
}

static int setup(void **state)
{
    static struct stage stage;
    struct departures_ports ports = {.context = &stage, .submit = submit, .wake = wake};

    stage = (struct stage){.now_ns = 1000 * ms};
    stage.departures = departures_new(&ports);
    *state = &stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;

    departures_free(stage->departures);
    return 0;
}

static const struct session_binding binding = {.node = 3, .boot = 5, .counter = 7};

static void add(struct stage *stage, uint64_t session, uint32_t grace_ms)
{
    unsigned wakes = stage->wakes;

    departures_add(stage->departures, session, &binding, grace_ms, stage->now_ns);
    assert_int_equal(stage->wakes, wakes + 1);
}

static void pass(struct stage *stage, uint64_t passed_ms)
{
    stage->now_ns += passed_ms * ms;
    departures_turn(stage->departures, stage->now_ns);
}

// Answers the oldest proposal and returns the session that it was for.
static uint64_t answer(struct stage *stage, enum error error)
{
    struct fifo_link *link = fifo_pop(&stage->submissions);
    struct submission *submission = CONTAINER_OF(link, struct submission, link);
    struct command command;
    struct op op;

    assert_non_null(link);
    assert_int_equal(
        command_decode(submission->command->data, submission->command->length, &command), ERROR_OK);
    assert_int_equal(command.actor, 0);
    command_next_op(&command, &op);
    assert_int_equal(op.type, OP_SESSION_UNBIND_CLOSE);
    assert_memory_equal(&op.session.binding.counter, &binding.counter, sizeof binding.counter);
    assert_int_equal(op.session.binding.node, binding.node);
    assert_int_equal(op.session.binding.boot, binding.boot);
    uint64_t session = op.session.id;
    submission->complete(submission, error, error == ERROR_OK ? blob_copy("x", 1) : NULL);
    return session;
}

static void departures_without_grace_are_proposed_at_once(void **state)
{
    struct stage *stage = *state;

    add(stage, 9, 0);
    assert_int_equal(stage->submitted, 0); // only by the loop
    pass(stage, 0);
    assert_int_equal(stage->submitted, 1);
    assert_int_equal(answer(stage, ERROR_OK), 9);
    pass(stage, 2 * DEPARTURES_TRY_FOR_MS);
    assert_int_equal(stage->submitted, 1);
}

static void departures_wait_for_their_grace(void **state)
{
    struct stage *stage = *state;

    add(stage, 1, 500);
    add(stage, 2, 100);
    pass(stage, 99);
    assert_int_equal(stage->submitted, 0);
    pass(stage, 1);
    assert_int_equal(answer(stage, ERROR_OK), 2);
    pass(stage, 399);
    assert_int_equal(stage->submitted, 1);
    pass(stage, 1);
    assert_int_equal(answer(stage, ERROR_OK), 1);
}

static void departures_are_proposed_again_for_a_while(void **state)
{
    static const enum error errors[] = {ERROR_NO_LEADER, ERROR_OUTCOME_UNKNOWN, ERROR_OVERLOADED};
    struct stage *stage = *state;

    add(stage, 4, 0);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        pass(stage, DEPARTURES_TRY_AGAIN_MS);
        assert_int_equal(stage->submitted, i + 1);
        assert_int_equal(answer(stage, errors[i]), 4);
        pass(stage, 0);
        assert_int_equal(stage->submitted, i + 1); // not at once
    }
    pass(stage, DEPARTURES_TRY_AGAIN_MS);
    stage->now_ns += DEPARTURES_TRY_FOR_MS * ms;
    answer(stage, ERROR_NO_LEADER);
    pass(stage, 0);
    pass(stage, DEPARTURES_TRY_FOR_MS);
    assert_int_equal(stage->submitted, 4); // given up
}

static void departures_are_proposed_a_part_at_a_time(void **state)
{
    struct stage *stage = *state;

    for (uint64_t i = 1; i <= MANY; i++)
        add(stage, i, 0);
    pass(stage, 0);
    assert_int_equal(stage->submitted, DEPARTURES_PROPOSED_MAX);
    answer(stage, ERROR_OK);
    answer(stage, ERROR_OK);
    pass(stage, 0);
    assert_int_equal(stage->submitted, DEPARTURES_PROPOSED_MAX + 2);
    while (!fifo_empty(&stage->submissions)) {
        answer(stage, ERROR_OK);
        pass(stage, 0);
    }
    assert_int_equal(stage->submitted, MANY);
}

static void departures_are_dropped_while_draining(void **state)
{
    struct stage *stage = *state;

    add(stage, 1, 0);
    pass(stage, 0);
    add(stage, 2, 60000);
    pass(stage, 0);
    departures_drain(stage->departures);
    add(stage, 3, 0);
    answer(stage, ERROR_DRAINING);
    pass(stage, 0);
    pass(stage, 120000);
    assert_int_equal(stage->submitted, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(departures_without_grace_are_proposed_at_once),
        TEST(departures_wait_for_their_grace),
        TEST(departures_are_proposed_again_for_a_while),
        TEST(departures_are_proposed_a_part_at_a_time),
        TEST(departures_are_dropped_while_draining),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
