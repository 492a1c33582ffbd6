// SPDX-License-Identifier: Apache-2.0
// What the parts of a node tell each other. Events flow in a ring: api -> core loop -> journal thread ->
// core loop -> apply thread -> api; the peers hang on the core loop, the bulk and courier threads look
// after the files.
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/fatal.h"
#include "server/node_internal.h"

// ---- Ports of the replica ----------------------------------------------------------------------

static void persist(void *context, const struct paxos_output *output)
{
    struct node *node = context;

    core_loop_persisting(node->loop, output->persist_sequence);
    journal_writer_persist(node->writer, output);
}

static void apply(void *context, const struct entry *entry)
{
    struct node *node = context;

    applier_execute(node->applier, entry);
}

static void install(void *context, paxos_slot slot)
{
    struct node *node = context;

    applier_install(node->applier, slot);
}

static void send_frame(void *context, uint16_t to, const void *data, size_t length)
{
    struct node *node = context;

    core_loop_send(node->loop, to, data, length);
}

static void catch_up(void *context, uint16_t to, paxos_slot from)
{
    struct node *node = context;
    struct paxos_status status;

    core_loop_look(node->loop, &status);
    if (node->courier != NULL)
        courier_lagging(node->courier, to, from, status.ballot, status.applied);
}

static void fault(void *context, enum paxos_fault what)
{
    (void)context;
    fatal_exit(what == PAXOS_DECIDED_MISSING ? "something decided is in no log of a quorum"
                                             : "a peer has another history than this node",
               ERROR_CORRUPT);
}

struct replica_ports node_replica_ports(struct node *node)
{
    return (struct replica_ports){.context = node,
                                  .persist = persist,
                                  .apply = apply,
                                  .install = install,
                                  .send = send_frame,
                                  .catch_up = catch_up,
                                  .fault = fault};
}

// ---- Ports of the threads ----------------------------------------------------------------------

void node_on_persisted(void *context, uint64_t persist_sequence, uint64_t took_ns)
{
    struct node *node = context;

    histogram_observe(&node->metrics.flush, took_ns);
    core_loop_persisted(node->loop, persist_sequence);
}

static void on_result(void *context, const struct origin *origin, struct blob *result,
                      uint64_t committed_ns)
{
    struct node *node = context;

    replica_result(node->replica, origin, result, committed_ns);
}

static void on_took(void *context, uint64_t duration_ns)
{
    struct node *node = context;

    histogram_observe(&node->metrics.apply, duration_ns);
}

static void on_applied(void *context, paxos_slot slot, uint64_t zxid)
{
    struct node *node = context;

    atomic_store(&node->zxid, zxid);
    waiters_advance(&node->waiters, zxid);
    api_changed(node->api, zxid);
    core_loop_applied(node->loop, slot);
}

static void on_sessions(void *context, const struct state *state)
{
    struct node *node = context;

    sessions_changed(node->sessions, state);
    for (size_t i = 0; i < state_changed_sessions(state); i++)
        api_session_changed(node->api, state_changed_session(state, i));
}

static struct state *load_checkpoint(void *context, paxos_slot slot)
{
    struct node *node = context;
    struct failure failure = {0};
    struct state *state = NULL;
    enum error error = installer_load(&node->installer, slot, &state, &node->installed, &failure);

    if (error != ERROR_OK)
        fatal_exit(failure.text, error);
    return state;
}

static void on_installed(void *context)
{
    struct node *node = context;
    struct live_view live;
    uint64_t next = 0;

    if (live_acquire(node->live, &live) != ERROR_OK ||
        view_origin(live.view, node->identity.node, node->identity.boot_count, &next) != ERROR_OK)
        fatal_exit("the installed state could not be read", ERROR_IO);
    live_release(node->live, &live);
    sessions_installed(node->sessions);
    api_session_changed(node->api, 0);
    replica_installed(node->replica, next);
    keeper_installed(node->keeper, &node->installed);
    log_write(LOG_INFO, "a checkpoint of another node was installed",
              "slot=%" PRIu64 " zxid=%" PRIu64, node->installed.position.applied,
              node->installed.position.zxid);
}

void node_on_disk_full(void *context, bool full)
{
    struct node *node = context;

    atomic_store(&node->disk_full, full);
    core_loop_set_disk_full(node->loop, full);
}

struct applier_events node_applier_events(struct node *node)
{
    return (struct applier_events){.context = node,
                                   .result = on_result,
                                   .took = on_took,
                                   .sessions = on_sessions,
                                   .load = load_checkpoint,
                                   .installed = on_installed,
                                   .applied = on_applied};
}

// ---- Ports of the courier ----------------------------------------------------------------------

static void send_bulk(void *context, uint16_t to, const void *data, size_t length)
{
    struct node *node = context;

    core_loop_send_bulk(node->loop, to, data, length);
}

// The keeper must know of the file before the core does: nobody may remove it from then on.
static void on_received(void *context, const struct checkpoint_info *info, struct ballot ballot)
{
    struct node *node = context;
    struct paxos_install received = {.position = {.slot = info->position.applied,
                                                  .hash = info->position.hash,
                                                  .log_time_us = info->position.log_time_us,
                                                  .wall_ms = info->position.wall_ms},
                                     .ballot = ballot};
    struct checkpoint_file file;

    keeper_keep(node->keeper, info->position.applied);
    if (checkpoint_find(node->disk, info->position.applied, &file) == ERROR_OK)
        core_loop_install(node->loop, &received);
}

static paxos_slot newest_checkpoint(void *context)
{
    struct node *node = context;

    return keeper_newest(node->keeper);
}

struct transfer_ports node_transfer_ports(struct node *node)
{
    return (struct transfer_ports){.context = node,
                                   .send = send_bulk,
                                   .install = on_received,
                                   .newest_checkpoint = newest_checkpoint};
}

// ---- Ports of the network ----------------------------------------------------------------------

static void on_consensus(void *context, uint16_t from, const void *data, size_t length)
{
    struct node *node = context;

    core_loop_receive(node->loop, from, data, length);
}

static void on_transfer(void *context, uint16_t from, const void *data, size_t length)
{
    struct node *node = context;
    struct paxos_status status;

    core_loop_look(node->loop, &status);
    courier_receive(node->courier, from, data, length, status.applied);
}

static void on_report(void *context, uint16_t from, const struct report *report)
{
    struct node *node = context;

    core_loop_report(node->loop, from, report);
}

static void on_touch(void *context, uint16_t from, const void *data, size_t length)
{
    struct node *node = context;

    sessions_receive(node->sessions, from, data, length);
}

static void on_peer_up(void *context, uint16_t peer)
{
    struct node *node = context;

    log_write(LOG_INFO, "peer connected", "peer=%u", (unsigned)peer);
    core_loop_peer_up(node->loop, peer);
}

static void on_peer_down(void *context, uint16_t peer)
{
    struct node *node = context;

    log_write(LOG_WARNING, "peer disconnected", "peer=%u", (unsigned)peer);
    core_loop_peer_down(node->loop, peer);
}

struct network_ports node_network_ports(struct node *node)
{
    return (struct network_ports){.context = node,
                                  .consensus = on_consensus,
                                  .transfer = on_transfer,
                                  .report = on_report,
                                  .touch = on_touch,
                                  .up = on_peer_up,
                                  .down = on_peer_down};
}

// ---- Ports of the core loop ---------------------------------------------------------------------

static void on_tick(void *context)
{
    struct node *node = context;

    waiters_expire(&node->waiters, clock_monotonic_ns());
    sessions_tick(node->sessions);
    if (node->courier != NULL)
        courier_tick(node->courier);
}

static void after_tick(void *context)
{
    struct node *node = context;

    sessions_after_tick(node->sessions);
}

static void on_turn(void *context)
{
    struct node *node = context;

    sessions_turn(node->sessions);
}

static void describe(void *context, struct report *report)
{
    struct node *node = context;

    report->zxid = atomic_load(&node->zxid);
    report->draining = atomic_load(&node->draining);
    report->disk_full = atomic_load(&node->disk_full);
}

static void on_round_trip(void *context, size_t peer, uint64_t duration_ns)
{
    struct node *node = context;

    histogram_observe(&node->metrics.round_trip[peer], duration_ns);
}

static bool ask_install(void *context, paxos_slot slot)
{
    struct node *node = context;

    return keeper_ask(node->keeper, slot);
}

static void on_install_answered(void *context, bool accepted)
{
    struct node *node = context;

    keeper_answer(node->keeper, accepted);
}

static void on_elected(void *context)
{
    struct node *node = context;

    counter_add(&node->metrics.elections, 1);
}

struct core_loop_ports node_loop_ports(struct node *node)
{
    return (struct core_loop_ports){.context = node,
                                    .tick = on_tick,
                                    .after_tick = after_tick,
                                    .turn = on_turn,
                                    .describe = describe,
                                    .ask_install = ask_install,
                                    .install_answered = on_install_answered,
                                    .round_trip = on_round_trip,
                                    .elected = on_elected};
}
