// SPDX-License-Identifier: Apache-2.0
// Clients that have left the streams on which their sessions hung: when the grace has passed, the end of
// each such session is proposed, on any node. The command has no effect once another stream has bound the
// session, so proposing it late or twice does no harm.
//
// Nothing of this is durable: if the node ends first, the session's timeout runs.
#pragma once

#include "api/api.h"

struct departures;

struct departures_ports {
    void *context;
    void (*submit)(void *context, struct submission *submission); // thread: the core loop's
    // Makes the loop call departures_turn soon. Thread: any.
    void (*wake)(void *context);
};

enum {
    DEPARTURES_PROPOSED_MAX = 256, // at once, so that others do not wait
    DEPARTURES_TRY_FOR_MS = 60000, // then the timeout runs
    DEPARTURES_TRY_AGAIN_MS = 200, // after a proposal that failed
    DEPARTURES_ANSWER_WITHIN_MS = 2000,
};

struct departures *departures_new(const struct departures_ports *ports);
// Requires that no proposal is under way. NULL is allowed.
void departures_free(struct departures *departures);
// The client of this stream of the session has gone. Thread: any.
void departures_add(struct departures *departures, uint64_t session,
                    const struct session_binding *binding, uint32_t grace_ms, uint64_t now_ns);
// Nothing is proposed any more. Thread: any.
void departures_drain(struct departures *departures);
// The loop has come round, as it does a few times a second at least.
void departures_turn(struct departures *departures, uint64_t now_ns);
