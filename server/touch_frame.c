// SPDX-License-Identifier: Apache-2.0
// An id of zero names no session, so a frame with one is malformed.
#include "server/touch_frame.h"

#include "base/assert.h"
#include "base/hash.h"
#include "server/forward.h"

enum { CHECKSUM_BYTES = 8 };

void touch_frame_encode(struct buffer *into, const struct touch_frame *frame, const uint64_t *ids)
{
    ASSERT(frame->count >= 1 && frame->count <= TOUCH_IDS_MAX);
    buffer_clear(into);
    buffer_u8(into, frame->kind);
    buffer_u64(into, frame->ballot.round);
    buffer_u16(into, frame->ballot.node);
    buffer_u64(into, frame->number);
    buffer_u32(into, frame->count);
    for (uint32_t i = 0; i < frame->count; i++)
        buffer_u64(into, ids[i]);
    buffer_u64(into, hash64(into->data, into->length, 0));
}

enum error touch_frame_decode(const void *data, size_t length, struct touch_frame *frame,
                              uint64_t *ids)
{
    struct reader reader;

    if (length < CHECKSUM_BYTES || bytes_get_u64((const uint8_t *)data + length - CHECKSUM_BYTES) !=
                                       hash64(data, length - CHECKSUM_BYTES, 0))
        return ERROR_CORRUPT;
    reader_init(&reader, data, length - CHECKSUM_BYTES);
    frame->kind = reader_u8(&reader);
    frame->ballot.round = reader_u64(&reader);
    frame->ballot.node = reader_u16(&reader);
    frame->number = reader_u64(&reader);
    frame->count = reader_u32(&reader);
    if (reader.failed || (frame->kind != FRAME_TOUCH && frame->kind != FRAME_TOUCHED) ||
        frame->count == 0 || frame->count > TOUCH_IDS_MAX)
        return ERROR_CORRUPT;
    for (uint32_t i = 0; i < frame->count; i++) {
        ids[i] = reader_u64(&reader);
        if (ids[i] == 0)
            reader_fail(&reader);
    }
    return reader_done(&reader) ? ERROR_OK : ERROR_CORRUPT;
}
