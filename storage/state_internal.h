// SPDX-License-Identifier: Apache-2.0
// What the parts of the state share: opening, execution and views. Private to storage/.
#pragma once

#include <pthread.h>

#include "storage/tree.h"

// The row of the meta table.
#define META_POSITION ((struct bytes){.data = "position", .length = 8})

struct state {
    struct tables *tables;
    struct transaction writer;
    struct state_position position;  // inside the open write transaction, else the visible one
    struct state_position committed; // what state_abort goes back to
    struct tree tree;
    struct buffer results;  // scratch: the op results of a command
    struct buffer sessions; // u64 each: those that were changed since state_begin
    struct buffer row;      // scratch: a row of another table than node
    pthread_mutex_t lock;   // guards idle
    struct view *idle;      // views that are ready to be used again
    uint64_t loaded_bytes;  // since the last commit while loading
    uint64_t loaded_id;     // greatest id among the loaded rows
    struct history_load loaded_history;
    uint64_t loaded_ephemerals; // nodes,
    uint64_t loaded_owned;      // rows of what sessions own,
    uint64_t loaded_counted;    // and what the sessions say: all the same
};

// Ends the views that wait to be used again.
void view_free_idle(struct state *state);
