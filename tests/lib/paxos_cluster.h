// SPDX-License-Identifier: Apache-2.0
// A few cores wired together in memory, for scenario tests of the protocol: messages lie in one queue
// until the test delivers or drops them, disks finish when the test says so, time is the test's. Each
// message goes through the codec.
#pragma once

#include "paxos/paxos.h"

enum { CLUSTER_MAX = 7, CLUSTER_QUEUE = 4096, CLUSTER_SLOTS_MAX = 4096 };

struct cluster_node {
    struct paxos *paxos; // NULL while the node is down
    struct paxos_output output;
    uint64_t persist_issued;
    uint64_t persist_done;
    struct paxos_record *disk; // every record handed out, in order
    uint64_t *disk_sequence;   // persist sequence of each
    size_t disk_count;
    size_t disk_capacity;
    paxos_slot apply_issued;
    paxos_slot applied;
    paxos_slot decided; // highest mark that went to the disk
    uint64_t boot;
    struct paxos_position checkpoint; // that a restart goes on from
    bool slow_disk;                   // PERSISTED comes only by cluster_flush
    uint64_t reads_answered;
    paxos_slot read_slot; // of the last answer
    enum paxos_fault fault;
};

struct cluster {
    size_t count;
    struct cluster_node nodes[CLUSTER_MAX]; // node n is nodes[n - 1]
    struct {
        uint8_t *data;
        size_t length;
        uint16_t from;
        uint16_t to;
    } queue[CLUSTER_QUEUE];
    size_t queue_first;
    size_t queue_count;
    bool cut[CLUSTER_MAX + 1][CLUSTER_MAX + 1]; // [from][to]: messages are dropped
    uint64_t now_us;
    uint64_t random;
    struct hash128 executed[CLUSTER_SLOTS_MAX]; // what any node executed at a slot
    uint32_t window;
};

void cluster_init(struct cluster *cluster, size_t count);
void cluster_deinit(struct cluster *cluster);
// Starts all nodes and runs until one leads and its first entry is executed everywhere.
uint16_t cluster_elect(struct cluster *cluster);
void cluster_step(struct cluster *cluster, uint16_t node, struct paxos_input input);
// Delivers everything that is queued and what follows from it; disks that are not slow finish at once.
void cluster_settle(struct cluster *cluster);
// Lets time pass in steps of a millisecond, settling after each.
void cluster_run_ms(struct cluster *cluster, unsigned ms);
// Finishes what a slow disk was given.
void cluster_flush(struct cluster *cluster, uint16_t node);
// Slot of the proposal, 0 when it was refused.
paxos_slot cluster_propose(struct cluster *cluster, uint16_t node, const char *value);
// The node gets a checkpoint of another one's state as it is executed there.
void cluster_install(struct cluster *cluster, uint16_t node, uint16_t from);
// Stops a node; what was not flushed is lost. Its peers see the connection reset.
void cluster_kill(struct cluster *cluster, uint16_t node);
// Starts it again from its disk.
void cluster_restart(struct cluster *cluster, uint16_t node);
// Cuts or heals both directions.
void cluster_cut(struct cluster *cluster, uint16_t a, uint16_t b, bool cut);
// The node that leads with the highest ballot and serves, 0 if none.
uint16_t cluster_leader(const struct cluster *cluster);
// Whether all nodes that are up have executed the same slots up to `slot`.
bool cluster_executed(const struct cluster *cluster, paxos_slot slot);
