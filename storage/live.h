// SPDX-License-Identifier: Apache-2.0
// The counted handle through which requests reach the live state, so that an installed checkpoint
// can replace it while readers finish with the old one.
#pragma once

#include "storage/state.h"

struct live;

// Takes ownership of the state.
struct live *live_new(struct state *state);
// Closes the state. Requires that nothing is acquired. NULL is allowed.
void live_free(struct live *live);
// Makes another state the current one and takes ownership of it. The one before is closed when its
// last view is released. Thread: apply.
void live_replace(struct live *live, struct state *state);
// Opens a view of the current state; release closes it. Errors of view_open. Thread: any.
struct live_view {
    struct view *view;
    void *holder; // what keeps the state open
};
enum error live_acquire(struct live *live, struct live_view *view);
void live_release(struct live *live, struct live_view *view);
// state_room of the current state. Thread: any.
enum error live_room(struct live *live, uint64_t enough, struct state_room *room);
// The state for its writer. Thread: apply.
struct state *live_state(struct live *live);
