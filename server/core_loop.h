// SPDX-License-Identifier: Apache-2.0
// The core loop: the thread that runs the replica. Other threads hand it events; it never touches a
// file, the live state or HTTP.
#pragma once

#include "server/replica.h"

struct core_loop;

// Takes ownership of the replica. The thread starts with core_loop_start.
struct core_loop *core_loop_new(void);
void core_loop_start(struct core_loop *loop, struct replica *replica);
// Events. Thread: any.
void core_loop_submit(struct core_loop *loop, struct submission *submission);
void core_loop_persisted(struct core_loop *loop, uint64_t persist_sequence);
void core_loop_applied(struct core_loop *loop, paxos_slot slot);
void core_loop_set_disk_full(struct core_loop *loop, bool full);
// The status as of the end of the loop's last turn. Thread: any.
void core_loop_status(struct core_loop *loop, struct paxos_status *status);
// Whether a linearizable read may look at the live state now. Thread: any; costs one atomic load.
bool core_loop_serving(struct core_loop *loop);
// Waits until core_loop_serving. Only for a cluster of one, which needs nobody else for it.
void core_loop_wait_serving(struct core_loop *loop);
// Ends the thread once nothing is outstanding. Requires that no more submissions come.
void core_loop_stop(struct core_loop *loop);
void core_loop_free(struct core_loop *loop);
