// SPDX-License-Identifier: Apache-2.0
// What every disk can do with the operations of any disk: replace a small file atomically.
#include "storage/disk.h"

#include <stdio.h>

#include "base/assert.h"

enum { TEMPORARY_NAME_MAX = 256 };

static enum error write_whole(struct disk *disk, const char *name, const void *data, size_t length)
{
    struct disk_file *file;
    enum error error = disk->operations->open(disk, name, DISK_CREATE, &file);

    if (error != ERROR_OK)
        return error;
    error = disk->operations->write(file, 0, data, length);
    if (error == ERROR_OK)
        error = disk->operations->sync(file);
    disk->operations->close(file);
    return error;
}

enum error disk_replace(struct disk *disk, const char *directory, const char *name,
                        const void *data, size_t length)
{
    char temporary[TEMPORARY_NAME_MAX];
    int written = snprintf(temporary, sizeof temporary, "%s.new", name);

    ASSERT(written > 0 && (size_t)written < sizeof temporary);
    // A crash may have left one behind.
    enum error error = disk->operations->remove(disk, temporary);
    if (error != ERROR_OK && error != ERROR_MISSING)
        return error;
    error = write_whole(disk, temporary, data, length);
    if (error == ERROR_OK)
        error = disk->operations->rename(disk, temporary, name);
    if (error == ERROR_OK)
        error = disk->operations->sync_directory(disk, directory);
    return error;
}
