// SPDX-License-Identifier: Apache-2.0
// Who is who: what the links, the guests and the public functions share.
#pragma once

#include "paxos/net/guest.h"
#include "paxos/net/link.h"
#include "paxos/net/listener.h"

enum {
    REFUSED_RETRY_MS = 1000, // between attempts at a node that refuses or is refused
    INTRODUCE_MS = 2000,     // for a connection to say what it wants
    LINGER_MS = 1000,        // for the other side to close a connection that is ended
    LOG_AGAIN_MS = 60000,    // between log lines that say the same
    REFUSED_FRESH_MS = 5000, // a refusal that was not repeated for so long is past
};

// Why one node does not accept another.
struct refusal {
    char sentence[SENTENCE_MAX]; // empty: it does
    uint64_t repeated_ms;        // when that was last said
    uint64_t logged_ms;
};

// Another node of the cluster.
struct peer {
    struct peers *peers;
    const struct peer_address *address; // borrowed
    struct link links[PEER_CHANNELS];
    struct guest *guests[PEER_CHANNELS]; // accepted; NULL: none
    bool loss_told; // `down` was called since a control connection was last established
    bool connected; // control is up in both directions
    uint64_t since_ms;
    struct refusal refusals[2]; // by the other node, by this one
};

struct peers {
    struct peers_ports ports;
    struct hello hello;
    const struct peer_address *others; // borrowed
    size_t count;                      // of others
    struct peer *table;                // one for each of them
    uint64_t silence_ms;
    struct tls_context *tls; // NULL: plain TCP
    struct connections connections;
    struct listener listener;
    struct guest *oldest, *newest; // strangers
    unsigned strangers;
    uint64_t tokens;            // given out so far
    uint64_t serials;           // attempts made so far
    uint64_t guests;            // arrived so far
    uint64_t trouble_logged_ms; // about strangers
    unsigned trouble;           // lines not written since
};

uint64_t table_now(const struct peers *peers);
struct peer *table_peer(const struct peers *peers, uint16_t node);
// This node's introduction to another, with a serial of its own.
struct introduction table_introduction(struct peers *peers, uint16_t to);
const char *channel_name(enum peer_channel channel);

// A link is up or a guest was accepted.
void peer_established(struct peer *peer, enum peer_channel channel);
// One of these is no more.
void peer_changed(struct peer *peer);
// A control connection that was established is gone, and most likely the node with it.
void peer_gone(struct peer *peer);
// One of the two nodes does not accept the other; logs it unless that was said already.
void peer_note_refusal(struct peer *peer, const char *sentence, bool ours);
