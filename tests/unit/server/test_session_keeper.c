// SPDX-License-Identifier: Apache-2.0
// The driver of sessions between a loop, peers and a state that the test plays.
#include "server/session_keeper.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "server/forward.h"
#include "server/touch_frame.h"
#include "storage/session.h"
#include "tests/unit/cmocka_test.h"
#include "tests/unit/storage/fixture.h"

enum { SELF = 1, LEADER = 2, TIMEOUT_MS = 10000, STEP_MS = 50, MANY = 1000 };
static const uint64_t ms = 1000000;

struct stage {
    struct fixture *fixture;
    struct live *live;
    struct session_keeper *keeper;
    struct paxos_status status;
    uint64_t now_ns;
    struct buffer sent; // the last frame
    unsigned frames;
    uint16_t sent_to;
    struct fifo submissions;
    unsigned submitted;
    struct replica_read *barrier; // the last one that began
    unsigned barriers;
    unsigned wakes;
};

// ---- Ports ---------------------------------------------------------------------------------------

static void look(void *context, struct paxos_status *status)
{
    *status = ((struct stage *)context)->status;
}

static void send_frame(void *context, uint16_t to, const void *data, size_t length)
{
    struct stage *stage = context;

    buffer_clear(&stage->sent);
    buffer_append(&stage->sent, data, length);
    stage->sent_to = to;
    stage->frames++;
}

static void submit(void *context, struct submission *submission)
{
    struct stage *stage = context;

    fifo_push(&stage->submissions, &submission->link);
    stage->submitted++;
}

static void barrier(void *context, struct replica_read *read)
{
    struct stage *stage = context;

    stage->barrier = read;
    stage->barriers++;
}

static void wake(void *context)
{
    ((struct stage *)context)->wakes++;
}

// ---- The stage -----------------------------------------------------------------------------------

static void lead(struct stage *stage, uint64_t round)
{
    stage->status = (struct paxos_status){.role = PAXOS_LEADER,
                                          .leader = SELF,
                                          .ballot = {.round = round, .node = SELF},
                                          .confirmed_us = stage->now_ns / 1000,
                                          .serving = true};
}

static void follow(struct stage *stage, uint64_t round)
{
    stage->status = (struct paxos_status){
        .role = PAXOS_FOLLOWER, .leader = LEADER, .ballot = {.round = round, .node = LEADER}};
}

static int setup(void **state)
{
    struct stage *stage = memory_zalloc(sizeof *stage);
    struct session_keeper_settings settings = {.contact_ns = 1000 * ms};
    struct session_keeper_ports ports = {.context = stage,
                                         .look = look,
                                         .send = send_frame,
                                         .submit = submit,
                                         .barrier = barrier,
                                         .wake = wake};

    fixture_setup((void **)&stage->fixture);
    stage->now_ns = 1000000 * ms;
    stage->live = live_new(stage->fixture->state);
    stage->keeper = session_keeper_new(&settings, &ports);
    follow(stage, 1);
    *state = stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    struct fifo_link *link;

    while ((link = fifo_pop(&stage->submissions)) != NULL) {
        struct submission *submission = CONTAINER_OF(link, struct submission, link);
        submission->complete(submission, ERROR_DRAINING, NULL);
    }
    session_keeper_free(stage->keeper);
    live_free(stage->live);
    stage->fixture->state = NULL;
    fixture_teardown((void **)&stage->fixture);
    buffer_deinit(&stage->sent);
    free(stage);
    return 0;
}

static void tell(struct stage *stage)
{
    assert_int_equal(session_keeper_changed(stage->keeper, stage->live, stage->fixture->state),
                     ERROR_OK);
}

static uint64_t open_one(struct stage *stage)
{
    uint64_t id = open_session(stage->fixture);

    tell(stage);
    return id;
}

// Time passes, in steps of the loop; a leader goes on being followed.
static void pass(struct stage *stage, unsigned milliseconds)
{
    for (unsigned i = 0; i < milliseconds; i += STEP_MS) {
        stage->now_ns += STEP_MS * ms;
        if (stage->status.confirmed_us != 0)
            stage->status.confirmed_us = stage->now_ns / 1000;
        session_keeper_tick(stage->keeper, stage->now_ns);
        session_keeper_turn(stage->keeper, stage->now_ns);
        session_keeper_advance(stage->keeper, stage->now_ns);
    }
}

static struct op op_of(const struct submission *submission)
{
    struct command command;
    struct op op;

    assert_int_equal(
        command_decode(submission->command->data, submission->command->length, &command), ERROR_OK);
    command_next_op(&command, &op);
    return op;
}

// Takes the oldest proposal, executes it, and answers.
static struct op execute(struct stage *stage)
{
    struct submission *submission =
        CONTAINER_OF(fifo_pop(&stage->submissions), struct submission, link);
    struct op op = op_of(submission);

    op.session.leader = (struct ballot){.round = 1, .node = 1}; // of the fixture's entries
    run(stage->fixture, op);
    tell(stage);
    op = op_of(submission);
    submission->complete(submission, ERROR_OK, blob_ref(stage->fixture->last.blob));
    return op;
}

static bool touch(struct stage *stage, uint64_t id)
{
    struct op op = op_open(TIMEOUT_MS);

    return session_keeper_touch(stage->keeper, id, op.session.proof);
}

static void receive(struct stage *stage, uint16_t from, const struct touch_frame *frame,
                    const uint64_t *ids)
{
    struct buffer bytes = {0};

    touch_frame_encode(&bytes, frame, ids);
    session_keeper_receive(stage->keeper, from, bytes.data, bytes.length);
    buffer_deinit(&bytes);
}

static struct touch_frame sent_frame(struct stage *stage, uint64_t *ids)
{
    struct touch_frame frame;

    assert_int_equal(touch_frame_decode(stage->sent.data, stage->sent.length, &frame, ids),
                     ERROR_OK);
    return frame;
}

// A renewal and what came of it.
struct client {
    struct read_wait wait;
    unsigned answers;
    enum error error;
};

static void note_answer(struct read_wait *wait, enum error error)
{
    struct client *client = CONTAINER_OF(wait, struct client, wait);

    client->answers++;
    client->error = error;
}

static void renew(struct stage *stage, struct client *client, uint64_t id)
{
    *client = (struct client){.wait = {.barrier = true,
                                       .renew = id,
                                       .deadline_ns = stage->now_ns + 5000 * ms,
                                       .complete = note_answer}};
    session_keeper_renew(stage->keeper, &client->wait);
    assert_true(stage->wakes > 0);
    session_keeper_turn(stage->keeper, stage->now_ns);
}

static void pass_barrier(struct stage *stage, enum error error)
{
    struct replica_read *read = stage->barrier;

    assert_non_null(read);
    stage->barrier = NULL;
    read->complete(read, error);
}

// ---- Expiry --------------------------------------------------------------------------------------

static void leader_proposes_the_end_of_a_silent_session(void **state)
{
    struct stage *stage = *state;

    lead(stage, 5);
    pass(stage, STEP_MS);
    uint64_t id = open_one(stage);
    pass(stage, TIMEOUT_MS - STEP_MS);
    assert_int_equal(stage->submitted, 0);
    pass(stage, 4 * STEP_MS);
    assert_int_equal(stage->submitted, 1);
    struct op op = execute(stage);
    assert_int_equal(op.type, OP_SESSION_EXPIRE);
    assert_int_equal(op.session.id, id);
    assert_int_equal(op.session.leader.round, 5);
    assert_int_equal(op.session.leader.node, SELF);
    pass(stage, 2 * TIMEOUT_MS);
    assert_int_equal(stage->submitted, 1);
    assert_false(touch(stage, id));
}

static void touched_session_is_left_alone(void **state)
{
    struct stage *stage = *state;

    lead(stage, 5);
    pass(stage, STEP_MS);
    uint64_t id = open_one(stage);
    for (int i = 0; i < 10; i++) {
        pass(stage, TIMEOUT_MS / 2);
        assert_true(touch(stage, id));
    }
    assert_int_equal(stage->submitted, 0);
    uint8_t proof[SESSION_PROOF_BYTES] = {0};
    pass(stage, TIMEOUT_MS / 2);
    assert_false(session_keeper_touch(stage->keeper, id, proof));
    pass(stage, TIMEOUT_MS / 2 + 4 * STEP_MS);
    assert_int_equal(stage->submitted, 1);
}

static void only_a_leader_in_contact_lets_time_pass(void **state)
{
    struct stage *stage = *state;

    open_one(stage);
    pass(stage, 3 * TIMEOUT_MS);
    assert_int_equal(stage->submitted, 0);
    lead(stage, 5);
    stage->status.serving = false;
    pass(stage, 3 * TIMEOUT_MS);
    assert_int_equal(stage->submitted, 0);
    lead(stage, 5);
    pass(stage, TIMEOUT_MS / 2);
    uint64_t confirmed_us = stage->now_ns / 1000;
    for (unsigned i = 0; i < 3 * TIMEOUT_MS / STEP_MS; i++) {
        stage->status.confirmed_us = confirmed_us; // nobody follows any more
        stage->now_ns += STEP_MS * ms;
        session_keeper_tick(stage->keeper, stage->now_ns);
        session_keeper_advance(stage->keeper, stage->now_ns);
    }
    assert_int_equal(stage->submitted, 0);
    stage->status.confirmed_us = stage->now_ns / 1000;
    pass(stage, TIMEOUT_MS - 2 * STEP_MS); // the full time again
    assert_int_equal(stage->submitted, 0);
    pass(stage, 6 * STEP_MS);
    assert_int_equal(stage->submitted, 1);
}

static void new_leadership_gives_the_full_time(void **state)
{
    struct stage *stage = *state;

    lead(stage, 5);
    pass(stage, STEP_MS);
    open_one(stage);
    pass(stage, TIMEOUT_MS - 2 * STEP_MS);
    lead(stage, 6);
    pass(stage, TIMEOUT_MS - 2 * STEP_MS);
    assert_int_equal(stage->submitted, 0);
    pass(stage, 6 * STEP_MS);
    assert_int_equal(stage->submitted, 1);
    assert_int_equal(execute(stage).session.leader.round, 6);
}

static void ends_are_proposed_a_few_at_a_time(void **state)
{
    struct stage *stage = *state;

    lead(stage, 5);
    pass(stage, STEP_MS);
    for (int i = 0; i < MANY; i++)
        open_one(stage);
    pass(stage, TIMEOUT_MS + 4 * STEP_MS);
    assert_int_equal(stage->submitted, SESSION_ENDS_MAX);
    for (int i = 0; i < MANY; i++) {
        execute(stage);
        session_keeper_turn(stage->keeper, stage->now_ns);
        unsigned under_way = stage->submitted - (unsigned)i - 1;
        assert_true(under_way <= SESSION_ENDS_MAX);
    }
    assert_int_equal(stage->submitted, MANY);
    assert_int_equal(position_of(stage->fixture).session_count, 0);
}

static void what_was_not_proposed_is_given_up_with_the_leadership(void **state)
{
    struct stage *stage = *state;

    lead(stage, 5);
    pass(stage, STEP_MS);
    for (int i = 0; i < MANY; i++)
        open_one(stage);
    pass(stage, TIMEOUT_MS + 4 * STEP_MS);
    follow(stage, 6);
    pass(stage, STEP_MS);
    for (int i = 0; i < SESSION_ENDS_MAX; i++)
        execute(stage);
    pass(stage, 2 * TIMEOUT_MS);
    assert_int_equal(stage->submitted, SESSION_ENDS_MAX);
}

static void proposal_without_effect_is_made_again(void **state)
{
    struct stage *stage = *state;

    lead(stage, 5);
    pass(stage, STEP_MS);
    open_one(stage);
    pass(stage, TIMEOUT_MS + 4 * STEP_MS);
    struct submission *submission =
        CONTAINER_OF(fifo_pop(&stage->submissions), struct submission, link);
    submission->complete(submission, ERROR_OUTCOME_UNKNOWN, NULL);
    pass(stage, TIMEOUT_MS + 4 * STEP_MS);
    assert_int_equal(stage->submitted, 2);
    execute(stage);
}

static void drained_keeper_ends_nobody(void **state)
{
    struct stage *stage = *state;
    struct client client;

    lead(stage, 5);
    pass(stage, STEP_MS);
    uint64_t id = open_one(stage);
    session_keeper_drain(stage->keeper);
    pass(stage, 3 * TIMEOUT_MS);
    assert_int_equal(stage->submitted, 0);
    renew(stage, &client, id);
    assert_int_equal(client.answers, 1);
    assert_int_equal(client.error, ERROR_DRAINING);
}

static void another_state_takes_the_place_of_all_sessions(void **state)
{
    struct stage *stage = *state;

    uint64_t id = open_session(stage->fixture);
    assert_false(touch(stage, id)); // not told of yet
    assert_int_equal(session_keeper_load(stage->keeper, stage->live), ERROR_OK);
    assert_true(touch(stage, id));
    run(stage->fixture, op_on_session(OP_SESSION_CLOSE, id));
    assert_int_equal(session_keeper_load(stage->keeper, stage->live), ERROR_OK);
    assert_false(touch(stage, id));
}

// ---- Touches -------------------------------------------------------------------------------------

static void follower_tells_the_leader_with_the_next_tick(void **state)
{
    static uint64_t ids[TOUCH_IDS_MAX];
    struct stage *stage = *state;
    uint64_t id = open_one(stage);

    assert_true(touch(stage, id));
    assert_true(touch(stage, id));
    assert_int_equal(stage->frames, 0);
    pass(stage, STEP_MS);
    assert_int_equal(stage->frames, 1);
    assert_int_equal(stage->sent_to, LEADER);
    struct touch_frame frame = sent_frame(stage, ids);
    assert_int_equal(frame.kind, FRAME_TOUCH);
    assert_int_equal(frame.number, 0);
    assert_int_equal(frame.count, 1);
    assert_int_equal(ids[0], id);
    pass(stage, STEP_MS);
    assert_int_equal(stage->frames, 1);
    touch(stage, id);
    stage->status.leader = 0;
    pass(stage, STEP_MS);
    assert_int_equal(stage->frames, 1);
}

static void leader_hears_what_followers_tell(void **state)
{
    struct stage *stage = *state;

    lead(stage, 5);
    pass(stage, STEP_MS);
    uint64_t id = open_one(stage);
    struct touch_frame frame = {.kind = FRAME_TOUCH, .ballot = stage->status.ballot, .count = 1};
    for (int i = 0; i < 4; i++) {
        pass(stage, TIMEOUT_MS / 2);
        receive(stage, LEADER, &frame, &id);
    }
    assert_int_equal(stage->submitted, 0);
    assert_int_equal(stage->frames, 0); // no answer is wanted
    session_keeper_receive(stage->keeper, LEADER, "\x08 nonsense", 10);
    pass(stage, TIMEOUT_MS + 4 * STEP_MS);
    assert_int_equal(stage->submitted, 1);
}

// ---- Renewals ------------------------------------------------------------------------------------

static void leader_takes_note_before_the_barrier(void **state)
{
    struct stage *stage = *state;
    struct client client;

    lead(stage, 5);
    pass(stage, STEP_MS);
    uint64_t id = open_one(stage);
    pass(stage, TIMEOUT_MS - 2 * STEP_MS);
    renew(stage, &client, id);
    assert_int_equal(stage->barriers, 1);
    assert_int_equal(client.answers, 0);
    pass_barrier(stage, ERROR_OK);
    assert_int_equal(client.answers, 1);
    assert_int_equal(client.error, ERROR_OK);
    pass(stage, TIMEOUT_MS - STEP_MS);
    assert_int_equal(stage->submitted, 0);
}

static void renewal_waits_for_an_end_that_is_under_way(void **state)
{
    struct stage *stage = *state;
    struct client client;

    lead(stage, 5);
    pass(stage, STEP_MS);
    uint64_t id = open_one(stage);
    pass(stage, TIMEOUT_MS + 4 * STEP_MS);
    assert_int_equal(stage->submitted, 1);
    const struct submission *end = CONTAINER_OF(stage->submissions.head, struct submission, link);
    assert_true(end->deadline_ns == UINT64_MAX); // what is not known may still come about
    renew(stage, &client, id);
    struct touch_frame frame = {
        .kind = FRAME_TOUCH, .ballot = stage->status.ballot, .number = 7, .count = 1};
    receive(stage, LEADER, &frame, &id);
    assert_int_equal(stage->barriers, 0);
    assert_int_equal(stage->frames, 0);
    execute(stage);
    session_keeper_turn(stage->keeper, stage->now_ns);
    assert_int_equal(stage->barriers, 1); // behind which the session is gone
    pass_barrier(stage, ERROR_OK);
    receive(stage, LEADER, &frame, &id);
    assert_int_equal(stage->frames, 1);
}

// Plays the leader's answer to the frame that was sent.
static void answer(struct stage *stage, uint64_t round)
{
    static uint64_t ids[TOUCH_IDS_MAX];
    struct touch_frame frame = sent_frame(stage, ids);

    assert_int_equal(frame.kind, FRAME_TOUCH);
    assert_true(frame.number != 0);
    frame.kind = FRAME_TOUCHED;
    frame.ballot.round = round;
    receive(stage, LEADER, &frame, ids);
}

static void follower_asks_the_leader_before_the_barrier(void **state)
{
    struct stage *stage = *state;
    struct client client;
    uint64_t id = open_one(stage);

    renew(stage, &client, id);
    assert_int_equal(stage->frames, 1);
    assert_int_equal(stage->barriers, 0);
    answer(stage, 1);
    assert_int_equal(stage->barriers, 1);
    answer(stage, 1); // again
    assert_int_equal(stage->barriers, 1);
    pass_barrier(stage, ERROR_OK);
    assert_int_equal(client.answers, 1);
    assert_int_equal(client.error, ERROR_OK);
}

static void lost_renewal_is_asked_again_and_a_late_answer_is_none(void **state)
{
    struct stage *stage = *state;
    struct buffer first = {0};
    struct client client;
    uint64_t id = open_one(stage);

    renew(stage, &client, id);
    buffer_append(&first, stage->sent.data, stage->sent.length);
    pass(stage, 200);
    assert_int_equal(stage->frames, 1);
    pass(stage, 2 * STEP_MS);
    assert_int_equal(stage->frames, 2);
    struct buffer second = stage->sent;
    stage->sent = first;
    answer(stage, 1); // to the first
    assert_int_equal(stage->barriers, 0);
    stage->sent = second;
    answer(stage, 2); // of another leader
    assert_int_equal(stage->barriers, 0);
    answer(stage, 1);
    assert_int_equal(stage->barriers, 1);
    pass_barrier(stage, ERROR_NO_LEADER);
    assert_int_equal(client.error, ERROR_NO_LEADER);
    buffer_deinit(&first);
}

static void renewal_noted_by_one_leader_is_not_proven_by_another(void **state)
{
    struct stage *stage = *state;
    struct client client;
    uint64_t id = open_one(stage);

    renew(stage, &client, id);
    answer(stage, 1);
    follow(stage, 2);
    pass_barrier(stage, ERROR_OK);
    assert_int_equal(client.answers, 0);
    session_keeper_turn(stage->keeper, stage->now_ns);
    assert_int_equal(stage->frames, 2);
    answer(stage, 2);
    pass_barrier(stage, ERROR_OK);
    assert_int_equal(client.answers, 1);
    assert_int_equal(client.error, ERROR_OK);
}

static void renewal_that_was_asked_is_asked_of_the_next_leader_at_once(void **state)
{
    struct stage *stage = *state;
    struct client client;
    uint64_t id = open_one(stage);

    renew(stage, &client, id);
    follow(stage, 2);
    session_keeper_turn(stage->keeper, stage->now_ns);
    assert_int_equal(stage->frames, 2);
    lead(stage, 3);
    session_keeper_turn(stage->keeper, stage->now_ns);
    assert_int_equal(stage->barriers, 1);
    pass_barrier(stage, ERROR_OK);
    assert_int_equal(client.error, ERROR_OK);
}

static void renewal_without_a_leader_is_given_up_in_time(void **state)
{
    struct stage *stage = *state;
    struct client fresh, asked;
    uint64_t id = open_one(stage);

    renew(stage, &asked, id);
    stage->status.leader = 0;
    renew(stage, &fresh, id);
    assert_int_equal(stage->frames, 1);
    pass(stage, 5000 - STEP_MS);
    assert_int_equal(fresh.answers + asked.answers, 0);
    pass(stage, STEP_MS);
    assert_int_equal(fresh.answers, 1);
    assert_int_equal(asked.answers, 1);
    assert_int_equal(fresh.error, ERROR_NO_LEADER);
    assert_int_equal(asked.error, ERROR_NO_LEADER);
}

static void many_renewals_go_in_frames_that_fit(void **state)
{
    struct client *clients = memory_zalloc((TOUCH_IDS_MAX + 1) * sizeof *clients);
    struct stage *stage = *state;

    stage->status.leader = 0;
    for (size_t i = 0; i <= TOUCH_IDS_MAX; i++)
        renew(stage, &clients[i], i + 1);
    follow(stage, 1);
    session_keeper_turn(stage->keeper, stage->now_ns);
    assert_int_equal(stage->frames, 2);
    answer(stage, 1);
    assert_int_equal(stage->barriers, 1); // of the last; the others wait for their frame
    pass_barrier(stage, ERROR_OK);
    assert_int_equal(clients[TOUCH_IDS_MAX].answers, 1);
    session_keeper_drain(stage->keeper);
    session_keeper_turn(stage->keeper, stage->now_ns);
    for (size_t i = 0; i < TOUCH_IDS_MAX; i++)
        assert_int_equal(clients[i].error, ERROR_DRAINING);
    free(clients);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(leader_proposes_the_end_of_a_silent_session),
        TEST(touched_session_is_left_alone),
        TEST(only_a_leader_in_contact_lets_time_pass),
        TEST(new_leadership_gives_the_full_time),
        TEST(ends_are_proposed_a_few_at_a_time),
        TEST(what_was_not_proposed_is_given_up_with_the_leadership),
        TEST(proposal_without_effect_is_made_again),
        TEST(drained_keeper_ends_nobody),
        TEST(another_state_takes_the_place_of_all_sessions),
        TEST(follower_tells_the_leader_with_the_next_tick),
        TEST(leader_hears_what_followers_tell),
        TEST(leader_takes_note_before_the_barrier),
        TEST(renewal_waits_for_an_end_that_is_under_way),
        TEST(follower_asks_the_leader_before_the_barrier),
        TEST(lost_renewal_is_asked_again_and_a_late_answer_is_none),
        TEST(renewal_noted_by_one_leader_is_not_proven_by_another),
        TEST(renewal_that_was_asked_is_asked_of_the_next_leader_at_once),
        TEST(renewal_without_a_leader_is_given_up_in_time),
        TEST(many_renewals_go_in_frames_that_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
