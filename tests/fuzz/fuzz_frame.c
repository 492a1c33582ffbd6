// SPDX-License-Identifier: Apache-2.0
// Fuzz target: frames between nodes and the introductions in them. The first byte says in which pieces
// the bytes come, and whether the rest is a stream as it is or bodies that are put into right frames,
// so that the fuzzer gets past the checksums.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "paxos/net/frame.h"
#include "paxos/net/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DATA_MAX = 4096 };

static void put(struct buffer *into, uint8_t type, const uint8_t *body, size_t length)
{
    uint8_t header[FRAME_HEADER_BYTES];

    frame_seal(header, type, body, length);
    buffer_append(into, header, sizeof header);
    buffer_append(into, body, length);
}

// What decodes is encoded again to the same bytes.
static void check_hello(const struct frame *frame)
{
    struct introduction introduction;
    struct buffer again = {0};

    if (!hello_decode(frame->body, frame->length, &introduction) ||
        introduction.hello.protocol != PEER_PROTOCOL)
        return;
    hello_encode(&again, &introduction);
    ASSERT(again.length == frame->length);
    ASSERT(memcmp(again.data, frame->body, again.length) == 0);
    buffer_deinit(&again);
}

static void check_stream(const struct buffer *stream, size_t piece)
{
    struct frame_reader reader = {.data_max = DATA_MAX};
    enum frame_result result = FRAME_MORE;
    struct buffer again = {0};
    struct frame frame;

    for (size_t at = 0; at < stream->length && result != FRAME_BAD; at += piece) {
        const uint8_t *data = stream->data + at;
        size_t length = stream->length - at < piece ? stream->length - at : piece;
        while ((result = frame_next(&reader, &data, &length, &frame)) == FRAME_READY) {
            ASSERT(frame.length <= DATA_MAX);
            if (frame.type == FRAME_HELLO)
                check_hello(&frame);
            put(&again, frame.type, frame.body, frame.length);
        }
    }
    ASSERT(again.length <= stream->length);
    ASSERT(again.length == 0 || memcmp(again.data, stream->data, again.length) == 0);
    buffer_deinit(&again);
    frame_reader_deinit(&reader);
}

// Bodies: type, length u16, bytes.
static void put_bodies(struct buffer *stream, const uint8_t *data, size_t size)
{
    struct reader reader;

    reader_init(&reader, data, size);
    while (reader_left(&reader) >= 3) {
        uint8_t type = reader_u8(&reader);
        size_t length = reader_u16(&reader);
        length = length < reader_left(&reader) ? length : reader_left(&reader);
        put(stream, type, reader_bytes(&reader, length), length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer stream = {0};

    if (size == 0)
        return 0;
    if (data[0] % 2 == 0)
        buffer_append(&stream, data + 1, size - 1);
    else
        put_bodies(&stream, data + 1, size - 1);
    check_stream(&stream, 1u + data[0] / 2);
    buffer_deinit(&stream);
    return 0;
}
