// SPDX-License-Identifier: Apache-2.0
// The list of a cluster's nodes as the operator gives it, the same on every node:
// "1=a.example:2181,2=b.example,3=[2001:db8::3]:2181", or "a,b,c" for the ids 1, 2, 3 in this order.
#pragma once

#include "base/failure.h"
#include "paxos/types.h"

enum { PEER_PORT_DEFAULT = 2181, PEER_HOST_MAX = 254 };

struct peer_entry {
    uint16_t node;
    char host[PEER_HOST_MAX];
    uint16_t port;
};

struct peer_list {
    size_t count;
    struct peer_entry entries[PAXOS_VOTERS_MAX]; // in ascending order of node
};

// Errors: USAGE with a sentence that names what is wrong. An empty text is an empty list.
enum error peer_list_parse(const char *text, struct peer_list *list, struct failure *failure);
// NULL when there is none of that number.
const struct peer_entry *peer_list_find(const struct peer_list *list, uint16_t node);
// The node whose host is this name, or begins with it and a dot; 0 when there is none or more than one.
uint16_t peer_list_by_host(const struct peer_list *list, const char *name);
// A hash of the ids: addresses may differ between nodes, the members may not.
struct hash128 peer_list_hash(const struct peer_list *list);
