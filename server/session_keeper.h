// SPDX-License-Identifier: Apache-2.0
// The driver of sessions: keeps a clock of them on every node, tells the leader of which ones something
// was heard, and proposes the end of those that were silent for too long, on the leader alone.
//
// Only a leader whom a quorum followed lately lets the clock run: one that is cut off hears nothing of
// the sessions that live elsewhere. Whoever begins to let it run gives everybody the full time (N14).
#pragma once

#include "api/api.h"
#include "paxos/paxos.h"
#include "server/replica.h"
#include "storage/live.h"

struct session_keeper;

struct session_keeper_settings {
    bool alone;          // a cluster of one
    uint64_t contact_ns; // since a quorum followed, after which the clock stands still
};

struct session_keeper_ports {
    void *context;
    // Thread: the core loop's for all but `wake`, which any thread may call.
    void (*look)(void *context, struct paxos_status *status);
    void (*send)(void *context, uint16_t to, const void *data, size_t length);
    void (*submit)(void *context, struct submission *submission);
    void (*barrier)(void *context, struct replica_read *read);
    // Makes the loop call session_keeper_turn soon.
    void (*wake)(void *context);
    // A proposal to end a silent session was executed, and it ended. Thread: any. NULL: never mind.
    void (*expired)(void *context);
};

enum { SESSION_ENDS_MAX = 256 }; // proposals under way at once, so that others do not wait

struct session_keeper *session_keeper_new(const struct session_keeper_settings *settings,
                                          const struct session_keeper_ports *ports);
// Requires that neither renewals nor submissions are under way. NULL is allowed.
void session_keeper_free(struct session_keeper *keeper);

// ---- Of the state: thread apply, or before the loop runs -----------------------------------------

// Another state is the live one: its sessions take the place of all known. Errors: those of views.
enum error session_keeper_load(struct session_keeper *keeper, struct live *live);
// Sessions were opened, bound or closed (state_changed_sessions), and the live state shows it. Errors:
// those of views.
enum error session_keeper_changed(struct session_keeper *keeper, struct live *live,
                                  const struct state *changed);

// ---- Of clients: thread any ----------------------------------------------------------------------

// Something was heard of a session: it lives on, if the proof (SESSION_PROOF_BYTES) is its own. Best
// effort. Returns whether the session is known here and the proof is right.
bool session_keeper_touch(struct session_keeper *keeper, uint64_t id, const uint8_t *proof);
// Completes the wait with OK once the leader has taken note that wait->renew was heard of, and a barrier
// that began after that has passed under the same leader: if the state has the session then, it has its
// full time from the call on. Else NO_LEADER, DRAINING.
void session_keeper_renew(struct session_keeper *keeper, struct read_wait *wait);
// The node is about to end: nothing is proposed any more, renewals are answered.
void session_keeper_drain(struct session_keeper *keeper);

// ---- Of the core loop ----------------------------------------------------------------------------

// The loop has come round.
void session_keeper_turn(struct session_keeper *keeper, uint64_t now_ns);
// A few times a second: sends what was heard, asks again, gives up what has waited too long.
void session_keeper_tick(struct session_keeper *keeper, uint64_t now_ns);
// A few times a second, when the frames that had come in by then were taken: lets the clock run.
void session_keeper_advance(struct session_keeper *keeper, uint64_t now_ns);
// A frame of server/touch_frame.h. Malformed ones are dropped.
void session_keeper_receive(struct session_keeper *keeper, uint16_t from, const void *data,
                            size_t length);
