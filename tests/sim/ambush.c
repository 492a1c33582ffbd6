// SPDX-License-Identifier: Apache-2.0
// An ambush springs inside a step of the driver, which must not be torn down there: whatever ends or
// disturbs a node is an event of the same moment, and a sender that is to die before the message
// leaves falls silent until then.
#include "tests/sim/ambush.h"

#include "tests/sim/faults.h"
#include "tests/sim/network.h"

enum { SKIP_MAX = 4 };

#define HANG_NS (500 * MILLISECOND_NS) // mean, of what hangs or stalls

static bool is_laid(const struct ambush *ambush)
{
    return ambush->type != 0;
}

static struct ambush draw(struct world *world)
{
    struct choice_stream *choices = &world->choices;

    return (struct ambush){.type = (uint8_t)(1 + choose(choices, MESSAGE_TYPE_COUNT - 1)),
                           .action = (uint8_t)choose(choices, AMBUSH_COUNT),
                           .skip = choose(choices, SKIP_MAX)};
}

void ambush_draw(struct world *world)
{
    if (choose(&world->choices, 2) == 0)
        return;
    world->swarm.last_blow = draw(world);
    world->swarm.last_blow.skip = 0;
}

void ambush_lay(struct world *world)
{
    struct ambush *ambush = &world->ambushes[choose(&world->choices, AMBUSHES_MAX)];

    *ambush = draw(world);
    world_count(world, COUNT_AMBUSHES);
}

// ---- Springing ---------------------------------------------------------------------------------

// True when the message still leaves.
static bool spring(struct world *world, enum ambush_action action, struct node *node, uint16_t to)
{
    uint64_t until_ns = world->now_ns + choose_delay(&world->choices, HANG_NS);

    world_log(world, node, "ambush: %s", ambush_name(action));
    world_count(world, COUNT_SPRUNG);
    switch (action) {
    case AMBUSH_LOSE:
        return false;
    case AMBUSH_STALL:
        network_stall(world, node->index, (uint16_t)(to - 1), until_ns);
        return true;
    case AMBUSH_REPEAT:
        network_repeat(world, node->index, (uint16_t)(to - 1), until_ns);
        return true;
    default:
        node->silent = action == AMBUSH_KILL_BEFORE || action == AMBUSH_POWER_BEFORE;
        world_schedule(
            world, 0,
            (struct event){
                .kind = EVENT_AMBUSH, .node = NOBODY, .a = action, .b = node->index | to << 8});
        return true;
    }
}

static void isolate(struct world *world, uint16_t who, uint16_t but)
{
    for (uint16_t i = 0; i < world->swarm.nodes; i++) {
        if (i == but)
            continue;
        network_cut(world, who, i, true);
        network_cut(world, i, who, true);
    }
    world_count(world, COUNT_PARTITIONS);
    world_schedule(world, choose_delay(&world->choices, SECOND_NS),
                   (struct event){.kind = EVENT_HEAL, .node = NOBODY});
}

void ambush_on_spring(struct world *world, struct event *event)
{
    struct node *sender = &world->nodes[event->b & 0xff];
    struct node *receiver = &world->nodes[(event->b >> 8) - 1];
    uint64_t until_ns = world->now_ns + choose_delay(&world->choices, HANG_NS);

    sender->silent = false;
    if (world->healing)
        return;
    switch ((enum ambush_action)event->a) {
    case AMBUSH_KILL_BEFORE:
    case AMBUSH_KILL_SENDER:
        faults_kill(sender);
        break;
    case AMBUSH_POWER_BEFORE:
    case AMBUSH_POWER_SENDER:
        faults_power(sender);
        break;
    case AMBUSH_KILL_RECEIVER:
        faults_kill(receiver);
        break;
    case AMBUSH_POWER_RECEIVER:
        faults_power(receiver);
        break;
    case AMBUSH_ISOLATE_SENDER:
        isolate(world, sender->index, NOBODY);
        break;
    case AMBUSH_ISOLATE_PAIR:
        isolate(world, sender->index, receiver->index);
        break;
    case AMBUSH_ISOLATE_RECEIVER:
        isolate(world, receiver->index, NOBODY);
        break;
    case AMBUSH_HANG_SENDER:
        sender->stuck_until_ns = until_ns;
        break;
    case AMBUSH_HANG_RECEIVER:
        receiver->stuck_until_ns = until_ns;
        break;
    case AMBUSH_PAUSE_SENDER:
        sender->paused_until_ns = until_ns;
        break;
    case AMBUSH_PAUSE_RECEIVER:
        receiver->paused_until_ns = until_ns;
        break;
    case AMBUSH_TRANSFER:
        faults_transfer(sender);
        break;
    case AMBUSH_LOSE:
    case AMBUSH_STALL:
    case AMBUSH_REPEAT:
    case AMBUSH_COUNT:
        break;
    }
}

bool ambush_on_send(struct node *node, uint16_t to, uint8_t type)
{
    struct world *world = node->world;
    bool leaves = true;

    if (world->healing)
        return true;
    if (world->swarm.last_blow.type == type && world->now_ns > world->swarm.faults_ns / 2) {
        world->swarm.last_blow.type = 0;
        leaves = spring(world, world->swarm.last_blow.action, node, to);
        world_schedule(world, 0, (struct event){.kind = EVENT_CALM, .node = NOBODY});
        return leaves;
    }
    for (unsigned i = 0; i < AMBUSHES_MAX; i++) {
        struct ambush *ambush = &world->ambushes[i];
        if (!is_laid(ambush) || ambush->type != type)
            continue;
        if (ambush->skip > 0) {
            ambush->skip--;
            continue;
        }
        ambush->type = 0;
        leaves = spring(world, ambush->action, node, to) && leaves;
    }
    return leaves;
}

void ambush_on_calm(struct world *world, struct event *event)
{
    (void)event;
    world->calm = true;
}
