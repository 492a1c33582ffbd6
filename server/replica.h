// SPDX-License-Identifier: Apache-2.0
// THE driver: turns events into inputs of the consensus core and carries out its outputs, through
// ports. The daemon plugs threads and files into the ports, the simulator a model of them; neither
// has another way to run the core.
//
// Thread: one; the core loop's. Only replica_result may be called by the thread that executes.
#pragma once

#include "api/api.h"
#include "paxos/paxos.h"

struct replica;

struct replica_ports {
    void *context;
    // Make the output's records durable, after all earlier ones, then call replica_persisted with
    // output->persist_sequence. The records must be copied; values may be kept by reference.
    void (*persist)(void *context, const struct paxos_output *output);
    // Execute this entry after all earlier ones, then call replica_applied with its slot or a later
    // one. The value may be kept by reference.
    void (*apply)(void *context, const struct entry *entry);
};

// What the driver needs to know at an event.
struct replica_time {
    uint64_t monotonic_ns;
    uint64_t wall_ms;
};

// Takes ownership of the recovered core.
struct replica *replica_new(struct paxos *paxos, const struct identity *identity,
                            const struct replica_ports *ports);
// Answers what is still waiting with DRAINING. Requires that nothing is pending.
void replica_free(struct replica *replica);

void replica_start(struct replica *replica, struct replica_time now);
// Queues a submission; replica_run proposes it. Answers OVERLOADED at once when the queue is full.
void replica_submit(struct replica *replica, struct submission *submission);
// Proposes what is waiting, as much as the core accepts.
void replica_run(struct replica *replica, struct replica_time now);
void replica_persisted(struct replica *replica, uint64_t persist_sequence, struct replica_time now);
void replica_applied(struct replica *replica, paxos_slot slot, struct replica_time now);
// Answers what has waited for too long: NO_LEADER for what was never proposed, OUTCOME_UNKNOWN for
// what was. To be called a few times a second.
void replica_tick(struct replica *replica, struct replica_time now);
// While the disk is nearly full, only submissions that shrink are taken.
void replica_set_disk_full(struct replica *replica, bool full);

// The result of a command that was executed: answers the submission if it is one of this node's.
// result NULL: skipped. Thread: apply; only after the results are visible to readers.
void replica_result(struct replica *replica, const struct origin *origin, struct blob *result);

void replica_status(const struct replica *replica, struct paxos_status *status);
// Whether something waits that the core had no room for.
bool replica_blocked(const struct replica *replica);
// Submissions waiting for a slot or for their result: 0 when nothing is under way.
size_t replica_outstanding(const struct replica *replica);
