// SPDX-License-Identifier: Apache-2.0
// The courier thread of a node, as server/courier.c is one: the shipped transfer of entries and
// checkpoints, with delays where a thread and a disk would take their time.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"

// What a step of the core asked for, or a frame that came in.
struct errand {
    uint16_t peer;
    paxos_slot from;
    struct ballot ballot;
    paxos_slot executed;
    size_t length; // of the frame
    uint8_t data[];
};

static void port_send(void *context, uint16_t to, const void *data, size_t length)
{
    struct node *node = context;

    network_send(node->world, node->id, to, data, length);
}

// The file is kept from now on.
static void port_install(void *context, const struct checkpoint_info *info, struct ballot ballot)
{
    struct node *node = context;
    struct paxos_install install = {.position = {.slot = info->position.applied,
                                                 .hash = info->position.hash,
                                                 .log_time_us = info->position.log_time_us,
                                                 .wall_ms = info->position.wall_ms},
                                    .ballot = ballot};

    node->received = *info;
    world_schedule(node->world, choose_delay(choices_of(node->world), MILLISECOND_NS),
                   (struct event){.kind = EVENT_INSTALL,
                                  .node = node->index,
                                  .run = node->run,
                                  .data = memory_copy(&install, sizeof install)});
}

static paxos_slot port_newest(void *context)
{
    return ((struct node *)context)->newest_checkpoint;
}

void courier_start(struct node *node)
{
    struct transfer_settings settings = {.disk = node->disk,
                                         .identity = &node->identity,
                                         .journal = node->journal,
                                         .epoch = 1,
                                         .entries_max = node->world->swarm.entries_max,
                                         .silence_ns =
                                             node->world->swarm.retransmit_us * MICROSECOND_NS};
    struct transfer_ports ports = {.context = node,
                                   .send = port_send,
                                   .install = port_install,
                                   .newest_checkpoint = port_newest};

    node->received = (struct checkpoint_info){0};
    node->accepted = 0;
    node->begun_anew = 0;
    node->transfer = transfer_new(&settings, &ports);
}

void courier_stop(struct node *node)
{
    transfer_free(node->transfer);
    node->transfer = NULL;
}

static void schedule(struct node *node, enum event_kind kind, struct errand *errand)
{
    world_schedule(
        node->world, choose_delay(choices_of(node->world), node->world->swarm.bulk_ns),
        (struct event){.kind = kind, .node = node->index, .run = node->run, .data = errand});
}

// One request of a peer at a time, as in server/courier.c: each answer makes the peer ask again, so that
// without this every repeated message would start another circle.
void courier_lagging(struct node *node, uint16_t to, paxos_slot from)
{
    struct paxos_status status;

    if ((node->catching_up >> to & 1) != 0)
        return;
    node->catching_up |= 1u << to;
    struct errand *errand = memory_zalloc(sizeof *errand);

    paxos_status(node->paxos, &status);
    errand->peer = to;
    errand->from = from;
    errand->ballot = status.ballot;
    errand->executed = status.applied;
    schedule(node, EVENT_CATCH_UP, errand);
}

void courier_receive(struct node *node, uint16_t from, const void *data, size_t length)
{
    struct errand *errand = memory_zalloc(sizeof *errand + length);

    errand->peer = from;
    errand->executed = node->status.applied;
    errand->length = length;
    memcpy(errand->data, data, length);
    schedule(node, EVENT_TRANSFER, errand);
}

static void survive(struct node *node, enum error error)
{
    if (error != ERROR_OK)
        node_fatal(node, error);
}

void courier_on_catch_up(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];
    const struct errand *errand = event->data;

    node->catching_up &= ~(1u << errand->peer);
    world_count(world, COUNT_LEARNS);
    survive(node, transfer_lagging(node->transfer, errand->peer, errand->from, errand->ballot,
                                   errand->executed));
}

void courier_on_transfer(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];
    const struct errand *errand = event->data;

    survive(node, transfer_receive(node->transfer, errand->peer, errand->data, errand->length,
                                   errand->executed, node_time(node).monotonic_ns));
}

enum error courier_tick(struct node *node)
{
    return transfer_tick(node->transfer, node_time(node).monotonic_ns);
}

void courier_on_install(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];

    const struct paxos_install *install = event->data;

    if (install->position.slot != node->received.position.applied)
        return; // another one took its place, so it may be gone
    if (replica_install(node->replica, install, node_time(node))) {
        world_count(world, COUNT_INSTALLS);
        node->begun_anew = node->accepted = install->position.slot;
    }
    node_stepped(node);
    node_wake(node);
}
