// SPDX-License-Identifier: Apache-2.0
// A checkpoint on its way from one data directory to another: read in ranges, written in ranges, and
// taken for one only when every checksum of it was verified. Thread: one at a time.
#pragma once

#include "storage/checkpoint.h"

// ---- The giving end ----------------------------------------------------------------------------

// Reads bytes of the checkpoint file of that slot. *length in: how many are wanted; out: how many there
// were up to the end of the file. Errors: MISSING (no such checkpoint, or no longer), IO.
enum error checkpoint_read(struct disk *disk, paxos_slot slot, uint64_t offset, void *into,
                           size_t *length);
enum error checkpoint_size(struct disk *disk, paxos_slot slot, uint64_t *bytes);

// ---- The receiving end: file "checkpoint/<slot>.part" ------------------------------------------

struct checkpoint_part;

// Starts to receive, or goes on with what a previous try of the same slot and size left. Removes the
// parts of other slots. *offset: how much of it is there.
enum error checkpoint_part_open(struct disk *disk, paxos_slot slot, uint64_t bytes,
                                struct checkpoint_part **part, uint64_t *offset);
// NULL is allowed. The file stays.
void checkpoint_part_close(struct checkpoint_part *part);
// Writes at the end. Errors: IO, DISK_FULL.
enum error checkpoint_part_write(struct checkpoint_part *part, const void *data, size_t length);
// The file is complete: syncs it, verifies all of it and gives it its name, durably. Closes the part in
// any case. Errors: CORRUPT, FOREIGN (the part is removed), IO.
enum error checkpoint_part_finish(struct checkpoint_part *part, const struct identity *identity,
                                  struct checkpoint_info *info, struct failure *failure);
