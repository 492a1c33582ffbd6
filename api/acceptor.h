// SPDX-License-Identifier: Apache-2.0
// The listening socket and the thread that accepts: connections over the limits are refused here,
// with a reply, before the HTTP library sees them. The same thread keeps time for slow senders.
#pragma once

#include "api/admission.h"
#include "api/http.h"
#include "api/request.h"

struct listener {
    int fd;
    uint16_t port; // bound
    bool loopback; // the address is a loopback one
};

// Binds "ADDR:PORT" or "[v6]:PORT" and listens. Errors: USAGE, IO with a sentence.
enum error listener_bind(const char *listen, struct listener *listener, struct failure *failure);

struct acceptor;

// Starts accepting; takes the listener's socket over.
struct acceptor *acceptor_start(const struct listener *listener, struct service *service,
                                struct admission *admission, struct http *http);
// Closes the listening socket and ends the thread; accepted connections stay.
void acceptor_stop(struct acceptor *acceptor);
