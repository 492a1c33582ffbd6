// SPDX-License-Identifier: Apache-2.0
// The numbers of a node beside those of its api: consensus, journal, state, peers, the process. Their
// names and meanings are a contract with dashboards and alert rules (docs/monitoring).
#pragma once

#include "base/bytes.h"
#include "base/metrics.h"
#include "server/core_loop.h"
#include "storage/journal.h"
#include "storage/live.h"

// What the threads of the node add to.
struct node_metrics {
    struct histogram flush;                        // of the journal, a group each
    struct histogram apply;                        // transactions of the apply thread
    struct histogram round_trip[PAXOS_VOTERS_MAX]; // by the place of the peer in core_loop_status
    struct counter elections;                      // leaders seen, this node included
    struct counter expirations;                    // sessions that this node, leading, let expire
};

// What is looked at when somebody asks. Before the node serves there is no more than an identity.
struct node_metrics_sources {
    const struct identity *identity;
    struct node_metrics *metrics;
    struct core_loop *loop; // NULL: the node is starting
    struct live *live;
    struct journal *journal;
    struct disk *disk;
    bool ready;
    bool disk_full;
    uint64_t staleness_ms; // of a local read; UINT64_MAX: unknown
};

// Appends everything that there is. What cannot be read is left out. Thread: any.
void node_metrics_write(const struct node_metrics_sources *sources, struct buffer *text);
