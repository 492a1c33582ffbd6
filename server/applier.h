// SPDX-License-Identifier: Apache-2.0
// The apply thread: the only writer of the live state. It executes runs of decided entries, one
// write transaction per run, and hands out their results once they are visible to readers.
#pragma once

#include "storage/live.h"

struct applier;

struct applier_events {
    void *context;
    // The result of a command, which was handed over at committed_ns; see replica_result.
    void (*result)(void *context, const struct origin *origin, struct blob *result,
                   uint64_t committed_ns);
    // A transaction took so long; before its results.
    void (*took)(void *context, uint64_t duration_ns);
    // state_changed_sessions tells of some, which readers see; before the results.
    void (*sessions)(void *context, const struct state *state);
    // Opens a state and loads the checkpoint of this slot into it.
    struct state *(*load)(void *context, paxos_slot slot);
    // The live state was replaced by that; before `applied`.
    void (*installed)(void *context);
    // Everything up to the slot is executed and visible, the state being at this zxid; after its results.
    void (*applied)(void *context, paxos_slot slot, uint64_t zxid);
};

// Starts the thread. A failed transaction ends the process (exit status 71).
struct applier *applier_start(struct live *live, const struct applier_events *events);
// Queues an entry. Thread: the core loop.
void applier_execute(struct applier *applier, const struct entry *entry);
// Queues the replacement of the live state by the checkpoint of this slot. Thread: the core loop.
void applier_install(struct applier *applier, paxos_slot slot);
// Executes what is queued, ends the thread and frees. NULL is allowed.
void applier_stop(struct applier *applier);
