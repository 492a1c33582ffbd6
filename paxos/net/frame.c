// SPDX-License-Identifier: Apache-2.0
// A frame that lies whole in what was received is handed out from there; only pieces are copied.
#include "paxos/net/frame.h"

#include "base/assert.h"
#include "base/hash.h"

enum {
    CHECKED_BYTES = 5,          // of the header, by the header's own check
    MEMORY_KEPT_BYTES = 1 << 20 // between frames
};

static uint32_t header_check(const uint8_t *header)
{
    return (uint32_t)hash64(header, CHECKED_BYTES, 0) & 0xffffff;
}

void frame_seal(uint8_t header[FRAME_HEADER_BYTES], uint8_t type, const void *body, size_t length)
{
    ASSERT(length <= UINT32_MAX);
    bytes_put_u32(header, (uint32_t)length);
    header[4] = type;
    uint32_t check = header_check(header);
    bytes_put_u16(header + 5, (uint16_t)check);
    header[7] = (uint8_t)(check >> 16);
    bytes_put_u64(header + 8, hash64(body, length, bytes_get_u64(header)));
}

static bool bad(struct frame_reader *reader, const char *problem)
{
    reader->problem = problem;
    return false;
}

// Whether the header may be believed; gives the length of the body.
static bool header_good(struct frame_reader *reader, const uint8_t *header, size_t *body)
{
    uint32_t check = (uint32_t)bytes_get_u16(header + 5) | (uint32_t)header[7] << 16;
    uint8_t type = header[4];

    *body = bytes_get_u32(header);
    if (check != header_check(header))
        return bad(reader, "the header of a frame is damaged or not one");
    if (type < FRAME_HELLO || type > FRAME_REFUSAL)
        return bad(reader, "a frame has an unknown type");
    if (type == FRAME_DATA && reader->data_max == 0)
        return bad(reader, "data came before the introduction was accepted");
    if (*body > (type == FRAME_DATA ? reader->data_max : FRAME_SMALL_MAX))
        return bad(reader, "a frame is longer than the limit");
    return true;
}

static enum frame_result hand_out(struct frame_reader *reader, const uint8_t *whole, size_t body,
                                  struct frame *frame)
{
    *frame = (struct frame){.type = whole[4], .body = whole + FRAME_HEADER_BYTES, .length = body};
    if (hash64(frame->body, body, bytes_get_u64(whole)) == bytes_get_u64(whole + 8))
        return FRAME_READY;
    reader->problem = "the checksum of a frame is wrong";
    return FRAME_BAD;
}

static void advance(const uint8_t **data, size_t *length, size_t by)
{
    *data += by;
    *length -= by;
}

// Whether `wanted` bytes of the frame are together now.
static bool collect(struct frame_reader *reader, size_t wanted, const uint8_t **data,
                    size_t *length)
{
    size_t missing = wanted - reader->partial.length;
    size_t part = missing < *length ? missing : *length;

    buffer_reserve(&reader->partial, missing);
    buffer_append(&reader->partial, *data, part);
    advance(data, length, part);
    return part == missing;
}

static void forget(struct frame_reader *reader)
{
    if (reader->partial.capacity > MEMORY_KEPT_BYTES)
        buffer_deinit(&reader->partial);
    buffer_clear(&reader->partial);
    reader->handed_out = false;
}

enum frame_result frame_next(struct frame_reader *reader, const uint8_t **data, size_t *length,
                             struct frame *frame)
{
    const uint8_t *start = *data;
    size_t body;

    if (reader->handed_out)
        forget(reader);
    if (reader->partial.length == 0 && *length >= FRAME_HEADER_BYTES) {
        if (!header_good(reader, start, &body))
            return FRAME_BAD;
        if (*length - FRAME_HEADER_BYTES >= body) {
            advance(data, length, FRAME_HEADER_BYTES + body);
            return hand_out(reader, start, body, frame);
        }
    }
    if (reader->partial.length < FRAME_HEADER_BYTES &&
        !collect(reader, FRAME_HEADER_BYTES, data, length))
        return FRAME_MORE;
    if (!header_good(reader, reader->partial.data, &body))
        return FRAME_BAD;
    if (!collect(reader, FRAME_HEADER_BYTES + body, data, length))
        return FRAME_MORE;
    reader->handed_out = true;
    return hand_out(reader, reader->partial.data, body, frame);
}

void frame_reader_deinit(struct frame_reader *reader)
{
    buffer_deinit(&reader->partial);
}
