// SPDX-License-Identifier: Apache-2.0
// Loads a received checkpoint into a fresh live tree, beside the one in use.
#pragma once

#include "storage/checkpoint.h"

struct installer {
    struct disk *disk;
    const struct identity *identity;
    const char *directories[2]; // used in turn; the tree in use lies in the first
    unsigned current;
    uint64_t map_bytes;
};

// Thread: apply. Errors: with a sentence; the node cannot go on, because its journal starts behind the
// checkpoint.
enum error installer_load(struct installer *installer, paxos_slot slot, struct state **state,
                          struct checkpoint_info *info, struct failure *failure);
