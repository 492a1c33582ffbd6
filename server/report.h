// SPDX-License-Identifier: Apache-2.0
// What nodes tell each other about themselves, a few times a second, for people and for the age of local
// reads. Nothing of it matters to consensus.
#pragma once

#include "base/bytes.h"
#include "base/errors.h"
#include "paxos/paxos.h"

struct report {
    enum paxos_role role;
    struct ballot ballot; // that it follows or leads
    bool serving;         // in quorum and caught up
    bool disk_full;
    bool draining;
    uint64_t zxid; // applied there
    paxos_slot applied;
    // Leader: so long ago began the newest round in which a quorum followed it, and this was decided then.
    bool confirmed;
    uint64_t confirmed_age_us;
    paxos_slot confirmed_decided;
    // For the round trip: the sender's clock, and what the receiver's last report said of its own clock, with
    // how long ago that came. Microseconds; 0: none came yet.
    uint64_t sent_us;
    uint64_t echo_us;
    uint64_t held_us;
};

// How long a report of this node and the peer's next one were on their way together; 0: unknown.
uint64_t report_round_trip_us(const struct report *report, uint64_t now_us);

void report_encode(const struct report *report, struct buffer *into);
// Errors: CORRUPT.
enum error report_decode(const void *data, size_t length, struct report *report);

// How old the state of this node may be: it holds everything that was acknowledged at some moment, and
// that moment moves on as leaders' reports arrive and are caught up with. Times in microseconds of this
// node's monotonic clock.
struct freshness {
    uint64_t fresh_us;   // everything acknowledged by then is here; 0: unknown
    uint64_t waiting_us; // ... by then, once `waiting_for` is executed; 0: nothing waits
    paxos_slot waiting_for;
};

// A leader's report arrived, or this node leads itself.
void freshness_note(struct freshness *freshness, const struct report *leader, uint64_t now_us);
void freshness_executed(struct freshness *freshness, paxos_slot slot);
// How old that is. UINT64_MAX when fresh_us is unknown.
uint64_t freshness_age_us(uint64_t fresh_us, uint64_t now_us);
