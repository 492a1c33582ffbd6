// SPDX-License-Identifier: Apache-2.0
// An ambush springs inside a step of the driver, which must not be torn down there: whatever ends or
// disturbs a node is an event of the same moment, and a sender that is to die before the message
// leaves falls silent until then.
#include "tests/sim/ambush.h"

#include "tests/sim/faults.h"
#include "tests/sim/network.h"

enum { SKIP_MAX = 4 };

#define HANG_NS (500 * MILLISECOND_NS) // mean, of what hangs or stalls

// Some disturbances are short, some outlast an election.
static uint64_t draw_until(struct world *world)
{
    static const uint64_t means_ns[] = {2 * MILLISECOND_NS, 20 * MILLISECOND_NS, HANG_NS, HANG_NS};

    return world->now_ns + choose_delay(&world->choices, means_ns[choose(&world->choices, 4)]);
}

static uint8_t draw_type(struct world *world)
{
    static const uint8_t elections[] = {
        MESSAGE_HEARTBEAT_REPLY, MESSAGE_PREPARE,        MESSAGE_PROMISE, MESSAGE_FETCH,
        MESSAGE_ENTRIES,         MESSAGE_ACCEPT_SYNC,    MESSAGE_ACCEPT,  MESSAGE_ACCEPTED,
        MESSAGE_TRANSFER,        MESSAGE_HEARTBEAT_REPLY};
    static const uint8_t learning[] = {MESSAGE_ACCEPT, MESSAGE_PREPARE, MESSAGE_ACCEPT_SYNC,
                                       MESSAGE_LEARN, MESSAGE_PREPARE_REQUEST};
    struct choice_stream *choices = &world->choices;

    if (world->swarm.theme == THEME_ELECTIONS)
        return elections[choose(choices, sizeof elections)];
    if (world->swarm.theme == THEME_LEARNING)
        return learning[choose(choices, sizeof learning)];
    return (uint8_t)(1 + choose(choices, MESSAGE_TYPE_COUNT - 1));
}

static struct ambush draw(struct world *world)
{
    struct choice_stream *choices = &world->choices;

    struct ambush ambush = {.type = draw_type(world),
                            .action = (uint8_t)choose(choices, AMBUSH_COUNT),
                            .skip = choose(choices, SKIP_MAX)};

    if (ambush.type == MESSAGE_PREPARE && choose(choices, 2) == 1)
        ambush.action = AMBUSH_CUT_OFF;
    return ambush;
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

static enum passage spring(struct world *world, enum ambush_action action, struct node *node,
                           uint16_t to)
{
    uint64_t until_ns = draw_until(world);

    world_log(world, node, "ambush: %s", ambush_name(action));
    world_count(world, COUNT_SPRUNG);
    switch (action) {
    case AMBUSH_LOSE:
        return PASSAGE_LOST;
    case AMBUSH_STALL:
        network_stall(world, node->index, (uint16_t)(to - 1), until_ns);
        return PASSAGE_FREE;
    case AMBUSH_HOLD:
        network_repeat(world, node->index, (uint16_t)(to - 1), until_ns, true);
        return PASSAGE_FREE;
    case AMBUSH_REPEAT:
        network_repeat(world, node->index, (uint16_t)(to - 1), until_ns, false);
        return PASSAGE_FREE;
    default:
        world_schedule(world, 0,
                       (struct event){.kind = EVENT_AMBUSH,
                                      .node = NOBODY,
                                      .a = action,
                                      .b = node->index | (uint64_t)to << 8});
    }
    if (action == AMBUSH_LAST_WORDS)
        return PASSAGE_LAST;
    return action == AMBUSH_KILL_BEFORE || action == AMBUSH_POWER_BEFORE ? PASSAGE_NEVER
                                                                         : PASSAGE_FREE;
}

// The receiver and some others do not hear the sender any more, but everybody else.
static void cut_off(struct world *world, uint16_t sender, uint16_t receiver)
{
    for (uint16_t i = 0; i < world->swarm.nodes; i++) {
        if (i == sender || (i != receiver && choose(&world->choices, 3) != 2))
            continue;
        network_cut(world, sender, i, true);
        network_cut(world, i, sender, true);
    }
    faults_heal_later(world);
}

void ambush_on_spring(struct world *world, struct event *event)
{
    struct node *sender = &world->nodes[event->b & 0xff];
    struct node *receiver = &world->nodes[(event->b >> 8) - 1];
    uint64_t until_ns = draw_until(world);

    sender->silent = false;
    if (world->healing)
        return;
    switch ((enum ambush_action)event->a) {
    case AMBUSH_LAST_WORDS:
        if (choose(&world->choices, 2) == 1)
            receiver->stuck_until_ns = until_ns;
        faults_kill(sender);
        break;
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
        faults_isolate(world, sender->index, NOBODY);
        break;
    case AMBUSH_ISOLATE_PAIR:
        faults_isolate(world, sender->index, receiver->index);
        break;
    case AMBUSH_ISOLATE_RECEIVER:
        faults_isolate(world, receiver->index, NOBODY);
        break;
    case AMBUSH_CUT_OFF:
        cut_off(world, sender->index, receiver->index);
        break;
    case AMBUSH_HANG_SENDER:
        sender->stuck_until_ns = until_ns;
        break;
    case AMBUSH_HANG_RECEIVER:
        receiver->stuck_until_ns = until_ns;
        break;
    case AMBUSH_PAUSE_SENDER:
        node_pause(sender, until_ns);
        break;
    case AMBUSH_PAUSE_RECEIVER:
        node_pause(receiver, until_ns);
        break;
    case AMBUSH_TEACH_SENDER:
        bulk_teach(sender);
        break;
    case AMBUSH_TEACH_RECEIVER:
        bulk_teach(receiver);
        break;
    case AMBUSH_TRANSFER:
        faults_transfer(sender);
        break;
    case AMBUSH_LOSE:
    case AMBUSH_STALL:
    case AMBUSH_HOLD:
    case AMBUSH_REPEAT:
    case AMBUSH_COUNT:
        break;
    }
}

static enum passage last_blow(struct world *world, struct node *node, uint16_t to)
{
    enum passage passage = spring(world, world->swarm.last_blow.action, node, to);

    world->swarm.last_blow.type = 0;
    world_schedule(world, 0, (struct event){.kind = EVENT_CALM, .node = NOBODY});
    return passage;
}

enum passage ambush_on_send(struct node *node, uint16_t to, uint8_t type)
{
    struct world *world = node->world;

    if (world->healing)
        return PASSAGE_FREE;
    if (world->swarm.last_blow.type == type && world->now_ns > world->swarm.faults_ns / 2)
        return last_blow(world, node, to);
    for (unsigned i = 0; i < AMBUSHES_MAX; i++) {
        struct ambush *ambush = &world->ambushes[i];
        if (ambush->type != type)
            continue;
        if (ambush->skip > 0) {
            ambush->skip--;
            continue;
        }
        ambush->type = 0;
        return spring(world, ambush->action, node, to);
    }
    return PASSAGE_FREE;
}

void ambush_on_calm(struct world *world, struct event *event)
{
    (void)event;
    world->calm = true;
}
