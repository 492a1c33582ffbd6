// SPDX-License-Identifier: Apache-2.0
// What this node dials: one link for each other node and channel. It carries what this node sends.
//
//   dialling --connected--> introducing --the other's hello--> asked --peers_accept--> up
//   any but dialling --lost or refused--> dialling
#pragma once

#include "paxos/net/connection.h"
#include "paxos/net/dialler.h"

struct peer;

struct link {
    struct peer *peer;
    enum peer_channel channel;
    struct dialler dialler;
    struct connection *connection; // NULL: dialling
    uint64_t token;                // the owner is asked about the other node; 0: it is not
    bool accepted;                 // the owner has said yes
    bool up;
    uint64_t up_since_ms;
    uint64_t complained_ms; // when it was last logged that the node cannot be reached, 0: not since
    uint64_t dropped;       // frames for which there was no room since that was last logged
    uint64_t dropped_logged_ms;
};

void link_init(struct link *link, struct peer *peer, enum peer_channel channel);
// Dials, now.
void link_start(struct link *link);
// Ends the connection in good order and dials anew.
void link_restart(struct link *link);
// Ends everything, for good; a control connection has `linger_ms` to write what is queued.
void link_close(struct link *link, uint64_t linger_ms);

void link_accept(struct link *link);
void link_refuse(struct link *link, const char *sentence);
void link_send(struct link *link, const void *data, size_t length);
void link_flush(struct link *link);
size_t link_queued(const struct link *link);
