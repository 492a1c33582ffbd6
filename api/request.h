// SPDX-License-Identifier: Apache-2.0
// A request as handlers see it, without the HTTP library: what was asked, and the reply to build.
// One lives in every connection and is used for one request after the other.
#pragma once

#include "api/api.h"
#include "api/credential.h"
#include "api/etag.h"
#include "api/guard.h"
#include "api/headers.h"
#include "api/hub.h"
#include "api/metrics.h"
#include "api/problem.h"
#include "api/query.h"
#include "api/route.h"
#include "api/stream.h"
#include "api/target.h"
#include "api/timing.h"

enum { REQUEST_ID_MAX = 32, CURLEW_STAT_MAX = 384, STATUS_NONE = 0 };

struct request;

// What all requests of an api share. Immutable once the api runs, but for the atomics and what is set
// before `open`.
struct service {
    struct api_backend backend;
    struct api_limits limits;
    struct guard_rules rules;
    atomic_bool open;        // what needs the state is served, and there are:
    struct live *live;       // what reads look at
    struct hub *hub;         // NULL before
    uint32_t cluster_tag;    // of ids of events
    char node[8];            // this node's number, for X-Node
    char request_prefix[12]; // of X-Request-Id; random, so that restarts differ
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t bodies; // bytes of request bodies held
    struct api_metrics metrics;
    atomic_bool draining; // replies say Connection: close
    // The HTTP side. park returns false when the api stops and nothing may wait any more; after
    // true exactly one unpark follows, from any thread, and nothing of the request is touched after
    // it, except on the connection's own thread. unpark_later is for one of many that go on together.
    bool (*park)(struct request *request);
    void (*unpark)(struct request *request);
    void (*unpark_later)(struct request *request);
    // For streams: the connection is no longer parked. (Others are told by finish.)
    void (*leave_park)(struct request *request);
    // How long what was sent may stay unacknowledged before the connection is given up.
    void (*set_patience)(struct request *request, uint32_t milliseconds);
    // Whether the client's host has acknowledged all that was sent.
    bool (*all_received)(struct request *request);
};

struct reply {
    int status;               // STATUS_NONE: not made yet
    const char *content_type; // NULL: no body
    struct buffer body;       // owned
    const void *fixed;        // body in static memory, instead of `body`; NULL usually
    size_t fixed_length;
    bool has_zxid; // zxid is set; else that of the node's status is sent
    uint64_t zxid;
    char etag[ETAG_MAX];               // empty: none
    char curlew_stat[CURLEW_STAT_MAX]; // empty: none
    struct buffer location;            // NUL-terminated when not empty; owned
    uint32_t allow;                    // methods for Allow; 0: no such header
    unsigned retry_after_s;            // 0: no such header
    bool raw;                          // bytes from a client: must not be taken for a page
    bool replayed;                     // Idempotency-Replayed
    struct stream *stream;             // instead of a body; owned; NULL usually
    bool no_store;                     // Cache-Control: no-store
    bool hang_up;                      // no reply: the connection is closed
    bool local;                        // X-Staleness-Ms
    uint64_t staleness_ms;             // ... its value; UINT64_MAX: unknown
};

struct request {
    struct service *service; // borrowed
    char id[REQUEST_ID_MAX];
    enum method method;
    const struct route *route; // NULL until found
    struct buffer target;      // raw, NUL-terminated; owned
    struct target parts;       // of target
    struct buffer path;        // decoded variable of the route, NUL-terminated; owned
    size_t path_length;        // without the NUL
    bool trailing_slash;
    struct headers headers; // values belong to the HTTP library, valid while the request is
    struct query query;
    struct credential session;    // of the header Curlew-Session
    bool session_heard;           // and the backend was told
    bool session_known;           // and it knew the session, and the secret was right
    bool for_event_source;        // what will pass closes the connection instead of being answered
    char secret[SECRET_TEXT_MAX]; // of a session that is opened
    struct buffer body;           // owned
    uint64_t body_reserved;       // part of service->bodies
    bool has_body;                // Content-Length or Transfer-Encoding was given
    struct reply reply;
    struct timing timing;
    // While parked:
    struct submission submission;
    struct read_wait read;
    bool read_waited;       // and it has been completed
    uint64_t hold_until_ns; // before this a missing leader is waited for; 0: no longer than others
    struct poll *poll;      // of a long poll; owned
    enum error outcome;     // what complete() said
    struct blob *result;
    void (*finish)(struct request *request); // makes the reply, or parks again
    void (*gone)(struct request *request);   // the client has gone while parked; NULL: never mind
};

// Forgets the last request, keeps small buffers.
void request_reset(struct request *request);
// Frees what the request owns.
void request_deinit(struct request *request);
static inline const char *request_path(const struct request *request)
{
    return (const char *)request->path.data;
}
// Gives the request its id.
void request_number(struct request *request);
// Appends to the body within the limits. Errors: BODY_TOO_LARGE, OVERLOADED.
enum error request_append_body(struct request *request, const void *data, size_t length,
                               struct problem *problem);
