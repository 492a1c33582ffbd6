// SPDX-License-Identifier: Apache-2.0
// A disk in memory for tests and the simulator: a page cache above a platter, per 512-byte sector,
// that loses at a crash whatever subset of the unsynced changes the caller chooses.
//
// Model: a sector is written whole or not at all; of two unsynced writes to one sector the later
// one or none survives. A file's sync makes its content and size durable, not its name: creations,
// renames (atomic) and removals become durable with sync_directory, and without it each of them
// survives or not on its own. Deterministic; ranges of zeros cost nothing. Thread: any.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "storage/disk.h"

enum { DISK_FAKE_SECTOR = 512 };

struct disk *disk_fake_new(void);
// Files that are still open must not be used afterwards. NULL is allowed.
void disk_fake_free(struct disk *disk);
// A second disk with the same content, cache and unsynced changes, without open files or faults.
struct disk *disk_fake_clone(struct disk *disk);

// ---- Crashes -----------------------------------------------------------------------------------

// Asked once for each unsynced change whether it survives, in a fixed order: names first, in the
// order of the operations (sector is UINT64_MAX), then the files by name, each file's size (sector
// UINT64_MAX) before its sectors in ascending order.
typedef bool (*disk_fake_choose)(void *context, const char *name, uint64_t sector);

// Takes the power away: what was synced and what `choose` keeps is all that remains. Open files
// answer ERROR_IO from now on and need only be closed. Faults are over.
void disk_fake_crash(struct disk *disk, disk_fake_choose choose, void *context);
// The same with choices drawn from a seed.
void disk_fake_crash_random(struct disk *disk, uint64_t seed);

// ---- Faults ------------------------------------------------------------------------------------

// Operations that change or sync something since the disk was made.
uint64_t disk_fake_operations(const struct disk *disk);
// Lets the count-th such operation from now on fail (1 is the next, 0: none any more), and with
// `lasting` all that follow it. A write that fails may or may not have reached the disk: it stays
// unsynced.
void disk_fake_fail(struct disk *disk, uint64_t count, enum error error, bool lasting);
// Bytes that files may still grow by before writes answer ERROR_DISK_FULL; removals give back.
void disk_fake_set_free(struct disk *disk, uint64_t bytes);

// ---- Looking and damaging ----------------------------------------------------------------------

bool disk_fake_exists(struct disk *disk, const char *name);
// Appends the file's content to `into`. Requires that it exists.
void disk_fake_read(struct disk *disk, const char *name, struct buffer *into);
// Changes durable bytes behind everyone's back. Requires a file that reaches so far.
void disk_fake_poke(struct disk *disk, const char *name, uint64_t offset, const void *data,
                    size_t length);
// Inverts one bit (0..7) of one byte.
void disk_fake_flip(struct disk *disk, const char *name, uint64_t offset, unsigned bit);
// Bytes of memory that file contents take.
uint64_t disk_fake_memory(struct disk *disk);
