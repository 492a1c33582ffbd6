// SPDX-License-Identifier: Apache-2.0
// The data directory of a node and whose it is: a blank one gets the number of this node, any other must
// have it.
#pragma once

#include "server/peer_list.h"
#include "storage/disk.h"
#include "storage/identity.h"

struct directory_owner {
    const char *path;
    uint16_t id;                  // as given; 0: by the host's name, and 1 in a cluster of one
    const struct peer_list *list; // may be empty: a cluster of one
};

// Opens the directory, formats it if it is blank, and counts this boot. Errors: USAGE, FOREIGN, IO,
// CORRUPT, ... with a sentence. Ownership: disk_posix_close, also after an error if *disk is set.
enum error directory_open(const struct directory_owner *owner, struct disk **disk,
                          struct identity *identity, struct failure *failure);
