// SPDX-License-Identifier: Apache-2.0
// The bulk thread of a node, as server/keeper.c is one: spare segments, checkpoints, trimming.
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
                         node->received.position.applied};
    enum error error = checkpoint_prune(node->disk, kept, 3);

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
    if (slot <= node->newest_checkpoint)
        return ERROR_OK;
    node->newest_checkpoint = node->older_checkpoint = slot;
    return trim(node);
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
}
