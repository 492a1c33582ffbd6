// SPDX-License-Identifier: Apache-2.0
// From the name of a node to a TCP connection: resolves, connects, tries again.
#pragma once

#include <sys/socket.h>
#include <uv.h>

#include "paxos/net/address.h"

struct attempt;

// Called from the loop.
struct dialler_events {
    void (*connected)(void *context, int fd); // takes fd; nothing happens before the next start
    void (*failed)(void *context, const char *why); // it goes on by itself
};

struct dialler {
    uv_timer_t timer;                   // until the next attempt, or its end
    const struct peer_address *address; // borrowed
    const struct dialler_events *events;
    void *context;
    struct attempt *attempt;         // NULL: none under way
    uint64_t backoff_ms;             // before the next attempt after a failed one
    struct sockaddr_storage known;   // where the node was found last
    socklen_t known_length;          // 0: never found yet
    char resolved[ADDRESS_TEXT_MAX]; // what the last attempt dialled; empty at first
};

// The dialler must stay where it is until its handles are closed.
void dialler_init(struct dialler *dialler, uv_loop_t *loop, const struct peer_address *address,
                  const struct dialler_events *events, void *context);
// Dials at once and forgets earlier failures.
void dialler_start(struct dialler *dialler);
// Dials after a time that grows with each call: 20 ms doubling to 1 s, with jitter.
void dialler_retry(struct dialler *dialler);
// Dials after `delay_ms`.
void dialler_wait(struct dialler *dialler, uint64_t delay_ms);
// Dials now if it was waiting to.
void dialler_hurry(struct dialler *dialler);
// Ends an attempt that is under way.
void dialler_stop(struct dialler *dialler);
// Stops for good.
void dialler_close(struct dialler *dialler);
