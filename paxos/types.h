// SPDX-License-Identifier: Apache-2.0
// The vocabulary of consensus that the journal and the state machine share with the core.
//
// The log is contiguous (one sequence of slots without holes); an acceptor's vote is the pair
// (log_ballot, last): the ballot whose leader's full adopted log it holds, and its last slot.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/hash.h"

// Position in the log. The first entry has slot 1; 0 means "nothing".
typedef uint64_t paxos_slot;

// A ballot names its owner, so there is no separate vote. Ballots compare within one epoch only.
struct ballot {
    uint64_t round; // 0 = no ballot
    uint16_t node;  // owner
};

// <0, 0 or >0, by round and then node.
int ballot_compare(struct ballot a, struct ballot b);

enum {
    PAXOS_VOTERS_MAX = 7,
    PAXOS_LEARNERS_MAX = 5,
    PAXOS_NODES_MAX = PAXOS_VOTERS_MAX + PAXOS_LEARNERS_MAX,
    PAXOS_RUNS_KEPT = 16,            // runs of a node whose random numbers it remembers
    PAXOS_WINDOW = 1024,             // most slots above the applied one
    PAXOS_VALUE_MAX = 4 << 20,       // bytes of one entry's value
    PAXOS_WINDOW_BYTES_MAX = 8 << 20 // bytes of undecided values before proposals wait
};

// The random numbers of a node's runs: that of the run with boot_count b stands at b % PAXOS_RUNS_KEPT. An
// older copy of a disk that is started cannot know those of the runs after it.
struct node_runs {
    uint64_t of[PAXOS_RUNS_KEPT];
};

// A node of the cluster, as fixed at genesis, and the newest run of it that this node has met.
struct cluster_member {
    uint16_t node;
    uint8_t incarnation[16];
    uint64_t boot; // highest boot_count met; 0: none yet
    uint64_t run;  // the random number of that run
};

// How another node has introduced itself.
struct node_met {
    uint16_t node;
    uint8_t incarnation[16];
    uint64_t boot;
    struct node_runs runs;
};

// Who a disk belongs to. A formatted disk keeps incarnation, and from genesis on cluster, node and
// members, for life; a blank one is another acceptor and gets another incarnation.
struct identity {
    uint8_t cluster[16];     // random, made at genesis; zero before
    uint8_t incarnation[16]; // random, made when the disk is formatted
    uint16_t node;           // 1..65535
    uint64_t boot_count;     // +1, durable, at each start before anything is sent
    struct node_runs runs;   // of this node, the present one included
    bool journal_made;       // a journal exists: from now on its absence is a loss
    size_t member_count;     // 0 before genesis
    struct cluster_member members[PAXOS_NODES_MAX]; // in ascending order of node; this node is one
};

enum entry_type {
    ENTRY_LEADER_START = 1, // first entry of a ballot; no commands
    ENTRY_BATCH = 2,        // client commands (storage/command.h)
};

// One decided or proposed value. (epoch, origin, slot) names it for ever.
struct entry {
    paxos_slot slot;
    uint64_t epoch;           // configuration number
    struct ballot origin;     // ballot in which it was first proposed; never changes
    uint8_t type;             // enum entry_type
    uint64_t log_time_us;     // leader's running time; strictly increasing along the log
    uint64_t wall_ms;         // leader's wall clock, never decreasing along the log; for display
    struct hash128 prev_hash; // hash of the entry before
    struct hash128 hash;      // of all fields above and the value
    struct blob *value;       // never NULL; empty for ENTRY_LEADER_START
};

// Computes entry->hash from the other fields.
struct hash128 entry_hash(const struct entry *entry);

enum record_type {
    RECORD_PROMISE = 1, // ballot: promised from now on
    RECORD_APPEND = 2,  // entry: appended in the current log_ballot
    RECORD_SYNC = 3,    // ballot, slot, hash: keep the log up to slot (whose hash is given), the
                        // `count` RECORD_APPEND that follow in the same flush group replace the
                        // rest; then promised = log_ballot = ballot
    RECORD_INSTALL = 4, // ballot, slot, hash: the log starts anew behind slot, which a checkpoint
                        // that is durable holds; log_ballot stays, promised = max(it, ballot)
    RECORD_LEARN = 5,   // ballot, slot, hash: the `count` RECORD_APPEND that follow in the same
                        // group are decided and stand from slot + 1 on; what the log held there
                        // and did not agree goes, log_ballot stays, promised = max(it, ballot)
};

// One durable change of an acceptor. A flush group is written and recovered whole or not at all.
struct paxos_record {
    uint8_t type;         // enum record_type
    uint64_t epoch;       // configuration number
    struct ballot ballot; // PROMISE, SYNC, LEARN, INSTALL
    paxos_slot slot;      // SYNC, LEARN: keep; INSTALL: the checkpoint's
    struct hash128 hash;  // SYNC, LEARN, INSTALL: chain hash at slot
    uint32_t count;       // SYNC, LEARN: entries that follow
    struct entry entry;   // APPEND
};

// The scalars of an acceptor, re-written at the head of each journal segment so that older segments
// can be dropped.
struct paxos_scalars {
    uint64_t epoch;
    struct ballot promised;   // highest ballot promised; never decreases
    struct ballot log_ballot; // <= promised
    paxos_slot last;          // last slot of the log
    struct hash128 last_hash;
    paxos_slot decided; // known decided when this was written
};
