// SPDX-License-Identifier: Apache-2.0
// What others hand over waits under the lock until the loop comes round; everything else is the loop's.
#include "server/session_keeper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/memory.h"
#include "server/forward.h"
#include "server/renewals.h"
#include "server/session_clock.h"
#include "server/touch_frame.h"
#include "storage/session.h"

enum {
    HEARD_MAX = 65536,        // sessions that are told of in one tick
    ASK_AGAIN_NS = 200000000, // after which a renewal is asked again
};

// The end of a session, waiting to be proposed or proposed.
struct ending {
    struct fifo_link link;
    struct session_keeper *keeper;
    struct submission submission;
    uint64_t id;
    uint64_t generation;
};

struct session_keeper {
    struct session_keeper_settings settings;
    struct session_keeper_ports ports;
    struct session_clock *clock;
    atomic_bool leading; // the clock runs here
    atomic_bool draining;

    pthread_mutex_t lock;    // of these three
    struct map heard;        // ids for the leader
    struct fifo renewals_in; // handed over
    struct fifo ended;       // proposals that were answered

    struct ballot ballot; // newest that was seen
    uint64_t advanced_ns;
    struct renewals renewals;
    struct map endings; // by id
    struct fifo due;    // endings that are not proposed yet
    size_t proposed;
    struct buffer frame; // scratch
};

struct session_keeper *session_keeper_new(const struct session_keeper_settings *settings,
                                          const struct session_keeper_ports *ports)
{
    struct session_keeper *keeper = memory_zalloc(sizeof *keeper);

    keeper->settings = *settings;
    keeper->ports = *ports;
    keeper->clock = session_clock_new();
    pthread_mutex_init(&keeper->lock, NULL);
    return keeper;
}

// ---- The sessions of the state -------------------------------------------------------------------

static bool load_one(void *context, const struct session_info *info)
{
    struct session_keeper *keeper = context;

    session_clock_set(keeper->clock, info);
    return true;
}

enum error session_keeper_load(struct session_keeper *keeper, struct live *live)
{
    struct live_view view;

    session_clock_clear(keeper->clock);
    enum error error = live_acquire(live, &view);
    if (error != ERROR_OK)
        return error;
    error = view_sessions(view.view, 0, load_one, keeper);
    live_release(live, &view);
    return error;
}

static enum error reload_one(struct session_keeper *keeper, struct view *view, uint64_t id)
{
    struct session_info info;

    enum error error = view_session(view, id, &info);
    if (error == ERROR_OK)
        session_clock_set(keeper->clock, &info);
    else if (error == ERROR_SESSION_EXPIRED)
        session_clock_remove(keeper->clock, id);
    return error == ERROR_SESSION_EXPIRED ? ERROR_OK : error;
}

enum error session_keeper_changed(struct session_keeper *keeper, struct live *live,
                                  const struct state *changed)
{
    struct live_view view;

    enum error error = live_acquire(live, &view);
    if (error != ERROR_OK)
        return error;
    for (size_t i = 0; i < state_changed_sessions(changed) && error == ERROR_OK; i++)
        error = reload_one(keeper, view.view, state_changed_session(changed, i));
    live_release(live, &view);
    return error;
}

// ---- Clients -------------------------------------------------------------------------------------

static void note_heard(struct session_keeper *keeper, uint64_t id)
{
    pthread_mutex_lock(&keeper->lock);
    if (keeper->heard.count < HEARD_MAX)
        map_put(&keeper->heard, id, keeper);
    pthread_mutex_unlock(&keeper->lock);
}

bool session_keeper_touch(struct session_keeper *keeper, uint64_t id, const uint8_t *proof)
{
    if (!session_clock_proves(keeper->clock, id, proof))
        return false;
    if (atomic_load(&keeper->leading))
        session_clock_touch(keeper->clock, id);
    else
        note_heard(keeper, id);
    return true;
}

static void answer(struct renewal *renewal, enum error error)
{
    struct read_wait *wait = renewal->wait;

    free(renewal);
    wait->complete(wait, error);
}

static void answer_all(struct fifo *renewals, enum error error)
{
    struct fifo_link *link;

    while ((link = fifo_pop(renewals)) != NULL)
        answer(CONTAINER_OF(link, struct renewal, link), error);
}

void session_keeper_renew(struct session_keeper *keeper, struct read_wait *wait)
{
    struct renewal *renewal = memory_zalloc(sizeof *renewal);

    ASSERT(wait->barrier && wait->renew != 0);
    renewal->wait = wait;
    renewal->keeper = keeper;
    pthread_mutex_lock(&keeper->lock);
    fifo_push(&keeper->renewals_in, &renewal->link);
    pthread_mutex_unlock(&keeper->lock);
    keeper->ports.wake(keeper->ports.context);
}

void session_keeper_drain(struct session_keeper *keeper)
{
    atomic_store(&keeper->draining, true);
    keeper->ports.wake(keeper->ports.context);
}

// ---- Renewals ------------------------------------------------------------------------------------

// Under another leader than the one that took note nothing is proven: that one may have begun to count
// before the touch.
static void barrier_passed(struct replica_read *read, enum error error)
{
    struct renewal *renewal = CONTAINER_OF(read, struct renewal, read);
    struct session_keeper *keeper = renewal->keeper;
    struct paxos_status status;

    if (error != ERROR_OK) {
        answer(renewal, error);
        return;
    }
    keeper->ports.look(keeper->ports.context, &status);
    if (ballot_compare(status.ballot, renewal->ballot) == 0) {
        answer(renewal, ERROR_OK);
        return;
    }
    fifo_push(&keeper->renewals.fresh, &renewal->link);
    keeper->ports.wake(keeper->ports.context);
}

static void begin_barrier(struct session_keeper *keeper, struct renewal *renewal)
{
    renewal->read = (struct replica_read){.deadline_ns = renewal->wait->deadline_ns,
                                          .complete = barrier_passed};
    keeper->ports.barrier(keeper->ports.context, &renewal->read);
}

static void begin_barriers(struct session_keeper *keeper, struct fifo *noted)
{
    struct fifo_link *link;

    while ((link = fifo_pop(noted)) != NULL)
        begin_barrier(keeper, CONTAINER_OF(link, struct renewal, link));
}

// The leader takes note of a session, unless its end is under way: whether that comes to pass must be
// known first.
static bool take_note(struct session_keeper *keeper, uint64_t id)
{
    if (map_get(&keeper->endings, id) != NULL)
        return false;
    session_clock_touch(keeper->clock, id);
    return true;
}

static void renew_here(struct session_keeper *keeper, struct ballot ballot)
{
    struct fifo all = fifo_take(&keeper->renewals.fresh);
    struct fifo_link *link;

    while ((link = fifo_pop(&all)) != NULL) {
        struct renewal *renewal = CONTAINER_OF(link, struct renewal, link);
        renewal->ballot = ballot;
        if (take_note(keeper, renewal->wait->renew))
            begin_barrier(keeper, renewal);
        else
            fifo_push(&keeper->renewals.fresh, &renewal->link);
    }
}

static bool has_leader(const struct paxos_status *status)
{
    return status->leader != 0 && status->role != PAXOS_LEADER;
}

static void send_touches(struct session_keeper *keeper, const struct paxos_status *status,
                         uint64_t number, const uint64_t *ids, uint32_t count)
{
    struct touch_frame frame = {
        .kind = FRAME_TOUCH, .ballot = status->ballot, .number = number, .count = count};

    touch_frame_encode(&keeper->frame, &frame, ids);
    keeper->ports.send(keeper->ports.context, status->leader, keeper->frame.data,
                       keeper->frame.length);
}

static void ask_leader(struct session_keeper *keeper, const struct paxos_status *status,
                       uint64_t now_ns)
{
    uint64_t ids[TOUCH_IDS_MAX];
    uint64_t number;

    while (!fifo_empty(&keeper->renewals.fresh)) {
        uint32_t count = renewals_ask(&keeper->renewals, ids, TOUCH_IDS_MAX, now_ns, &number);
        send_touches(keeper, status, number, ids, count);
    }
}

// ---- The end of silent sessions ------------------------------------------------------------------

static bool has_effect(const struct blob *encoded)
{
    struct result result;
    struct op_result op;

    if (result_decode(encoded->data, encoded->length, &result) != ERROR_OK || result.op_count == 0)
        return false;
    result_next_op(&result, &op);
    return op.error == ERROR_OK && (op.flags & RESULT_NO_EFFECT) == 0;
}

static void ending_answered(struct submission *submission, enum error error, struct blob *result)
{
    struct ending *ending = CONTAINER_OF(submission, struct ending, submission);
    struct session_keeper *keeper = ending->keeper;

    // What did not come about is due again after another timeout.
    if (error == ERROR_OK && keeper->ports.expired != NULL && has_effect(result))
        keeper->ports.expired(keeper->ports.context);
    blob_unref(result);
    pthread_mutex_lock(&keeper->lock);
    fifo_push(&keeper->ended, &ending->link);
    pthread_mutex_unlock(&keeper->lock);
    keeper->ports.wake(keeper->ports.context);
}

static void forget_ending(struct session_keeper *keeper, struct ending *ending)
{
    map_remove(&keeper->endings, ending->id);
    blob_unref(ending->submission.command);
    free(ending);
}

static void forget_all(struct session_keeper *keeper, struct fifo *endings)
{
    struct fifo_link *link;

    while ((link = fifo_pop(endings)) != NULL)
        forget_ending(keeper, CONTAINER_OF(link, struct ending, link));
}

static void take_ended(struct session_keeper *keeper)
{
    struct fifo_link *link;

    pthread_mutex_lock(&keeper->lock);
    struct fifo ended = fifo_take(&keeper->ended);
    pthread_mutex_unlock(&keeper->lock);
    while ((link = fifo_pop(&ended)) != NULL) {
        forget_ending(keeper, CONTAINER_OF(link, struct ending, link));
        keeper->proposed--;
    }
}

// The ballot is part of the command: as long as this leader leads it knows of whom something was heard,
// so a proposal that outlives its leadership must have no effect.
static struct blob *encode_ending(const struct ending *ending, struct ballot ballot)
{
    struct command command = {.op_count = 1};
    struct op op = {
        .type = OP_SESSION_EXPIRE,
        .session = {.id = ending->id, .generation = ending->generation, .leader = ballot}};
    struct buffer encoded = {0};

    command_encode_begin(&encoded, &command);
    command_encode_op(&encoded, &op);
    struct blob *blob = blob_copy(encoded.data, encoded.length);
    buffer_deinit(&encoded);
    return blob;
}

// Without a deadline: as long as it may still be decided no renewal may be answered.
static void propose_endings(struct session_keeper *keeper, struct ballot ballot, uint64_t now_ns)
{
    struct fifo_link *link;

    while (keeper->proposed < SESSION_ENDS_MAX && (link = fifo_pop(&keeper->due)) != NULL) {
        struct ending *ending = CONTAINER_OF(link, struct ending, link);
        ending->submission = (struct submission){.command = encode_ending(ending, ballot),
                                                 .deadline_ns = UINT64_MAX,
                                                 .shrinks = true,
                                                 .received_ns = now_ns,
                                                 .complete = ending_answered};
        keeper->proposed++;
        keeper->ports.submit(keeper->ports.context, &ending->submission);
    }
}

static void silent(void *context, uint64_t id, uint64_t generation)
{
    struct session_keeper *keeper = context;

    if (map_get(&keeper->endings, id) != NULL)
        return;
    struct ending *ending = memory_zalloc(sizeof *ending);
    ending->keeper = keeper;
    ending->id = id;
    ending->generation = generation;
    map_put(&keeper->endings, id, ending);
    fifo_push(&keeper->due, &ending->link);
}

// ---- The loop ------------------------------------------------------------------------------------

static bool in_contact(const struct session_keeper *keeper, const struct paxos_status *status,
                       uint64_t now_ns)
{
    uint64_t age_us = now_ns / 1000 - status->confirmed_us;

    return keeper->settings.alone ||
           (status->confirmed_us != 0 && age_us < keeper->settings.contact_ns / 1000);
}

// Begins or ends to let the clock run, as the node's role demands.
static void follow_role(struct session_keeper *keeper, const struct paxos_status *status,
                        uint64_t now_ns)
{
    bool other = ballot_compare(status->ballot, keeper->ballot) != 0;
    bool leads = status->serving && in_contact(keeper, status, now_ns);
    bool led = atomic_load(&keeper->leading) && !other;

    keeper->ballot = status->ballot;
    if (other)
        renewals_rewind(&keeper->renewals, UINT64_MAX);
    if (leads && !led)
        session_clock_restart(keeper->clock);
    if (!leads || other)
        forget_all(keeper, &keeper->due);
    atomic_store(&keeper->leading, leads);
}

static void take_renewals(struct session_keeper *keeper)
{
    struct fifo_link *link;

    pthread_mutex_lock(&keeper->lock);
    struct fifo all = fifo_take(&keeper->renewals_in);
    pthread_mutex_unlock(&keeper->lock);
    while ((link = fifo_pop(&all)) != NULL)
        fifo_push(&keeper->renewals.fresh, link);
}

static void end_renewals(struct session_keeper *keeper)
{
    answer_all(&keeper->renewals.fresh, ERROR_DRAINING);
    answer_all(&keeper->renewals.asked, ERROR_DRAINING);
}

void session_keeper_turn(struct session_keeper *keeper, uint64_t now_ns)
{
    struct paxos_status status;

    keeper->ports.look(keeper->ports.context, &status);
    follow_role(keeper, &status, now_ns);
    take_ended(keeper);
    take_renewals(keeper);
    if (atomic_load(&keeper->draining)) {
        forget_all(keeper, &keeper->due);
        end_renewals(keeper);
    } else if (atomic_load(&keeper->leading)) {
        renew_here(keeper, status.ballot);
        propose_endings(keeper, status.ballot, now_ns);
    } else if (has_leader(&status)) {
        ask_leader(keeper, &status, now_ns);
    }
}

// Takes what was heard since the last tick: for the leader's own clock, or to be sent.
static void pass_on_heard(struct session_keeper *keeper, const struct paxos_status *status)
{
    uint64_t ids[TOUCH_IDS_MAX], id;
    uint32_t count = 0;
    size_t at = 0;
    void *value;

    pthread_mutex_lock(&keeper->lock);
    struct map heard = keeper->heard;
    keeper->heard = (struct map){0};
    pthread_mutex_unlock(&keeper->lock);
    bool leads = atomic_load(&keeper->leading);
    while (map_next(&heard, &at, &id, &value)) {
        if (leads) {
            session_clock_touch(keeper->clock, id);
            continue;
        }
        ids[count++] = id;
        if (count == TOUCH_IDS_MAX && has_leader(status))
            send_touches(keeper, status, 0, ids, count);
        count %= TOUCH_IDS_MAX;
    }
    if (count > 0 && has_leader(status))
        send_touches(keeper, status, 0, ids, count);
    map_deinit(&heard);
}

void session_keeper_tick(struct session_keeper *keeper, uint64_t now_ns)
{
    struct paxos_status status;
    struct fifo expired = {0};

    keeper->ports.look(keeper->ports.context, &status);
    follow_role(keeper, &status, now_ns);
    pass_on_heard(keeper, &status);
    renewals_rewind(&keeper->renewals, now_ns > ASK_AGAIN_NS ? now_ns - ASK_AGAIN_NS : 0);
    renewals_expire(&keeper->renewals, now_ns, &expired);
    answer_all(&expired, ERROR_NO_LEADER);
}

void session_keeper_advance(struct session_keeper *keeper, uint64_t now_ns)
{
    uint64_t elapsed_ns = keeper->advanced_ns > 0 ? now_ns - keeper->advanced_ns : 0;

    keeper->advanced_ns = now_ns;
    if (!atomic_load(&keeper->leading) || atomic_load(&keeper->draining))
        return;
    session_clock_advance(keeper->clock, elapsed_ns, silent, keeper);
    propose_endings(keeper, keeper->ballot, now_ns);
}

// ---- Frames --------------------------------------------------------------------------------------

static void take_touches(struct session_keeper *keeper, uint16_t from, struct touch_frame *frame,
                         uint64_t *ids)
{
    uint32_t noted = 0;

    if (!atomic_load(&keeper->leading))
        return;
    for (uint32_t i = 0; i < frame->count; i++) {
        if (take_note(keeper, ids[i]))
            ids[noted++] = ids[i];
    }
    if (frame->number == 0 || noted == 0 || ballot_compare(frame->ballot, keeper->ballot) != 0)
        return;
    frame->kind = FRAME_TOUCHED;
    frame->count = noted;
    touch_frame_encode(&keeper->frame, frame, ids);
    keeper->ports.send(keeper->ports.context, from, keeper->frame.data, keeper->frame.length);
}

void session_keeper_receive(struct session_keeper *keeper, uint16_t from, const void *data,
                            size_t length)
{
    uint64_t ids[TOUCH_IDS_MAX];
    struct paxos_status status;
    struct touch_frame frame;
    struct fifo noted = {0};

    if (touch_frame_decode(data, length, &frame, ids) != ERROR_OK)
        return;
    keeper->ports.look(keeper->ports.context, &status);
    if (ballot_compare(status.ballot, keeper->ballot) != 0)
        return; // the next turn sees to that; what is lost is asked again
    if (frame.kind == FRAME_TOUCH) {
        take_touches(keeper, from, &frame, ids);
    } else if (from == status.leader && ballot_compare(frame.ballot, status.ballot) == 0) {
        renewals_noted(&keeper->renewals, frame.number, frame.ballot, ids, frame.count, &noted);
        begin_barriers(keeper, &noted);
    }
}

void session_keeper_free(struct session_keeper *keeper)
{
    if (keeper == NULL)
        return;
    take_ended(keeper);
    take_renewals(keeper);
    forget_all(keeper, &keeper->due);
    end_renewals(keeper);
    ASSERT(keeper->proposed == 0);
    session_clock_free(keeper->clock);
    map_deinit(&keeper->heard);
    map_deinit(&keeper->endings);
    buffer_deinit(&keeper->frame);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}
