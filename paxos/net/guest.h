// SPDX-License-Identifier: Apache-2.0
// Who has dialled this node: a stranger until it has introduced itself and the owner has accepted it,
// from then on the way in which one channel of another node arrives.
#pragma once

#include "paxos/net/address.h"
#include "paxos/net/connection.h"

struct peer;
struct peers;

enum { STRANGERS_MAX = 64 }; // connections not accepted yet; of more the oldest goes

struct guest {
    struct peers *peers;
    struct guest *next, *previous; // among the strangers, oldest first
    struct connection *connection;
    struct peer *peer; // NULL until it has introduced itself
    enum peer_channel channel;
    uint64_t number; // in the order of arrival
    uint64_t run;    // of the other node
    uint64_t serial; // of this attempt within that run
    uint64_t token;  // the owner is asked about it; 0: it is not
    bool stranger;
    char address[ADDRESS_TEXT_MAX]; // where it came from
};

// Takes fd.
void guest_arrived(struct peers *peers, int fd);
void guest_accept(struct guest *guest);
void guest_refuse(struct guest *guest, const char *sentence);
// Ends all connections that were accepted or wait to be. `goodbye`: the node itself lives on.
void guests_end(struct peers *peers, bool goodbye, uint64_t linger_ms);
