// SPDX-License-Identifier: Apache-2.0
// The state of the core, shared by the files of paxos/ and by nobody else.
#pragma once

#include "paxos/log.h"
#include "paxos/paxos.h"

enum {
    PEERS_MAX = PAXOS_VOTERS_MAX + PAXOS_LEARNERS_MAX,
    PERSISTS_MAX = PAXOS_WINDOW, // outputs whose records are not durable yet
    READS_MAX = 64,              // reads that wait for a round, on the leader or on their way there
};

// What another node has said, and where this node as the leader stands with it.
struct peer {
    uint16_t node;
    bool voter;
    // This heartbeat round.
    bool replied;
    bool happy;
    struct ballot ballot;          // its own
    struct ballot leader;          // that it follows
    struct ballot seen_log_ballot; // its claim then: a hint about who should lead, nothing more
    paxos_slot seen_last;
    // Its claim, from a PROMISE of our ballot or, LEADER, a later request. A heartbeat reply must not
    // touch it: it may be older than the promise.
    struct ballot log_ballot;
    paxos_slot last;
    struct hash128 last_hash; // promise only
    paxos_slot decided;
    // CANDIDATE, LEADER.
    bool promised;     // our ballot
    bool synced;       // was sent our whole log, or has it
    paxos_slot next;   // LEADER: next slot to send
    paxos_slot match;  // LEADER: accepted in our ballot up to here
    uint64_t heard_us; // LEADER: when it last made progress or was sent again
};

// What becomes true with one persist sequence.
struct persist_note {
    paxos_slot last;               // the log is durable up to here
    struct ballot log_ballot;      // in this ballot
    struct ballot highest_promise; // promised by then, by whatever record
    bool accepted;                 // entries were accepted: tell the leader
    bool promised;                 // a promise was made: tell its owner
    struct paxos_message promise;  // ... with this message
};

// A read that waits on the leader, or that was asked of it.
struct read {
    uint16_t node;   // who asks; this node itself for its own
    uint64_t number; // the asker's
    paxos_slot slot; // LEADER: index
};

struct paxos {
    struct paxos_config config;
    size_t quorum;
    struct peer peers[PEERS_MAX]; // the others
    size_t peer_count;

    enum paxos_role role;
    uint16_t leader;          // owner of the ballot in its accept phase, 0 = none
    struct ballot promised;   // highest ballot promised (volatile at once, durable with its record)
    struct ballot log_ballot; // ballot whose leader's full log this log contains; <= promised
    struct paxos_log log;     // log.applied: executed, or held by a checkpoint
    paxos_slot decided;       // highest slot known decided, <= log.last
    paxos_slot durable;       // the log is on disk up to here ...
    struct ballot durable_ballot; // ... in this log_ballot
    struct ballot durable_promise;
    paxos_slot applying;                     // handed out for execution up to here
    paxos_slot executed;                     // ... and executed; behind log.applied while a
                                             // checkpoint is being installed
    uint64_t install_sequence;               // of the INSTALL that is not durable yet, 0: none
    uint64_t persist_issued;                 // sequence of the newest records handed out
    uint64_t persist_done;                   // sequence of the newest durable records
    struct persist_note notes[PERSISTS_MAX]; // by sequence

    // CANDIDATE, LEADER.
    struct ballot own;      // the last ballot of this node in this run
    uint16_t fetching_from; // CANDIDATE: whose entries are awaited, 0 = nobody's
    uint64_t fetching_since_us;
    paxos_slot fetching_to;
    struct hash128 fetching_hash; // chain hash there
    paxos_slot start_slot; // LEADER: slot of the LEADER_START entry of its ballot, 0 before it
    struct ballot adopted_ballot; // LEADER: log_ballot of the log that was adopted ...
    paxos_slot adopted_last;      // ... and its end
    bool transferring;            // LEADER: proposes nothing more, waits for a follower to be level
    unsigned unhappy_rounds;      // LEADER: heartbeat rounds without a quorum
    uint64_t sent_us;             // CANDIDATE: when it last asked

    // Election (election.c).
    uint64_t round;          // heartbeat round
    uint64_t round_ends_us;  // 0: no rounds (a single voter)
    uint64_t round_began_us; // when it was asked, and what was decided then
    paxos_slot round_decided;
    uint64_t
        confirmed_us; // LEADER: beginning of the newest round in which a quorum followed, 0: none
    paxos_slot confirmed_decided; // what was decided then
    unsigned urgent_rounds;       // short rounds left, after the leader's connection was lost
    struct ballot leader_ballot;  // highest ballot that a leader was seen with
    bool happy;                   // content with that leader
    unsigned misses;              // rounds in a row that were not
    bool leader_unhappy;          // it said so itself
    uint64_t heard_leader_us;     // when something of leader_ballot was last received
    uint64_t campaign_us;         // when to campaign, 0 = not at all
    uint64_t round_seen;          // highest ballot round ever seen
    unsigned preempted;           // campaigns in a row that were overtaken: backs off
    bool healthy;

    // Reads (reads.c).
    uint64_t read_number; // of the newest READ of this node
    uint64_t check_round; // of the READ_CHECK under way or last done
    bool checking;
    uint64_t checked_us;          // when it was sent
    uint32_t check_acks;          // voters that answered, as a set of peer indexes
    struct read reads[READS_MAX]; // LEADER: [0, check_count) are covered by the round under way
    size_t read_count;
    size_t check_count;

    uint64_t log_time_us;          // of the last entry
    uint64_t wall_ms;              // of the last entry
    uint64_t leading_since_us;     // LEADER: monotonic time when it became leader
    uint64_t leading_since_log_us; // LEADER: the log's time then

    // Recovery (recovery.c).
    struct paxos_position checkpoint; // the state that execution starts from
    struct hash128 covered_hash;      // chain hash of the log at its slot, as replayed so far
    paxos_slot recovered_mark;        // highest decided mark of the groups so far

    // The step under way.
    uint64_t now_us;
    uint64_t input_wall_ms;
    uint64_t random;
    struct paxos_output *output;
};

// ---- paxos.c: output, durability, execution ------------------------------------------------------

// Starts a record in the output of this step; the persist sequence is taken with the first one.
struct paxos_record *paxos__record(struct paxos *paxos, enum record_type type);
// The note of this step's records. Requires that the step has a record.
struct persist_note *paxos__note(struct paxos *paxos);
// Whether a step may persist something: the notes are bounded.
bool paxos__may_persist(const struct paxos *paxos);
// Starts a message to a node; NULL when the output is full, as if it were lost.
struct paxos_message *paxos__message(struct paxos *paxos, uint16_t to, enum paxos_message_type type,
                                     struct ballot ballot);
// Drops the log above slot, here and in what outstanding records will make durable.
void paxos__truncate(struct paxos *paxos, paxos_slot slot);
// Appends to the log and to the output's records.
void paxos__append(struct paxos *paxos, const struct entry *entry);
// Moves `decided` forward to slot, but not past the log.
void paxos__learn_decided(struct paxos *paxos, paxos_slot slot);
// Another history than ours was decided, or something decided is missing: nothing can be trusted.
void paxos__fault(struct paxos *paxos, enum paxos_fault fault);
struct peer *paxos__peer(struct paxos *paxos, uint16_t node);
// Room for entries above the executed slot.
size_t paxos__room(const struct paxos *paxos);
// The leader role ends: reads fail, nothing is proposed any more.
void paxos__step_down(struct paxos *paxos);

// ---- election.c ----------------------------------------------------------------------------------

void paxos__election_start(struct paxos *paxos);
void paxos__election_tick(struct paxos *paxos);
void paxos__on_heartbeat(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_heartbeat_reply(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_peer_down(struct paxos *paxos, uint16_t node);
// A ballot was promised: no lower one leads any more.
void paxos__give_way(struct paxos *paxos, struct ballot ballot);
// A ballot was promised or its leader heard: no campaign against it.
void paxos__follow(struct paxos *paxos, struct ballot ballot);
// Our ballot was overtaken by one of this round.
void paxos__preempted(struct paxos *paxos, struct ballot ballot);
uint64_t paxos__election_deadline_us(const struct paxos *paxos);

// ---- acceptor.c ----------------------------------------------------------------------------------

void paxos__on_prepare(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_accept_sync(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_accept(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_decide(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_learn(struct paxos *paxos, const struct paxos_message *message);
void paxos__install(struct paxos *paxos, const struct paxos_install *install);
void paxos__on_fetch(struct paxos *paxos, const struct paxos_message *message);
// Asks the owner of a ballot for its PREPARE or its entries, naming our claim.
void paxos__request_prepare(struct paxos *paxos, uint16_t node);
void paxos__accepted_durable(struct paxos *paxos);

// ---- proposer.c, replication.c -------------------------------------------------------------------

void paxos__campaign(struct paxos *paxos);
// Our own promise is durable: ask the others.
void paxos__promise_durable(struct paxos *paxos);
void paxos__on_promise(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_reject(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_entries(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_transfer(struct paxos *paxos, const struct paxos_message *message);
void paxos__start_ballot(struct paxos *paxos);
void paxos__proposer_tick(struct paxos *paxos);
// The connection to a node is gone.
void paxos__proposer_peer_down(struct paxos *paxos, uint16_t node);

void paxos__propose(struct paxos *paxos, struct blob *value);
void paxos__append_own(struct paxos *paxos, enum entry_type type, struct blob *value);
void paxos__sync_peer(struct paxos *paxos, struct peer *peer);
void paxos__send_to_synced(struct paxos *paxos);
void paxos__send_entries(struct paxos *paxos, struct peer *peer);
void paxos__on_accepted(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_nack(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_prepare_request(struct paxos *paxos, const struct paxos_message *message);
// Counts durable votes and moves `decided`.
void paxos__decide(struct paxos *paxos);
void paxos__transfer(struct paxos *paxos);
void paxos__replication_tick(struct paxos *paxos);
uint64_t paxos__replication_deadline_us(const struct paxos *paxos);

// ---- reads.c -------------------------------------------------------------------------------------

void paxos__read(struct paxos *paxos);
void paxos__on_read_request(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_read_reply(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_read_check(struct paxos *paxos, const struct paxos_message *message);
void paxos__on_read_ack(struct paxos *paxos, const struct paxos_message *message);
void paxos__fail_reads(struct paxos *paxos);
void paxos__reads_tick(struct paxos *paxos);

// The invariants of an acceptor that hold between any two steps (asserted).
void paxos__check(const struct paxos *paxos);

static inline bool ballot_equal(struct ballot a, struct ballot b)
{
    return ballot_compare(a, b) == 0;
}
static inline bool ballot_less(struct ballot a, struct ballot b)
{
    return ballot_compare(a, b) < 0;
}
