// SPDX-License-Identifier: Apache-2.0
// How long each session may still be silent. Every node keeps one, over the sessions of its state; what it
// says matters on the leader alone, which proposes the end of those whose time has run out.
//
// Never early (rule N11, N14; invariant 36): the clock runs at most STEP_NS per advance, so a process that
// was stopped or a loop that was late lengthens every session; and a node that becomes leader gives
// everybody the full time again.
//
// Thread: any; it has a lock of its own.
#pragma once

#include "storage/session.h"

struct session_clock;

enum { SESSION_STEP_NS = 50000000 };

struct session_clock *session_clock_new(void);
void session_clock_free(struct session_clock *clock);

// The state has a session, or has bound it again (another generation): it gets its full time.
void session_clock_set(struct session_clock *clock, const struct session_info *session);
void session_clock_remove(struct session_clock *clock, uint64_t id);
// Forgets all: another state takes the place of this one.
void session_clock_clear(struct session_clock *clock);
// Something was heard of the session. Returns whether it is known.
bool session_clock_touch(struct session_clock *clock, uint64_t id);
// Whether the session is known and the proof (SESSION_PROOF_BYTES) is its own.
bool session_clock_proves(struct session_clock *clock, uint64_t id, const uint8_t *proof);
// This node leads from now on.
void session_clock_restart(struct session_clock *clock);
// Time has passed; for each session whose time has run out `expired` is called, again after its timeout
// if it is still there. The callback must not use the clock.
typedef void (*session_expired)(void *context, uint64_t id, uint64_t generation);
void session_clock_advance(struct session_clock *clock, uint64_t elapsed_ns,
                           session_expired expired, void *context);
size_t session_clock_count(struct session_clock *clock);
