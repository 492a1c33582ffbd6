// SPDX-License-Identifier: Apache-2.0
// The state of the core, shared by the files of paxos/ and by nobody else.
#pragma once

#include "paxos/log.h"
#include "paxos/paxos.h"

struct paxos {
    struct paxos_config config;
    enum paxos_role role;
    uint16_t leader;          // owner of the ballot in its accept phase, 0 = none
    struct ballot promised;   // highest ballot promised (volatile at once, durable with its record)
    struct ballot log_ballot; // ballot whose leader's full log this log contains; <= promised
    struct paxos_log log;
    paxos_slot decided;       // highest slot known decided, <= log.last
    paxos_slot durable;       // the log is on disk up to here
    paxos_slot applying;      // handed out for execution up to here
    paxos_slot applied;       // executed up to here
    uint64_t persist_issued;  // sequence of the newest records handed out
    uint64_t persist_done;    // sequence of the newest durable records
    uint64_t promise_persist; // CANDIDATE: sequence whose durability completes the own promise
    paxos_slot start_slot;    // LEADER: slot of the LEADER_START entry of its ballot
    // What each outstanding persist made durable: the end of the log after it, by sequence.
    paxos_slot persist_last[PAXOS_WINDOW];
    // Recovery only.
    struct hash128 checkpoint_hash; // chain hash of the state that execution starts from
    struct hash128 covered_hash;    // chain hash of the log at that slot, as replayed so far
    paxos_slot checkpoint_slot;     // that slot
    paxos_slot recovered_mark;      // highest decided mark of the groups so far
    uint64_t log_time_us;           // of the last entry
    uint64_t wall_ms;               // of the last entry
    uint64_t leading_since_us;      // LEADER: monotonic time when it became leader
    uint64_t leading_since_log_us;  // LEADER: the log's time then
};

// Starts a record in the output of this step; the persist sequence is taken with the first one.
struct paxos_record *paxos__record(struct paxos *paxos, struct paxos_output *output,
                                   enum record_type type);
// Ends a step: notes what its records will make durable.
void paxos__note_persist(struct paxos *paxos, const struct paxos_output *output);
// Hands out what is decided, durable and not yet handed out.
void paxos__execute(struct paxos *paxos, struct paxos_output *output);

// Phase 1 and 2 of this node's own ballot (leader.c).
void paxos__campaign(struct paxos *paxos, struct paxos_output *output);
void paxos__promise_durable(struct paxos *paxos, const struct paxos_input *input,
                            struct paxos_output *output);
void paxos__propose(struct paxos *paxos, const struct paxos_input *input,
                    struct paxos_output *output);
// Counts durable votes and moves `decided`.
void paxos__decide(struct paxos *paxos);

// The invariants of an acceptor that hold between any two steps (asserted).
void paxos__check(const struct paxos *paxos);
