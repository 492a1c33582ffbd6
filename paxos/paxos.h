// SPDX-License-Identifier: Apache-2.0
// The face of paxos/: contiguous-log Multi-Paxos as a pure state machine.
//
// Phases, named as the field names them: prepare (phase 1, over the whole suffix of the log),
// accept (phase 2), decide, execute. The core does no I/O, reads no clock, starts no thread and
// allocates nothing after paxos_new: a driver turns events into inputs and carries out outputs.
//
// Rules that hold for every driver:
// - Messages are for this node, from the node that they name and its newest known run: the driver
//   has checked cluster, incarnation and connection.
// - One step at a time; the output of a step is carried out before the next step.
// - Whatever depends on the disk (a promise, a vote, also the leader's own) leaves the core in the
//   step that hears of the durability of its records (PAXOS_PERSISTED), so no driver can send it
//   too early.
// - Records of several outputs may be flushed together, in order; PERSISTED names the last of them.
// - Recovery: paxos_recover_start, then for each flush group of the journal its records and
//   paxos_recover_group, with what becomes executable executed at once; then PAXOS_START.
#pragma once

#include "base/failure.h"
#include "paxos/message.h"
#include "paxos/types.h"

struct paxos;

enum paxos_role {
    PAXOS_FOLLOWER,  // votes; does not lead
    PAXOS_CANDIDATE, // in phase 1 of its ballot
    PAXOS_LEADER,    // in phase 2 of its ballot
};

// Everything that differs between clusters. Times in microseconds.
struct paxos_config {
    uint16_t node;                         // this node
    uint64_t boot;                         // boot_count of this run
    uint64_t epoch;                        // configuration number
    uint16_t voters[PAXOS_VOTERS_MAX];     // ids in ascending order
    size_t voter_count;                    // 1..PAXOS_VOTERS_MAX
    uint16_t learners[PAXOS_LEARNERS_MAX]; // ids; never counted
    size_t learner_count;
    uint32_t window;        // slots above the applied one, 4..PAXOS_WINDOW; 0: that
    uint32_t retain;        // executed entries kept for followers, at most PAXOS_WINDOW; 0:
                            // that, or none without peers
    uint64_t heartbeat_us;  // length of a heartbeat round
    uint64_t retransmit_us; // silence of a follower after which it is sent again
};

// Where a state stands: that of a loaded checkpoint, or all zero.
struct paxos_position {
    paxos_slot slot;
    struct hash128 hash;
    uint64_t log_time_us;
    uint64_t wall_ms;
};

// A checkpoint that another node has made and that is complete and durable here.
struct paxos_install {
    struct paxos_position position;
    struct ballot ballot; // in which the giver knows it decided
};

enum paxos_input_type {
    PAXOS_START,     // recovery is over: take part
    PAXOS_TICK,      // time has passed
    PAXOS_MESSAGE,   // from a peer; borrowed
    PAXOS_PERSISTED, // everything up to this persist sequence is durable
    PAXOS_APPLIED,   // everything up to this slot is executed
    PAXOS_PROPOSE,   // value: wants a slot
    PAXOS_READ,      // wants to know when a linearizable read may be served
    PAXOS_PEER_DOWN, // the connection to this node was reset or closed
    PAXOS_TRANSFER,  // hand leadership over
    PAXOS_INSTALL,   // a checkpoint is durable here that goes on where the log does not reach
    PAXOS_HEALTH,    // whether this node is able to lead well (disk, loop)
};

struct paxos_input {
    enum paxos_input_type type;
    uint64_t now_us;  // monotonic; never decreases between steps
    uint64_t wall_ms; // wall clock, for display in entries
    uint64_t random;  // fresh for each input
    union {
        const struct paxos_message *message; // MESSAGE: addressed to this node, of this cluster
        uint64_t persist_sequence;           // PERSISTED
        paxos_slot slot;                     // APPLIED
        struct blob *value;                  // PROPOSE: borrowed; the core takes a reference
        uint16_t node;                       // PEER_DOWN
        bool healthy;                        // HEALTH
        const struct paxos_install *install; // INSTALL; borrowed
    };
};

enum {
    PAXOS_MESSAGES_OUT_MAX = 64, // messages of one step
    PAXOS_READS_OUT_MAX = 8,     // finished reads of one step
};

// What no correct node can have caused: the driver must stop this one and tell the operator.
enum paxos_fault {
    PAXOS_NO_FAULT,
    PAXOS_DECIDED_MISSING, // a quorum has promised, yet something decided is in none of its logs
    PAXOS_HISTORY_DIFFERS, // a peer has another entry where ours is decided, or in our own ballot
};

struct paxos_read_answer {
    uint64_t read;   // number that the READ got
    paxos_slot slot; // to be executed before the read looks
    bool failed;     // there is no room for it: try again
};

// What the driver must do after a step, in this order. All of it may be done at once: what has to
// wait for the disk is not here yet.
struct paxos_output {
    // Append these records to the journal as one unit and answer with PERSISTED(persist_sequence).
    // Values are borrowed until then: the core holds them. record_count 0: nothing to persist.
    uint64_t persist_sequence;
    struct paxos_scalars scalars; // the acceptor before these records
    size_t record_count;
    struct paxos_record records[PAXOS_WINDOW + 2];
    // Encode and send, in this order. Messages may be lost, repeated and overtaken.
    size_t message_count;
    struct paxos_message messages[PAXOS_MESSAGES_OUT_MAX];
    // Replace the state by the durable checkpoint of this slot, after everything that was handed out
    // for execution before, and answer with APPLIED. 0: none.
    paxos_slot install;
    // Execute these slots in order (paxos_entry gives them) and answer with APPLIED. 0: none.
    paxos_slot apply_from;
    paxos_slot apply_to;
    // PROPOSE was not accepted: not the leader, or no room in the window. Try again after a change
    // of role or an APPLIED.
    // INSTALL: the log holds that slot, or one is being installed: the checkpoint is not needed.
    bool refused;
    paxos_slot proposed; // the slot that PROPOSE got, 0 if refused
    // READ: its number, 0 when there is no leader to ask. Answers to this and earlier ones follow in
    // later steps.
    uint64_t read;
    uint64_t
        reads_failed; // all reads up to this number that were not answered have failed: the leader
                      // changed; 0: none
    size_t read_count;
    struct paxos_read_answer reads[PAXOS_READS_OUT_MAX];
    // These followers need decided entries that are no longer in the window: the driver sends them LEARN
    // messages with entries from its journal, from that slot on, or a checkpoint.
    size_t lagging_count;
    struct paxos_lagging {
        uint16_t node;
        paxos_slot from;
    } lagging[PAXOS_VOTERS_MAX + PAXOS_LEARNERS_MAX];
    enum paxos_fault fault;
    bool role_changed;    // role, leader or ballot are others than before the step
    uint64_t deadline_us; // a TICK is due by then
};

// Ownership: paxos_free. Never fails.
struct paxos *paxos_new(const struct paxos_config *config);
void paxos_free(struct paxos *paxos);

// Sets the scalars from the journal's head and where execution starts from. Errors: CORRUPT when
// the journal starts behind that position.
enum error paxos_recover_start(struct paxos *paxos, const struct paxos_scalars *scalars,
                               const struct paxos_position *position, struct failure *failure);
// Errors: CORRUPT when the record does not follow from what came before.
enum error paxos_recover_record(struct paxos *paxos, const struct paxos_record *record,
                                struct failure *failure);
// The group is complete and carried this decided mark. Returns the range that may now be executed
// in *from and *to (0 when there is none); call paxos_recover_applied once it was.
enum error paxos_recover_group(struct paxos *paxos, paxos_slot decided, paxos_slot *from,
                               paxos_slot *to, struct failure *failure);
void paxos_recover_applied(struct paxos *paxos, paxos_slot slot);
// Checks that the log reaches what was executed. Errors: CORRUPT.
enum error paxos_recover_end(struct paxos *paxos, struct failure *failure);

// One step. Deterministic; output is overwritten.
void paxos_step(struct paxos *paxos, const struct paxos_input *input, struct paxos_output *output);

// Whether a value of this length would be accepted now.
bool paxos_can_propose(const struct paxos *paxos, size_t value_length);

// An entry of the window: above the last APPLIED, up to the end of the log. Valid until the next
// step.
const struct entry *paxos_entry(const struct paxos *paxos, paxos_slot slot);

struct paxos_status {
    enum paxos_role role;
    uint16_t leader; // 0 = none known, or none that is heard of
    struct ballot ballot;
    uint64_t epoch;
    paxos_slot last;
    paxos_slot decided;
    paxos_slot applied;
    // Leader: in a round of heartbeats that began then, a quorum followed it, and this was decided. 0: none.
    uint64_t confirmed_us;
    paxos_slot confirmed_decided;
    bool serving; // leads, and its first entry is executed: new commands and reads are answered
};
void paxos_status(const struct paxos *paxos, struct paxos_status *status);
