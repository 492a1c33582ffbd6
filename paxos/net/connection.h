// SPDX-License-Identifier: Apache-2.0
// A socket, its place in the loop, and the HTTP/2 session whose bytes it carries.
//
//   open --connection_end--> ending (what is left is written, then half closed; waits for the other
//                            side to close) --> closed
//   open or ending --connection_close, loss, deadline--> closed
//
// The memory of a closed connection goes when its handles have. No event comes after connection_end
// or connection_close.
#pragma once

#include <uv.h>

#include "paxos/net/session.h"
#include "paxos/net/tls.h"

enum loss {
    LOSS_GONE,     // the other end has closed or reset it
    LOSS_FAREWELL, // likewise, after saying that it lives on
    LOSS_SILENT,   // the network does not carry it any more
    LOSS_BROKEN,   // it broke the rules
    LOSS_LATE,     // the deadline has passed
};

// Called from the loop only.
struct connection_events {
    // After connection_wake.
    void (*turn)(void *context);
    // Everything that was sent has left this process, for the first time since connection_send.
    void (*drained)(void *context);
    // The connection is closed. `why` is borrowed, without a full stop.
    void (*lost)(void *context, enum loss how, const char *why);
};

struct connection;

// All connections of one owner. Zeroed but for `loop`: none.
struct connections {
    uv_loop_t *loop;
    struct connection *first;
    unsigned ending;  // of them
    uint8_t *scratch; // CONNECTION_SCRATCH_BYTES, for bytes just received
};

enum { CONNECTION_SCRATCH_BYTES = 64 << 10 };

// Takes fd, tls (NULL: plain TCP) and session.
struct connection *connection_new(struct connections *set, int fd, struct tls *tls,
                                  struct session *session, const struct connection_events *events,
                                  void *context);
// It carries so much that it must leave room for others in each turn; `drained` is for these.
void connection_set_bulk(struct connection *connection);
// The connection is lost when this passes, unless a listener that was dialled only takes its time.
// 0: never.
void connection_set_deadline(struct connection *connection, uint64_t delay_ms);
struct session *connection_session(struct connection *connection);

// The loop writes what the session has, and calls `turn` first.
void connection_wake(struct connection *connection);
// Queues a frame for the next flush or wake.
void connection_send(struct connection *connection, const void *data, size_t length);
// Writes what can be written now; the rest follows by itself. Calls no event.
void connection_flush(struct connection *connection);
// Bytes that were sent and have not left this process.
size_t connection_queued(const struct connection *connection);

// For an orderly end, which takes no longer than `linger_ms`.
void connection_end(struct connection *connection, uint64_t linger_ms);
void connection_close(struct connection *connection);
// Closes those that are ending, without waiting any longer.
void connections_close_ending(struct connections *set);
