// SPDX-License-Identifier: Apache-2.0
// The founding of a cluster by blank nodes, and who may belong to it: what a node makes of another's
// hello, and the one frame that passes between them. No socket and no file: server/founding.c and
// server/network.c carry it out.
//
// All listed nodes must be present, blank, and started with the same list. Then the one with the lowest
// id makes {cluster, every node and incarnation}, stores it and gives it to the others, who take it only
// if it names their own incarnation. Whoever belongs to a cluster gives its genesis to a blank node that
// it names, so a crash midway is resumed. A node that holds data never takes one.
#pragma once

#include "base/bytes.h"
#include "base/failure.h"
#include "paxos/net/peers.h"
#include "server/peer_list.h"

struct genesis {
    uint8_t cluster[16];
    size_t count;
    struct cluster_member members[PAXOS_VOTERS_MAX]; // node and incarnation; ascending
};

enum genesis_verdict {
    GENESIS_REFUSE, // with the sentence
    GENESIS_ACCEPT, // it is a member, or may become one
    GENESIS_GIVE,   // it is blank and one of the founders: accept it and give it our genesis
};

bool hello_is_blank(const struct hello *hello);
// How this node introduces itself.
struct hello genesis_hello(const struct identity *identity, const struct peer_list *list);
// What a node makes of another's hello, whatever it is itself. Says nothing about boot_count: see
// identity_meet.
enum genesis_verdict genesis_judge(const struct identity *identity, const struct peer_list *list,
                                   const struct hello *hello, struct failure *failure);
// Makes a new cluster of these hellos, one for each other node of the list, all blank. Requires that this
// node has the lowest id.
void genesis_make(const struct identity *identity, const struct hello *others, size_t count,
                  struct genesis *genesis);
void genesis_of(const struct identity *identity, struct genesis *genesis);
void genesis_encode(const struct genesis *genesis, struct buffer *into);
// Takes a frame that a node of the list sent. Errors: CORRUPT (malformed), FOREIGN with a sentence: it
// has other members than the list, or another incarnation for this node.
enum error genesis_decode(const void *data, size_t length, const struct identity *identity,
                          const struct peer_list *list, struct genesis *genesis,
                          struct failure *failure);
// Whether the stored members are those of the list. Errors: FOREIGN with a sentence.
enum error genesis_check_list(const struct identity *identity, const struct peer_list *list,
                              struct failure *failure);
