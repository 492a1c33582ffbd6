// SPDX-License-Identifier: Apache-2.0
// Writing of checkpoints: the rows of a view, streamed through a buffer of one chunk.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "storage/checkpoint.h"
#include "storage/checkpoint_format.h"

struct writer {
    struct disk_file *file;
    uint64_t offset;
    struct buffer chunk; // chunk header and payload
    uint32_t chunk_rows;
    struct checkpoint_sum sum;
    bool (*pace)(void *context, uint64_t bytes);
    void *context;
};

void checkpoint_name(char name[CHECKPOINT_NAME_MAX], paxos_slot slot, bool temporary)
{
    snprintf(name, CHECKPOINT_NAME_MAX, CHECKPOINT_DIRECTORY "/%016" PRIx64 "%s", slot,
             temporary ? ".new" : "");
}

uint64_t checkpoint_chunk_checksum(uint64_t number, uint32_t rows, const void *payload,
                                   size_t length)
{
    uint8_t place[20];

    bytes_put_u64(place, number);
    bytes_put_u32(place + 8, rows);
    bytes_put_u64(place + 12, length);
    return hash64(payload, length, hash64(place, sizeof place, 0));
}

void checkpoint_sum_add(struct checkpoint_sum *sum, uint64_t checksum)
{
    uint8_t bytes[24];

    bytes_put_u64(bytes, sum->digest.low);
    bytes_put_u64(bytes + 8, sum->digest.high);
    bytes_put_u64(bytes + 16, checksum);
    sum->digest = hash128(bytes, sizeof bytes, 0);
}

static enum error append(struct writer *writer, const struct buffer *bytes)
{
    enum error error = writer->file->disk->operations->write(writer->file, writer->offset,
                                                             bytes->data, bytes->length);

    writer->offset += bytes->length;
    return error;
}

static enum error write_header(struct writer *writer, const struct identity *identity,
                               const struct state_position *position)
{
    struct buffer *header = &writer->chunk;

    buffer_clear(header);
    buffer_append(header, CHECKPOINT_MAGIC, 8);
    buffer_u32(header, CHECKPOINT_FORMAT);
    buffer_append(header, identity->cluster, sizeof identity->cluster);
    buffer_u16(header, identity->node);
    buffer_append(header, identity->incarnation, sizeof identity->incarnation);
    position_write(header, position);
    uint64_t checksum = hash64(header->data, header->length, 0);
    buffer_u64(header, checksum);
    ASSERT(header->length == CHECKPOINT_HEADER_BYTES);
    checkpoint_sum_add(&writer->sum, checksum);
    return append(writer, header);
}

static void begin_chunk(struct writer *writer)
{
    buffer_clear(&writer->chunk);
    buffer_zero(&writer->chunk, CHECKPOINT_CHUNK_HEADER_BYTES);
    writer->chunk_rows = 0;
}

static enum error end_chunk(struct writer *writer)
{
    uint8_t *header = writer->chunk.data;
    const uint8_t *payload = header + CHECKPOINT_CHUNK_HEADER_BYTES;
    size_t length = writer->chunk.length - CHECKPOINT_CHUNK_HEADER_BYTES;

    ASSERT(length <= CHECKPOINT_CHUNK_BYTES_MAX);
    if (length == 0)
        return ERROR_OK;
    uint64_t checksum =
        checkpoint_chunk_checksum(writer->sum.chunks, writer->chunk_rows, payload, length);
    bytes_put_u32(header, (uint32_t)length);
    bytes_put_u32(header + 4, writer->chunk_rows);
    bytes_put_u64(header + 8, checksum);
    checkpoint_sum_add(&writer->sum, checksum);
    writer->sum.chunks++;
    writer->sum.rows += writer->chunk_rows;
    enum error error = append(writer, &writer->chunk);
    begin_chunk(writer);
    if (error == ERROR_OK && writer->pace != NULL && !writer->pace(writer->context, writer->offset))
        error = ERROR_DRAINING;
    return error;
}

static enum error add_row(void *context, uint8_t table, const void *key, size_t key_length,
                          const void *value, size_t value_length)
{
    struct writer *writer = context;

    buffer_u8(&writer->chunk, table);
    buffer_u16(&writer->chunk, (uint16_t)key_length);
    buffer_u32(&writer->chunk, (uint32_t)value_length);
    buffer_append(&writer->chunk, key, key_length);
    buffer_append(&writer->chunk, value, value_length);
    writer->chunk_rows++;
    return writer->chunk.length < CHECKPOINT_CHUNK_BYTES ? ERROR_OK : end_chunk(writer);
}

static enum error write_trailer(struct writer *writer)
{
    struct buffer *trailer = &writer->chunk;

    buffer_clear(trailer);
    buffer_u64(trailer, 0);
    buffer_u64(trailer, writer->sum.rows);
    buffer_u64(trailer, writer->sum.chunks);
    buffer_u64(trailer, writer->sum.digest.low);
    buffer_u64(trailer, writer->sum.digest.high);
    buffer_u64(trailer, hash64(trailer->data, trailer->length, 0));
    return append(writer, trailer);
}

static enum error write_file(struct writer *writer, const struct identity *identity,
                             struct view *view)
{
    enum error error = write_header(writer, identity, view_position(view));

    begin_chunk(writer);
    if (error == ERROR_OK)
        error = view_rows(view, add_row, writer);
    if (error == ERROR_OK)
        error = end_chunk(writer);
    if (error == ERROR_OK)
        error = write_trailer(writer);
    return error == ERROR_OK ? writer->file->disk->operations->sync(writer->file) : error;
}

static enum error create_file(struct disk *disk, const char *name, struct disk_file **file)
{
    enum error error = disk->operations->make_directory(disk, CHECKPOINT_DIRECTORY);

    if (error != ERROR_OK)
        return error;
    error = disk->operations->remove(disk, name); // what a crash left
    if (error != ERROR_OK && error != ERROR_MISSING)
        return error;
    return disk->operations->open(disk, name, DISK_CREATE, file);
}

enum error checkpoint_write(struct disk *disk, const struct identity *identity, struct view *view,
                            bool (*pace)(void *context, uint64_t bytes), void *context,
                            struct checkpoint_info *info)
{
    char temporary[CHECKPOINT_NAME_MAX], name[CHECKPOINT_NAME_MAX];
    struct writer writer = {.pace = pace, .context = context};

    checkpoint_name(temporary, view_position(view)->applied, true);
    checkpoint_name(name, view_position(view)->applied, false);
    enum error error = create_file(disk, temporary, &writer.file);
    if (error != ERROR_OK)
        return error;
    error = write_file(&writer, identity, view);
    disk->operations->close(writer.file);
    buffer_deinit(&writer.chunk);
    if (error == ERROR_OK)
        error = disk->operations->rename(disk, temporary, name);
    if (error == ERROR_OK)
        error = disk->operations->sync_directory(disk, CHECKPOINT_DIRECTORY);
    else
        disk->operations->remove(disk, temporary);
    *info = (struct checkpoint_info){.position = *view_position(view), .bytes = writer.offset};
    return error;
}
