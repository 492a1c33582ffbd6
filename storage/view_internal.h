// SPDX-License-Identifier: Apache-2.0
// What the listings of a view share. Private to storage/.
#pragma once

#include "storage/state_internal.h"

struct view {
    struct view *next; // in state->idle
    struct state *state;
    struct transaction transaction;
    struct state_position position;
    struct buffer data;        // of a node whose data is in chunks
    struct buffer path;        // of the node that a tree listing is at
    struct buffer levels;      // of a tree listing: the nodes above it
    struct buffer changes;     // of a zxid whose changes stand in several rows
    struct buffer change_path; // of the change that is visited
};

// Fills in everything but the name. The data is borrowed from the row or the view's buffer.
enum error view_describe(struct view *view, const struct spot *spot, bool with_data,
                         struct znode *node);
// Moves to the first child of a node whose name is behind `after` (all are when it is empty), or to
// the next one. MISSING when there is none.
enum error view_seek_child(struct view *view, uint64_t parent, const char *after,
                           size_t after_length, struct row *row);
enum error view_next_child(struct view *view, uint64_t parent, struct row *row);
