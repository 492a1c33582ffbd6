// SPDX-License-Identifier: Apache-2.0
// A reply that goes on: the connection asks its source for the next piece whenever the last one is
// sent, and is suspended while there is none. What a slow reader has not taken is never more than one
// piece; the source keeps a position, not a queue. Knows no HTTP library.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/bytes.h"

struct stream;

enum stream_step {
    STREAM_MORE, // something was appended; ask again when it is sent
    STREAM_IDLE, // nothing more until stream_wake; something may have been appended
    STREAM_END,  // nothing more at all; something may have been appended
};

struct stream_source {
    const char *content_type; // static text
    // Appends what comes next, about STREAM_PIECE_BYTES at most: a single item may be longer. Thread:
    // the connection's.
    enum stream_step (*fill)(void *context, struct buffer *into);
    // The connection has ended; left: the client has ended it, or its half of it. At most once, before
    // close; must not wait. NULL: the end is enough to know. Thread: any.
    void (*gone)(void *context, bool left);
    // The stream has ended, however it did; the last call. Thread: the connection's.
    void (*close)(void *context);
};

enum { STREAM_PIECE_BYTES = 64 << 10 };

// The source must outlive the stream; close tells the context that it does not have to any longer.
// The caller has the one reference.
struct stream *stream_new(const struct stream_source *source, void *context);
// Makes a sleeping stream ask its source again. Must not come after close returned. Thread: any.
void stream_wake(struct stream *stream);
const char *stream_content_type(const struct stream *stream);

// ---- For the HTTP side -------------------------------------------------------------------------

struct stream *stream_ref(struct stream *stream);
void stream_unref(struct stream *stream);
// What stream_wake does to a stream that sleeps.
void stream_attach(struct stream *stream, void (*resume)(void *context), void *context);
// Copies what is to be sent next. Returns how much, 0 when there is nothing now, -1 at the end.
ssize_t stream_read(struct stream *stream, void *into, size_t room);
// After stream_read returned 0: sleeps, unless it was woken meanwhile: then false.
bool stream_sleep(struct stream *stream);
// The connection has ended (hangup.h). Thread: any.
void stream_hang_up(struct stream *stream, bool left);
