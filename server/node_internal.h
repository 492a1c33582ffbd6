// SPDX-License-Identifier: Apache-2.0
// The parts of a node, for the files that put them together: node.c starts and stops them,
// node_ports.c says what they tell each other, node_backend.c what the api asks of them.
#pragma once

#include <stdatomic.h>

#include "server/applier.h"
#include "server/core_loop.h"
#include "server/courier.h"
#include "server/installer.h"
#include "server/journal_writer.h"
#include "server/keeper.h"
#include "server/node.h"
#include "server/node_metrics.h"
#include "server/peer_list.h"
#include "server/sessions.h"
#include "server/start_status.h"
#include "server/waiters.h"

struct node {
    const struct options *options;
    struct peer_list list;
    struct identity identity;
    struct disk *disk;
    struct journal *journal;
    struct live *live;
    struct buffer live_names[2];
    struct installer installer;
    struct checkpoint_info installed; // by the apply thread
    struct replica *replica;          // owned by the loop
    struct network *network;          // owned by the loop; NULL: a cluster of one
    struct core_loop *loop;
    struct journal_writer *writer;
    struct applier *applier;
    struct keeper *keeper;
    struct courier *courier; // NULL: a cluster of one
    struct sessions *sessions;
    struct api *api;     // NULL: not started yet
    atomic_bool serving; // the start is over; until then `start` is what is told of the node
    struct start_status start;
    struct waiters waiters;
    struct node_metrics metrics;
    atomic_uint_fast64_t zxid;
    atomic_bool draining;
    atomic_bool disk_full;
};

// A cluster of one has neither network nor courier.
static inline bool node_is_alone(const struct node *node)
{
    return node->network == NULL;
}

// What the parts call; the contexts are the node. Valid for as long as it is.
struct replica_ports node_replica_ports(struct node *node);
struct core_loop_ports node_loop_ports(struct node *node);
struct applier_events node_applier_events(struct node *node);
struct transfer_ports node_transfer_ports(struct node *node);
struct network_ports node_network_ports(struct node *node);
// The journal writer's and the keeper's; context: the node.
void node_on_persisted(void *context, uint64_t persist_sequence, uint64_t took_ns);
void node_on_disk_full(void *context, bool full);

// What the api asks of the node.
struct api_backend node_backend(struct node *node);
