// SPDX-License-Identifier: Apache-2.0
// A client as the holder of a session: opens one, keeps it alive or lets it lapse, owns ephemerals, binds
// it, closes it; and knows it ended when it is told so.
#pragma once

#include "storage/session.h"
#include "tests/sim/workload.h"

struct holder {
    uint64_t id; // 0: there is no session
    uint8_t proof[SESSION_PROOF_BYTES];
    uint32_t timeout_ms;
    uint64_t renewed_ns; // when it last asked for something that keeps it alive
    struct session_binding binding;
    uint64_t bound;   // counter of its bindings
    uint64_t hung_up; // the last of them whose end was told
};

// Whether the next request is about a session; then the operation says what, with its command, if it is
// none of the sort that only renews.
bool holder_begin(struct world *world, struct holder *holder, struct operation *operation);
// The operation is over.
void holder_end(struct world *world, struct holder *holder, const struct operation *operation);
// What a look at the session says, as a hash; 0 when it does not exist.
uint64_t holder_look(struct view *view, uint64_t session);
