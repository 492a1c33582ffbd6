// SPDX-License-Identifier: Apache-2.0
// Both ends of a checkpoint's way to another data directory: see the header.
#include "storage/checkpoint_transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "storage/checkpoint_format.h"

enum { BYTES_PER_SYNC = 4 << 20 };

struct checkpoint_part {
    struct disk_file *file; // NULL: closed
    char name[CHECKPOINT_NAME_MAX];
    paxos_slot slot;
    uint64_t offset;
    uint64_t unsynced; // bytes
};

// ---- The giving end ----------------------------------------------------------------------------

static enum error open_checkpoint(struct disk *disk, paxos_slot slot, struct disk_file **file,
                                  uint64_t *bytes)
{
    char name[CHECKPOINT_NAME_MAX];

    checkpoint_name(name, slot, false);
    enum error error = disk->operations->open(disk, name, DISK_READ, file);
    if (error != ERROR_OK)
        return error;
    error = disk->operations->size(*file, bytes);
    if (error != ERROR_OK)
        disk->operations->close(*file);
    return error;
}

// A file that is too short is none that could be given to anybody.
static enum error read_ends(struct disk_file *file, struct checkpoint_file *found)
{
    const struct disk_operations *operations = file->disk->operations;
    uint8_t ends[CHECKPOINT_HEADER_BYTES + CHECKPOINT_TRAILER_BYTES];

    if (found->bytes < sizeof ends)
        return ERROR_MISSING;
    enum error error = operations->read(file, 0, ends, CHECKPOINT_HEADER_BYTES);
    if (error == ERROR_OK)
        error = operations->read(file, found->bytes - CHECKPOINT_TRAILER_BYTES,
                                 ends + CHECKPOINT_HEADER_BYTES, CHECKPOINT_TRAILER_BYTES);
    found->tag = hash64(ends, sizeof ends, found->bytes);
    return error;
}

enum error checkpoint_find(struct disk *disk, paxos_slot slot, struct checkpoint_file *file)
{
    struct disk_file *opened;

    *file = (struct checkpoint_file){.slot = slot};
    enum error error = open_checkpoint(disk, slot, &opened, &file->bytes);
    if (error != ERROR_OK)
        return error;
    error = read_ends(opened, file);
    disk->operations->close(opened);
    return error;
}

enum error checkpoint_read(struct disk *disk, paxos_slot slot, uint64_t offset, void *into,
                           size_t *length)
{
    struct disk_file *file;
    uint64_t bytes;

    enum error error = open_checkpoint(disk, slot, &file, &bytes);
    if (error != ERROR_OK)
        return error;
    uint64_t left = offset < bytes ? bytes - offset : 0;
    if (*length > left)
        *length = (size_t)left;
    if (*length > 0)
        error = disk->operations->read(file, offset, into, *length);
    disk->operations->close(file);
    return error;
}

// ---- Parts in the directory --------------------------------------------------------------------

struct stale_parts {
    const char *kept;    // name without the directory; may be NULL
    paxos_slot up_to;    // parts of higher slots stay
    struct buffer names; // NUL-terminated
};

static bool is_part(const char *name, paxos_slot *slot)
{
    const char *suffix = strrchr(name, '.');

    if (suffix == NULL || strcmp(suffix, ".part") != 0)
        return false;
    *slot = strtoull(name, NULL, 16);
    return true;
}

static void note_part(void *context, const char *name)
{
    struct stale_parts *stale = context;
    paxos_slot slot;

    if (is_part(name, &slot) && slot <= stale->up_to &&
        (stale->kept == NULL || strcmp(name, stale->kept) != 0))
        buffer_append(&stale->names, name, strlen(name) + 1);
}

enum error checkpoint_remove_parts(struct disk *disk, const char *kept, paxos_slot up_to)
{
    struct stale_parts stale = {.kept = kept, .up_to = up_to};
    char path[sizeof CHECKPOINT_DIRECTORY + 256];

    enum error error = disk->operations->list(disk, CHECKPOINT_DIRECTORY, note_part, &stale);
    if (error == ERROR_MISSING)
        error = ERROR_OK;
    for (size_t at = 0; at < stale.names.length && error == ERROR_OK;) {
        const char *name = (const char *)stale.names.data + at;
        snprintf(path, sizeof path, CHECKPOINT_DIRECTORY "/%s", name);
        error = disk->operations->remove(disk, path);
        if (error == ERROR_MISSING)
            error = ERROR_OK; // it has become a checkpoint meanwhile
        at += strlen(name) + 1;
    }
    buffer_deinit(&stale.names);
    return error;
}

// ---- The receiving end -------------------------------------------------------------------------

static enum error open_left(struct checkpoint_part *part, struct disk *disk, uint64_t bytes)
{
    enum error error = disk->operations->open(disk, part->name, DISK_WRITE, &part->file);

    if (error == ERROR_MISSING)
        return disk->operations->open(disk, part->name, DISK_CREATE, &part->file);
    if (error == ERROR_OK)
        error = disk->operations->size(part->file, &part->offset);
    if (error != ERROR_OK || part->offset <= bytes)
        return error;
    disk->operations->close(part->file);
    part->file = NULL;
    part->offset = 0;
    error = disk->operations->remove(disk, part->name);
    if (error == ERROR_OK)
        error = disk->operations->open(disk, part->name, DISK_CREATE, &part->file);
    return error;
}

enum error checkpoint_part_open(struct disk *disk, const struct checkpoint_file *file,
                                struct checkpoint_part **part, uint64_t *offset)
{
    struct checkpoint_part *opened = memory_zalloc(sizeof *opened);

    opened->slot = file->slot;
    snprintf(opened->name, sizeof opened->name,
             CHECKPOINT_DIRECTORY "/%016" PRIx64 "-%016" PRIx64 ".part", file->slot, file->tag);
    enum error error = disk->operations->make_directory(disk, CHECKPOINT_DIRECTORY);
    if (error == ERROR_OK)
        error =
            checkpoint_remove_parts(disk, opened->name + sizeof CHECKPOINT_DIRECTORY, UINT64_MAX);
    if (error == ERROR_OK)
        error = open_left(opened, disk, file->bytes);
    if (error != ERROR_OK) {
        checkpoint_part_close(opened);
        return error;
    }
    *part = opened;
    *offset = opened->offset;
    return ERROR_OK;
}

void checkpoint_part_close(struct checkpoint_part *part)
{
    if (part == NULL)
        return;
    if (part->file != NULL)
        part->file->disk->operations->close(part->file);
    free(part);
}

enum error checkpoint_part_drop(struct checkpoint_part *part)
{
    struct disk *disk = part->file->disk;
    enum error error = disk->operations->remove(disk, part->name);

    checkpoint_part_close(part);
    return error == ERROR_MISSING ? ERROR_OK : error;
}

enum error checkpoint_part_write(struct checkpoint_part *part, const void *data, size_t length)
{
    const struct disk_operations *operations = part->file->disk->operations;
    enum error error = operations->write(part->file, part->offset, data, length);

    if (error != ERROR_OK)
        return error;
    part->offset += length;
    part->unsynced += length;
    if (part->unsynced < BYTES_PER_SYNC)
        return ERROR_OK;
    part->unsynced = 0;
    return operations->sync(part->file);
}

static enum error take_for_checkpoint(struct checkpoint_part *part, struct disk *disk,
                                      struct failure *failure)
{
    char name[CHECKPOINT_NAME_MAX];

    checkpoint_name(name, part->slot, false);
    enum error error = disk->operations->rename(disk, part->name, name);
    if (error == ERROR_OK)
        error = disk->operations->sync_directory(disk, CHECKPOINT_DIRECTORY);
    if (error == ERROR_OK)
        return ERROR_OK;
    return failure_set(failure, error, "%s: cannot be renamed to its name", part->name);
}

enum error checkpoint_part_finish(struct checkpoint_part *part, const struct identity *identity,
                                  struct checkpoint_info *info, struct failure *failure)
{
    struct disk *disk = part->file->disk;
    enum error error = disk->operations->sync(part->file);

    disk->operations->close(part->file);
    part->file = NULL;
    if (error == ERROR_OK)
        error = checkpoint_verify_name(disk, identity, part->name, part->slot, info, failure);
    else
        failure_set(failure, error, "%s: cannot be made durable", part->name);
    if (error == ERROR_OK)
        error = take_for_checkpoint(part, disk, failure);
    else if (error == ERROR_CORRUPT || error == ERROR_FOREIGN)
        disk->operations->remove(disk, part->name);
    checkpoint_part_close(part);
    return error;
}
