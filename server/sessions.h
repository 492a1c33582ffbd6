// SPDX-License-Identifier: Apache-2.0
// All that runs for sessions in a node, plugged into its loop and its state: the keeper, the reaper and
// what follows when a client leaves.
#pragma once

#include "base/metrics.h"
#include "server/core_loop.h"
#include "storage/live.h"

struct sessions;

struct sessions_settings {
    uint16_t node;               // this one
    uint64_t boot;               // its boot_count
    bool alone;                  // a cluster of one
    uint64_t contact_ns;         // since a quorum followed, after which nothing expires
    struct counter *expirations; // of sessions that this node proposed to end
};

// Starts with the sessions of the live state; before the loop and the apply thread run. What cannot be
// read ends the process, here and below (exit status 71).
struct sessions *sessions_start(struct core_loop *loop, struct live *live,
                                const struct sessions_settings *settings);
// Nothing is proposed any more, renewals are answered. Then the loop may drain. NULL is allowed.
void sessions_drain(struct sessions *sessions);
// Requires that the loop is gone. NULL is allowed.
void sessions_free(struct sessions *sessions);

// Events of the apply thread.
void sessions_changed(struct sessions *sessions, const struct state *state);
void sessions_installed(struct sessions *sessions);
// Of the core loop; see core_loop_ports, network_ports.
void sessions_tick(struct sessions *sessions);
void sessions_after_tick(struct sessions *sessions);
void sessions_turn(struct sessions *sessions);
void sessions_receive(struct sessions *sessions, uint16_t from, const void *data, size_t length);
// Of clients; see api_backend. Thread: any.
bool sessions_touch(struct sessions *sessions, uint64_t id, const uint8_t *proof);
void sessions_renew(struct sessions *sessions, struct read_wait *wait);
void sessions_name_stream(struct sessions *sessions, struct session_binding *binding);
void sessions_depart(struct sessions *sessions, uint64_t id, const struct session_binding *binding,
                     uint32_t grace_ms);
