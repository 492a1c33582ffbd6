// SPDX-License-Identifier: Apache-2.0
// What each change did, kept for watchers: rows of the state itself, so how far back one can look is a
// function of the zxid, the same on every node, after every restart and in every checkpoint. Bounded by
// constants of STATE_VERSION; the oldest changes go first.
//
// Kept is all that one zxid changed, in the order in which it happened (rule W10: create: the node,
// then its parent's children; delete likewise). Sequential, ephemeral, closed sessions, reaps: whatever
// the cause, the same kinds. A zxid that changed no znode (a session was opened) has no changes.
#pragma once

#include "storage/state.h"

enum {
    HISTORY_ZXIDS_MAX = 100000,   // that are kept
    HISTORY_BYTES_MAX = 32 << 20, // of their rows; a zxid that alone takes more is not kept at all
    HISTORY_DATA_MAX = 64 << 10,  // data of one change that is kept; a longer one is marked
};

enum change_kind {
    CHANGE_CREATED = 1,
    CHANGE_CHANGED = 2, // its data
    CHANGE_DELETED = 3,
};

// Borrowed for the call.
struct change {
    uint64_t zxid;
    uint8_t kind;     // enum change_kind
    const char *path; // of the znode, not NUL-terminated
    size_t path_length;
    struct stat_fields stat; // after the change; of the node as it was for DELETED
    struct stat_fields
        parent; // the parent's after it (pzxid and cversion have moved), CREATED, DELETED
    bool null_data;
    bool data_left_out;  // longer than HISTORY_DATA_MAX: read the node, or give up the exact value
    const uint8_t *data; // that this change wrote; CREATED, CHANGED; NULL when it has no bytes
    size_t data_length;  // of `data`: 0 when it was left out (stat.data_length tells the length)
    bool last;           // of its zxid
};

// Changes with a zxid above `after`, in order, until visit returns false. Below view_history_start
// some are missing. The visitor may use the view, but for view_changes. Errors: CORRUPT.
typedef bool (*change_visit)(void *context, const struct change *change);
enum error view_changes(struct view *view, uint64_t after, change_visit visit, void *context);
// The lowest position from which nothing is missing: changes with a zxid above it are all there.
uint64_t view_history_start(struct view *view);
