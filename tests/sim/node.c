// SPDX-License-Identifier: Apache-2.0
// Life and death of a simulated node, its clock, and the ports that the shipped driver is plugged
// into.
#include "tests/sim/node.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "server/forward.h"
#include "tests/sim/ambush.h"
#include "tests/sim/attendance.h"
#include "tests/sim/machine.h"
#include "tests/sim/introductions.h"
#include "tests/sim/network.h"
#include "tests/sim/notifier.h"
#include "tests/sim/oracle.h"
#include "tests/sim/watcher.h"

enum { CLOCK_ONE = 1 << 20 };

#define TICK_NS       (50 * MILLISECOND_NS) // as the core loop's
#define WALL_START_MS ((uint64_t)1700000000000)

// ---- Clock -------------------------------------------------------------------------------------

static uint64_t local_ns(const struct node *node)
{
    return node->local_base_ns +
           (node->world->now_ns - node->real_base_ns) * node->rate / CLOCK_ONE;
}

struct replica_time node_time(const struct node *node)
{
    uint64_t wall_ms = WALL_START_MS + node->world->now_ns / MILLISECOND_NS;

    return (struct replica_time){.monotonic_ns = local_ns(node),
                                 .wall_ms = wall_ms + (uint64_t)node->wall_offset_ms};
}

uint64_t node_real_delay_ns(const struct node *node, uint64_t at_ns)
{
    uint64_t now_ns = local_ns(node);

    if (at_ns <= now_ns)
        return 0;
    return (at_ns - now_ns) * CLOCK_ONE / node->rate + 1;
}

uint64_t node_local_span_ns(const struct node *node, uint64_t real_ns)
{
    return real_ns * node->rate / CLOCK_ONE;
}

static void set_clock(struct node *node)
{
    struct choice_stream *choices = choices_of(node->world);

    node->real_base_ns = node->world->now_ns;
    node->local_base_ns = SECOND_NS + choose_between(choices, 0, 100) * SECOND_NS;
    node->rate = CLOCK_ONE;
    if (node->world->mode != MODE_QUIET)
        node->rate = choose_between(choices, CLOCK_ONE * 9 / 10, CLOCK_ONE * 11 / 10);
}

// ---- What the core says ------------------------------------------------------------------------

static void log_change(struct node *node, const struct paxos_status *before)
{
    static const char *const roles[] = {"follower", "candidate", "leader"};
    const struct paxos_status *status = &node->status;

    if (before->role != status->role || before->leader != status->leader ||
        before->serving != status->serving)
        world_log(node->world, node, "is %s, leader n%u, ballot %" PRIu64 ".%u%s",
                  roles[status->role], status->leader, status->ballot.round, status->ballot.node,
                  status->serving ? ", serves" : "");
}

// What changed, also in the middle of a step.
static void look(struct node *node)
{
    struct paxos_status before = node->status;

    replica_status(node->replica, &node->status);
    log_change(node, &before);
    if (before.role != PAXOS_LEADER)
        node->candidate_last = before.last;
    if (before.role != node->status.role && node->status.role != PAXOS_FOLLOWER &&
        choose_chance(choices_of(node->world), node->world->swarm.replays))
        network_replay(node->world, node->index);
    paxos_slot seen = before.decided > node->begun_anew ? before.decided : node->begun_anew;
    for (paxos_slot slot = seen + 1; slot <= node->status.decided; slot++)
        oracle_decided(node, paxos_entry(node->paxos, slot));
}

// ---- Ports -------------------------------------------------------------------------------------

static void port_persist(void *context, const struct paxos_output *output)
{
    struct node *node = context;

    if (!node->dying)
        flush_persist(node, output);
}

static void port_apply(void *context, const struct entry *entry)
{
    struct node *node = context;

    if (node->dying)
        return;
    look(node);
    apply_entry(node, entry);
}

static void port_install(void *context, paxos_slot slot)
{
    struct node *node = context;

    if (!node->dying)
        apply_install(node, slot);
}

static void port_send(void *context, uint16_t to, const void *data, size_t length)
{
    struct node *node = context;
    struct paxos_message message;
    enum passage passage = PASSAGE_FREE;

    if (node->dying || node->silent)
        return;
    if (*(const uint8_t *)data == FRAME_PAXOS &&
        paxos_message_decode((const uint8_t *)data + 1, length - 1, &message) == ERROR_OK) {
        passage = ambush_on_send(node, to, message.type);
        if (passage == PASSAGE_FREE || passage == PASSAGE_LAST)
            oracle_sent(node, &message);
        world_log(
            node->world, node,
            "-> n%u %s b=%" PRIu64 ".%u l=%" PRIu64 ".%u p=%" PRIu64 ".%u lb=%" PRIu64
            ".%u slot=%" PRIu64 "+%u last=%" PRIu64 " dec=%" PRIu64 " round=%" PRIu64 " happy=%d",
            to, paxos_message_name(message.type), message.ballot.round, message.ballot.node,
            message.leader.round, message.leader.node, message.promised.round,
            message.promised.node, message.log_ballot.round, message.log_ballot.node, message.slot,
            message.entry_count, message.last, message.decided, message.round, message.happy);
        paxos_message_release(&message);
    } else {
        world_log(node->world, node, "-> n%u forwards %zu bytes", to, length);
    }
    if (passage == PASSAGE_FREE || passage == PASSAGE_LAST)
        network_send(node->world, node->id, to, data, length);
    node->silent = passage == PASSAGE_NEVER || passage == PASSAGE_LAST;
}

static void port_catch_up(void *context, uint16_t to, paxos_slot from)
{
    struct node *node = context;

    if (!node->dying)
        courier_lagging(node, to, from);
}

static void port_fault(void *context, enum paxos_fault fault)
{
    struct node *node = context;

    world_fail(node->world, SIM_CORRECTNESS, "fault", "node %u: %s", node->id,
               fault == PAXOS_DECIDED_MISSING ? "something decided is missing"
                                              : "another history is decided");
}

// ---- Steps -------------------------------------------------------------------------------------

void node_wake(struct node *node)
{
    if (node->turn_scheduled)
        return;
    node->turn_scheduled = true;
    world_schedule(node->world, choose_delay(choices_of(node->world), 10 * MICROSECOND_NS),
                   (struct event){.kind = EVENT_TURN, .node = node->index, .run = node->run});
}

static void set_timer(struct node *node)
{
    uint64_t due_ns = replica_deadline_ns(node->replica);
    uint64_t latest_ns = node->tick_ns + TICK_NS;

    if (due_ns > latest_ns)
        due_ns = latest_ns;
    if (node->timer_at_ns != 0 && due_ns >= node->timer_at_ns)
        return;
    node->timer_at_ns = due_ns;
    node->timer++;
    world_schedule(
        node->world, node_real_delay_ns(node, due_ns),
        (struct event){
            .kind = EVENT_TICK, .node = node->index, .run = node->run, .a = node->timer});
}

void node_stepped(struct node *node)
{
    look(node);
    oracle_stepped(node);
    set_timer(node);
}

void node_on_turn(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];

    node->turn_scheduled = false;
    attendance_turn(node);
    replica_run(node->replica, node_time(node));
    node_stepped(node);
}

void node_on_tick(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];

    if (event->a != node->timer)
        return;
    node->timer_at_ns = 0;
    if (local_ns(node) >= node->tick_ns + TICK_NS) {
        node->tick_ns = local_ns(node);
        attendance_tick(node);
    }
    replica_tick(node->replica, node_time(node));
    node_stepped(node);
    node_wake(node);
}

void node_on_peer_down(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];

    replica_peer_down(node->replica, (uint16_t)event->a, node_time(node));
    node_stepped(node);
}

// ---- Start -------------------------------------------------------------------------------------

static enum error boot_identity(struct node *node, struct failure *failure)
{
    enum error error = identity_boot(node->disk, node->id, &node->identity, failure);

    if (error != ERROR_MISSING)
        return error;
    machine_next_bytes((uint8_t)(node->outcast ? UINT8_MAX - node->id : node->id));
    error = identity_format(node->disk, node->id, &node->identity, failure);
    if (error == ERROR_OK)
        error = identity_boot(node->disk, node->id, &node->identity, failure);
    return error;
}

// Genesis: every node has the same members, the incarnation of each being its number.
static enum error found(struct node *node, struct failure *failure)
{
    static const uint8_t cluster[16] = "simulated";
    struct cluster_member members[PAXOS_NODES_MAX] = {0};
    size_t count = node->world->swarm.nodes;

    for (size_t i = 0; i < count; i++) {
        members[i].node = (uint16_t)(i + 1);
        memset(members[i].incarnation, (int)(i + 1), sizeof members[i].incarnation);
    }
    memcpy(members[node->index].incarnation, node->identity.incarnation,
           sizeof node->identity.incarnation);
    return identity_found(node->disk, &node->identity, cluster, members, count, failure);
}

static struct recovery_settings settings_of(const struct world *world)
{
    const struct swarm *swarm = &world->swarm;
    struct recovery_settings settings = {
        .segment_bytes = swarm->segment_bytes,
        .config = {.epoch = 1,
                   .voter_count = swarm->voters,
                   .learner_count = swarm->nodes - swarm->voters,
                   .window = swarm->window,
                   .retain = swarm->retain,
                   .heartbeat_us = swarm->heartbeat_us,
                   .retransmit_us = swarm->retransmit_us},
    };

    for (size_t i = 0; i < swarm->voters; i++)
        settings.config.voters[i] = (uint16_t)(i + 1);
    for (size_t i = swarm->voters; i < swarm->nodes; i++)
        settings.config.learners[i - swarm->voters] = (uint16_t)(i + 1);
    return settings;
}

static enum error recover(struct node *node, struct recovery_result *result,
                          struct failure *failure)
{
    enum error error = boot_identity(node, failure);

    if (error == ERROR_OK && node->identity.member_count == 0)
        error = found(node, failure);
    if (error == ERROR_OK)
        error = state_open("", 0, &node->state, failure);
    struct recovery_settings settings = settings_of(node->world);
    if (error == ERROR_OK)
        error = recovery_run(node->disk, &node->identity, &settings, node->state, result, failure);
    return error;
}

static void plug_in(struct node *node, const struct recovery_result *result)
{
    struct replica_ports ports = {.context = node,
                                  .persist = port_persist,
                                  .apply = port_apply,
                                  .install = port_install,
                                  .send = port_send,
                                  .catch_up = port_catch_up,
                                  .fault = port_fault};
    struct replica_settings settings = {.heartbeat_us = node->world->swarm.heartbeat_us,
                                        .seed = random_u64()};

    node->journal = result->journal;
    node->newest_checkpoint = result->checkpoint.position.applied;
    node->older_checkpoint = result->older_checkpoint;
    node->paxos = result->paxos;
    node->replica = replica_new(result->paxos, &node->identity, &settings, &ports);
}

static void close_storage(struct node *node)
{
    journal_close(node->journal);
    if (node->live != NULL)
        live_free(node->live);
    else
        state_close(node->state);
    node->journal = NULL;
    node->live = NULL;
    node->state = NULL;
}

// Whether the start is to be interrupted by a failing disk, as a crash in the middle would.
static bool disturb_start(struct node *node)
{
    struct world *world = node->world;

    disk_fake_fail(node->disk, 0, ERROR_OK, false);
    if (world->healing || world->swarm.fault_interval_ns == 0 ||
        !choose_chance(choices_of(world), 100000))
        return false;
    disk_fake_fail(node->disk, 1 + choose(choices_of(world), 30), ERROR_IO, true);
    return true;
}

static bool choose_sector(void *context, const char *name, uint64_t sector)
{
    struct node *node = context;

    (void)name;
    (void)sector;
    return choose(choices_of(node->world), 2) == 0;
}

static void start_failed(struct node *node, bool disturbed, enum error error,
                         const struct failure *failure)
{
    bool healed = node->world->healing && (node->world->core >> node->index & 1) != 0;

    world_log(node->world, node, "start failed: %s", failure->text);
    node->up = false;
    close_storage(node);
    if (disturbed || (error == ERROR_DISK_FULL && !healed)) {
        if (choose(choices_of(node->world), 2) == 1)
            disk_fake_crash(node->disk, choose_sector, node);
        node_restart_later(node, MILLISECOND_NS);
        return;
    }
    if (!node->damaged || error != ERROR_CORRUPT)
        world_fail(node->world, SIM_CORRECTNESS, "starts", "node %u does not start: %s", node->id,
                   failure->text);
    world_count(node->world, COUNT_REFUSED_STARTS);
    node->halted = true;
}

static void look_at_position(struct node *node)
{
    struct view *view;

    if (view_open(node->state, &view) != ERROR_OK)
        abort();
    oracle_position(node, view_position(view));
    view_close(view);
}

void node_start(struct node *node)
{
    struct recovery_result result;
    struct failure failure = {0};

    node->run++;
    node->up = true;
    node->dying = false;
    node->silent = false;
    node->turn_scheduled = false;
    node->timer_at_ns = 0;
    node->tick_ns = local_ns(node);
    node->paused_until_ns = 0;
    node->stuck_until_ns = 0;
    network_node_up(node->world, node->index);
    introduction_keep_copy(node);
    bool disturbed = disturb_start(node);
    enum error error = recover(node, &result, &failure);
    disk_fake_fail(node->disk, 0, ERROR_OK, false);
    if (error != ERROR_OK) {
        start_failed(node, disturbed, error, &failure);
        return;
    }
    node->live = live_new(node->state);
    plug_in(node, &result);
    replica_status(node->replica, &node->status);
    attendance_start(node);
    notifier_start(node);
    oracle_recovered(node);
    look_at_position(node);
    bulk_start(node);
    courier_start(node);
    replica_start(node->replica, node_time(node));
    node_stepped(node);
    world_log(node->world, node, "started: applied=%" PRIu64 " last=%" PRIu64, node->status.applied,
              node->status.last);
}

void node_on_start(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];

    if (node->up || node->halted)
        return;
    // An older copy that is started more often than others remember runs of it cannot be recognised.
    if (node->outcast && ++node->outcast_starts >= PAXOS_RUNS_KEPT / 2) {
        node->halted = true;
        return;
    }
    if (node->run > 0)
        world_count(world, COUNT_RESTARTS);
    node_start(node);
}

void node_restart_later(struct node *node, uint64_t delay_ns)
{
    world_schedule(node->world, delay_ns, (struct event){.kind = EVENT_START, .node = node->index});
}

// ---- End ---------------------------------------------------------------------------------------

// Whoever waits for an answer gets none: see `dying`.
static void end_process(struct node *node)
{
    node->dying = true;
    watchers_node_down(node);
    courier_stop(node);
    replica_free(node->replica);
    node->replica = NULL;
    attendance_stop(node);
    notifier_stop(node);
    flush_abandon(node);
    apply_abandon(node);
    node->up = false;
    node->status = (struct paxos_status){0};
}

void node_kill(struct node *node)
{
    if (!node->up)
        return;
    world_log(node->world, node, "killed");
    world_count(node->world, COUNT_KILLS);
    end_process(node);
    close_storage(node);
    network_node_down(node->world, node->index, true);
}

void node_fatal(struct node *node, enum error error)
{
    world_log(node->world, node, "fatal: %s", error_entry(error)->title);
    end_process(node);
    close_storage(node);
    network_node_down(node->world, node->index, true);
    node_restart_later(node, MILLISECOND_NS + choose_delay(choices_of(node->world), SECOND_NS));
}

void node_power_loss(struct node *node)
{
    world_count(node->world, COUNT_POWER_LOSSES);
    world_log(node->world, node, "power loss");
    bool was_up = node->up;
    if (was_up)
        end_process(node);
    disk_fake_crash(node->disk, choose_sector, node);
    close_storage(node);
    set_clock(node);
    if (was_up)
        network_node_down(node->world, node->index, false);
}

// ---- Pauses ------------------------------------------------------------------------------------

void node_pause(struct node *node, uint64_t until_ns)
{
    uint64_t from_ns = node->world->now_ns;

    if (node->paused_until_ns > from_ns)
        from_ns = node->paused_until_ns;
    if (node->up && until_ns > from_ns)
        attendance_pause(node, until_ns - from_ns);
    node->paused_until_ns = until_ns > from_ns ? until_ns : from_ns;
}

void node_resume(struct node *node)
{
    if (node->up && node->paused_until_ns > node->world->now_ns)
        attendance_resume(node, node->paused_until_ns - node->world->now_ns);
    node->paused_until_ns = 0;
}

// ---- All nodes ---------------------------------------------------------------------------------

void nodes_make(struct world *world)
{
    world->nodes = memory_zalloc(world->swarm.nodes * sizeof *world->nodes);
    for (size_t i = 0; i < world->swarm.nodes; i++) {
        struct node *node = &world->nodes[i];
        node->world = world;
        node->index = (uint16_t)i;
        node->id = (uint16_t)(i + 1);
        node->disk = disk_fake_new();
        set_clock(node);
        node_restart_later(node, choose_delay(choices_of(world), 10 * MILLISECOND_NS));
    }
}

void nodes_free(struct world *world)
{
    for (size_t i = 0; i < world->swarm.nodes; i++) {
        struct node *node = &world->nodes[i];
        if (node->up)
            end_process(node);
        close_storage(node);
        shadow_deinit(&node->shadow);
        shadow_deinit(&node->torn);
        shadow_deinit(&node->lost);
        disk_fake_free(node->disk);
        disk_fake_free(node->older_disk);
    }
    free(world->nodes);
}

size_t world_quorum(const struct world *world)
{
    return world->swarm.voters / 2 + 1;
}

struct node *node_deposed(struct world *world)
{
    struct node *lowest = NULL, *highest = NULL;

    for (size_t i = 0; i < world->swarm.nodes; i++) {
        struct node *node = &world->nodes[i];
        if (node->status.role != PAXOS_LEADER)
            continue;
        if (lowest == NULL || ballot_compare(node->status.ballot, lowest->status.ballot) < 0)
            lowest = node;
        if (highest == NULL || ballot_compare(node->status.ballot, highest->status.ballot) > 0)
            highest = node;
    }
    return lowest != highest ? lowest : NULL;
}
