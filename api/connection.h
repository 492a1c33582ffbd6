// SPDX-License-Identifier: Apache-2.0
// Open connections, each with its one request, and the clock that slow senders run against. A total
// deadline is ours to keep: the HTTP library's timeout starts again with every byte.
#pragma once

#include <netinet/in.h>
#include <pthread.h>

#include "api/hangup.h"
#include "api/kept_replies.h"
#include "api/request.h"
#include "api/worker.h"

enum connection_phase {
    PHASE_IDLE,    // between requests
    PHASE_READING, // the request line is here, the rest is arriving
    PHASE_BUSY,    // the request is complete: what takes long now is not the sender's fault
    PHASE_EXPIRED, // given up; the socket is shut down
};

struct connection {
    struct request request;
    struct connection *next;
    struct connection *previous;
    void *owner;  // the HTTP side
    void *handle; // of the HTTP library
    struct worker *worker;
    struct worker_resume resume; // while it is resumed
    struct kept_replies *kept;   // of the worker
    struct kept_reply *used;     // one of those, while it is sent; NULL usually
    int fd;
    struct hangup hangup;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    atomic_int phase;              // enum connection_phase
    atomic_uint_fast64_t since_ns; // when the phase began
    uint64_t discarded;            // body bytes thrown away
    bool head_seen;                // the head was dispatched
    bool counted;                  // in the number of requests under way
    bool parked;                   // suspended; worker thread only
};

struct connections {
    pthread_mutex_t lock; // of the list; held while a socket is used from outside its worker
    struct connection *first;
    struct service *service;
};

void connections_init(struct connections *connections, struct service *service);
void connections_deinit(struct connections *connections);
// Makes a connection and lists it.
struct connection *connections_open(struct connections *connections, int fd,
                                    const struct sockaddr *address);
// Takes it off the list and frees it. Must precede the close of its socket.
void connections_close(struct connections *connections, struct connection *connection);

// Moves from one phase to another; false when the connection has expired meanwhile.
bool connection_enter(struct connection *connection, enum connection_phase from,
                      enum connection_phase to);

// Shuts connections down that have been reading since before `reading_before_ns` (after a 408), or
// idle since before `idle_before_ns`: the library closes those that send nothing earlier, so such a
// one trickles. Thread: any.
void connections_expire(struct connections *connections, uint64_t reading_before_ns,
                        uint64_t idle_before_ns);
