// SPDX-License-Identifier: Apache-2.0
// Time that a node ran: that of its clock without its pauses, of which each may count for one step of the
// session clock, because a tick cannot know that it is late by less.
#include "tests/sim/attendance.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/memory.h"
#include "server/forward.h"
#include "server/session_clock.h"
#include "server/session_keeper.h"
#include "server/touch_frame.h"
#include "storage/session.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"

// As server/node.c: since a quorum followed, after which a leader's clock stands still.
enum { CONTACT_HEARTBEATS = 10, CONTACT_LEAST_MS = 1000 };

// What was heard of one session, in time that the node ran.
struct heard {
    uint64_t at_ns;
    bool ended; // its end was proposed: from then on what is heard waits for what comes of that
};

struct attendance {
    struct session_keeper *keeper;
    struct map heard;   // by session
    uint64_t paused_ns; // of the node's clock that do not count
    struct ballot led;  // the ballot in which it led last, as far as it was seen
    uint64_t leads_ns;  // since when
};

static uint64_t running_ns(const struct node *node)
{
    return node_time(node).monotonic_ns - node->attendance->paused_ns;
}

void attendance_pause(struct node *node, uint64_t real_ns)
{
    uint64_t local_ns = node_local_span_ns(node, real_ns);

    if (local_ns > SESSION_STEP_NS)
        node->attendance->paused_ns += local_ns - SESSION_STEP_NS;
}

void attendance_resume(struct node *node, uint64_t real_ns)
{
    uint64_t local_ns = node_local_span_ns(node, real_ns);
    uint64_t *paused_ns = &node->attendance->paused_ns;

    *paused_ns -= local_ns < *paused_ns ? local_ns : *paused_ns;
}

// ---- What was heard ------------------------------------------------------------------------------

static struct heard *heard_of(struct node *node, uint64_t session)
{
    struct heard *heard = map_get(&node->attendance->heard, session);

    if (heard == NULL) {
        heard = memory_zalloc(sizeof *heard);
        map_put(&node->attendance->heard, session, heard);
    }
    return heard;
}

static void forget(struct attendance *attendance)
{
    void *value;
    uint64_t id;

    for (size_t at = 0; map_next(&attendance->heard, &at, &id, &value);)
        free(value);
    map_deinit(&attendance->heard);
    attendance->heard = (struct map){0};
}

// Whoever begins to lead has heard nothing yet, but has to give everybody the full time.
static void follow(struct node *node)
{
    struct attendance *attendance = node->attendance;
    struct paxos_status status;

    replica_status(node->replica, &status);
    if (status.role != PAXOS_LEADER || ballot_compare(status.ballot, attendance->led) == 0)
        return;
    forget(attendance);
    attendance->led = status.ballot;
    attendance->leads_ns = running_ns(node);
}

// When somebody who leads hears of a session.
static void hear(struct node *node, uint64_t session)
{
    follow(node);
    if (node->status.role == PAXOS_LEADER && session != 0)
        heard_of(node, session)->at_ns = running_ns(node);
}

static enum error session_of(struct node *node, uint64_t id, struct session_info *info)
{
    struct view *view;

    ASSERT(view_open(node->state, &view) == ERROR_OK);
    enum error error = view_session(view, id, info);
    view_close(view);
    return error;
}

// 36: nothing was heard for as long as the timeout says.
static void check_silence(struct node *node, uint64_t id)
{
    uint64_t now_ns = running_ns(node);
    struct session_info info;

    follow(node);
    struct heard *heard = heard_of(node, id);
    uint64_t since_ns = node->attendance->leads_ns;
    bool again = heard->ended;
    if (heard->at_ns > since_ns)
        since_ns = heard->at_ns;
    heard->ended = true;
    if (!again && session_of(node, id, &info) == ERROR_OK &&
        now_ns - since_ns < (uint64_t)info.timeout_ms * MILLISECOND_NS)
        world_fail(node->world, SIM_CORRECTNESS, "silence",
                   "node %u ends session %" PRIu64 " of %u ms, of which it heard %" PRIu64
                   " ms ago",
                   node->id, id, info.timeout_ms, (now_ns - since_ns) / MILLISECOND_NS);
}

// ---- Ports ---------------------------------------------------------------------------------------

static void port_look(void *context, struct paxos_status *status)
{
    struct node *node = context;

    replica_status(node->replica, status);
}

static void port_send(void *context, uint16_t to, const void *data, size_t length)
{
    struct node *node = context;

    if (!node->dying && !node->silent)
        network_send(node->world, node->id, to, data, length);
}

static void port_submit(void *context, struct submission *submission)
{
    struct node *node = context;
    struct command command;
    struct op op;

    ASSERT(command_decode(submission->command->data, submission->command->length, &command) ==
           ERROR_OK);
    command_next_op(&command, &op);
    ASSERT(op.type == OP_SESSION_EXPIRE);
    check_silence(node, op.session.id);
    world_log(node->world, node, "session %" PRIu64 " was silent", op.session.id);
    world_count(node->world, COUNT_SILENT);
    oracle_proposed(node->world, submission->command);
    replica_submit(node->replica, submission);
}

static void port_barrier(void *context, struct replica_read *read)
{
    struct node *node = context;

    replica_read(node->replica, read);
}

static void port_wake(void *context)
{
    struct node *node = context;

    if (!node->dying)
        node_wake(node);
}

static void port_expired(void *context)
{
    struct node *node = context;

    world_count(node->world, COUNT_TOLD_EXPIRED);
}

// ---- Life ----------------------------------------------------------------------------------------

static void require(enum error error)
{
    ASSERT(error == ERROR_OK);
}

void attendance_start(struct node *node)
{
    uint64_t silence_ms = node->world->swarm.heartbeat_us * CONTACT_HEARTBEATS / 1000;
    struct session_keeper_settings settings = {
        .alone = node->world->swarm.nodes == 1,
        .contact_ns =
            (silence_ms > CONTACT_LEAST_MS ? silence_ms : CONTACT_LEAST_MS) * MILLISECOND_NS};
    struct session_keeper_ports ports = {.context = node,
                                         .look = port_look,
                                         .send = port_send,
                                         .submit = port_submit,
                                         .barrier = port_barrier,
                                         .wake = port_wake,
                                         .expired = port_expired};

    node->attendance = memory_zalloc(sizeof *node->attendance);
    node->attendance->keeper = session_keeper_new(&settings, &ports);
    require(session_keeper_load(node->attendance->keeper, node->live));
}

void attendance_stop(struct node *node)
{
    session_keeper_free(node->attendance->keeper);
    forget(node->attendance);
    free(node->attendance);
    node->attendance = NULL;
}

// ---- Events --------------------------------------------------------------------------------------

void attendance_changed(struct node *node)
{
    if (state_changed_sessions(node->state) > 0)
        require(session_keeper_changed(node->attendance->keeper, node->live, node->state));
}

void attendance_installed(struct node *node)
{
    require(session_keeper_load(node->attendance->keeper, node->live));
}

bool attendance_touch(struct node *node, uint64_t session, const uint8_t *proof)
{
    hear(node, session);
    return session_keeper_touch(node->attendance->keeper, session, proof);
}

void attendance_renew(struct node *node, struct read_wait *wait)
{
    hear(node, wait->renew);
    session_keeper_renew(node->attendance->keeper, wait);
}

void attendance_receive(struct node *node, uint16_t from, const void *data, size_t length)
{
    uint64_t ids[TOUCH_IDS_MAX];
    struct touch_frame frame;

    if (touch_frame_decode(data, length, &frame, ids) == ERROR_OK && frame.kind == FRAME_TOUCH) {
        world_count(node->world, COUNT_TOUCH_FRAMES);
        for (uint32_t i = 0; i < frame.count; i++)
            hear(node, ids[i]);
    }
    session_keeper_receive(node->attendance->keeper, from, data, length);
    node_stepped(node);
    node_wake(node);
}

void attendance_drain(struct node *node)
{
    session_keeper_drain(node->attendance->keeper);
}

void attendance_turn(struct node *node)
{
    follow(node);
    session_keeper_turn(node->attendance->keeper, node_time(node).monotonic_ns);
}

// What came in by now is taken before the clock runs. The keeper notices here that it leads.
void attendance_tick(struct node *node)
{
    follow(node);
    session_keeper_tick(node->attendance->keeper, node_time(node).monotonic_ns);
    world_schedule(node->world, 0,
                   (struct event){.kind = EVENT_AFTER_TICK, .node = node->index, .run = node->run});
}

void attendance_on_after_tick(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];

    session_keeper_advance(node->attendance->keeper, node_time(node).monotonic_ns);
    node_stepped(node);
    node_wake(node);
}
