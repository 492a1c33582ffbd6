// SPDX-License-Identifier: Apache-2.0
// Sessions in the replicated state: who owns which ephemeral znodes, and what may end one.
//
// A session is named by its id, the zxid that made it, and proves itself with a secret of which the log
// and the state hold only the SHA-256. Time runs outside of the state (rules N11, N14): the leader says
// that a session has expired, with a command that has no effect if the session was bound again since
// (`generation`). Closing a session removes it and all its ephemerals as one change of one zxid
// (rules N17, N18), in the order of their creation, however it comes about.
#pragma once

#include "storage/state.h"

enum {
    SESSION_TIMEOUT_MIN_MS = 500, // OP_SESSION_OPEN with another timeout: BAD_ARGUMENTS
    SESSION_TIMEOUT_MAX_MS = 24 * 3600 * 1000,
    SESSIONS_MAX = 1000000, // above: SESSIONS_FULL (a constant of STATE_VERSION)
};

struct session_info {
    uint64_t id;
    uint8_t proof[SESSION_PROOF_BYTES];
    uint32_t timeout_ms;
    uint32_t grace_ms; // of the binding
    struct session_binding binding;
    uint64_t generation; // +1 with each binding
    uint64_t created_ms; // wall clock of the log
    uint32_t ephemeral_count;
};

// Errors: SESSION_EXPIRED (there is none of that id).
enum error view_session(struct view *view, uint64_t id, struct session_info *info);
// Every session with an id above `after`, in ascending order, until visit returns false.
typedef bool (*session_visit)(void *context, const struct session_info *info);
enum error view_sessions(struct view *view, uint64_t after, session_visit visit, void *context);
// The ephemerals of a session behind the node `after` (0: all), in the order of their creation, until visit
// returns false. Node numbers grow and are never used again. None for a session that does not exist.
typedef bool (*owned_visit)(void *context, uint64_t node, const char *path, size_t length);
enum error view_session_nodes(struct view *view, uint64_t id, uint64_t after, owned_visit visit,
                              void *context);

// What is due at a log time: containers that have lost their last child, TTL znodes without children.
// The leader proposes OP_REAP for each; execution checks again. Containers first, then TTL znodes, each
// in the order of their deadlines, until visit returns false. The visitor may use the view, but for
// view_due.
struct due_item {
    uint64_t deadline_us; // log time
    uint8_t kind;         // enum znode_kind: CONTAINER, TTL
    const char *path;     // borrowed for the call
    size_t path_length;
    uint64_t mzxid; // the znode's, for OP_REAP
};
typedef bool (*due_visit)(void *context, const struct due_item *item);
enum error view_due(struct view *view, uint64_t log_time_us, due_visit visit, void *context);
