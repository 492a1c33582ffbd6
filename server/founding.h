// SPDX-License-Identifier: Apache-2.0
// What a blank node of a list does before anything else: it meets the others until the cluster is
// founded. Nothing is promised yet, so files are written here between two turns of the loop, and the
// process may be ended at any time.
#pragma once

#include "paxos/net/peers.h"
#include "server/peer_list.h"
#include "server/start_status.h"
#include "storage/disk.h"

struct founding_settings {
    struct disk *disk;
    const struct peer_list *list;
    struct peer_tls tls;
    uint64_t silence_ms;
    struct start_status *start; // is told whom the founding waits for
};

// Returns when the identity belongs to a cluster, durably. Errors: IO (the peer address cannot be
// listened on, the disk), with a sentence.
enum error founding_run(const struct founding_settings *settings, struct identity *identity,
                        struct failure *failure);
