// SPDX-License-Identifier: Apache-2.0
// Packets carry the runs of both ends: a connection belongs to two processes, so what was sent by or
// to a dead run is dropped as soon as the transport can know.
#include "tests/sim/network.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "server/forward.h"
#include "tests/sim/attendance.h"
#include "tests/sim/introductions.h"
#include "tests/sim/oracle.h"

struct packet {
    uint16_t from; // index
    uint16_t to;
    uint32_t from_run;
    uint32_t to_run;
    uint32_t connection; // of the pair; counts resets
    struct node_met who;
    bool outcast; // the sender is one
    bool arrived; // waited at the receiver already: no cut link stops it
    size_t length;
    uint8_t bytes[];
};

enum {
    REMEMBERED = 2, // packets of a link and type
    TYPES = MESSAGE_TYPE_COUNT,
};

// The last packets of each type that came over a link.
struct memory {
    struct packet *packets[TYPES][REMEMBERED];
};

struct network {
    struct memory memories[NODES_MAX][NODES_MAX]; // [receiver][sender]
    bool cut[NODES_MAX][NODES_MAX];
    uint32_t connection[NODES_MAX][NODES_MAX]; // symmetric
    uint32_t known_run[NODES_MAX][NODES_MAX];  // [receiver][sender]: newest run heard of
    uint64_t last_ns[NODES_MAX][NODES_MAX];    // when the last packet arrives
    uint64_t stall_ns[NODES_MAX][NODES_MAX];   // nothing arrives before
    uint64_t repeat_ns[NODES_MAX]
                      [NODES_MAX];      // when the next packet arrives once more; 0: it does not
    bool instead[NODES_MAX][NODES_MAX]; // ... and not before
};

void network_make(struct world *world)
{
    world->network = memory_zalloc(sizeof *world->network);
}

void network_free(struct world *world)
{
    for (size_t i = 0; i < NODES_MAX * NODES_MAX * TYPES * REMEMBERED; i++)
        free((&world->network->memories[0][0].packets[0][0])[i]);
    free(world->network);
}

static uint64_t delay_of(struct world *world)
{
    uint64_t delay_ns = world->swarm.delay_least_ns;
    uint64_t longest_ns = world->swarm.heartbeat_us * MICROSECOND_NS / 4;

    delay_ns += choose_delay(&world->choices, world->swarm.delay_ns);
    if ((world->mode == MODE_QUIET || world->healing) && delay_ns > longest_ns)
        delay_ns = longest_ns; // nothing that a heartbeat could take for a failure
    return delay_ns;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// When it arrives: in order, as on one connection, unless this network reorders.
static uint64_t arrival_ns(struct world *world, const struct packet *packet)
{
    struct network *network = world->network;
    uint64_t *last_ns = &network->last_ns[packet->from][packet->to];
    uint64_t stall_ns = world->healing ? 0 : network->stall_ns[packet->from][packet->to];
    uint64_t at_ns = larger(world->now_ns + delay_of(world), stall_ns);

    if (!world->swarm.reorders)
        at_ns = *last_ns = larger(*last_ns, at_ns);
    return at_ns;
}

static void dispatch(struct world *world, const struct packet *packet, uint64_t at_ns)
{
    size_t size = sizeof *packet + packet->length;
    struct packet *copy = memory_copy(packet, size);

    if (!world->healing && packet->length > 0 &&
        choose_chance(&world->choices, world->swarm.corruption)) {
        uint32_t at = choose(&world->choices, (uint32_t)packet->length);
        copy->bytes[at] = (uint8_t)(copy->bytes[at] ^ (1u << choose(&world->choices, 8)));
        world_count(world, COUNT_CORRUPTED);
    }
    world_schedule(
        world, at_ns - world->now_ns,
        (struct event){
            .kind = EVENT_DELIVER, .node = packet->to, .run = packet->to_run, .data = copy});
}

// The same packet again: soon, much later, or when somebody asked for it.
static void repeat(struct world *world, const struct packet *packet)
{
    uint64_t *repeat_ns = &world->network->repeat_ns[packet->from][packet->to];
    uint64_t at_ns = 0;

    if (*repeat_ns > world->now_ns)
        at_ns = *repeat_ns;
    *repeat_ns = 0;
    if (at_ns == 0 && !world->healing && choose_chance(&world->choices, world->swarm.duplicates)) {
        at_ns = arrival_ns(world, packet);
        if (choose_chance(&world->choices, world->swarm.late_duplicates))
            at_ns += choose_delay(&world->choices, SECOND_NS);
    }
    if (at_ns == 0)
        return;
    world_count(world, COUNT_DUPLICATED);
    dispatch(world, packet, at_ns);
}

void network_send(struct world *world, uint16_t from, uint16_t to, const void *data, size_t length)
{
    struct network *network = world->network;
    const struct node *receiver = &world->nodes[to - 1];

    from--;
    to--;
    world_note(world, data, length);
    world_count(world, COUNT_SENT);
    if (network->cut[from][to] || !receiver->up ||
        (!world->healing && choose_chance(&world->choices, world->swarm.loss))) {
        world_count(world, COUNT_LOST);
        return;
    }
    struct packet *packet = memory_alloc(sizeof *packet + length);
    *packet = (struct packet){.from = from,
                              .to = to,
                              .from_run = world->nodes[from].run,
                              .to_run = receiver->run,
                              .connection = network->connection[from][to],
                              .who = introduction_of(&world->nodes[from]),
                              .outcast = world->nodes[from].outcast,
                              .length = length};
    memcpy(packet->bytes, data, length);
    if (!network->instead[from][to])
        dispatch(world, packet, arrival_ns(world, packet));
    network->instead[from][to] = false;
    repeat(world, packet);
    free(packet);
}

static uint8_t type_of(const struct packet *packet)
{
    if (packet->length < 2 || packet->bytes[0] != FRAME_PAXOS || packet->bytes[1] >= TYPES)
        return 0;
    return packet->bytes[1];
}

static void remember(struct network *network, const struct packet *packet)
{
    struct packet **places = network->memories[packet->to][packet->from].packets[type_of(packet)];

    if (packet->arrived)
        return; // it is one of them
    free(places[REMEMBERED - 1]);
    for (size_t i = REMEMBERED - 1; i > 0; i--)
        places[i] = places[i - 1];
    places[0] = memory_copy(packet, sizeof *packet + packet->length);
    places[0]->arrived = true;
}

// One of what a node got from another comes to it again, of this type or else of another.
static void replay(struct world *world, uint16_t to, uint16_t from, uint32_t type, uint64_t mean_ns)
{
    const struct packet *packet = NULL;

    for (uint32_t i = 0; i < TYPES && packet == NULL; i++) {
        struct packet **places = world->network->memories[to][from].packets[(type + i) % TYPES];
        packet = places[choose(&world->choices, REMEMBERED)];
    }
    if (packet == NULL || packet->to_run != world->nodes[to].run)
        return;
    world_count(world, COUNT_REPLAYS);
    dispatch(world, packet, world->now_ns + choose_delay(&world->choices, mean_ns));
}

void network_replay(struct world *world, uint16_t index)
{
    enum { REPLAYED_MAX = 16 };
    uint32_t count = 1 + choose(&world->choices, REPLAYED_MAX);

    for (uint32_t i = 0; i < count && !world->healing; i++)
        replay(world, index, (uint16_t)choose(&world->choices, (uint32_t)world->swarm.nodes),
               choose(&world->choices, TYPES), 5 * MILLISECOND_NS);
}

// What a peer said before comes again just after it has promised, say: it may be out of date now.
static void overtake(struct world *world, const struct packet *packet)
{
    static const uint8_t states[] = {MESSAGE_HEARTBEAT_REPLY, MESSAGE_ACCEPTED,
                                     MESSAGE_PREPARE_REQUEST, MESSAGE_HEARTBEAT_REPLY};
    uint8_t type = type_of(packet);

    if (!packet->arrived &&
        (type == MESSAGE_PROMISE || type == MESSAGE_NACK || type == MESSAGE_PREPARE_REQUEST) &&
        !world->healing && choose_chance(&world->choices, world->swarm.replays))
        replay(world, packet->to, packet->from, states[choose(&world->choices, sizeof states)],
               MILLISECOND_NS);
}

void network_deliver(struct world *world, struct event *event)
{
    struct network *network = world->network;
    const struct packet *packet = event->data;
    struct node *node = &world->nodes[packet->to];
    uint32_t *known_run = &network->known_run[packet->to][packet->from];

    if ((network->cut[packet->from][packet->to] && !packet->arrived) ||
        packet->from_run < *known_run ||
        packet->connection != network->connection[packet->from][packet->to]) {
        world_count(world, COUNT_LOST);
        return;
    }
    if (*known_run != packet->from_run && !introduction_passes(node, &packet->who, packet->outcast))
        return;
    *known_run = packet->from_run;
    if (world->swarm.replays > 0) {
        remember(network, packet);
        overtake(world, packet);
    }
    if (packet->length > 0 && packet->bytes[0] >= FRAME_OFFER && packet->bytes[0] <= FRAME_RANGE) {
        courier_receive(node, (uint16_t)(packet->from + 1), packet->bytes, packet->length);
        return;
    }
    if (packet->length > 0 &&
        (packet->bytes[0] == FRAME_TOUCH || packet->bytes[0] == FRAME_TOUCHED)) {
        attendance_receive(node, (uint16_t)(packet->from + 1), packet->bytes, packet->length);
        return;
    }
    oracle_delivered(node, packet->bytes, packet->length);
    replica_receive(node->replica, (uint16_t)(packet->from + 1), packet->bytes, packet->length,
                    node_time(node));
    node_stepped(node);
    node_wake(node);
}

static void tell_down(struct world *world, uint16_t who, uint16_t about)
{
    const struct node *node = &world->nodes[who];

    if (node->up)
        world_schedule(
            world, delay_of(world),
            (struct event){
                .kind = EVENT_PEER_DOWN, .node = who, .run = node->run, .a = (uint64_t)about + 1});
}

void network_reset(struct world *world, uint16_t a, uint16_t b)
{
    struct network *network = world->network;

    network->connection[a][b] = ++network->connection[b][a];
    tell_down(world, a, b);
    tell_down(world, b, a);
}

void network_node_down(struct world *world, uint16_t index, bool told)
{
    for (uint16_t i = 0; i < world->swarm.nodes; i++) {
        if (i != index && told && !world->network->cut[index][i])
            tell_down(world, i, index);
    }
}

void network_node_up(struct world *world, uint16_t index)
{
    memset(world->network->known_run[index], 0, sizeof world->network->known_run[index]);
}

void network_cut(struct world *world, uint16_t from, uint16_t to, bool cut)
{
    if (from != to)
        world->network->cut[from][to] = cut;
}

bool network_is_cut(const struct world *world, uint16_t from, uint16_t to)
{
    return world->network->cut[from][to];
}

void network_heal_all(struct world *world)
{
    memset(world->network->cut, 0, sizeof world->network->cut);
}

void network_stall(struct world *world, uint16_t from, uint16_t to, uint64_t until_ns)
{
    world_count(world, COUNT_STALLS);
    world->network->stall_ns[from][to] = until_ns;
}

void network_repeat(struct world *world, uint16_t from, uint16_t to, uint64_t at_ns, bool instead)
{
    world->network->repeat_ns[from][to] = at_ns;
    world->network->instead[from][to] = instead;
}
