// SPDX-License-Identifier: Apache-2.0
// What the oracles remember of a run.
#pragma once

#include "base/map.h"
#include "tests/sim/oracle.h"

struct decided_slot {
    struct entry entry;   // with a reference to its value
    struct ballot ballot; // lowest in which a leader counted its votes; round 0: none yet
    bool executed;
    uint64_t decided_ns;   // when it was, as far as anybody knew
    struct hash128 digest; // of the state behind it
    uint64_t position;     // hash of where the state stands then
    uint64_t results;      // hash of what its commands answered
};

// Which run of a node led in a ballot.
struct leadership {
    struct ballot ballot;
    uint32_t run;
};

// A promise's claim.
struct claim {
    struct ballot log_ballot;
    paxos_slot last;
    struct hash128 hash; // there
};

// The promises that a candidate was given.
struct campaign {
    struct ballot ballot;
    uint32_t from; // set of voters' indexes
    struct claim claims[PAXOS_VOTERS_MAX];
};

struct oracle {
    struct campaign campaigns[NODES_MAX];
    struct decided_slot *slots; // slot 1 first
    size_t count;
    size_t capacity;
    struct leadership *leaders;
    size_t leader_count;
    size_t leader_capacity;
    struct map proposed; // hashes of the commands that nodes proposed by themselves
};

// What a node's disk has done its part with: one that was exchanged, before.
static inline const struct shadow *oracle_disk(const struct node *node)
{
    return node->outcast ? &node->lost : &node->shadow;
}
