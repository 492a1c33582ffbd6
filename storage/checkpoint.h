// SPDX-License-Identifier: Apache-2.0
// Checkpoints: the whole state at one slot as one file of sorted, checksummed records. The same
// file starts a node, brings a lagging peer up to date and is a backup.
//
// File "checkpoint/<slot, 16 hex digits>": header (magic, format version, cluster id, node,
// incarnation, state position), chunks of rows with a checksum each, trailer with the row count and
// a digest over everything. Written under a temporary name, synced, renamed, directory synced.
#pragma once

#include "base/failure.h"
#include "paxos/types.h"
#include "storage/disk.h"
#include "storage/state.h"

struct checkpoint_info {
    struct state_position position; // of the state it holds
    uint64_t bytes;                 // file size
    bool received;                  // another node, or another disk, has written it
};

// Writes a checkpoint of the view and returns when it is durable. `pace` is called after each chunk
// with the bytes written so far, so that the caller can slow down or stop (return false: the
// temporary file is removed, ERROR_DRAINING). Thread: bulk.
enum error checkpoint_write(struct disk *disk, const struct identity *identity, struct view *view,
                            bool (*pace)(void *context, uint64_t bytes), void *context,
                            struct checkpoint_info *info);
// Verifies every checksum of the file of that slot and loads it into an empty state. Errors:
// MISSING, CORRUPT, FOREIGN (format version, cluster, state version) with a sentence that names the
// file and what is wrong.
enum error checkpoint_load(struct disk *disk, const struct identity *identity, paxos_slot slot,
                           struct state *state, struct checkpoint_info *info,
                           struct failure *failure);
// Verifies without loading.
enum error checkpoint_verify(struct disk *disk, const struct identity *identity, paxos_slot slot,
                             struct checkpoint_info *info, struct failure *failure);
// Slots of the checkpoint files, newest first, at most `capacity`; removes temporary leftovers, but not
// what was received so far of a checkpoint of another node.
enum error checkpoint_list(struct disk *disk, paxos_slot *slots, size_t capacity, size_t *count);
// Removes all files but those of these slots. Named, and not just the newest ones, because a file
// with a higher slot may be damaged: counting it would remove a whole one instead. Of what was received
// of others only what is newer than all of these stays.
enum error checkpoint_prune(struct disk *disk, const paxos_slot *kept, size_t count);
