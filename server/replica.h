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
    // Replace the state by the checkpoint of this slot (see replica_install), after all earlier entries
    // and before all later ones; then call replica_installed and replica_applied with the slot.
    void (*install)(void *context, paxos_slot slot);
    // Send these bytes to a peer's replica_receive. They may be lost, repeated or overtaken.
    void (*send)(void *context, uint16_t to, const void *data, size_t length);
    // The peer needs decided entries from this slot on that the core no longer holds: feed it with
    // LEARN messages from the journal, or give it a checkpoint (server/transfer.h). A request that is under way may be
    // repeated.
    void (*catch_up)(void *context, uint16_t node, paxos_slot from);
    // Something that no correct node can have caused: this node must stop at once.
    void (*fault)(void *context, enum paxos_fault fault);
};

// What the driver needs to know at an event.
struct replica_time {
    uint64_t monotonic_ns;
    uint64_t wall_ms;
};

struct replica_settings {
    uint64_t heartbeat_us; // as the core's
    uint64_t seed;         // of the random numbers that the core gets
};

// Takes ownership of the recovered core.
struct replica *replica_new(struct paxos *paxos, const struct identity *identity,
                            const struct replica_settings *settings,
                            const struct replica_ports *ports);
// Answers what is still waiting with DRAINING, what is pending with OUTCOME_UNKNOWN.
void replica_free(struct replica *replica);

void replica_start(struct replica *replica, struct replica_time now);
// Queues a submission; replica_run proposes or forwards it. Answers OVERLOADED at once when the queue
// is full.
void replica_submit(struct replica *replica, struct submission *submission);
// Proposes or forwards what is waiting, as much as there is room for, and asks for the reads that wait.
void replica_run(struct replica *replica, struct replica_time now);
void replica_persisted(struct replica *replica, uint64_t persist_sequence, struct replica_time now);
void replica_applied(struct replica *replica, paxos_slot slot, struct replica_time now);
// Bytes that a peer's send port was given. Malformed bytes are dropped and counted.
void replica_receive(struct replica *replica, uint16_t from, const void *data, size_t length,
                     struct replica_time now);
// The connection to a peer was reset or closed.
void replica_peer_down(struct replica *replica, uint16_t node, struct replica_time now);
// A peer can be reached again: what was sent to it before may be lost.
void replica_peer_up(struct replica *replica, uint16_t node, struct replica_time now);
// A checkpoint of another node is complete, verified and durable here. Returns false when it is not
// needed: the file may be removed. Otherwise the port `install` follows once the core's record of it is
// durable.
bool replica_install(struct replica *replica, const struct paxos_install *install,
                     struct replica_time now);
// The state was replaced by one in which this node's sequences below `next` are executed (for this
// run's boot_count; view_origin): the outcomes of those still pending are not known here.
// Thread: that of replica_result.
void replica_installed(struct replica *replica, uint64_t next);
// Time has passed: heartbeats, retransmission, and answers for what has waited for too long: NO_LEADER
// for what was never proposed or forwarded, OUTCOME_UNKNOWN for what was. Due by
// replica_deadline_ns, and at least a few times a second.
void replica_tick(struct replica *replica, struct replica_time now);
uint64_t replica_deadline_ns(const struct replica *replica);
// While the disk is nearly full, only submissions that shrink are taken.
void replica_set_disk_full(struct replica *replica, bool full);
// Whether this node is fit to lead: its disk and its loop answer in time.
void replica_set_healthy(struct replica *replica, bool healthy, struct replica_time now);
// The node is about to end: hands leadership to the follower that is closest, if this node leads, and
// from `deadline_ns` on answers whatever still waits, DRAINING or OUTCOME_UNKNOWN.
void replica_drain(struct replica *replica, uint64_t deadline_ns, struct replica_time now);

// A linearizable read, which replica_run asks for: one question serves all that wait then. `complete` is
// called once, with OK when the live state may be looked at, or with NO_LEADER when the deadline has
// passed.
struct replica_read {
    struct fifo_link link;
    uint64_t deadline_ns;
    uint64_t number; // the driver's
    paxos_slot slot; // the driver's
    void (*complete)(struct replica_read *read, enum error error);
};
void replica_read(struct replica *replica, struct replica_read *read);

// The result of a command that was executed: answers the submission if it is one of this node's.
// result NULL: skipped. committed_ns: when the port `apply` had its entry; 0: unknown. Thread: apply; only
// after the results are visible to readers.
void replica_result(struct replica *replica, const struct origin *origin, struct blob *result,
                    uint64_t committed_ns);

void replica_status(const struct replica *replica, struct paxos_status *status);
// Whether something waits that there was no room for.
bool replica_blocked(const struct replica *replica);
// Submissions waiting for a slot or for their result: 0 when nothing is under way.
size_t replica_outstanding(const struct replica *replica);
