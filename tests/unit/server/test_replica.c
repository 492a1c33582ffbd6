// SPDX-License-Identifier: Apache-2.0
// The driver on model ports: records become durable and entries executed later, in an order and at
// times that a seed draws. Every submission is answered exactly once, in its place.
#include "server/replica.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/unit/cmocka_test.h"

enum { SUBMISSIONS = 3000, QUEUE = 4096 };

struct test_submission {
    struct submission submission;
    unsigned answers;
    enum error error;
};

struct fixture {
    struct replica *replica;
    struct replica_time now;
    uint64_t seed;
    uint64_t persists[QUEUE]; // sequences handed to the journal, not yet durable
    size_t persist_first, persist_count;
    struct entry applies[QUEUE]; // entries handed to the executor, not yet executed
    size_t apply_first, apply_count;
    paxos_slot executed;
    uint64_t next_sequence; // of this node's next command, as the state would know it
};

static uint64_t draw(struct fixture *fixture, uint64_t below)
{
    fixture->seed = fixture->seed * 6364136223846793005u + 1442695040888963407u;
    return (fixture->seed >> 33) % below;
}

static void persist(void *context, const struct paxos_output *output)
{
    struct fixture *fixture = context;

    assert_true(fixture->persist_count - fixture->persist_first < QUEUE);
    fixture->persists[fixture->persist_count++ % QUEUE] = output->persist_sequence;
}

static void apply(void *context, const struct entry *entry)
{
    struct fixture *fixture = context;

    assert_true(fixture->apply_count - fixture->apply_first < QUEUE);
    struct entry *kept = &fixture->applies[fixture->apply_count++ % QUEUE];
    *kept = *entry;
    blob_ref(kept->value);
}

static void complete(struct submission *submission, enum error error, struct blob *result)
{
    struct test_submission *test = (struct test_submission *)submission;

    test->answers++;
    test->error = error;
    assert_true((error == ERROR_OK) == (result != NULL));
    if (result != NULL)
        assert_memory_equal(result->data, submission->command->data, submission->command->length);
    blob_unref(result);
}

// Executes a batch: the result of a command is the command itself.
static void execute(struct fixture *fixture, const struct entry *entry)
{
    struct reader parts;
    struct batch_part part;
    const uint8_t *command;
    size_t length;

    assert_int_equal(entry->slot, fixture->executed + 1);
    fixture->executed = entry->slot;
    if (entry->type == ENTRY_LEADER_START)
        return;
    assert_int_equal(batch_open(entry->value->data, entry->value->length, &parts), ERROR_OK);
    while (batch_next_part(&parts, &part) == ERROR_OK) {
        for (uint32_t i = 0; i < part.count; i++, part.origin.sequence++) {
            assert_int_equal(batch_next_command(&part, &command, &length), ERROR_OK);
            assert_int_equal(part.origin.sequence, fixture->next_sequence++);
            struct blob *result = blob_copy(command, length);
            replica_result(fixture->replica, &part.origin, result, 0);
            blob_unref(result);
        }
    }
}

static void finish_some_persists(struct fixture *fixture)
{
    size_t queued = fixture->persist_count - fixture->persist_first;

    if (queued == 0)
        return;
    fixture->persist_first += 1 + draw(fixture, queued);
    replica_persisted(fixture->replica, fixture->persists[(fixture->persist_first - 1) % QUEUE],
                      fixture->now);
}

static void finish_some_applies(struct fixture *fixture)
{
    size_t queued = fixture->apply_count - fixture->apply_first;

    if (queued == 0)
        return;
    for (size_t run = 1 + draw(fixture, queued); run > 0; run--) {
        struct entry *entry = &fixture->applies[fixture->apply_first++ % QUEUE];
        execute(fixture, entry);
        blob_unref(entry->value);
    }
    replica_applied(fixture->replica, fixture->executed, fixture->now);
}

static void turn(struct fixture *fixture)
{
    fixture->now.monotonic_ns += 1000 * draw(fixture, 1000);
    if (draw(fixture, 3) == 0)
        finish_some_persists(fixture);
    if (draw(fixture, 5) == 0)
        finish_some_applies(fixture);
    replica_run(fixture->replica, fixture->now);
}

static int setup(void **state)
{
    struct fixture *fixture = memory_zalloc(sizeof *fixture);
    struct paxos_config config = {.node = 1, .epoch = 1, .voters = {1}, .voter_count = 1};
    struct identity identity = {.node = 1, .boot_count = 4};
    struct replica_settings settings = {.seed = 1};
    struct replica_ports ports = {.context = fixture, .persist = persist, .apply = apply};

    fixture->replica = replica_new(paxos_new(&config), &identity, &settings, &ports);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    while (fixture->apply_first < fixture->apply_count)
        blob_unref(fixture->applies[fixture->apply_first++ % QUEUE].value);
    replica_free(fixture->replica);
    free(fixture);
    return 0;
}

static void init_submission(struct test_submission *test, size_t number, size_t length)
{
    *test = (struct test_submission){.submission = {.command = blob_new(length),
                                                    .deadline_ns = UINT64_MAX,
                                                    .complete = complete}};
    memset(test->submission.command->data, (int)number, length);
}

static void run_with_seed(struct fixture *fixture, uint64_t seed)
{
    struct test_submission *tests = memory_zalloc(SUBMISSIONS * sizeof *tests);
    size_t submitted = 0;

    fixture->seed = seed;
    replica_start(fixture->replica, fixture->now);
    while (submitted < SUBMISSIONS || replica_outstanding(fixture->replica) > 0) {
        for (size_t burst = draw(fixture, 20); burst > 0 && submitted < SUBMISSIONS; burst--) {
            init_submission(&tests[submitted], submitted, 1 + draw(fixture, 5000));
            replica_submit(fixture->replica, &tests[submitted++].submission);
        }
        turn(fixture);
    }
    for (size_t i = 0; i < SUBMISSIONS; i++) {
        assert_int_equal(tests[i].answers, 1);
        assert_int_equal(tests[i].error, ERROR_OK);
        blob_unref(tests[i].submission.command);
    }
    free(tests);
}

static void every_submission_is_answered_once_under_any_delay(void **state)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        if (seed > 1) {
            teardown(state);
            setup(state);
        }
        run_with_seed(*state, seed);
    }
}

static void what_was_never_proposed_ends_as_not_applied(void **state)
{
    struct fixture *fixture = *state;
    struct test_submission test;

    init_submission(&test, 1, 10);
    test.submission.deadline_ns = 500;
    replica_submit(fixture->replica, &test.submission);
    replica_run(fixture->replica, fixture->now);
    fixture->now.monotonic_ns = 499;
    replica_tick(fixture->replica, fixture->now);
    assert_int_equal(test.answers, 0);
    fixture->now.monotonic_ns = 500;
    replica_tick(fixture->replica, fixture->now);
    assert_int_equal(test.error, ERROR_NO_LEADER);
    assert_int_equal(test.answers, 1);
    blob_unref(test.submission.command);
}

static void become_leader(struct fixture *fixture)
{
    replica_start(fixture->replica, fixture->now);
    while (fixture->executed < 1) {
        finish_some_persists(fixture);
        finish_some_applies(fixture);
    }
}

static void what_was_proposed_ends_as_unknown_and_is_not_answered_again(void **state)
{
    struct fixture *fixture = *state;
    struct test_submission test;

    become_leader(fixture);
    init_submission(&test, 1, 10);
    test.submission.deadline_ns = 500;
    replica_submit(fixture->replica, &test.submission);
    replica_run(fixture->replica, fixture->now);
    fixture->now.monotonic_ns = 1000;
    replica_tick(fixture->replica, fixture->now);
    assert_int_equal(test.error, ERROR_OUTCOME_UNKNOWN);
    while (fixture->executed < 2) {
        finish_some_persists(fixture);
        finish_some_applies(fixture);
    }
    assert_int_equal(test.answers, 1);
    blob_unref(test.submission.command);
}

static void full_disk_takes_only_what_shrinks(void **state)
{
    struct fixture *fixture = *state;
    struct test_submission grows, shrinks;

    become_leader(fixture);
    replica_set_disk_full(fixture->replica, true);
    init_submission(&grows, 1, 10);
    init_submission(&shrinks, 2, 10);
    shrinks.submission.shrinks = true;
    replica_submit(fixture->replica, &grows.submission);
    replica_submit(fixture->replica, &shrinks.submission);
    assert_int_equal(grows.error, ERROR_DISK_FULL);
    assert_int_equal(shrinks.answers, 0);
    while (replica_outstanding(fixture->replica) > 0)
        turn(fixture);
    assert_int_equal(shrinks.error, ERROR_OK);
    blob_unref(grows.submission.command);
    blob_unref(shrinks.submission.command);
}

struct test_read {
    struct replica_read read;
    unsigned answers;
    enum error error;
};

static void complete_read(struct replica_read *read, enum error error)
{
    struct test_read *test = (struct test_read *)read;

    test->answers++;
    test->error = error;
}

static void reads_of_a_burst_share_the_question_of_the_turn(void **state)
{
    enum { BURST = 3 };
    struct fixture *fixture = *state;
    struct test_read tests[BURST] = {0};

    become_leader(fixture);
    for (size_t i = 0; i < BURST; i++) {
        tests[i].read.complete = complete_read;
        tests[i].read.deadline_ns = UINT64_MAX;
        replica_read(fixture->replica, &tests[i].read);
    }
    for (size_t i = 0; i < BURST; i++)
        assert_int_equal(tests[i].answers, 0);
    replica_run(fixture->replica, fixture->now);
    for (size_t i = 0; i < BURST; i++) {
        assert_int_equal(tests[i].answers, 1);
        assert_int_equal(tests[i].error, ERROR_OK);
    }
}

static void queue_is_bounded(void **state)
{
    enum { MANY = 20000 };
    struct fixture *fixture = *state;
    struct test_submission *tests = memory_zalloc(MANY * sizeof *tests);
    size_t overloaded = 0;

    for (size_t i = 0; i < MANY; i++) {
        init_submission(&tests[i], i, 1);
        tests[i].submission.deadline_ns = 1;
        replica_submit(fixture->replica, &tests[i].submission);
        overloaded += tests[i].error == ERROR_OVERLOADED;
    }
    assert_true(overloaded > 0);
    fixture->now.monotonic_ns = 1;
    replica_tick(fixture->replica, fixture->now);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(tests[i].answers, 1);
        blob_unref(tests[i].submission.command);
    }
    free(tests);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_submission_is_answered_once_under_any_delay),
        TEST(what_was_never_proposed_ends_as_not_applied),
        TEST(what_was_proposed_ends_as_unknown_and_is_not_answered_again),
        TEST(full_disk_takes_only_what_shrinks),
        TEST(reads_of_a_burst_share_the_question_of_the_turn),
        TEST(queue_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
