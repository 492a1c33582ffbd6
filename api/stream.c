// SPDX-License-Identifier: Apache-2.0
// One atomic decides who resumes: a wake that comes while the stream is awake makes it ask once more
// before it sleeps.
#include "api/stream.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { AWAKE, WOKEN, ASLEEP };

struct stream {
    const struct stream_source *source;
    void *context;
    atomic_int state;
    atomic_int references;
    atomic_bool gone;
    void (*resume)(void *context);
    void *resume_context;
    struct buffer piece; // being sent
    size_t sent;         // of it
    bool ended;          // nothing comes behind the piece
};

struct stream *stream_new(const struct stream_source *source, void *context)
{
    struct stream *stream = memory_zalloc(sizeof *stream);

    stream->source = source;
    stream->context = context;
    atomic_init(&stream->references, 1);
    return stream;
}

struct stream *stream_ref(struct stream *stream)
{
    atomic_fetch_add(&stream->references, 1);
    return stream;
}

void stream_unref(struct stream *stream)
{
    if (stream == NULL || atomic_fetch_sub(&stream->references, 1) > 1)
        return;
    stream->source->close(stream->context);
    buffer_deinit(&stream->piece);
    free(stream);
}

const char *stream_content_type(const struct stream *stream)
{
    return stream->source->content_type;
}

void stream_attach(struct stream *stream, void (*resume)(void *context), void *context)
{
    stream->resume = resume;
    stream->resume_context = context;
}

void stream_wake(struct stream *stream)
{
    int state = atomic_load(&stream->state);
    int next;

    do {
        next = state == ASLEEP ? AWAKE : WOKEN;
    } while (!atomic_compare_exchange_weak(&stream->state, &state, next));
    if (state == ASLEEP)
        stream->resume(stream->resume_context);
}

bool stream_sleep(struct stream *stream)
{
    int awake = AWAKE;

    return atomic_compare_exchange_strong(&stream->state, &awake, ASLEEP);
}

void stream_hang_up(struct stream *stream, bool left)
{
    atomic_store(&stream->gone, true);
    if (stream->source->gone != NULL)
        stream->source->gone(stream->context, left);
    stream_wake(stream);
}

// Idle streams hold no memory for pieces.
static void next_piece(struct stream *stream)
{
    buffer_deinit(&stream->piece);
    stream->piece = (struct buffer){0};
    stream->sent = 0;
    enum stream_step step;

    atomic_store(&stream->state, AWAKE);
    do {
        step = stream->source->fill(stream->context, &stream->piece);
    } while (step == STREAM_MORE && stream->piece.length == 0);
    stream->ended = step == STREAM_END;
}

ssize_t stream_read(struct stream *stream, void *into, size_t room)
{
    if (atomic_load(&stream->gone))
        return -1;
    if (stream->sent == stream->piece.length && !stream->ended)
        next_piece(stream);
    size_t left = stream->piece.length - stream->sent;
    size_t length = left < room ? left : room;
    if (length == 0)
        return stream->ended ? -1 : 0;
    memcpy(into, stream->piece.data + stream->sent, length);
    stream->sent += length;
    return (ssize_t)length;
}
