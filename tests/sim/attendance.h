// SPDX-License-Identifier: Apache-2.0
// Sessions in a simulated node: the shipped keeper, plugged in as server/sessions.c does it, and what this
// node has heard of them, kept a second time: whoever proposes the end of a session must have heard
// nothing of it for its whole timeout, while it ran (invariant 36).
#pragma once

#include "tests/sim/node.h"

// With the sessions of the recovered state.
void attendance_start(struct node *node);
// The replica is gone.
void attendance_stop(struct node *node);

// The state shows what a run of entries did.
void attendance_changed(struct node *node);
// Another state has taken its place.
void attendance_installed(struct node *node);

// A request with the session's credential came in. Returns whether this node knows the session.
bool attendance_touch(struct node *node, uint64_t session, const uint8_t *proof);
void attendance_renew(struct node *node, struct read_wait *wait);
// A frame of server/touch_frame.h.
void attendance_receive(struct node *node, uint16_t from, const void *data, size_t length);

// Of the core loop.
void attendance_turn(struct node *node);
void attendance_tick(struct node *node);
void attendance_on_after_tick(struct world *world, struct event *event);
// The process stands still for so long.
void attendance_pause(struct node *node, uint64_t real_ns);
// ... and goes on so much earlier.
void attendance_resume(struct node *node, uint64_t real_ns);
