// SPDX-License-Identifier: Apache-2.0
// Each seed draws its own limits and its own mix: some faults not at all, others often.
#include "tests/sim/faults.h"

#include "tests/sim/introductions.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "storage/session.h"
#include "tests/sim/ambush.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"
#include "tests/sim/watcher.h"
#include "tests/sim/workload.h"

// F(NAME, name, weight when drawn, alone: makes sense with one node)
#define FAULTS(F)                                                                                  \
    F(KILL, kill, 6, true)                                                                         \
    F(POWER_ONE, power_one, 6, true)                                                               \
    F(POWER_ALL, power_all, 2, true)                                                               \
    F(PAUSE, pause, 4, true)                                                                       \
    F(CLOCK, clock, 2, true)                                                                       \
    F(PARTITION, partition, 6, false)                                                              \
    F(RESET, reset, 4, false)                                                                      \
    F(DISK_FAILS, disk_fails, 3, true)                                                             \
    F(DISK_FULL, disk_full, 2, true)                                                               \
    F(DISK_STUCK, disk_stuck, 3, true)                                                             \
    F(DAMAGE, damage, 1, false)                                                                    \
    F(TRANSFER, transfer, 3, false)                                                                \
    F(UNHEALTHY, unhealthy, 2, false)                                                              \
    F(STALL, stall, 4, false)                                                                      \
    F(AMBUSH, ambush, 24, false)                                                                   \
    F(REPLAY, replay, 3, false)                                                                    \
    F(DEPOSE, depose, 3, false)

enum fault_kind {
#define FAULT_ENUM(NAME, name, weight, alone) FAULT_##NAME,
    FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
};

static const struct {
    uint32_t weight;
    bool alone;
} fault_table[FAULT_COUNT] = {
#define FAULT_ROW(NAME, name, weight, alone) {weight, alone},
    FAULTS(FAULT_ROW)
#undef FAULT_ROW
};

_Static_assert((int)FAULT_COUNT <=
                   (int)(sizeof((struct swarm *)0)->fault_weights / sizeof(uint32_t)),
               "the swarm has a weight for every fault");

// ---- The mix -----------------------------------------------------------------------------------

// A chance that is 0 in two of three seeds.
static uint32_t sometimes(struct world *world, uint32_t most)
{
    if (choose(&world->choices, 3) < 2)
        return 0;
    return 1 + choose(&world->choices, most);
}

static void draw_watching(struct world *world)
{
    static const uint64_t zxids[] = {100000, 20, 100, 1000};
    static const uint64_t bytes[] = {32 << 20, 32 << 20, 3000, 30000};
    struct choice_stream *choices = &world->choices;
    struct swarm *swarm = &world->swarm;

    swarm->watchers = choose(choices, 5);
    swarm->history_zxids = zxids[choose(choices, 4)];
    swarm->history_bytes = bytes[choose(choices, 4)];
    swarm->history_data = choose(choices, 2) == 0 ? 64 << 10 : 60;
}

static void draw_limits(struct world *world, size_t nodes)
{
    static const uint32_t windows[] = {PAXOS_WINDOW, 4, 4, 8, 16, 64};
    static const uint32_t retained[] = {0, 1, 1, 2, 4, 32};
    static const uint64_t longest_delays_us[] = {3000, 3000, 3000, 30000};
    static const uint64_t longest_heartbeats_ms[] = {200, 40};
    static const uint64_t longest_thoughts_ms[] = {100, 10};
    static const uint64_t longest_bulk_ms[] = {1, 10, 300};
    struct choice_stream *choices = &world->choices;
    struct swarm *swarm = &world->swarm;
    static const uint8_t sizes[] = {3, 1, 2, 3, 4, 5, 5, 7, 3, 6, 3, 3, 2, 5};

    swarm->voters = nodes != 0 ? nodes : sizes[choose(choices, sizeof sizes)];
    swarm->nodes = swarm->voters;
    if (choose(choices, 5) == 4)
        swarm->nodes += 1 + choose(choices, 2);
    swarm->clients = choose_between(choices, 1, 8);
    swarm->keys = choose_between(choices, 1, 6);
    swarm->faults_ns = choose_between(choices, 1, 5) * SECOND_NS;
    swarm->window = windows[choose(choices, sizeof windows / sizeof windows[0])];
    swarm->retain = retained[choose(choices, sizeof retained / sizeof retained[0])];
    swarm->heartbeat_us =
        choose_between(choices, 10, longest_heartbeats_ms[choose(choices, 2)]) * 1000;
    swarm->retransmit_us = choose_between(choices, 20, 200) * 1000;
    swarm->segment_bytes = (2u << 20) << choose(choices, 2);
    if (world->mode == MODE_QUIET)
        swarm->segment_bytes = 16u << 20; // nobody falls so far behind that a checkpoint is needed
    if (world->mode != MODE_QUIET && choose(choices, 2) == 0)
        swarm->entries_max = 1 + choose(choices, 40);
    swarm->think_ns =
        choose_between(choices, 1, longest_thoughts_ms[choose(choices, 2)]) * MILLISECOND_NS;
    swarm->patience_ns = choose_between(choices, 200, 3000) * MILLISECOND_NS;
    swarm->delay_least_ns = choose_between(choices, 20, 1000) * MICROSECOND_NS;
    swarm->delay_ns =
        choose_between(choices, 10, longest_delays_us[choose(choices, 4)]) * MICROSECOND_NS;
    swarm->bulk_ns =
        choose_between(choices, 1, longest_bulk_ms[choose(choices, 3)]) * MILLISECOND_NS;
    swarm->probes = sometimes(world, 500000);
    swarm->work_ns = choose(choices, 3) == 2 ? 0 : SECOND_NS;
    swarm->flush_ns = choose_between(choices, 20, 3000) * MICROSECOND_NS;
    swarm->apply_ns = choose_between(choices, 10, 1000) * MICROSECOND_NS;
    swarm->checkpoints = sometimes(world, 300000);
    swarm->exchanges = 600000;
    if (choose(choices, 3) != 0)
        swarm->sessions = 50000 + choose(choices, 750000);
    swarm->lapses = 25000;
    swarm->timeout_ms = SESSION_TIMEOUT_MIN_MS + choose(choices, 1000);
    draw_watching(world);
    swarm->outlasts = choose(choices, 3) == 2;
}

static void add_fault(struct swarm *swarm, enum fault_kind kind, uint32_t times)
{
    if (swarm->nodes > 1 || fault_table[kind].alone)
        swarm->fault_weights[kind] = times * fault_table[kind].weight;
}

// Bursts of commands, mostly with all the room there is.
static void draw_floods(struct world *world)
{
    struct swarm *swarm = &world->swarm;

    swarm->floods = 1 + choose(&world->choices, 4);
    if (choose(&world->choices, 4) != 0)
        swarm->window = PAXOS_WINDOW;
}

// In a quorum of three one promise may be better than those before and behind it.
static void add_voters(struct swarm *swarm)
{
    swarm->nodes += 4 - swarm->voters;
    swarm->voters = 4;
}

// There is always something under way, and nobody waits long for what is stuck.
static void hurry(struct world *world, uint64_t think_ns)
{
    world->swarm.clients = choose_between(&world->choices, 6, 12);
    world->swarm.think_ns = think_ns;
    world->swarm.patience_ns = choose_between(&world->choices, 50, 300) * MILLISECOND_NS;
}

// Leaders that stand still, or do not know that they lead no more, and holders that rely on what they said.
static void draw_sessions(struct world *world)
{
    struct swarm *swarm = &world->swarm;

    memset(swarm->fault_weights, 0, sizeof swarm->fault_weights);
    if (choose(&world->choices, 3) == 2)
        swarm->nodes = swarm->voters = 1 + choose(&world->choices, 2);
    add_fault(swarm, FAULT_DEPOSE, 4);
    add_fault(swarm, FAULT_DISK_STUCK, 4);
    add_fault(swarm, FAULT_PAUSE, 2);
    swarm->fault_interval_ns = choose_between(&world->choices, 200, 1000) * MILLISECOND_NS;
    swarm->faults_ns = choose_between(&world->choices, 3, 6) * SECOND_NS;
    swarm->heartbeat_us = choose_between(&world->choices, 10, 60) * 1000;
    swarm->sessions = 900000;
    swarm->timeout_ms = SESSION_TIMEOUT_MIN_MS;
    swarm->lapses = 200000;
    swarm->clients = choose_between(&world->choices, 6, 12);
    swarm->think_ns = choose_between(&world->choices, 10, 100) * MILLISECOND_NS;
    swarm->patience_ns = choose_between(&world->choices, 500, 3000) * MILLISECOND_NS;
    swarm->loss = swarm->corruption = 0;
}

// What takes several faults at once is rare when each is drawn by itself: some seeds have a theme.
static void draw_theme(struct world *world)
{
    struct swarm *swarm = &world->swarm;

    swarm->theme = (uint8_t)(choose(&world->choices, THEME_COUNT + 1) % THEME_COUNT);
    switch (swarm->theme) {
    case THEME_ELECTIONS: // campaigns at the wrong moment, and old messages in them
        add_fault(swarm, FAULT_TRANSFER, 10);
        swarm->fault_interval_ns = choose_between(&world->choices, 10, 100) * MILLISECOND_NS;
        add_fault(swarm, FAULT_AMBUSH, 1);
        if (swarm->voters < 4)
            add_voters(swarm);
        hurry(world, MILLISECOND_NS);
        swarm->loss = choose(&world->choices, 300000);
        swarm->replays = 1000000;
        swarm->flush_ns = choose_between(&world->choices, 1, 30) * MILLISECOND_NS;
        swarm->heartbeat_us = choose_between(&world->choices, 20, 300) * 1000;
        break;
    case THEME_READS: // reads at leaders that are none any more
        add_fault(swarm, FAULT_DEPOSE, 4);
        add_fault(swarm, FAULT_STALL, 2);
        add_fault(swarm, FAULT_REPLAY, 4);
        swarm->probes = 1000000;
        swarm->replays = 1000000;
        hurry(world, 5 * MILLISECOND_NS);
        break;
    case THEME_LEARNING: // followers far behind, with other entries, on slow disks
        swarm->teaching = 1000000;
        add_fault(swarm, FAULT_DEPOSE, 2);
        add_fault(swarm, FAULT_DISK_STUCK, 4);
        swarm->retain = 1;
        swarm->flush_ns = choose_between(&world->choices, 1, 30) * MILLISECOND_NS;
        draw_floods(world);
        break;
    case THEME_SESSIONS:
        draw_sessions(world);
        break;
    default:
        break;
    }
}

static void draw_faults(struct world *world)
{
    struct choice_stream *choices = &world->choices;
    struct swarm *swarm = &world->swarm;

    swarm->segment_bytes = PAXOS_WINDOW_BYTES_MAX / 2; // without a quorum, commands pile up
    swarm->loss = sometimes(world, 200000);
    swarm->duplicates = sometimes(world, 300000);
    swarm->late_duplicates = sometimes(world, 500000);
    swarm->reorders = choose(choices, 3) == 2;
    swarm->corruption = sometimes(world, 20000);
    swarm->slow_flush = sometimes(world, 50000);
    swarm->fault_interval_ns = choose_between(choices, 30, 1000) * MILLISECOND_NS;
    if (choose(choices, 4) == 3) // a storm
        swarm->fault_interval_ns /= 20;
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        if (choose(choices, 2) == 1)
            add_fault(swarm, (enum fault_kind)i, 1);
    }
    swarm->replays = sometimes(world, 1000000);
    swarm->teaching = sometimes(world, 1000000);
    draw_theme(world);
    ambush_draw(world);
}

void swarm_draw(struct world *world, size_t nodes)
{
    draw_limits(world, nodes);
    if (world->mode == MODE_QUIET) {
        world->swarm.faults_ns += 2 * SECOND_NS;
        world->swarm.patience_ns += 2 * SECOND_NS;
    }
    if (world->mode == MODE_SAFETY || world->mode == MODE_LIVENESS)
        draw_faults(world);
    if (world->mode == MODE_POWER)
        world->swarm.power_interval_ns = choose_between(&world->choices, 3, 200) * MILLISECOND_NS;
}

void faults_start(struct world *world)
{
    const struct swarm *swarm = &world->swarm;

    if (swarm->fault_interval_ns > 0)
        world_schedule(world, choose_delay(&world->choices, swarm->fault_interval_ns),
                       (struct event){.kind = EVENT_FAULT, .node = NOBODY});
    for (uint32_t i = 0; i < swarm->floods; i++)
        world_schedule(world, choose_between(&world->choices, 0, swarm->faults_ns),
                       (struct event){.kind = EVENT_FLOOD, .node = NOBODY});
    if (swarm->power_interval_ns > 0)
        world_schedule(world, choose_delay(&world->choices, swarm->power_interval_ns),
                       (struct event){.kind = EVENT_POWER, .node = NOBODY});
}

// ---- Single faults -----------------------------------------------------------------------------

static struct node *any_node(struct world *world)
{
    return &world->nodes[choose(&world->choices, (uint32_t)world->swarm.nodes)];
}

static void come_back(struct node *node)
{
    node_restart_later(node, MILLISECOND_NS +
                                 choose_delay(choices_of(node->world), 300 * MILLISECOND_NS));
}

static void cut_or_join(struct world *world, uint16_t a, uint16_t b, bool cut)
{
    network_cut(world, a, b, cut);
    network_cut(world, b, a, cut);
}

void faults_kill(struct node *node)
{
    node_kill(node);
    come_back(node);
}

void faults_power(struct node *node)
{
    node_power_loss(node);
    come_back(node);
}

void faults_heal_later(struct world *world)
{
    world_count(world, COUNT_PARTITIONS);
    world_schedule(world, choose_delay(&world->choices, SECOND_NS),
                   (struct event){.kind = EVENT_HEAL, .node = NOBODY});
}

void faults_isolate(struct world *world, uint16_t who, uint16_t but)
{
    for (uint16_t i = 0; i < world->swarm.nodes; i++) {
        if (i != but)
            cut_or_join(world, who, i, true);
    }
    faults_heal_later(world);
}

static void power_all(struct world *world, uint64_t mean_ns)
{
    for (size_t i = 0; i < world->swarm.nodes; i++) {
        node_power_loss(&world->nodes[i]);
        node_restart_later(&world->nodes[i],
                           MILLISECOND_NS + choose_delay(&world->choices, mean_ns));
    }
}

static void fail_disk(struct world *world, struct node *node)
{
    world_count(world, COUNT_DISK_FAILURES);
    disk_fake_fail(node->disk, 1 + choose(&world->choices, 10), ERROR_IO, true);
}

// Space comes back with the restart: see faults_on_heal.
static void fill_disk(struct world *world, struct node *node)
{
    world_count(world, COUNT_DISK_FULL);
    disk_fake_set_free(node->disk, choose(&world->choices, 100000));
    world_schedule(world, choose_delay(&world->choices, SECOND_NS),
                   (struct event){.kind = EVENT_HEAL, .node = NOBODY, .a = node->index + 1u});
}

static size_t damaged_nodes(const struct world *world)
{
    size_t count = 0;

    for (size_t i = 0; i < world->swarm.nodes; i++)
        count += world->nodes[i].damaged;
    return count;
}

struct pick {
    struct world *world;
    char name[64];
    uint32_t seen;
};

static void pick_name(void *context, const char *name)
{
    struct pick *pick = context;

    pick->seen++;
    if (choose(&pick->world->choices, pick->seen) == 0)
        snprintf(pick->name, sizeof pick->name, "journal/%s", name);
}

// A bit of some journal file, most of which is zero. Only a minority is damaged.
static void damage(struct world *world, struct node *node)
{
    struct pick pick = {.world = world};

    if ((damaged_nodes(world) + 1) * 2 >= world->swarm.voters || node->damaged)
        return;
    if (node->disk->operations->list(node->disk, "journal", pick_name, &pick) != ERROR_OK ||
        pick.seen == 0)
        return;
    node_kill(node);
    if (choose_chance(&world->choices, world->swarm.exchanges)) {
        introduction_exchange_disk(node);
        come_back(node);
        return;
    }
    uint32_t offset = choose(&world->choices, 64 << 10);
    struct buffer content = {0};
    disk_fake_read(node->disk, pick.name, &content);
    if (offset < content.length) {
        node->damaged = true;
        world_count(world, COUNT_DAMAGE);
        disk_fake_flip(node->disk, pick.name, offset, choose(&world->choices, 8));
    }
    buffer_deinit(&content);
    come_back(node);
}

// ---- Partitions --------------------------------------------------------------------------------

static bool linked(uint32_t shape, uint16_t a, uint16_t b, uint16_t special, uint16_t count,
                   uint32_t side)
{
    bool a_in = (side >> a & 1) != 0, b_in = (side >> b & 1) != 0;
    uint16_t distance = (uint16_t)((a + count - b) % count);

    switch (shape) {
    case 0: // isolate one
        return a != special && b != special;
    case 1: // split
        return a_in == b_in;
    case 2: // bridge: two sides, one node sees both
        return a_in == b_in || a == special || b == special;
    case 3: // chain
        return distance == 1 || (distance == count - 1 && a != 0 && b != 0);
    case 4: // star: one node sees all, the others see only it
        return a == special || b == special;
    default: // ring of majorities: each sees its neighbours on both sides
        return distance <= count / 4 + 1 || distance >= count - count / 4 - 1;
    }
}

static void partition(struct world *world)
{
    enum { SHAPES = 8 };
    uint16_t count = (uint16_t)world->swarm.nodes;
    uint32_t shape = choose(&world->choices, SHAPES);
    uint16_t special = (uint16_t)choose(&world->choices, count);
    uint32_t side = choose(&world->choices, 1u << count);

    world_log(world, NULL, "partition shape=%u special=n%u side=%x", shape, special + 1, side);
    for (uint16_t a = 0; a < count; a++) {
        for (uint16_t b = 0; b < count; b++) {
            if (a == b)
                continue;
            if (shape == SHAPES - 1) // random directed links
                network_cut(world, a, b, choose(&world->choices, 3) == 2);
            else if (shape == SHAPES - 2) // one hears nothing, or is not heard
                network_cut(world, a, b, (side & 1) != 0 ? a == special : b == special);
            else if (!linked(shape, a, b, special, count, side))
                cut_or_join(world, a, b, true);
        }
    }
    faults_heal_later(world);
}

void faults_on_heal(struct world *world, struct event *event)
{
    if (world->healing)
        return;
    if (event->a > 0)
        disk_fake_set_free(world->nodes[event->a - 1].disk, (uint64_t)1 << 40);
    else
        network_heal_all(world);
}

// ---- The schedule ------------------------------------------------------------------------------

static enum fault_kind draw_kind(struct world *world)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < FAULT_COUNT; i++)
        sum += world->swarm.fault_weights[i];
    if (sum == 0)
        return FAULT_COUNT;
    uint32_t at = choose(&world->choices, sum);
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        if (at < world->swarm.fault_weights[i])
            return (enum fault_kind)i;
        at -= world->swarm.fault_weights[i];
    }
    UNREACHABLE();
}

static void pause_node(struct world *world, struct node *node)
{
    world_count(world, COUNT_PAUSES);
    node_pause(node, world->now_ns + choose_delay(&world->choices, SECOND_NS));
}

static void jump_clock(struct world *world, struct node *node)
{
    world_count(world, COUNT_CLOCK_JUMPS);
    node->wall_offset_ms = (int64_t)choose(&world->choices, 7200000) - 3600000;
}

static void reset_link(struct world *world, const struct node *node)
{
    const struct node *other = any_node(world);

    if (other == node)
        return;
    world_count(world, COUNT_RESETS);
    network_reset(world, node->index, other->index);
}

struct node *faults_leader(struct world *world)
{
    struct node *node = any_node(world);

    if (choose(&world->choices, 4) == 3)
        return node;
    for (size_t i = 0; i < world->swarm.nodes && node->status.role != PAXOS_LEADER; i++)
        node = &world->nodes[(node->index + 1u) % world->swarm.nodes];
    return node;
}

void faults_transfer(struct node *node)
{
    if (!node->up)
        return;
    world_count(node->world, COUNT_TRANSFERS);
    replica_drain(node->replica, UINT64_MAX, node_time(node));
    node_stepped(node);
}

static void change_health(struct world *world, struct node *node)
{
    if (!node->up)
        return;
    replica_set_healthy(node->replica, choose(&world->choices, 2) == 0, node_time(node));
    node_stepped(node);
}

// Of some of a node's links, in one direction.
static void stall_links(struct world *world, const struct node *node)
{
    uint64_t until_ns = world->now_ns + choose_delay(&world->choices, SECOND_NS / 2);
    bool out = choose(&world->choices, 2) == 0;
    uint32_t others = choose(&world->choices, 1u << world->swarm.nodes);

    for (uint16_t i = 0; i < world->swarm.nodes; i++) {
        if (i != node->index && (others >> i & 1) != 0)
            network_stall(world, out ? node->index : i, out ? i : node->index, until_ns);
    }
}

static void replay(struct world *world, const struct node *node)
{
    const struct node *deposed = node_deposed(world);

    network_replay(world, deposed != NULL ? deposed->index : node->index);
}

static void strike(struct world *world, enum fault_kind kind)
{
    struct node *node = any_node(world);

    switch (kind) {
    case FAULT_KILL:
        faults_kill(node);
        break;
    case FAULT_POWER_ONE:
        faults_power(node);
        break;
    case FAULT_POWER_ALL:
        power_all(world, 100 * MILLISECOND_NS);
        break;
    case FAULT_PAUSE:
        pause_node(world, node);
        break;
    case FAULT_CLOCK:
        jump_clock(world, node);
        break;
    case FAULT_PARTITION:
        partition(world);
        break;
    case FAULT_RESET:
        reset_link(world, node);
        break;
    case FAULT_DISK_FAILS:
        fail_disk(world, node);
        break;
    case FAULT_DISK_FULL:
        fill_disk(world, node);
        break;
    case FAULT_DISK_STUCK:
        world_count(world, COUNT_SLOW_FLUSHES);
        node->stuck_until_ns = world->now_ns + choose_delay(&world->choices, 2 * SECOND_NS);
        break;
    case FAULT_DAMAGE:
        damage(world, node);
        break;
    case FAULT_TRANSFER:
        faults_transfer(faults_leader(world));
        break;
    case FAULT_UNHEALTHY:
        change_health(world, node);
        break;
    case FAULT_STALL:
        stall_links(world, node);
        break;
    case FAULT_AMBUSH:
        ambush_lay(world);
        break;
    case FAULT_REPLAY:
        replay(world, node);
        break;
    case FAULT_DEPOSE:
        faults_isolate(world, faults_leader(world)->index, NOBODY);
        break;
    case FAULT_COUNT:
        break;
    }
}

void faults_on_due(struct world *world, struct event *event)
{
    (void)event;
    if (world->healing)
        return;
    enum fault_kind kind = draw_kind(world);
    world_log(world, NULL, "fault %d", (int)kind);
    strike(world, kind);
    world_schedule(world, choose_delay(&world->choices, world->swarm.fault_interval_ns),
                   (struct event){.kind = EVENT_FAULT, .node = NOBODY});
}

void faults_on_power(struct world *world, struct event *event)
{
    (void)event;
    if (world->healing)
        return;
    power_all(world, MILLISECOND_NS);
    world_schedule(world,
                   MILLISECOND_NS + choose_delay(&world->choices, world->swarm.power_interval_ns),
                   (struct event){.kind = EVENT_POWER, .node = NOBODY});
}

// ---- Healing -----------------------------------------------------------------------------------

static void leave_out(const struct world *world, uint32_t voter, uint32_t *able, size_t *count)
{
    if (voter >= world->swarm.voters || (*able >> voter & 1) == 0 || *count <= world_quorum(world))
        return;
    *able &= ~(1u << voter);
    --*count;
}

// The core: all that can work, or a random quorum of the voters and some learners.
static void choose_core(struct world *world)
{
    uint32_t able = 0;
    size_t count = 0;

    for (size_t i = 0; i < world->swarm.nodes; i++) {
        bool votes = i < world->swarm.voters;
        if (world->nodes[i].damaged ||
            (!votes && world->in_part && choose(&world->choices, 2) == 1))
            continue;
        able |= 1u << i;
        count += votes;
    }
    if (world->in_part && choose(&world->choices, 4) != 0)
        leave_out(world, faults_leader(world)->index, &able, &count);
    while (world->in_part && count > world_quorum(world))
        leave_out(world, choose(&world->choices, (uint32_t)world->swarm.voters), &able, &count);
    world->core = able;
}
// Links between the core and the rest stay as they are (half-open, say), or are drawn anew, or are cut,
// so that the core is on its own.
static void heal_links(struct world *world)
{
    bool alone = world->in_part && world->whole_core;
    bool redraw = world->in_part && !alone && choose(&world->choices, 4) != 0;

    for (uint16_t a = 0; a < world->swarm.nodes; a++) {
        for (uint16_t b = 0; b < world->swarm.nodes; b++) {
            size_t inside = (world->core >> a & 1) + (world->core >> b & 1);
            if (inside == 2 || !world->in_part)
                network_cut(world, a, b, false);
            else if (inside == 1 && alone)
                network_cut(world, a, b, true);
            else if (redraw && a < b)
                cut_or_join(world, a, b, choose(&world->choices, 2) == 1);
        }
    }
}

static void heal_node(struct world *world, struct node *node)
{
    disk_fake_fail(node->disk, 0, ERROR_OK, false);
    disk_fake_set_free(node->disk, (uint64_t)1 << 40);
    node_resume(node);
    node->stuck_until_ns = 0;
    if (node->up)
        replica_set_healthy(node->replica, true, node_time(node));
    else
        node_restart_later(node, MILLISECOND_NS + choose(&world->choices, 1000) * MICROSECOND_NS);
}

void faults_end(struct world *world, bool in_part)
{
    world->healing = true;
    world->in_part = in_part;
    choose_core(world);
    world->whole_core = !in_part || choose(&world->choices, 2) == 0;
    world_log(world, NULL, "healing: core=%x", world->core);
    heal_links(world);
    for (size_t i = 0; i < world->swarm.nodes; i++) {
        if ((world->core >> i & 1) != 0)
            heal_node(world, &world->nodes[i]);
    }
    watchers_heal(world);
}
