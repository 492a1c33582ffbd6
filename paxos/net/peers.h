// SPDX-License-Identifier: Apache-2.0
// Connections to the other nodes, over HTTP/2: the only room that knows nghttp2.
//
// Every node dials every other one twice, for control (messages of the core and forwarded commands)
// and for bulk (log catch-up and checkpoints), so that bulk never delays a heartbeat, neither in TCP
// nor in HTTP/2's windows. What a node sends, it sends over the connections that it dialled: one
// POST whose request body is an endless sequence of frames, each with length and checksum. Frames of
// one connection arrive in order and once, or not at all; those of different connections have no
// order. A connection that was replaced by a newer one of the same peer and class is closed first, so
// nothing of it arrives after something of the newer one.
//
// Both ends introduce themselves before anything else (struct hello), the dialler in its first frame,
// the listener in the first frame of the response, which it makes once its owner has accepted the
// dialler; then the dialler asks its own owner, and the channel is up. An owner may take its time. The
// sentence of the one that refuses is sent to the other, in a response 403 or a frame of the dialler,
// so that it is logged at both ends. Introductions that were meant for another node, or come from none
// of the others, or speak an unknown protocol, are refused here without asking.
//
// Bytes from a peer are untrusted: bounded, checked, never an assertion.
//
// Thread: all functions and ports belong to the thread that runs the loop. Ports are called from the
// loop, never from inside one of these functions, all of which may be called inside a port but
// peers_free.
#pragma once

#include <uv.h>

#include "base/failure.h"
#include "paxos/types.h"

struct peers;

// The channels between two nodes.
enum peer_channel {
    PEER_CONTROL,
    PEER_BULK,
    PEER_CHANNELS,
};

enum {
    PEER_PROTOCOL = 1,                         // version that this program speaks
    PEER_FRAME_MAX = PAXOS_VALUE_MAX * 3,      // bytes of one frame
    PEER_CONTROL_QUEUE_MAX = 64 << 20,         // bytes waiting for one peer; more is dropped
    PEER_BULK_QUEUE_MAX = 4 * PAXOS_VALUE_MAX, // likewise
};

// How a node introduces itself.
struct hello {
    uint32_t protocol;   // highest version it speaks
    uint8_t cluster[16]; // zero: its data directory is blank
    uint16_t node;       // who speaks
    uint16_t to;         // whom it believes to speak to
    uint8_t incarnation[16];
    uint64_t boot;          // boot_count of this run
    uint64_t run;           // random, made at each start: tells two runs with one boot_count apart
    struct node_runs runs;  // that number of this and earlier runs
    uint64_t epoch;         // configuration number
    struct hash128 members; // hash of the list of members that it was started with
};

struct peer_address {
    uint16_t node;
    const char *host; // name or address; resolved again at each attempt to connect
    uint16_t port;
};

// PEM files; all NULL: plain TCP. They are read again for new connections when they have changed. A
// node that is dialled must show a certificate for the host that it was dialled by.
struct peer_tls {
    const char *certificate; // of this node, with its chain
    const char *key;
    const char *authority; // certificates that a peer's must descend from
};

struct peers_settings {
    struct hello hello;                // of this node; `to` is filled in
    const struct peer_address *self;   // listens there; borrowed for the call
    const struct peer_address *others; // borrowed for the life of the object
    size_t other_count;
    struct peer_tls tls;
    uint64_t
        silence_ms; // a connection on which sent bytes were not acknowledged for so long is dead
};

// A peer that has introduced itself; asked once for each connection of either direction. The owner
// answers with peers_accept or peers_refuse, at once or later, with the same token.
struct peers_ports {
    void *context;
    void (*hello)(void *context, uint64_t token, const struct hello *hello);
    // A whole frame of an accepted connection; borrowed.
    void (*receive)(void *context, uint16_t from, enum peer_channel channel, const void *data,
                    size_t length);
    // Something can be sent on this channel from now on; what was sent before was dropped.
    void (*up)(void *context, uint16_t node, enum peer_channel channel);
    // The process at the other end has reset or closed a control connection of ours or of its own: it
    // is most likely gone. Called once when a process takes several with it. Not called for connections
    // that were refused, replaced, timed out, or that the other end makes anew because its
    // introduction has changed.
    void (*down)(void *context, uint16_t node);
    // Everything queued for this peer on the bulk channel has left.
    void (*drained)(void *context, uint16_t node);
};

// Listens, on the address of `self` or, when that is a name, on all addresses, and starts to dial.
// Errors: IO with a sentence that names the address or the file. Ownership: peers_free after peers_close, once the loop has run
// and all handles are gone.
enum error peers_open(uv_loop_t *loop, const struct peers_settings *settings,
                      const struct peers_ports *ports, struct peers **peers,
                      struct failure *failure);
// Closes all connections, after what is queued for control was written if that takes no longer than
// `linger_ms`; the handles are gone when the loop has run. No port is called any more.
void peers_close(struct peers *peers, uint64_t linger_ms);
void peers_free(struct peers *peers);
// The port that it listens on: that of `self`, or the one it got when that is 0.
uint16_t peers_port(const struct peers *peers);

// This node's hello has changed (it has joined a cluster): all connections are made anew.
void peers_introduce(struct peers *peers, const struct hello *hello);
// The answers to the port `hello`. A token that is no longer valid (its connection has ended) is
// ignored. The sentence says what the operator should do; it is logged here, not more than once a
// minute while nothing changes, and given to the peer.
void peers_accept(struct peers *peers, uint64_t token);
void peers_refuse(struct peers *peers, uint64_t token, const char *sentence);

// Queues a frame of at most PEER_FRAME_MAX bytes. Dropped when the channel is not up or its queue is
// full. The bytes are copied. `node`, here and below, is one of the others.
void peers_send(struct peers *peers, uint16_t node, enum peer_channel channel, const void *data,
                size_t length);
// Bytes waiting for this peer on this channel, in our own memory.
size_t peers_queued(const struct peers *peers, uint16_t node, enum peer_channel channel);
// Writes what is queued to the sockets. To be called once per turn of the loop, after all sends.
void peers_flush(struct peers *peers);

// What an operator wants to know about a peer.
struct peer_state {
    bool connected;    // control is up in both directions
    uint64_t since_ms; // uv_now when that last changed
    char refused[256]; // why it or we refuse the other, empty if nobody does
    char address[64];  // that its name was last resolved to
};
void peers_state(const struct peers *peers, uint16_t node, struct peer_state *state);
