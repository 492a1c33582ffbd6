// SPDX-License-Identifier: Apache-2.0
// The bulk thread of a node, as server/keeper.c is one: spare segments, checkpoints, trimming.
#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"
#include "tests/sim/node.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"

enum { SPARES = 1 };

#define LOOK_NS (50 * MILLISECOND_NS)

static void look_later(struct node *node)
{
    world_schedule(node->world, LOOK_NS,
                   (struct event){.kind = EVENT_BULK, .node = node->index, .run = node->run});
}

void bulk_start(struct node *node)
{
    node->catching_up = 0;
    look_later(node);
}

static bool keep_going(void *context, uint64_t bytes)
{
    (void)context;
    (void)bytes;
    return true;
}

static enum error trim(struct node *node)
{
    paxos_slot kept[] = {node->newest_checkpoint, node->older_checkpoint,
                         node->received.position.applied, node->accepted};
    enum error error = checkpoint_prune(node->disk, kept, sizeof kept / sizeof kept[0]);

    if (error == ERROR_OK)
        error = journal_trim(node->journal, node->older_checkpoint);
    return error;
}

static enum error write_checkpoint(struct node *node)
{
    struct checkpoint_info info;
    struct view *view;

    enum error error = view_open(node->state, &view);
    if (error != ERROR_OK)
        return error;
    if (view_position(view)->applied <= node->newest_checkpoint) {
        view_close(view);
        return ERROR_OK;
    }
    error = checkpoint_write(node->disk, &node->identity, view, keep_going, NULL, &info);
    view_close(view);
    if (error == ERROR_DISK_FULL)
        return ERROR_OK;
    if (error != ERROR_OK)
        return error;
    world_count(node->world, COUNT_CHECKPOINTS);
    node->older_checkpoint = node->newest_checkpoint;
    node->newest_checkpoint = info.position.applied;
    return trim(node);
}

// The journal has a gap before an installed checkpoint, so nothing older can be started from.
enum error bulk_installed(struct node *node, paxos_slot slot)
{
    node->accepted = 0;
    if (slot <= node->newest_checkpoint)
        return ERROR_OK;
    node->newest_checkpoint = node->older_checkpoint = slot;
    return trim(node);
}

void bulk_teach(struct node *node)
{
    enum { BACK = 3 };
    struct world *world = node->world;
    uint16_t giver = (uint16_t)choose(&world->choices, (uint32_t)world->swarm.nodes);

    for (size_t i = 0; i < world->swarm.nodes; i++) {
        if (world->nodes[giver].status.applied < world->nodes[i].status.applied)
            giver = (uint16_t)i;
    }
    if (giver == node->index || !world->nodes[giver].up)
        return;
    paxos_slot from = node->status.decided + 1;
    uint32_t back = choose(&world->choices, BACK);
    world_count(world, COUNT_TAUGHT);
    courier_lagging(&world->nodes[giver], node->id, from > back ? from - back : 1);
}

// Always somebody who holds something else or has not promised what others have, others now and then.
static void teach_unasked(struct node *node)
{
    enum { SELDOM = 20 };
    struct world *world = node->world;

    if (world->healing || !choose_chance(&world->choices, world->swarm.teaching))
        return;
    const struct node *other = &world->nodes[choose(&world->choices, (uint32_t)world->swarm.nodes)];
    if (oracle_contradicts(node) || choose(&world->choices, SELDOM) == SELDOM - 1 ||
        ballot_compare(node->status.ballot, other->status.ballot) < 0)
        bulk_teach(node);
}

void bulk_on_check(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];
    enum error error = journal_make_spares(node->journal, SPARES);

    if (error == ERROR_DISK_FULL)
        error = ERROR_OK;
    if (error == ERROR_OK && choose_chance(choices_of(world), world->swarm.checkpoints))
        error = write_checkpoint(node);
    if (error == ERROR_OK)
        error = courier_tick(node);
    if (error != ERROR_OK)
        node_fatal(node, error);
    else
        look_later(node);
    if (error == ERROR_OK)
        teach_unasked(node);
}
