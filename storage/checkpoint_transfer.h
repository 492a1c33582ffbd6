// SPDX-License-Identifier: Apache-2.0
// A checkpoint on its way from one data directory to another: read in ranges, written in ranges, and
// taken for one only when every checksum of it was verified. Thread: one at a time; beside
// checkpoint_write and checkpoint_prune on another.
#pragma once

#include "storage/checkpoint.h"

// Tells a checkpoint file from every other one of the cluster: two nodes' files of one slot hold the same
// rows and differ all the same, because a file says who wrote it. Ranges of the two must not be mixed.
struct checkpoint_file {
    paxos_slot slot;
    uint64_t bytes;
    uint64_t tag; // over the header and the trailer, which vouches for the rest
};

// ---- The giving end ----------------------------------------------------------------------------

// Looks at the checkpoint file of that slot. Errors: MISSING (no such checkpoint, or no longer), IO.
enum error checkpoint_find(struct disk *disk, paxos_slot slot, struct checkpoint_file *file);
// Reads bytes of the checkpoint file of that slot. *length in: how many are wanted; out: how many there
// were up to the end of the file. Errors: MISSING (no such checkpoint, or no longer), IO.
enum error checkpoint_read(struct disk *disk, paxos_slot slot, uint64_t offset, void *into,
                           size_t *length);

// ---- The receiving end: file "checkpoint/<slot>-<tag>.part" ------------------------------------

struct checkpoint_part;

// Starts to receive, or goes on with what a previous try of the same file left. Removes the parts of
// others. *offset: how much of it is there. Errors: IO, DISK_FULL.
enum error checkpoint_part_open(struct disk *disk, const struct checkpoint_file *file,
                                struct checkpoint_part **part, uint64_t *offset);
// NULL is allowed. The file stays.
void checkpoint_part_close(struct checkpoint_part *part);
// Closes and gives back the room. Errors: IO.
enum error checkpoint_part_drop(struct checkpoint_part *part);
// Writes at the end, and syncs from time to time so that a flush of the journal does not queue behind
// the whole. Errors: IO, DISK_FULL.
enum error checkpoint_part_write(struct checkpoint_part *part, const void *data, size_t length);
// The file is complete: syncs it, verifies all of it and gives it its name, durably. Closes the part in
// any case. Errors: CORRUPT, FOREIGN (the part is removed), MISSING (checkpoint_prune has removed it: a
// newer checkpoint was written here), IO.
enum error checkpoint_part_finish(struct checkpoint_part *part, const struct identity *identity,
                                  struct checkpoint_info *info, struct failure *failure);
