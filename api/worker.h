// SPDX-License-Identifier: Apache-2.0
// A worker: one thread that runs one libmicrohttpd daemon, whose loop is driven from here.
//
// The library's own threads are not used, for two reasons. Their loop waits for ever when exactly
// as many sockets are ready as one epoll_wait returns (128 in version 0.9.75: the whole array is
// taken as a sign of more, and the second wait has the same timeout). And each resume from another
// thread costs a system call there; here a burst of them costs one.
#pragma once

#include <microhttpd.h>
#include <sys/socket.h>

#include "base/fifo.h"

struct worker;

struct worker_events {
    void *context;
    // A socket that the daemon did not take; it is closed already. Thread: the worker's.
    void (*refused)(void *context, const struct sockaddr *address);
};

// Takes over a daemon that was started with epoll, without threads and without a listening socket,
// and starts the thread. Ownership: worker_stop.
struct worker *worker_start(struct MHD_Daemon *daemon, const struct worker_events *events);
// Hands over an accepted, non-blocking socket. Thread: any.
void worker_adopt(struct worker *worker, int fd, const struct sockaddr *address, socklen_t length);
// Resumes a connection that was suspended on this worker. `link` is the caller's until the
// connection's handler is called again. Thread: any.
struct worker_resume {
    struct fifo_link link;
    struct MHD_Connection *connection;
};
void worker_resume(struct worker *worker, struct worker_resume *resume);
// The same for one of many that were woken together: they go on in groups, so that what is resumed
// with worker_resume meanwhile does not wait for all of them.
void worker_resume_later(struct worker *worker, struct worker_resume *resume);
// Ends the thread, stops the daemon and frees. No connection may be suspended.
void worker_stop(struct worker *worker);
