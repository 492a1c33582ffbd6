// SPDX-License-Identifier: Apache-2.0
// The face of api/: the REST interface of a node. It knows HTTP, JSON and the contract in openapi/;
// it reads the live state itself and hands every mutation, encoded, to the backend port that the
// server plugs in. Nothing here waits: a request whose answer is not there yet is parked.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/bytes.h"
#include "base/failure.h"
#include "base/fifo.h"
#include "storage/command.h"
#include "storage/live.h"
#include "paxos/types.h"

// A mutation on its way through the replica. The api fills it, the backend completes it exactly
// once.
struct submission {
    struct fifo_link link; // the backend's, while it holds the submission
    struct blob *command;  // encoded (storage/command.h); the submission's reference
    uint64_t deadline_ns;  // clock_monotonic_ns by which it must be answered
    bool shrinks;          // only deletes: admitted while the disk is nearly full
    // clock_monotonic_ns when it got so far; 0: it did not, or that is not known here.
    uint64_t received_ns;  // the request was complete
    uint64_t proposed_ns;  // the backend's: it was proposed, or sent to the leader
    uint64_t committed_ns; // the backend's: it was decided and durable here
    // Called from any thread, once, after submit returned or before. error is OK with an encoded
    // result (one reference passes over), or why there is none (NO_LEADER, OUTCOME_UNKNOWN,
    // DISK_FULL, OVERLOADED, DRAINING, ...) with NULL.
    void (*complete)(struct submission *submission, enum error error, struct blob *result);
};

enum { NODE_REASON_MAX = 320 };

enum member_role { ROLE_STARTING, ROLE_FOLLOWER, ROLE_CANDIDATE, ROLE_LEADER, ROLE_LEARNER };

struct member_status {
    uint16_t id;
    enum member_role role;
    char peer[272];     // "host:port", empty for a cluster of one
    uint64_t zxid;      // last known
    uint64_t lag_zxids; // behind this node's view of the leader
    bool healthy;
    bool disk_full; // likewise: takes only reads and deletes
};

// What /v1/cluster and /readyz tell.
struct node_status {
    uint8_t cluster[16];
    uint16_t node;
    uint16_t leader; // 0 while there is none
    struct ballot ballot;
    uint64_t config_epoch;
    uint64_t zxid; // applied here
    paxos_slot decided;
    paxos_slot applied;
    bool serving;  // in quorum and caught up: /readyz is 200
    bool starting; // nothing but this is known yet: before api_open
    bool draining;
    bool disk_full;               // writes other than deletes are refused
    char reason[NODE_REASON_MAX]; // why not serving, for a person; empty when serving
    size_t member_count;
    struct member_status members[PAXOS_VOTERS_MAX];
};

// A read on its way to being allowed. The api fills it, the backend completes it exactly once.
struct read_wait {
    struct fifo_link link; // the backend's, while it holds the wait
    bool barrier;          // linearizable: everything acknowledged before now must be visible
    uint64_t min_zxid;     // not before this position is visible; 0: none. Not with a barrier
    uint64_t renew; // a session of which the leader must have heard before the barrier begins;
                    // 0: none
    uint64_t deadline_ns; // clock_monotonic_ns by which it must be completed
    // Called from any thread, once. OK, or NO_LEADER (barrier), BEHIND (min_zxid), DRAINING.
    void (*complete)(struct read_wait *wait, enum error error);
};

// The port to the server. Thread: any. Before api_open only status is called.
struct api_backend {
    void *context;
    // Takes the submission until it is completed. It may complete before this returns.
    void (*submit)(void *context, struct submission *submission);
    void (*status)(void *context, struct node_status *status);
    // Whether a linearizable read may look at the live state at once (a single voter that leads).
    bool (*read_at_once)(void *context);
    // Takes the wait until it is completed. It may complete before this returns.
    void (*read)(void *context, struct read_wait *wait);
    // How old the live state may be, in milliseconds; UINT64_MAX: unknown.
    uint64_t (*staleness_ms)(void *context);
    // Whether this node heard from a quorum lately, so that silence means that nothing happens.
    bool (*in_contact)(void *context);
    // Appends the node's metrics (base/exposition.h).
    void (*metrics)(void *context, struct buffer *text);
    // A session was heard of, which lives on if the proof (SESSION_PROOF_BYTES) is its own; best effort.
    // Returns whether this node knows the session and the proof is right.
    bool (*touch)(void *context, uint64_t session, const uint8_t *proof);
    // Names a new stream of a session, unlike all that ever were in the cluster.
    void (*name_stream)(void *context, struct session_binding *binding);
    // The client of a stream has gone: unless another one binds the session, it is to end after the
    // grace. Must not wait; best effort.
    void (*depart)(void *context, uint64_t session, const struct session_binding *binding,
                   uint32_t grace_ms);
};

// Every limit is an option of the daemon (server/config.c has names, defaults and bounds).
struct api_limits {
    uint32_t connections;             // open at once; above: 503
    uint32_t connections_per_address; // above: 429
    uint32_t workers;                 // HTTP threads, >= 2
    uint32_t stream_workers;          // HTTP threads for streams and long polls, >= 1
    uint32_t url_bytes;               // above: 414
    uint32_t header_bytes;            // of the whole head; above: 431
    uint32_t body_bytes;              // above: 413
    uint64_t bodies_bytes;            // request bodies held in memory at once; above: 503
    uint32_t json_depth;              // above: 400
    uint32_t multi_ops;               // above: 400
    uint32_t delete_nodes;            // nodes of one recursive delete; above: 422
    uint32_t list_items;              // largest page; a greater ?limit= is 400
    uint32_t page_bytes;              // a page is cut behind the item that passes this
    uint64_t request_timeout_ms; // from the first byte of a request to its last; then 408 or close
    uint64_t idle_timeout_ms;    // a connection without a request is closed
    uint64_t wait_default_ms;    // without Prefer: wait
    uint64_t wait_max_ms;        // bound of Prefer: wait
    uint64_t key_retention_ms;   // Idempotency-Key outcomes
    uint32_t key_capacity;       // ... and how many
    uint64_t slow_request_ms;    // one that takes longer is logged; 0: never
};

struct api_options {
    const char *listen;               // "ADDR:PORT", "[v6]:PORT"; port 0 takes a free one
    const char *const *allowed_hosts; // NULL-terminated: names accepted in Host beside IP literals
                                      // and localhost; none: all, unless listening on loopback
    const char *const *allowed_origins; // NULL-terminated: origins whose pages may write; none in
                                        // the default configuration
    struct api_limits limits;
};

struct api;

// Starts listening and answers what concerns the node itself (/livez, /readyz, /v1/cluster, ...). What
// needs the state is answered 503 `starting` until api_open. The backend must outlive the api. Errors: IO
// or USAGE with a sentence that names the address.
enum error api_start(const struct api_options *options, const struct api_backend *backend,
                     struct api **api, struct failure *failure);
// Serves everything from now on. `live` is what reads look at and must outlive the api; the status must
// tell cluster and zxid. Once.
void api_open(struct api *api, struct live *live);
// The port that was bound.
uint16_t api_port(const struct api *api);
// The live state is visible up to this zxid: to be called after every commit that changed something.
// Cheap while nobody waits for changes, and ignored before api_open, after which it must be called once.
// Thread: any, until api_free.
void api_changed(struct api *api, uint64_t zxid);
// A session was bound or closed (0: any may have been), and the live state shows it. Cheap while nobody
// has a stream of a session. Thread: any, until api_free.
void api_session_changed(struct api *api, uint64_t session);
// New requests get Connection: close; long polls and streams end. Returns at once.
void api_drain(struct api *api);
// Stops accepting, answers what is under way (parked requests must have been completed or be
// completed by the backend meanwhile), and closes the connections. NULL allowed.
void api_stop(struct api *api);
// Frees what has stopped. NULL allowed.
void api_free(struct api *api);
