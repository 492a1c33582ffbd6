// SPDX-License-Identifier: Apache-2.0
// A fixed sequence of little-endian fields.
#include "storage/position.h"

static void write_hash(struct buffer *into, struct hash128 hash)
{
    buffer_u64(into, hash.low);
    buffer_u64(into, hash.high);
}

static struct hash128 read_hash(struct reader *reader)
{
    struct hash128 hash;

    hash.low = reader_u64(reader);
    hash.high = reader_u64(reader);
    return hash;
}

void position_write(struct buffer *into, const struct state_position *position)
{
    buffer_u64(into, position->applied);
    write_hash(into, position->hash);
    buffer_u64(into, position->ballot.round);
    buffer_u16(into, position->ballot.node);
    buffer_u64(into, position->epoch);
    buffer_u64(into, position->zxid);
    buffer_u64(into, position->log_time_us);
    buffer_u64(into, position->wall_ms);
    buffer_u32(into, position->state_version);
    write_hash(into, position->digest);
    buffer_u64(into, position->node_count);
    buffer_u64(into, position->key_count);
    buffer_u64(into, position->data_bytes);
    buffer_u64(into, position->next_id);
    buffer_u64(into, position->session_count);
    buffer_u64(into, position->history_start);
    buffer_u64(into, position->history_zxids);
    buffer_u64(into, position->history_bytes);
}

void position_read(struct reader *reader, struct state_position *position)
{
    position->applied = reader_u64(reader);
    position->hash = read_hash(reader);
    position->ballot.round = reader_u64(reader);
    position->ballot.node = reader_u16(reader);
    position->epoch = reader_u64(reader);
    position->zxid = reader_u64(reader);
    position->log_time_us = reader_u64(reader);
    position->wall_ms = reader_u64(reader);
    position->state_version = reader_u32(reader);
    position->digest = read_hash(reader);
    position->node_count = reader_u64(reader);
    position->key_count = reader_u64(reader);
    position->data_bytes = reader_u64(reader);
    position->next_id = reader_u64(reader);
    position->session_count = reader_u64(reader);
    position->history_start = reader_u64(reader);
    position->history_zxids = reader_u64(reader);
    position->history_bytes = reader_u64(reader);
}
