// SPDX-License-Identifier: Apache-2.0
// A forwarded batch is checked by the leader before it is proposed: what stands in the log must decode
// on every replica.
#include "server/forward.h"

#include "base/assert.h"

enum { CHECKSUM_BYTES = 8 };

void forward_begin(struct buffer *into, struct ballot ballot)
{
    buffer_clear(into);
    buffer_u8(into, FRAME_FORWARD);
    buffer_u64(into, ballot.round);
    buffer_u16(into, ballot.node);
}

void forward_end(struct buffer *into)
{
    buffer_u64(into, hash64(into->data, into->length, 0));
}

static enum error check_part(struct batch_part *part, uint16_t from)
{
    const uint8_t *data;
    size_t length;
    struct command command;
    enum error error;

    if (part->origin.node != from)
        return ERROR_CORRUPT;
    while ((error = batch_next_command(part, &data, &length)) == ERROR_OK) {
        if (command_decode(data, length, &command) != ERROR_OK)
            return ERROR_CORRUPT;
    }
    return error == ERROR_MISSING ? ERROR_OK : ERROR_CORRUPT;
}

static enum error check_batch(struct reader batch, uint16_t from)
{
    struct batch_part part;
    struct reader parts;
    enum error error;

    if (batch_open(batch.at, reader_left(&batch), &parts) != ERROR_OK)
        return ERROR_CORRUPT;
    while ((error = batch_next_part(&parts, &part)) == ERROR_OK) {
        if (check_part(&part, from) != ERROR_OK)
            return ERROR_CORRUPT;
    }
    return error == ERROR_MISSING ? ERROR_OK : ERROR_CORRUPT;
}

enum error forward_open(const void *data, size_t length, uint16_t from, struct ballot *ballot,
                        struct reader *batch)
{
    struct reader reader;

    if (length < CHECKSUM_BYTES || bytes_get_u64((const uint8_t *)data + length - CHECKSUM_BYTES) !=
                                       hash64(data, length - CHECKSUM_BYTES, 0))
        return ERROR_CORRUPT;
    reader_init(&reader, data, length - CHECKSUM_BYTES);
    if (reader_u8(&reader) != FRAME_FORWARD)
        return ERROR_CORRUPT;
    ballot->round = reader_u64(&reader);
    ballot->node = reader_u16(&reader);
    if (reader.failed)
        return ERROR_CORRUPT;
    reader_init(batch, reader.at, reader_left(&reader));
    return check_batch(*batch, from);
}

void forward_copy_parts(struct reader batch, struct buffer *into)
{
    struct batch_part part;
    struct reader parts;
    const uint8_t *data;
    size_t length;

    enum error error = batch_open(batch.at, reader_left(&batch), &parts);
    ASSERT(error == ERROR_OK);
    while (batch_next_part(&parts, &part) == ERROR_OK) {
        batch_begin_part(into, &part.origin, part.count);
        while (batch_next_command(&part, &data, &length) == ERROR_OK)
            batch_add_command(into, data, length);
    }
}
