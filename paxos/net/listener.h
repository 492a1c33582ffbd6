// SPDX-License-Identifier: Apache-2.0
// The socket at which other nodes arrive.
#pragma once

#include <uv.h>

#include "paxos/net/peers.h"

struct listener {
    uv_poll_t poll;
    uv_timer_t pause; // runs while there are no file descriptors for new connections
    int fd;
    uint16_t port;
    void (*arrived)(void *context, int fd); // takes fd
    void *context;
};

// Errors: IO, with a sentence. The listener must stay where it is until its handles are closed.
enum error listener_open(struct listener *listener, uv_loop_t *loop,
                         const struct peer_address *address, void (*arrived)(void *context, int fd),
                         void *context, struct failure *failure);
void listener_close(struct listener *listener);
