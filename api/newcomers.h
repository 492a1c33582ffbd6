// SPDX-License-Identifier: Apache-2.0
// Connections whose first request has not been seen. Streams and long polls are suspended for long, and
// the HTTP library walks all suspended connections of a daemon whenever it resumes one; so they
// get workers of their own, and the first line of the request tells who is one.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct newcomers;

struct newcomer_events {
    void *context;
    // Takes the socket over. waits: its first request will be held for long.
    void (*settle)(void *context, int fd, const struct sockaddr *address, socklen_t length,
                   bool waits);
    // Stopped before anything was known; the socket is closed.
    void (*dropped)(void *context, const struct sockaddr *address);
};

// All of it belongs to one thread.
struct newcomers *newcomers_new(const struct newcomer_events *events);
// Drops those that are left.
void newcomers_free(struct newcomers *newcomers);
// To be polled for reading; then newcomers_look is due.
int newcomers_fd(const struct newcomers *newcomers);
// Takes an accepted, non-blocking socket.
void newcomers_add(struct newcomers *newcomers, int fd, const struct sockaddr *address,
                   socklen_t length);
// Settles those that have said enough or have been silent for long enough. Returns after how many
// milliseconds it must be called again at the latest; -1: no such time.
int newcomers_look(struct newcomers *newcomers, uint64_t now_ns);

enum newcomer_kind {
    NEWCOMER_UNKNOWN,
    NEWCOMER_USUAL,
    NEWCOMER_WAITS, // will be held for long
    NEWCOMER_WATCHES, // the same, by an EventSource perhaps, which gives up for good on any status but 200
};
// What the first bytes of a connection say; UNKNOWN: not enough of them.
enum newcomer_kind newcomer_judge(const char *bytes, size_t length);
// The same of what a socket has received and nobody has read yet.
enum newcomer_kind newcomer_judge_socket(int fd);
enum { NEWCOMER_BYTES = 2048 }; // as many are enough
