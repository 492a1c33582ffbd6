// SPDX-License-Identifier: Apache-2.0
// The port to the file system for everything that must be durable: identity, journal, checkpoints.
// The daemon plugs in the real one (disk_posix.h); tests and the simulator plug in one that loses,
// tears and damages what was not synced.
//
// Names are relative to the data directory ("journal/0000000000000001"). Every operation answers
// ERROR_IO on failure, ERROR_DISK_FULL for ENOSPC/EDQUOT, ERROR_MISSING where a file does not
// exist. A failed write or sync is final for the caller: it must not be retried (see
// docs/architecture.md). Thread: a disk may be used by any thread; one file by one thread at a
// time, reads apart.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"

struct disk;
struct disk_file;

enum disk_open {
    DISK_READ,   // must exist
    DISK_WRITE,  // must exist; read and write
    DISK_CREATE, // must not exist; read and write
};

struct disk_operations {
    enum error (*open)(struct disk *disk, const char *name, enum disk_open mode,
                       struct disk_file **file);
    void (*close)(struct disk_file *file);
    enum error (*size)(struct disk_file *file, uint64_t *bytes);
    // Reads exactly length bytes; ERROR_IO past the end.
    enum error (*read)(struct disk_file *file, uint64_t offset, void *into, size_t length);
    enum error (*write)(struct disk_file *file, uint64_t offset, const void *data, size_t length);
    // Returns once everything written to the file so far is durable.
    enum error (*sync)(struct disk_file *file);
    enum error (*rename)(struct disk *disk, const char *from, const char *to);
    enum error (*remove)(struct disk *disk, const char *name);
    // Makes the directory if it is absent, and its entry durable.
    enum error (*make_directory)(struct disk *disk, const char *directory);
    // Makes created, renamed and removed names of the directory durable ("" is the top).
    enum error (*sync_directory)(struct disk *disk, const char *directory);
    // Calls visit for each name (without the directory), in no particular order.
    enum error (*list)(struct disk *disk, const char *directory,
                       void (*visit)(void *context, const char *name), void *context);
    enum error (*free_bytes)(struct disk *disk, uint64_t *bytes);
};

// Implementations embed these as their first member.
struct disk {
    const struct disk_operations *operations;
};
struct disk_file {
    struct disk *disk;
};

// Writes data to a temporary name, syncs it, renames it to name and syncs the directory: afterwards
// either the old or the new content exists, whole. `name` is relative to the data directory as
// everywhere, and `directory` is the one that it lies in.
enum error disk_replace(struct disk *disk, const char *directory, const char *name,
                        const void *data, size_t length);
