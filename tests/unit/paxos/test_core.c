// SPDX-License-Identifier: Apache-2.0
// The core with one voter, step by step, and its recovery from the records that it wrote.
#include "paxos/paxos.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/unit/cmocka_test.h"

enum { RECORDS_MAX = 4096 };

struct fixture {
    struct paxos *paxos;
    struct paxos_output *output;
    uint64_t now_us;
    struct paxos_record written[RECORDS_MAX]; // what a journal would hold, in order
    size_t written_count;
};

static void step(struct fixture *fixture, struct paxos_input input)
{
    input.now_us = ++fixture->now_us;
    input.wall_ms = 1000000 + fixture->now_us / 1000;
    paxos_step(fixture->paxos, &input, fixture->output);
    for (size_t i = 0; i < fixture->output->record_count; i++) {
        struct paxos_record *record = &fixture->written[fixture->written_count++];
        *record = fixture->output->records[i];
        if (record->type == RECORD_APPEND)
            blob_ref(record->entry.value);
    }
}

static void persisted(struct fixture *fixture, uint64_t sequence)
{
    step(fixture, (struct paxos_input){.type = PAXOS_PERSISTED, .persist_sequence = sequence});
}

static void applied(struct fixture *fixture, paxos_slot slot)
{
    step(fixture, (struct paxos_input){.type = PAXOS_APPLIED, .slot = slot});
}

static paxos_slot propose(struct fixture *fixture, const char *text)
{
    struct blob *value = blob_copy(text, strlen(text));

    step(fixture, (struct paxos_input){.type = PAXOS_PROPOSE, .value = value});
    blob_unref(value);
    return fixture->output->proposed;
}

static struct paxos *new_core(void)
{
    struct paxos_config config = {.node = 1, .epoch = 1, .voters = {1}, .voter_count = 1};

    return paxos_new(&config);
}

static int setup(void **state)
{
    struct fixture *fixture = memory_zalloc(sizeof *fixture);

    fixture->paxos = new_core();
    fixture->output = memory_zalloc(sizeof *fixture->output);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < fixture->written_count; i++)
        blob_unref(fixture->written[i].entry.value);
    paxos_free(fixture->paxos);
    free(fixture->output);
    free(fixture);
    return 0;
}

// Until the core leads and its first entry is executed.
static void lead(struct fixture *fixture)
{
    step(fixture, (struct paxos_input){.type = PAXOS_START});
    persisted(fixture, fixture->output->persist_sequence);
    persisted(fixture, fixture->output->persist_sequence);
    applied(fixture, fixture->output->apply_to);
}

static void start_promises_before_anything_else(void **state)
{
    struct fixture *fixture = *state;

    step(fixture, (struct paxos_input){.type = PAXOS_START});
    assert_int_equal(fixture->output->record_count, 1);
    assert_int_equal(fixture->output->records[0].type, RECORD_PROMISE);
    assert_int_equal(fixture->output->records[0].ballot.round, 1);
    assert_int_equal(fixture->output->apply_from, 0);
}

static void leader_writes_sync_and_first_entry_as_one_unit(void **state)
{
    struct fixture *fixture = *state;

    step(fixture, (struct paxos_input){.type = PAXOS_START});
    persisted(fixture, 1);
    assert_int_equal(fixture->output->record_count, 2);
    assert_int_equal(fixture->output->records[0].type, RECORD_SYNC);
    assert_int_equal(fixture->output->records[1].entry.type, ENTRY_LEADER_START);
    assert_int_equal(fixture->output->apply_from, 0);
}

static void nothing_is_executed_before_it_is_durable(void **state)
{
    struct fixture *fixture = *state;

    lead(fixture);
    assert_int_equal(propose(fixture, "a"), 2);
    uint64_t first = fixture->output->persist_sequence;
    assert_int_equal(propose(fixture, "b"), 3);
    uint64_t second = fixture->output->persist_sequence;
    assert_int_equal(fixture->output->apply_from, 0);

    persisted(fixture, first);
    assert_int_equal(fixture->output->apply_from, 2);
    assert_int_equal(fixture->output->apply_to, 2);
    persisted(fixture, second);
    assert_int_equal(fixture->output->apply_from, 3);
    assert_int_equal(fixture->output->apply_to, 3);
}

static void one_completion_covers_all_earlier_records(void **state)
{
    struct fixture *fixture = *state;

    lead(fixture);
    propose(fixture, "a");
    propose(fixture, "b");
    persisted(fixture, fixture->output->persist_sequence);
    assert_int_equal(fixture->output->apply_from, 2);
    assert_int_equal(fixture->output->apply_to, 3);
}

static void proposals_are_refused_before_leading(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(propose(fixture, "a"), 0);
    assert_true(fixture->output->refused);
    step(fixture, (struct paxos_input){.type = PAXOS_START});
    propose(fixture, "a");
    assert_true(fixture->output->refused);
}

static void full_window_refuses_until_something_is_executed(void **state)
{
    struct fixture *fixture = *state;
    paxos_slot last = 0;

    lead(fixture);
    while (paxos_can_propose(fixture->paxos, 1)) {
        last = propose(fixture, "x");
        persisted(fixture, fixture->output->persist_sequence);
    }
    assert_int_equal(last, 1 + PAXOS_WINDOW);
    assert_int_equal(propose(fixture, "y"), 0);
    assert_true(fixture->output->refused);
    applied(fixture, last);
    assert_int_equal(propose(fixture, "y"), last + 1);
}

static void large_values_wait_for_each_other(void **state)
{
    struct fixture *fixture = *state;

    lead(fixture);
    struct blob *value = blob_new(PAXOS_VALUE_MAX);
    memset(value->data, 7, value->length);
    int accepted = 0;
    while (paxos_can_propose(fixture->paxos, PAXOS_VALUE_MAX)) {
        step(fixture, (struct paxos_input){.type = PAXOS_PROPOSE, .value = value});
        accepted++;
    }
    blob_unref(value);
    assert_int_equal(accepted, PAXOS_WINDOW_BYTES_MAX / PAXOS_VALUE_MAX);
}

static void log_time_grows_with_the_clock_and_never_stands(void **state)
{
    struct fixture *fixture = *state;

    lead(fixture);
    uint64_t before = paxos_entry(fixture->paxos, propose(fixture, "a"))->log_time_us;
    fixture->now_us += 5000;
    const struct entry *later = paxos_entry(fixture->paxos, propose(fixture, "b"));
    assert_int_equal(later->log_time_us - before, 5001);
    struct paxos_input same = {.type = PAXOS_PROPOSE,
                               .now_us = fixture->now_us,
                               .value = paxos_entry(fixture->paxos, 2)->value};
    paxos_step(fixture->paxos, &same, fixture->output);
    assert_int_equal(paxos_entry(fixture->paxos, 4)->log_time_us, later->log_time_us + 1);
}

static void wall_clock_set_back_does_not_show_in_entries(void **state)
{
    struct fixture *fixture = *state;

    lead(fixture);
    propose(fixture, "a");
    uint64_t before = paxos_entry(fixture->paxos, 2)->wall_ms;
    struct paxos_input back = {.type = PAXOS_PROPOSE,
                               .now_us = fixture->now_us,
                               .wall_ms = 5,
                               .value = paxos_entry(fixture->paxos, 2)->value};
    paxos_step(fixture->paxos, &back, fixture->output);
    assert_int_equal(paxos_entry(fixture->paxos, 3)->wall_ms, before);
}

// ---- Recovery: replays what the fixture wrote, as one group per record
// ---------------------------

static struct paxos *recover(struct fixture *fixture, size_t count, paxos_slot decided,
                             enum error *error)
{
    struct paxos *paxos = new_core();
    struct paxos_scalars scalars = {0};
    struct paxos_position position = {0};
    struct failure failure;
    paxos_slot from, to;

    *error = paxos_recover_start(paxos, &scalars, &position, &failure);
    for (size_t i = 0; i < count && *error == ERROR_OK; i++)
        *error = paxos_recover_record(paxos, &fixture->written[i], &failure);
    if (*error == ERROR_OK)
        *error = paxos_recover_group(paxos, decided, &from, &to, &failure);
    if (*error == ERROR_OK && from > 0)
        paxos_recover_applied(paxos, to);
    if (*error == ERROR_OK)
        *error = paxos_recover_end(paxos, &failure);
    return paxos;
}

static void recovery_executes_only_what_was_known_decided(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_status status;
    enum error error;

    lead(fixture);
    propose(fixture, "a");
    propose(fixture, "b");
    struct paxos *paxos = recover(fixture, fixture->written_count, 1, &error);
    assert_int_equal(error, ERROR_OK);
    paxos_status(paxos, &status);
    assert_int_equal(status.applied, 1);
    assert_int_equal(status.last, 3);
    assert_false(status.serving);
    paxos_free(paxos);
}

static void recovered_node_leads_in_a_higher_ballot_and_finishes_the_tail(void **state)
{
    struct fixture *fixture = *state;
    enum error error;

    lead(fixture);
    propose(fixture, "a");
    struct paxos *paxos = recover(fixture, fixture->written_count, 1, &error);
    assert_int_equal(error, ERROR_OK);
    paxos_free(fixture->paxos);
    fixture->paxos = paxos;
    step(fixture, (struct paxos_input){.type = PAXOS_START});
    assert_int_equal(fixture->output->records[0].ballot.round, 2);
    persisted(fixture, 1);
    assert_int_equal(fixture->output->records[0].slot, 2);
    persisted(fixture, 2);
    assert_int_equal(fixture->output->apply_from, 2);
    assert_int_equal(fixture->output->apply_to, 3);
}

static void recovery_refuses_a_gap(void **state)
{
    struct fixture *fixture = *state;
    enum error error;

    lead(fixture);
    propose(fixture, "a");
    propose(fixture, "b");
    struct paxos_record kept = fixture->written[3];
    fixture->written[3] = fixture->written[4];
    fixture->written[4] = kept;
    paxos_free(recover(fixture, fixture->written_count, 0, &error));
    assert_int_equal(error, ERROR_CORRUPT);
}

static void recovery_refuses_a_decision_beyond_the_log(void **state)
{
    struct fixture *fixture = *state;
    enum error error;

    lead(fixture);
    paxos_free(recover(fixture, fixture->written_count, 2, &error));
    assert_int_equal(error, ERROR_CORRUPT);
}

static void recovery_refuses_a_checkpoint_of_another_history(void **state)
{
    struct fixture *fixture = *state;
    struct paxos *paxos = new_core();
    struct paxos_scalars scalars = {.epoch = 1};
    struct paxos_position position = {.slot = 1, .hash = {.low = 1, .high = 2}};
    struct failure failure = {0};

    lead(fixture);
    assert_int_equal(paxos_recover_start(paxos, &scalars, &position, &failure), ERROR_OK);
    for (size_t i = 0; i < fixture->written_count; i++)
        assert_int_equal(paxos_recover_record(paxos, &fixture->written[i], &failure), ERROR_OK);
    assert_int_equal(paxos_recover_end(paxos, &failure), ERROR_CORRUPT);
    assert_non_null(strstr(failure.text, "slot 1"));
    paxos_free(paxos);
}

static void recovery_refuses_a_journal_that_starts_behind_the_checkpoint(void **state)
{
    struct paxos *paxos = new_core();
    struct paxos_scalars scalars = {.epoch = 1, .last = 10};
    struct paxos_position position = {.slot = 9};
    struct failure failure = {0};

    (void)state;
    assert_int_equal(paxos_recover_start(paxos, &scalars, &position, &failure), ERROR_CORRUPT);
    paxos_free(paxos);
}

static void recovery_takes_over_from_a_checkpoint(void **state)
{
    struct fixture *fixture = *state;
    struct paxos *paxos = new_core();
    struct paxos_scalars scalars = {0};
    struct paxos_status status;
    struct failure failure = {0};
    paxos_slot from, to;

    lead(fixture);
    propose(fixture, "a");
    propose(fixture, "b");
    struct paxos_position position = {.slot = 2, .hash = paxos_entry(fixture->paxos, 2)->hash};
    assert_int_equal(paxos_recover_start(paxos, &scalars, &position, &failure), ERROR_OK);
    for (size_t i = 0; i < fixture->written_count; i++)
        assert_int_equal(paxos_recover_record(paxos, &fixture->written[i], &failure), ERROR_OK);
    assert_int_equal(paxos_recover_group(paxos, 3, &from, &to, &failure), ERROR_OK);
    assert_int_equal(from, 3);
    assert_int_equal(to, 3);
    paxos_recover_applied(paxos, 3);
    assert_int_equal(paxos_recover_end(paxos, &failure), ERROR_OK);
    paxos_status(paxos, &status);
    assert_int_equal(status.applied, 3);
    paxos_free(paxos);
}

static void later_sync_replaces_an_undecided_tail(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_status status;
    enum error error;

    lead(fixture);
    struct hash128 kept = fixture->written[2].entry.hash;
    propose(fixture, "a");
    propose(fixture, "b");
    struct paxos_record *sync = &fixture->written[fixture->written_count++];
    *sync = (struct paxos_record){
        .type = RECORD_SYNC, .epoch = 1, .ballot = {9, 1}, .slot = 1, .hash = kept};
    struct paxos *paxos = recover(fixture, fixture->written_count, 1, &error);
    assert_int_equal(error, ERROR_OK);
    paxos_status(paxos, &status);
    assert_int_equal(status.last, 1);
    assert_int_equal(status.ballot.round, 9);
    paxos_free(paxos);
}

static void only_voter_beside_learners_keeps_the_leadership(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_config config = {.node = 1,
                                  .epoch = 1,
                                  .voters = {1},
                                  .voter_count = 1,
                                  .learners = {2},
                                  .learner_count = 1,
                                  .heartbeat_us = 100000,
                                  .retransmit_us = 100000};

    paxos_free(fixture->paxos);
    fixture->paxos = paxos_new(&config);
    step(fixture, (struct paxos_input){.type = PAXOS_START});
    while (fixture->output->record_count == 0) {
        fixture->now_us = fixture->output->deadline_us;
        step(fixture, (struct paxos_input){.type = PAXOS_TICK});
    }
    persisted(fixture, 1);
    persisted(fixture, 2);
    applied(fixture, 1);
    step(fixture, (struct paxos_input){.type = PAXOS_TRANSFER});
    assert_int_equal(propose(fixture, "a"), 2);
}

// Slot 1 as the leader of a ballot sent it, in a message of another node.
static void receive(struct fixture *fixture, enum paxos_message_type type, struct ballot ballot,
                    const struct entry *entry)
{
    struct paxos_message message = {.type = (uint8_t)type,
                                    .epoch = 1,
                                    .from = ballot.node,
                                    .to = 1,
                                    .ballot = ballot,
                                    .entry_count = 1,
                                    .entries = entry};

    step(fixture, (struct paxos_input){.type = PAXOS_MESSAGE, .message = &message});
}

static void what_is_learned_is_executed_after_its_ballot_was_promised(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_config config = {
        .node = 1, .epoch = 1, .voters = {1, 2, 3}, .voter_count = 3, .heartbeat_us = 100000};
    struct blob *value = blob_new(0);
    struct entry entry = {
        .slot = 1, .epoch = 1, .origin = {5, 2}, .type = ENTRY_LEADER_START, .value = value};

    entry.hash = entry_hash(&entry);
    paxos_free(fixture->paxos);
    fixture->paxos = paxos_new(&config);
    step(fixture, (struct paxos_input){.type = PAXOS_START});
    receive(fixture, MESSAGE_ACCEPT_SYNC, (struct ballot){5, 2}, &entry);
    persisted(fixture, 1);
    receive(fixture, MESSAGE_LEARN, (struct ballot){7, 3}, &entry);
    assert_int_equal(fixture->output->record_count, 1);
    assert_int_equal(fixture->output->records[0].type, RECORD_PROMISE);
    assert_int_equal(fixture->output->records[0].ballot.round, 7);
    assert_int_equal(fixture->output->apply_to, 0);
    persisted(fixture, 2);
    assert_int_equal(fixture->output->apply_to, 1);
    blob_unref(value);
}

// One of three voters, who asks for promises because the leader of ballot 5.2 has asked it to take over.
static void campaign(struct fixture *fixture)
{
    struct paxos_config config = {.node = 1,
                                  .epoch = 1,
                                  .voters = {1, 2, 3},
                                  .voter_count = 3,
                                  .heartbeat_us = 100000,
                                  .retransmit_us = 100000};
    struct paxos_message message = {
        .type = MESSAGE_TRANSFER, .epoch = 1, .from = 2, .to = 1, .ballot = {5, 2}};

    paxos_free(fixture->paxos);
    fixture->paxos = paxos_new(&config);
    step(fixture, (struct paxos_input){.type = PAXOS_START});
    step(fixture, (struct paxos_input){.type = PAXOS_MESSAGE, .message = &message});
    persisted(fixture, 1);
}

// A disk that forgot: no promise of a quorum names a slot that one of them knows decided.
static void candidate_stops_when_something_decided_is_missing(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_message message;
    struct paxos_input input = {.type = PAXOS_MESSAGE, .message = &message};

    campaign(fixture);
    message = (struct paxos_message){
        .type = MESSAGE_PROMISE, .epoch = 1, .from = 2, .to = 1, .ballot = {1, 1}, .decided = 3};
    step(fixture, input);
    assert_int_equal(fixture->output->fault, PAXOS_DECIDED_MISSING);
}

static bool sends(const struct fixture *fixture, enum paxos_message_type type, uint16_t to)
{
    for (size_t i = 0; i < fixture->output->message_count; i++) {
        if (fixture->output->messages[i].type == type && fixture->output->messages[i].to == to)
            return true;
    }
    return false;
}

// A leader that is about to end hands over, promises, and is gone before it gives what it promised.
static void candidate_goes_on_without_a_winner_that_is_gone(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_message message;
    struct paxos_input input = {.type = PAXOS_MESSAGE, .message = &message};

    campaign(fixture);
    message = (struct paxos_message){.type = MESSAGE_PROMISE,
                                     .epoch = 1,
                                     .from = 2,
                                     .to = 1,
                                     .ballot = {1, 1},
                                     .log_ballot = {5, 2},
                                     .last = 3};
    step(fixture, input);
    assert_true(sends(fixture, MESSAGE_FETCH, 2));
    message = (struct paxos_message){
        .type = MESSAGE_PROMISE, .epoch = 1, .from = 3, .to = 1, .ballot = {1, 1}};
    step(fixture, input);
    assert_int_equal(fixture->output->message_count, 0);
    step(fixture, (struct paxos_input){.type = PAXOS_PEER_DOWN, .node = 3});
    assert_int_equal(fixture->output->record_count, 0);
    step(fixture, (struct paxos_input){.type = PAXOS_PEER_DOWN, .node = 2});
    assert_int_equal(fixture->output->records[0].type, RECORD_SYNC);
    assert_true(sends(fixture, MESSAGE_PREPARE, 2));
}

// A winner whose log has the higher ballot, but no entry that is not known.
static void candidate_adopts_a_log_without_entries(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_message message;
    struct paxos_input input = {.type = PAXOS_MESSAGE, .message = &message};

    campaign(fixture);
    message = (struct paxos_message){.type = MESSAGE_PROMISE,
                                     .epoch = 1,
                                     .from = 2,
                                     .to = 1,
                                     .ballot = {1, 1},
                                     .log_ballot = {5, 2}};
    step(fixture, input);
    assert_true(sends(fixture, MESSAGE_FETCH, 2));
    message = (struct paxos_message){
        .type = MESSAGE_ENTRIES, .epoch = 1, .from = 2, .to = 1, .ballot = {1, 1}};
    step(fixture, input);
    assert_int_equal(fixture->output->records[0].type, RECORD_SYNC);
    assert_int_equal(fixture->output->records[0].count, 0);
}

// Its own log of the old ballot may have something else where it has learned what is decided now: a
// follower of the old ballot must not take that for its own.
static void deposed_leader_that_learned_more_does_not_say_that_it_leads(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_config config = {.node = 1,
                                  .epoch = 1,
                                  .voters = {1, 2, 3},
                                  .voter_count = 3,
                                  .heartbeat_us = 100000,
                                  .retransmit_us = 100000};
    struct paxos_message message = {
        .type = MESSAGE_TRANSFER, .epoch = 1, .from = 2, .to = 1, .ballot = {1, 1}};
    struct paxos_input input = {.type = PAXOS_MESSAGE, .message = &message};
    struct blob *value = blob_new(0);
    struct entry entry = {
        .slot = 1, .epoch = 1, .origin = {2, 2}, .type = ENTRY_LEADER_START, .value = value};
    struct paxos_status status;

    entry.hash = entry_hash(&entry);
    paxos_free(fixture->paxos);
    fixture->paxos = paxos_new(&config);
    step(fixture, (struct paxos_input){.type = PAXOS_START});
    step(fixture, input);
    persisted(fixture, 1);
    message = (struct paxos_message){
        .type = MESSAGE_PROMISE, .epoch = 1, .from = 2, .to = 1, .ballot = {1, 1}};
    step(fixture, input);
    paxos_status(fixture->paxos, &status);
    assert_int_equal(status.role, PAXOS_LEADER);
    message = (struct paxos_message){
        .type = MESSAGE_PREPARE_REQUEST, .epoch = 1, .from = 2, .to = 1, .promised = {2, 2}};
    step(fixture, input);
    receive(fixture, MESSAGE_LEARN, (struct ballot){2, 2}, &entry);
    do {
        fixture->now_us = fixture->output->deadline_us;
        step(fixture, (struct paxos_input){.type = PAXOS_TICK});
    } while (fixture->output->message_count == 0 ||
             fixture->output->messages[0].type != MESSAGE_HEARTBEAT);
    assert_int_equal(fixture->output->messages[0].decided, 1);
    assert_int_not_equal(
        ballot_compare(fixture->output->messages[0].ballot, fixture->output->messages[0].leader),
        0);
    blob_unref(value);
}

// A leader of two voters, whose follower has accepted all up to a slot.
static void follower_accepts(struct fixture *fixture, paxos_slot slot)
{
    struct paxos_message message = {.type = MESSAGE_ACCEPTED,
                                    .epoch = 1,
                                    .from = 2,
                                    .to = 1,
                                    .ballot = {1, 1},
                                    .last = slot,
                                    .hash = paxos_entry(fixture->paxos, slot)->hash};

    persisted(fixture, fixture->output->persist_sequence);
    step(fixture, (struct paxos_input){.type = PAXOS_MESSAGE, .message = &message});
    assert_int_equal(fixture->output->apply_to, slot);
    applied(fixture, slot);
}

static void refusal_older_than_the_vote_does_not_take_the_follower_back(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_config config = {.node = 1,
                                  .epoch = 1,
                                  .voters = {1, 2},
                                  .voter_count = 2,
                                  .retain = 1,
                                  .heartbeat_us = 100000,
                                  .retransmit_us = 100000};
    struct paxos_message message = {
        .type = MESSAGE_TRANSFER, .epoch = 1, .from = 2, .to = 1, .ballot = {1, 1}};
    struct paxos_input input = {.type = PAXOS_MESSAGE, .message = &message};

    paxos_free(fixture->paxos);
    fixture->paxos = paxos_new(&config);
    step(fixture, (struct paxos_input){.type = PAXOS_START});
    step(fixture, input);
    persisted(fixture, 1);
    message = (struct paxos_message){
        .type = MESSAGE_PROMISE, .epoch = 1, .from = 2, .to = 1, .ballot = {1, 1}};
    step(fixture, input);
    follower_accepts(fixture, 1);
    for (paxos_slot slot = 2; slot <= 4; slot++) {
        propose(fixture, "a");
        follower_accepts(fixture, slot);
    }
    propose(fixture, "b");
    message = (struct paxos_message){
        .type = MESSAGE_NACK, .epoch = 1, .from = 2, .to = 1, .ballot = {1, 1}};
    step(fixture, input);
    assert_int_equal(fixture->output->lagging_count, 0);
    assert_int_equal(fixture->output->message_count, 1);
    assert_int_equal(fixture->output->messages[0].type, MESSAGE_ACCEPT_SYNC);
    assert_int_equal(fixture->output->messages[0].slot, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(start_promises_before_anything_else),
        TEST(leader_writes_sync_and_first_entry_as_one_unit),
        TEST(nothing_is_executed_before_it_is_durable),
        TEST(one_completion_covers_all_earlier_records),
        TEST(proposals_are_refused_before_leading),
        TEST(full_window_refuses_until_something_is_executed),
        TEST(large_values_wait_for_each_other),
        TEST(log_time_grows_with_the_clock_and_never_stands),
        TEST(wall_clock_set_back_does_not_show_in_entries),
        TEST(recovery_executes_only_what_was_known_decided),
        TEST(recovered_node_leads_in_a_higher_ballot_and_finishes_the_tail),
        TEST(recovery_refuses_a_gap),
        TEST(recovery_refuses_a_decision_beyond_the_log),
        TEST(recovery_refuses_a_checkpoint_of_another_history),
        TEST(recovery_refuses_a_journal_that_starts_behind_the_checkpoint),
        TEST(recovery_takes_over_from_a_checkpoint),
        TEST(later_sync_replaces_an_undecided_tail),
        TEST(only_voter_beside_learners_keeps_the_leadership),
        TEST(what_is_learned_is_executed_after_its_ballot_was_promised),
        TEST(deposed_leader_that_learned_more_does_not_say_that_it_leads),
        TEST(refusal_older_than_the_vote_does_not_take_the_follower_back),
        TEST(candidate_stops_when_something_decided_is_missing),
        TEST(candidate_goes_on_without_a_winner_that_is_gone),
        TEST(candidate_adopts_a_log_without_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
