// SPDX-License-Identifier: Apache-2.0
// A few nodes' connections on one loop, and what their owners were told. Every wait has a deadline.
#pragma once

#include <uv.h>

#include "base/bytes.h"
#include "paxos/net/peers.h"

enum { PARTY_MAX = 3, WAIT_MS = 20000, TOKENS_MAX = 64 };

enum verdict { ACCEPT, REFUSE, LATER };

struct member {
    struct party *party;
    uint16_t node;
    struct peers *peers; // NULL: not running
    struct hello hello;
    struct peer_address self;
    struct peer_address others[PARTY_MAX];
    struct peer_tls tls;
    enum verdict verdict;
    uint64_t tokens[TOKENS_MAX]; // questions that were not answered yet
    struct hello asked[TOKENS_MAX];
    size_t token_count;
    unsigned questions; // asked so far, answered or not
    // By node and channel.
    unsigned ups[PARTY_MAX + 1][PEER_CHANNELS];
    unsigned received[PARTY_MAX + 1][PEER_CHANNELS];
    size_t received_bytes[PARTY_MAX + 1][PEER_CHANNELS];
    unsigned downs[PARTY_MAX + 1];
    unsigned drained[PARTY_MAX + 1];
    struct buffer last; // the last frame received
    bool drained_early; // something was still queued then
    bool out_of_order;  // frames are numbered by their first four bytes
    // Called with each frame, if set.
    void (*on_receive)(struct member *member, uint16_t from, enum peer_channel channel,
                       const void *data, size_t length);
};

struct party {
    uv_loop_t loop;
    uv_timer_t tick;    // so that a wait looks at its condition and its deadline
    uv_prepare_t flush; // each turn ends with a flush
    const char *host;   // by which nodes know each other
    size_t count;
    struct member members[PARTY_MAX + 1]; // by node, 1..count
};

// For cmocka: `*state` is the party. Nobody is started.
int party_setup(void **state);
int party_teardown(void **state);

// Node `node` listens and dials; it knows all that are set up, whether they run or not.
void party_start(struct party *party, uint16_t node);
// As if its process ended at once.
void party_kill(struct party *party, uint16_t node);
// Starts nodes 1..count, which all accept each other, and waits until all channels are up.
void party_gather(struct party *party, size_t count);
// Runs the loop once.
void party_turn(struct party *party);

// Waits for a condition; the test fails when it does not hold before the deadline.
#define WAIT_FOR(party, condition)                                                                 \
    do {                                                                                           \
        uint64_t wait_until = uv_hrtime() + WAIT_MS * 1000000ull;                                  \
        while (!(condition) && uv_hrtime() < wait_until)                                           \
            party_turn(party);                                                                     \
        assert_true(condition);                                                                    \
    } while (0)

// Runs the loop for so long, for what must not happen.
void party_run_for(struct party *party, uint64_t time_ms);

bool party_connected(const struct party *party, uint16_t a, uint16_t b);
const char *party_refusal(const struct party *party, uint16_t node, uint16_t other);
// Sends a frame of `length` >= 4 bytes that starts with `number`.
void party_send(struct party *party, uint16_t from, uint16_t to, enum peer_channel channel,
                uint32_t number, size_t length);
