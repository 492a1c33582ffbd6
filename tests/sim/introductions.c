// SPDX-License-Identifier: Apache-2.0
// Nodes meet before they believe each other, as server/network.c sees to, and disks are exchanged for
// blank or older ones: whoever has met the node before must refuse what comes back.
#include <inttypes.h>
#include <string.h>

#include "tests/sim/faults.h"
#include "tests/sim/introductions.h"
#include "tests/sim/oracle.h"

bool introduction_passes(struct node *receiver, const struct node_met *who, bool outcast)
{
    struct world *world = receiver->world;
    struct failure failure = {0};
    enum error error = identity_meet(receiver->disk, &receiver->identity, who, &failure);

    if (error == ERROR_OK && outcast && !receiver->outcast)
        world_fail(world, SIM_CORRECTNESS, "introductions",
                   "node %u takes in node %u, whose disk was exchanged", receiver->id, who->node);
    if (error == ERROR_FOREIGN && !outcast && !receiver->outcast)
        world_fail(world, SIM_CORRECTNESS, "introductions", "node %u refuses node %u: %s",
                   receiver->id, who->node, failure.text);
    if (error == ERROR_FOREIGN)
        world_count(world, COUNT_REFUSED_PEERS);
    else if (error != ERROR_OK)
        node_fatal(receiver, error);
    return error == ERROR_OK;
}

struct node_met introduction_of(const struct node *node)
{
    struct node_met who = {
        .node = node->id, .boot = node->identity.boot_count, .runs = node->identity.runs};

    memcpy(who.incarnation, node->identity.incarnation, sizeof who.incarnation);
    return who;
}

// ---- Exchanged disks ---------------------------------------------------------------------------

void introduction_keep_copy(struct node *node)
{
    if (node->older_disk != NULL || node->world->swarm.exchanges == 0 ||
        !choose_chance(choices_of(node->world), 300000))
        return;
    node->older_disk = disk_fake_clone(node->disk);
}

// Nothing can find an older copy but those who have met a later run of it. Whoever is down may have died of
// noting it.
static bool all_have_met(const struct node *node)
{
    const struct world *world = node->world;

    for (size_t i = 0; i < world->swarm.nodes; i++) {
        const struct node *other = &world->nodes[i];
        const struct cluster_member *known = identity_member(&other->identity, node->id);
        if (other != node &&
            (!other->up || known == NULL || known->boot != node->identity.boot_count))
            return false;
    }
    return true;
}

// What the old disk held counts as held: its loss is one of those that a quorum can bear.
static void cast_out(struct node *node, struct disk *disk)
{
    disk_fake_free(node->disk);
    node->disk = disk;
    node->outcast = node->damaged = true;
    shadow_copy(&node->lost, &node->shadow);
    shadow_deinit(&node->shadow);
    shadow_deinit(&node->torn);
    node->has_torn = false;
    node->sent_promise = (struct ballot){0};
}

void introduction_exchange_disk(struct node *node)
{
    struct failure failure = {0};
    struct disk *older = node->older_disk;

    node->older_disk = NULL;
    if (older == NULL || !all_have_met(node)) {
        disk_fake_free(older);
        cast_out(node, disk_fake_new());
        world_count(node->world, COUNT_BLANKED);
        return;
    }
    cast_out(node, older);
    shadow_read(&node->shadow, node->disk, &node->identity, node->world->swarm.segment_bytes,
                &failure);
    world_count(node->world, COUNT_ROLLED_BACK);
}
