// SPDX-License-Identifier: Apache-2.0
// What /v1/cluster and /readyz say of a node and its peers, in words that a person understands.
#pragma once

#include "api/api.h"
#include "server/core_loop.h"
#include "server/peer_list.h"

struct node_facts {
    const struct identity *identity;
    const struct peer_list *list;
    uint64_t zxid;   // applied here
    uint64_t age_us; // how old that may be; UINT64_MAX: unknown. Of a leader without meaning
    bool draining;
    bool disk_full;
    uint64_t now_ns;
};

void node_status_fill(const struct node_facts *facts, const struct core_loop_status *loop,
                      struct node_status *status);
