// SPDX-License-Identifier: Apache-2.0
// The list of a cluster's nodes as the operator gives it, the same on every node:
// "1=a.example:2190,2=b.example,3=[2001:db8::3]:2190", or "a,b,c" for the ids 1, 2, 3 in this order.
#pragma once

#include "base/failure.h"
#include "paxos/types.h"

enum { PEER_PORT_DEFAULT = 2190, PEER_HOST_MAX = 254 };

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
enum { PEER_TEXT_MAX = PEER_HOST_MAX + 10 };
// "a.example:2190", "[2001:db8::3]:2190".
void peer_entry_text(const struct peer_entry *entry, char into[PEER_TEXT_MAX]);
// NULL when there is none of that number.
const struct peer_entry *peer_list_find(const struct peer_list *list, uint16_t node);
// The node of the host of this name; 0 when there is none or more than one. Either may be qualified
// where the other is not: "n2" and "n2.example" are the same host, "n2.example" and "n2.test" are not.
uint16_t peer_list_by_host(const struct peer_list *list, const char *name);
// A hash of the ids: addresses may differ between nodes, the members may not.
struct hash128 peer_list_hash(const struct peer_list *list);
