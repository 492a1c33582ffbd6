// SPDX-License-Identifier: Apache-2.0
// Nothing in a frame is believed before its checksum and its bounds were checked.
#include "server/transfer_frame.h"

enum { CHECKSUM_BYTES = 8 };

void transfer_frame_encode(struct buffer *into, const struct transfer_frame *frame)
{
    buffer_clear(into);
    buffer_u8(into, frame->kind);
    buffer_u64(into, frame->file.slot);
    buffer_u64(into, frame->file.tag);
    if (frame->kind == FRAME_OFFER) {
        buffer_u64(into, frame->file.bytes);
        buffer_u64(into, frame->ballot.round);
        buffer_u16(into, frame->ballot.node);
        buffer_u64(into, frame->gone);
    } else {
        buffer_u64(into, frame->offset);
        buffer_u32(into, frame->length);
    }
    if (frame->kind == FRAME_RANGE)
        buffer_append(into, frame->data, frame->length);
    buffer_u64(into, hash64(into->data, into->length, 0));
}

static bool read_offer(struct reader *reader, struct transfer_frame *frame)
{
    frame->file.bytes = reader_u64(reader);
    frame->ballot.round = reader_u64(reader);
    frame->ballot.node = reader_u16(reader);
    frame->gone = reader_u64(reader);
    return frame->file.bytes > 0 && frame->file.bytes <= TRANSFER_CHECKPOINT_BYTES_MAX &&
           frame->ballot.round > 0 && frame->ballot.node > 0;
}

static bool read_place(struct reader *reader, struct transfer_frame *frame)
{
    frame->offset = reader_u64(reader);
    frame->length = reader_u32(reader);
    return frame->offset < TRANSFER_CHECKPOINT_BYTES_MAX && frame->length > 0 &&
           frame->length <= TRANSFER_RANGE_BYTES;
}

static bool read_body(struct reader *reader, struct transfer_frame *frame)
{
    switch (frame->kind) {
    case FRAME_OFFER:
        return read_offer(reader, frame);
    case FRAME_WANT:
        return read_place(reader, frame);
    case FRAME_RANGE:
        if (!read_place(reader, frame))
            return false;
        frame->data = reader_bytes(reader, frame->length);
        return true;
    default:
        return false;
    }
}

enum error transfer_frame_decode(const void *data, size_t length, struct transfer_frame *frame)
{
    struct reader reader;

    if (length < CHECKSUM_BYTES || bytes_get_u64((const uint8_t *)data + length - CHECKSUM_BYTES) !=
                                       hash64(data, length - CHECKSUM_BYTES, 0))
        return ERROR_CORRUPT;
    *frame = (struct transfer_frame){0};
    reader_init(&reader, data, length - CHECKSUM_BYTES);
    frame->kind = reader_u8(&reader);
    frame->file.slot = reader_u64(&reader);
    frame->file.tag = reader_u64(&reader);
    bool right = read_body(&reader, frame) && reader_done(&reader) && frame->file.slot > 0;
    return right ? ERROR_OK : ERROR_CORRUPT;
}
