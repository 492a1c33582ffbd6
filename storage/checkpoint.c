// SPDX-License-Identifier: Apache-2.0
// Reading, listing and pruning of checkpoints. The format stands in checkpoint_format.h. Nothing in
// a file is believed before the checksum over it was verified, and lengths are bounded before that.
#include "storage/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/checkpoint_format.h"

struct source {
    struct disk_file *file;
    char name[CHECKPOINT_NAME_MAX];
    uint64_t size;
    uint64_t offset;
    struct buffer bytes; // of the part that was read last
    struct checkpoint_sum sum;
    struct state_position position;
    struct failure *failure;
    bool received; // not written by this disk
};

static enum error corrupt(const struct source *source, const char *what)
{
    return failure_set(source->failure, ERROR_CORRUPT, "%s: %s at offset %llu is damaged",
                       source->name, what, (unsigned long long)source->offset);
}

// Reads the next bytes into source->bytes.
static enum error take(struct source *source, size_t length, const char *what)
{
    if (length > source->size - source->offset)
        return failure_set(source->failure, ERROR_CORRUPT, "%s: it ends within %s at offset %llu",
                           source->name, what, (unsigned long long)source->offset);
    buffer_clear(&source->bytes);
    buffer_reserve(&source->bytes, length);
    enum error error = source->file->disk->operations->read(source->file, source->offset,
                                                            source->bytes.data, length);
    if (error != ERROR_OK)
        return failure_set(source->failure, error, "%s: cannot read at offset %llu", source->name,
                           (unsigned long long)source->offset);
    source->bytes.length = length;
    return ERROR_OK;
}

// ---- Header and trailer ------------------------------------------------------------------------

static bool checksum_holds(const struct buffer *bytes)
{
    size_t length = bytes->length - 8;

    return bytes_get_u64(bytes->data + length) == hash64(bytes->data, length, 0);
}

static enum error read_header(struct source *source, const struct identity *identity,
                              paxos_slot slot)
{
    enum error error = take(source, CHECKPOINT_HEADER_BYTES, "the header");
    const uint8_t *at = source->bytes.data;
    struct reader reader;

    if (error != ERROR_OK)
        return error;
    if (memcmp(at, CHECKPOINT_MAGIC, 8) != 0)
        return corrupt(source, "the header's magic");
    if (bytes_get_u32(at + 8) != CHECKPOINT_FORMAT)
        return failure_set(source->failure, ERROR_FOREIGN, "%s: format version %u is not %d",
                           source->name, bytes_get_u32(at + 8), CHECKPOINT_FORMAT);
    if (!checksum_holds(&source->bytes))
        return corrupt(source, "the header");
    if (memcmp(at + 12, identity->cluster, sizeof identity->cluster) != 0)
        return failure_set(source->failure, ERROR_FOREIGN, "%s: it belongs to another cluster",
                           source->name);
    source->received = memcmp(at + 30, identity->incarnation, sizeof identity->incarnation) != 0;
    reader_init(&reader, at + 46, POSITION_BYTES);
    position_read(&reader, &source->position);
    if (source->position.state_version != STATE_VERSION)
        return failure_set(source->failure, ERROR_FOREIGN, "%s: state version %u is not %d",
                           source->name, source->position.state_version, STATE_VERSION);
    if (source->position.applied != slot)
        return corrupt(source, "the header's slot, which is not that of the name, ");
    checkpoint_sum_add(&source->sum, bytes_get_u64(at + CHECKPOINT_HEADER_BYTES - 8));
    source->offset += CHECKPOINT_HEADER_BYTES;
    return ERROR_OK;
}

static enum error read_trailer(struct source *source)
{
    enum error error = take(source, CHECKPOINT_TRAILER_BYTES, "the trailer");
    const uint8_t *at = source->bytes.data;

    if (error != ERROR_OK)
        return error;
    if (!checksum_holds(&source->bytes) || bytes_get_u64(at) != 0 ||
        bytes_get_u64(at + 8) != source->sum.rows || bytes_get_u64(at + 16) != source->sum.chunks ||
        bytes_get_u64(at + 24) != source->sum.digest.low ||
        bytes_get_u64(at + 32) != source->sum.digest.high)
        return corrupt(source, "the trailer");
    source->offset += CHECKPOINT_TRAILER_BYTES;
    return source->offset == source->size ? ERROR_OK : corrupt(source, "what follows the trailer");
}

// ---- Chunks ------------------------------------------------------------------------------------

static enum error load_rows(struct source *source, struct state *state, uint32_t rows)
{
    struct reader reader;

    reader_init(&reader, source->bytes.data, source->bytes.length);
    for (uint32_t i = 0; i < rows && !reader.failed; i++) {
        uint8_t table = reader_u8(&reader);
        size_t key_length = reader_u16(&reader);
        size_t value_length = reader_u32(&reader);
        const uint8_t *key = reader_bytes(&reader, key_length);
        const uint8_t *value = reader_bytes(&reader, value_length);
        if (reader.failed || state == NULL)
            continue;
        enum error error = state_load_row(state, table, key, key_length, value, value_length);
        if (error == ERROR_CORRUPT)
            return corrupt(source, "a row of the chunk");
        if (error != ERROR_OK)
            return failure_set(source->failure, error, "%s: cannot load it", source->name);
    }
    return reader_done(&reader) ? ERROR_OK : corrupt(source, "the rows of the chunk");
}

// MISSING at the trailer.
static enum error read_chunk(struct source *source, struct state *state)
{
    enum error error = take(source, CHECKPOINT_CHUNK_HEADER_BYTES, "a chunk's header");

    if (error != ERROR_OK)
        return error;
    uint32_t length = bytes_get_u32(source->bytes.data);
    uint32_t rows = bytes_get_u32(source->bytes.data + 4);
    uint64_t checksum = bytes_get_u64(source->bytes.data + 8);
    if (length == 0)
        return ERROR_MISSING;
    if (length > CHECKPOINT_CHUNK_BYTES_MAX)
        return corrupt(source, "the length of the chunk");
    source->offset += CHECKPOINT_CHUNK_HEADER_BYTES;
    error = take(source, length, "a chunk");
    if (error != ERROR_OK)
        return error;
    if (checksum != checkpoint_chunk_checksum(source->sum.chunks, rows, source->bytes.data, length))
        return corrupt(source, "the chunk");
    error = load_rows(source, state, rows);
    checkpoint_sum_add(&source->sum, checksum);
    source->sum.chunks++;
    source->sum.rows += rows;
    source->offset += length;
    return error;
}

static enum error read_chunks(struct source *source, struct state *state)
{
    enum error error;

    do
        error = read_chunk(source, state);
    while (error == ERROR_OK);
    return error == ERROR_MISSING ? read_trailer(source) : error;
}

// ---- Whole files -------------------------------------------------------------------------------

static enum error load(struct source *source, struct state *state)
{
    enum error error = state_load_begin(state);

    if (error != ERROR_OK)
        return failure_set(source->failure, error, "%s: cannot load it", source->name);
    error = read_chunks(source, state);
    if (error != ERROR_OK)
        return error;
    error = state_load_end(state, &source->position);
    if (error != ERROR_OK)
        return failure_set(source->failure, error,
                           "%s: its rows are not the state that its header names", source->name);
    return ERROR_OK;
}

static enum error read_file(struct source *source, const struct identity *identity, paxos_slot slot,
                            struct state *state)
{
    enum error error = source->file->disk->operations->size(source->file, &source->size);

    if (error != ERROR_OK)
        return failure_set(source->failure, error, "%s: cannot tell its size", source->name);
    error = read_header(source, identity, slot);
    if (error != ERROR_OK)
        return error;
    return state != NULL ? load(source, state) : read_chunks(source, NULL);
}

// Reads the file of a slot, into the state if there is one.
static enum error read_checkpoint(struct disk *disk, const struct identity *identity,
                                  const char *name, paxos_slot slot, struct state *state,
                                  struct checkpoint_info *info, struct failure *failure)
{
    struct source source = {.failure = failure};

    snprintf(source.name, sizeof source.name, "%s", name);
    enum error error = disk->operations->open(disk, name, DISK_READ, &source.file);
    if (error != ERROR_OK)
        return failure_set(failure, error, "%s: cannot open it", name);
    error = read_file(&source, identity, slot, state);
    disk->operations->close(source.file);
    buffer_deinit(&source.bytes);
    *info = (struct checkpoint_info){
        .position = source.position, .bytes = source.size, .received = source.received};
    return error;
}

enum error checkpoint_load(struct disk *disk, const struct identity *identity, paxos_slot slot,
                           struct state *state, struct checkpoint_info *info,
                           struct failure *failure)
{
    char name[CHECKPOINT_NAME_MAX];

    checkpoint_name(name, slot, false);
    return read_checkpoint(disk, identity, name, slot, state, info, failure);
}

enum error checkpoint_verify_name(struct disk *disk, const struct identity *identity,
                                  const char *name, paxos_slot slot, struct checkpoint_info *info,
                                  struct failure *failure)
{
    return read_checkpoint(disk, identity, name, slot, NULL, info, failure);
}

enum error checkpoint_verify(struct disk *disk, const struct identity *identity, paxos_slot slot,
                             struct checkpoint_info *info, struct failure *failure)
{
    char name[CHECKPOINT_NAME_MAX];

    checkpoint_name(name, slot, false);
    return checkpoint_verify_name(disk, identity, name, slot, info, failure);
}

// ---- The directory -----------------------------------------------------------------------------

struct names {
    struct buffer slots;    // u64 each
    struct buffer leftover; // names, NUL-terminated
};

static bool parse_slot(const char *name, paxos_slot *slot)
{
    if (strlen(name) != 16 || strspn(name, "0123456789abcdef") != 16)
        return false;
    *slot = strtoull(name, NULL, 16);
    return true;
}

static void note_name(void *context, const char *name)
{
    struct names *names = context;
    size_t length = strlen(name);
    paxos_slot slot;

    if (parse_slot(name, &slot))
        buffer_append(&names->slots, &slot, sizeof slot);
    else if (length > 4 && strcmp(name + length - 4, ".new") == 0)
        buffer_append(&names->leftover, name, length + 1);
}

static int compare_slots(const void *a, const void *b)
{
    paxos_slot left = *(const paxos_slot *)a, right = *(const paxos_slot *)b;

    return (left < right) - (left > right);
}

// Newest first. Ownership of the names: names_deinit.
static enum error read_names(struct disk *disk, struct names *names)
{
    *names = (struct names){0};
    enum error error = disk->operations->list(disk, CHECKPOINT_DIRECTORY, note_name, names);
    if (names->slots.length > 0)
        qsort(names->slots.data, names->slots.length / sizeof(paxos_slot), sizeof(paxos_slot),
              compare_slots);
    return error == ERROR_MISSING ? ERROR_OK : error;
}

static void names_deinit(struct names *names)
{
    buffer_deinit(&names->slots);
    buffer_deinit(&names->leftover);
}

static enum error remove_leftovers(struct disk *disk, const struct names *names)
{
    enum error error = ERROR_OK;
    struct buffer path = {0};

    for (size_t at = 0; at < names->leftover.length && error == ERROR_OK;) {
        const char *name = (const char *)names->leftover.data + at;
        buffer_clear(&path);
        buffer_printf(&path, CHECKPOINT_DIRECTORY "/%s", name);
        buffer_u8(&path, 0);
        error = disk->operations->remove(disk, (const char *)path.data);
        at += strlen(name) + 1;
    }
    buffer_deinit(&path);
    return error;
}

enum error checkpoint_list(struct disk *disk, paxos_slot *slots, size_t capacity, size_t *count)
{
    struct names names;
    enum error error = read_names(disk, &names);

    if (error == ERROR_OK)
        error = remove_leftovers(disk, &names);
    *count = names.slots.length / sizeof *slots;
    if (*count > capacity)
        *count = capacity;
    if (*count > 0)
        memcpy(slots, names.slots.data, *count * sizeof *slots);
    names_deinit(&names);
    return error;
}

static bool contains(const paxos_slot *slots, size_t count, paxos_slot slot)
{
    for (size_t i = 0; i < count; i++) {
        if (slots[i] == slot)
            return true;
    }
    return false;
}

static paxos_slot highest(const paxos_slot *slots, size_t count)
{
    paxos_slot found = 0;

    for (size_t i = 0; i < count; i++) {
        if (slots[i] > found)
            found = slots[i];
    }
    return found;
}

enum error checkpoint_prune(struct disk *disk, const paxos_slot *kept, size_t count)
{
    char name[CHECKPOINT_NAME_MAX];
    struct names names;
    paxos_slot slot;
    bool removed = false;

    enum error error = read_names(disk, &names);
    for (size_t at = 0; at < names.slots.length && error == ERROR_OK; at += sizeof slot) {
        memcpy(&slot, names.slots.data + at, sizeof slot);
        if (contains(kept, count, slot))
            continue;
        checkpoint_name(name, slot, false);
        error = disk->operations->remove(disk, name);
        removed = true;
    }
    names_deinit(&names);
    if (error == ERROR_OK)
        error = checkpoint_remove_parts(disk, NULL, highest(kept, count));
    if (error == ERROR_OK && removed)
        error = disk->operations->sync_directory(disk, CHECKPOINT_DIRECTORY);
    return error;
}
