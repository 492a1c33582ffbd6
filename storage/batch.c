// SPDX-License-Identifier: Apache-2.0
// Batches: u32 version, then parts of u16 node, u64 boot, u64 sequence, u32 count, commands.
#include "storage/command.h"

void batch_begin(struct buffer *into)
{
    buffer_u32(into, STATE_VERSION);
}

void batch_begin_part(struct buffer *into, const struct origin *origin, uint32_t count)
{
    buffer_u16(into, origin->node);
    buffer_u64(into, origin->boot);
    buffer_u64(into, origin->sequence);
    buffer_u32(into, count);
}

void batch_add_command(struct buffer *into, const void *command, size_t length)
{
    buffer_string(into, command, length);
}

enum error batch_open(const void *data, size_t length, struct reader *parts)
{
    reader_init(parts, data, length);
    uint32_t version = reader_u32(parts);
    return !parts->failed && version == STATE_VERSION ? ERROR_OK : ERROR_BAD_ARGUMENTS;
}

enum error batch_next_part(struct reader *parts, struct batch_part *part)
{
    size_t length;

    if (reader_done(parts))
        return ERROR_MISSING;
    part->origin.node = reader_u16(parts);
    part->origin.boot = reader_u64(parts);
    part->origin.sequence = reader_u64(parts);
    part->count = reader_u32(parts);
    part->commands = *parts;
    for (uint32_t i = 0; i < part->count && !parts->failed; i++)
        reader_string(parts, COMMAND_BYTES_MAX, &length);
    part->commands.end = parts->at;
    if (parts->failed || part->origin.sequence > UINT64_MAX - part->count)
        return ERROR_BAD_ARGUMENTS;
    return ERROR_OK;
}

enum error batch_next_command(struct batch_part *part, const uint8_t **command, size_t *length)
{
    if (reader_done(&part->commands))
        return ERROR_MISSING;
    *command = reader_string(&part->commands, COMMAND_BYTES_MAX, length);
    return part->commands.failed ? ERROR_BAD_ARGUMENTS : ERROR_OK;
}
