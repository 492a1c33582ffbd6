// SPDX-License-Identifier: Apache-2.0
// The core loop: the thread that runs the replica and the connections to its peers. Other threads hand
// it events; it never touches a file, the live state or HTTP.
#pragma once

#include "server/network.h"
#include "server/replica.h"
#include "server/report.h"

struct core_loop;

struct core_loop_settings {
    const struct identity
        *identity; // whose other members are the peers; read by core_loop_new alone
    uint64_t
        stall_ns; // a disk or a loop that stands still for so long makes this node unfit to lead; 0: never
};

struct core_loop_ports {
    void *context;
    // On the loop's thread: a few times a second; after each of those, when the frames that had come in by
    // then were taken; and each time the loop comes round.
    void (*tick)(void *context);
    void (*after_tick)(void *context);
    void (*turn)(void *context);
    // What this node tells of itself: fills in what the loop does not know (zxid, draining, disk_full).
    void (*describe)(void *context, struct report *report);
    // The core is about to be asked to go on from this checkpoint: whether it is still there; and then, what
    // the core said. Thread: the loop's.
    bool (*ask_install)(void *context, paxos_slot slot);
    void (*install_answered)(void *context, bool accepted);
    // A report went to the peer at this place of core_loop_status and was answered. Thread: the loop's.
    void (*round_trip)(void *context, size_t peer, uint64_t duration_ns);
    // Another leader is known than before. Thread: the loop's.
    void (*elected)(void *context);
};

struct core_loop *core_loop_new(const struct core_loop_settings *settings,
                                const struct core_loop_ports *ports);
// For what lives in the loop; before core_loop_start.
uv_loop_t *core_loop_uv(struct core_loop *loop);
// Takes ownership of the replica and the network (NULL: a cluster of one) and starts the thread.
void core_loop_start(struct core_loop *loop, struct replica *replica, struct network *network);

// ---- On the loop's own thread: from ports of the replica and the network -----------------------

void core_loop_send(struct core_loop *loop, uint16_t to, const void *data, size_t length);
// Records were handed to the journal.
void core_loop_persisting(struct core_loop *loop, uint64_t persist_sequence);
void core_loop_receive(struct core_loop *loop, uint16_t from, const void *data, size_t length);
void core_loop_report(struct core_loop *loop, uint16_t from, const struct report *report);
void core_loop_peer_up(struct core_loop *loop, uint16_t node);
void core_loop_peer_down(struct core_loop *loop, uint16_t node);
// The replica's status now.
void core_loop_look(const struct core_loop *loop, struct paxos_status *status);

// ---- Events. Thread: any -----------------------------------------------------------------------

void core_loop_submit(struct core_loop *loop, struct submission *submission);
void core_loop_read(struct core_loop *loop, struct replica_read *read);
void core_loop_wake(struct core_loop *loop);
void core_loop_persisted(struct core_loop *loop, uint64_t persist_sequence);
void core_loop_applied(struct core_loop *loop, paxos_slot slot);
void core_loop_install(struct core_loop *loop, const struct paxos_install *install);
// Sends a frame to a peer on the bulk channel. The bytes are copied.
void core_loop_send_bulk(struct core_loop *loop, uint16_t to, const void *data, size_t length);
// The node is about to end; see replica_drain. What still waits after DRAIN_MS is answered.
void core_loop_drain(struct core_loop *loop);
void core_loop_set_disk_full(struct core_loop *loop, bool full);

// What the loop knows of the node and of its peers, as of the end of its last turn.
struct core_loop_peer {
    uint16_t node;
    struct peer_state connection;
    struct report report;
    uint64_t heard_ns; // when that came; 0: never
};
struct core_loop_status {
    struct paxos_status paxos;
    size_t peer_count;
    struct core_loop_peer peers[PAXOS_VOTERS_MAX];
};
void core_loop_status(struct core_loop *loop, struct core_loop_status *status);
// Submissions under way. Thread: any.
size_t core_loop_outstanding(const struct core_loop *loop);
// Whether this node leads and serves. Costs one atomic load.
bool core_loop_serving(struct core_loop *loop);
// How old a local read that begins now may be; UINT64_MAX: unknown. Costs one atomic load.
uint64_t core_loop_age_us(struct core_loop *loop);
// Waits until core_loop_serving. Only for a cluster of one, which needs nobody else for it.
void core_loop_wait_serving(struct core_loop *loop);
// Ends the thread once nothing is outstanding, or everything has waited for its time. Requires that no
// more submissions come.
void core_loop_stop(struct core_loop *loop);
void core_loop_free(struct core_loop *loop);
