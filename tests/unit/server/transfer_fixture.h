// SPDX-License-Identifier: Apache-2.0
// Some nodes for tests of server/transfer.c: disks, journals and the network between them are in memory.
#pragma once

#include "tests/unit/storage/fixture.h"

#include "server/transfer.h"
#include "server/transfer_frame.h"
#include "tests/lib/disk_fake.h"

enum {
    GIVER,
    OTHER_GIVER,
    TAKER,
    NODES,
    STEPS_MAX = 4000,
};

#define SILENCE_NS UINT64_C(100000000)

// The ballot that givers lead.
extern const struct ballot leading;

struct frame {
    uint16_t from, to;
    size_t length;
    uint8_t *data;
};

struct node {
    struct net *net;
    struct disk *disk;
    struct identity identity;
    struct journal *journal;
    struct transfer *transfer;
    uint64_t reserve_bytes;
    paxos_slot executed;
    paxos_slot newest; // checkpoint
    paxos_slot last;   // of the journal
    struct hash128 last_hash;
    struct ballot promised;
    paxos_slot installed; // by the port
    unsigned installs;
    struct ballot installed_ballot;
};

struct net {
    struct fixture *state;
    struct node nodes[NODES];
    uint64_t now_ns;
    uint64_t random;
    struct frame frames[4096];
    size_t count;
    size_t sent_of_kind[8]; // frames
};

int net_setup(void **context);
int net_teardown(void **context);
// A number below bound, from net->random.
uint64_t net_draw(struct net *net, uint64_t bound);
// The process of a node ends and starts again.
void net_restart(struct node *node);

// Hands a frame over to the node that it is for.
void net_receive(struct net *net, const struct frame *frame);
// Delivers the frame at that place.
void net_deliver(struct net *net, size_t index);
// Loses, repeats, damages or delivers one of those under way.
void net_deliver_badly(struct net *net);
// Everything arrives, in order, until nothing is under way.
void net_run_to_end(struct net *net);
void net_drop_frames(struct net *net);
// A quarter of the silence passes.
void net_tick(struct net *net);
// The core of that giver says that TAKER needs everything.
void net_lagging(struct net *net, size_t giver);
