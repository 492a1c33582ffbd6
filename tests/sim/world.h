// SPDX-License-Identifier: Apache-2.0
// A simulated cluster: one thread, virtual time, one stream of choices. An event is a moment at
// which something happens to one node or to the world; everything that takes time is a later event.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "paxos/types.h"
#include "tests/sim/choice.h"

enum {
    NODES_MAX = PAXOS_VOTERS_MAX + 2,
    NOBODY = UINT16_MAX, // as the node of an event: it belongs to the world
};

#define MICROSECOND_NS ((uint64_t)1000)
#define MILLISECOND_NS ((uint64_t)1000000)
#define SECOND_NS      ((uint64_t)1000000000)

enum sim_exit {
    SIM_OK = 0,
    SIM_CRASH = 10,       // an assertion of the code under test, or a signal
    SIM_CORRECTNESS = 11, // an oracle found a broken promise
    SIM_LIVENESS = 12,    // nothing was wrong, but nothing happened either
    SIM_USAGE = 64,
};

// M(NAME, name): safety: faults, then everything is healed. liveness: a random quorum is healed, the
// rest stays as broken as it is. power: power loss of the whole cluster over and over. quiet: no
// faults at all.
#define SIM_MODES(M)                                                                               \
    M(SAFETY, safety)                                                                              \
    M(LIVENESS, liveness)                                                                          \
    M(POWER, power)                                                                                \
    M(QUIET, quiet)

enum sim_mode {
#define MODE_ENUM(NAME, name) MODE_##NAME,
    SIM_MODES(MODE_ENUM)
#undef MODE_ENUM
        MODE_COUNT
};
const char *sim_mode_name(enum sim_mode mode);

// E(NAME, name, handler)
#define SIM_EVENTS(E)                                                                              \
    E(DELIVER, deliver, network_deliver)       /* data: struct packet */                           \
    E(PEER_DOWN, peer_down, node_on_peer_down) /* a: node id */                                    \
    E(TURN, turn, node_on_turn)                /* the core loop takes what is waiting */           \
    E(TICK, tick, node_on_tick)                /* a: number of the timer */                        \
    E(AFTER_TICK, after_tick, attendance_on_after_tick)                                            \
    E(NOTIFY, notify, notifier_on_run)          /* a: number of the round */                       \
    E(FLUSH_END, flush_end, flush_on_end)       /* the journal's write and flush are over */       \
    E(PERSISTED, persisted, flush_on_persisted) /* a: persist sequence */                          \
    E(APPLY, apply, apply_on_run)               /* the apply thread executes a run */              \
    E(APPLIED, applied, apply_on_applied)       /* a: slot */                                      \
    E(BULK, bulk, bulk_on_check)                /* the bulk thread looks around */                 \
    E(CATCH_UP, catch_up, courier_on_catch_up)  /* data: struct errand */                          \
    E(TRANSFER, transfer, courier_on_transfer)  /* data: struct errand */                          \
    E(INSTALL, install, courier_on_install)     /* data: struct paxos_install */                   \
    E(START, start, node_on_start)              /* the process is started again */                 \
    E(CLIENT, client, workload_on_client)       /* a: client */                                    \
    E(FAULT, fault, faults_on_due)              /* the next fault */                               \
    E(POWER, power, faults_on_power)            /* power mode: the next power loss */              \
    E(HEAL, heal, faults_on_heal)               /* links heal by themselves */                     \
    E(AMBUSH, ambush, ambush_on_spring)         /* a: action, b: sender's index, receiver's id */  \
    E(CALM, calm, ambush_on_calm)               /* the last blow was struck */                     \
    E(WATCH, watch, watchers_on_event)          /* a: watcher, b: its connection */                \
    E(FLOOD, flood, workload_on_flood)          /* a: node index, b: commands left, 0: it begins */

enum event_kind {
#define EVENT_ENUM(NAME, name, handler) EVENT_##NAME,
    SIM_EVENTS(EVENT_ENUM)
#undef EVENT_ENUM
        EVENT_COUNT
};

struct event {
    uint64_t at_ns;
    uint64_t order; // events of one moment happen in the order in which they were made
    enum event_kind kind;
    uint16_t node; // index, or NOBODY
    uint32_t run;  // of the node; the event dies with it. 0: of no run
    uint64_t a;
    uint64_t b;
    void *data; // owned by the event, freed with free(); NULL if there is none
};

struct event_queue {
    struct event *heap;
    size_t count;
    size_t capacity;
    uint64_t order;
};

// A(NAME, name): what an ambush does when its message is about to leave.
#define SIM_AMBUSHES(A)                                                                            \
    A(LOSE, lose)                                                                                  \
    A(STALL, stall)                                                                                \
    A(HOLD, hold)                                                                                  \
    A(REPEAT, repeat)                                                                              \
    A(LAST_WORDS, last_words)                                                                      \
    A(KILL_BEFORE, kill_before)                                                                    \
    A(KILL_SENDER, kill_sender)                                                                    \
    A(KILL_RECEIVER, kill_receiver)                                                                \
    A(POWER_BEFORE, power_before)                                                                  \
    A(POWER_SENDER, power_sender)                                                                  \
    A(POWER_RECEIVER, power_receiver)                                                              \
    A(ISOLATE_SENDER, isolate_sender)                                                              \
    A(ISOLATE_PAIR, isolate_pair)                                                                  \
    A(ISOLATE_RECEIVER, isolate_receiver)                                                          \
    A(CUT_OFF, cut_off)                                                                            \
    A(HANG_SENDER, hang_sender)                                                                    \
    A(HANG_RECEIVER, hang_receiver)                                                                \
    A(PAUSE_SENDER, pause_sender)                                                                  \
    A(PAUSE_RECEIVER, pause_receiver)                                                              \
    A(TRANSFER, transfer)                                                                          \
    A(TEACH_SENDER, teach_sender)                                                                  \
    A(TEACH_RECEIVER, teach_receiver)

enum ambush_action {
#define AMBUSH_ENUM(NAME, name) AMBUSH_##NAME,
    SIM_AMBUSHES(AMBUSH_ENUM)
#undef AMBUSH_ENUM
        AMBUSH_COUNT
};
const char *ambush_name(enum ambush_action action);

enum { AMBUSHES_MAX = 8 };

struct ambush {
    uint8_t type;   // of the message, 0: not laid
    uint8_t action; // enum ambush_action
    uint32_t skip;  // messages that pass before
};

// T(NAME, name): what the faults of some seeds have in common.
#define SIM_THEMES(T)                                                                              \
    T(NONE, none)                                                                                  \
    T(ELECTIONS, elections)                                                                        \
    T(READS, reads)                                                                                \
    T(LEARNING, learning)                                                                          \
    T(SESSIONS, sessions)

enum sim_theme {
#define THEME_ENUM(NAME, name) THEME_##NAME,
    SIM_THEMES(THEME_ENUM)
#undef THEME_ENUM
        THEME_COUNT
};

// What a seed is made of: limits and how much of each fault. Chances per million.
struct swarm {
    size_t nodes;
    size_t voters; // the first of the nodes; the others are learners
    size_t clients;
    size_t keys;
    uint8_t theme;      // enum sim_theme
    uint64_t faults_ns; // until faults end
    uint32_t window;
    uint32_t retain;
    uint64_t heartbeat_us;
    uint64_t retransmit_us;
    uint32_t exchanges;   // of disks, among damages: chance in a million
    uint64_t entries_max; // behind a checkpoint; 0: no limit
    uint32_t segment_bytes;
    uint64_t think_ns;    // mean pause of a client
    uint64_t patience_ns; // deadline of a request
    uint64_t delay_ns;    // mean of a message, on top of delay_least_ns
    uint64_t delay_least_ns;
    uint32_t loss;
    uint32_t duplicates;
    uint32_t late_duplicates; // of the duplicates: much later
    uint32_t corruption;
    bool reorders;     // packets overtake each other; else a link is first in, first out
    uint64_t flush_ns; // mean duration of a flush
    uint32_t slow_flush;
    uint64_t apply_ns;
    uint64_t bulk_ns;    // mean delay of what the bulk thread sends
    uint32_t sessions;   // chance that a client's next request is about its session
    uint32_t timeout_ms; // longest of a session
    uint32_t lapses;     // chance that a holder forgets its session then
    bool outlasts;       // the run ends when all sessions have
    size_t watchers;
    uint64_t history_zxids; // what is kept for them: see storage/history.h
    uint64_t history_bytes;
    uint64_t history_data;
    uint32_t probes;            // chance that a write's answer is followed by reads elsewhere
    uint32_t replays;           // chance that whoever campaigns is given old packets again
    uint32_t teaching;          // chance at each look of the bulk thread
    uint32_t floods;            // bursts of commands at one node
    struct ambush last_blow;    // ends the faults
    uint64_t work_ns;           // clients go on so long after faults ended
    uint32_t checkpoints;       // chance at each look of the bulk thread
    uint64_t fault_interval_ns; // mean; 0: no faults
    uint32_t fault_weights[20]; // by enum fault_kind
    uint64_t power_interval_ns; // power mode
};

struct node;
struct network;
struct workload;
struct watchers;
struct oracle;

// N(NAME, name): counted over all seeds.
#define SIM_COUNTERS(N)                                                                            \
    N(SEEDS, seeds)                                                                                \
    N(EVENTS, events)                                                                              \
    N(SENT, messages_sent)                                                                         \
    N(LOST, messages_lost)                                                                         \
    N(DUPLICATED, messages_duplicated)                                                             \
    N(CORRUPTED, messages_corrupted)                                                               \
    N(KILLS, kills)                                                                                \
    N(POWER_LOSSES, power_losses)                                                                  \
    N(TORN_FLUSHES, torn_flushes)                                                                  \
    N(RESTARTS, restarts)                                                                          \
    N(PAUSES, pauses)                                                                              \
    N(CLOCK_JUMPS, clock_jumps)                                                                    \
    N(PARTITIONS, partitions)                                                                      \
    N(RESETS, connection_resets)                                                                   \
    N(STALLS, stalled_links)                                                                       \
    N(AMBUSHES, ambushes)                                                                          \
    N(SPRUNG, ambushes_sprung)                                                                     \
    N(FLOODS, floods)                                                                              \
    N(REPLAYS, replays)                                                                            \
    N(TAUGHT, taught_unasked)                                                                      \
    N(PROBES, probes)                                                                              \
    N(TRANSFERS, transfers)                                                                        \
    N(SLOW_FLUSHES, slow_flushes)                                                                  \
    N(DISK_FAILURES, disk_failures)                                                                \
    N(DISK_FULL, disk_full)                                                                        \
    N(DAMAGE, damaged_disks)                                                                       \
    N(REFUSED_STARTS, refused_starts)                                                              \
    N(BLANKED, blanked_disks)                                                                      \
    N(ROLLED_BACK, rolled_back_disks)                                                              \
    N(REFUSED_PEERS, refused_peers)                                                                \
    N(CHECKPOINTS, checkpoints)                                                                    \
    N(LEARNS, learns)                                                                              \
    N(INSTALLS, checkpoints_installed)                                                             \
    N(CAMPAIGNS, campaigns)                                                                        \
    N(LEADERS, leaders)                                                                            \
    N(SLOTS, slots_decided)                                                                        \
    N(WRITES_OK, writes_acknowledged)                                                              \
    N(WRITES_REFUSED, writes_refused)                                                              \
    N(WRITES_UNKNOWN, writes_unknown)                                                              \
    N(READS_OK, reads_answered)                                                                    \
    N(READS_FAILED, reads_failed)                                                                  \
    N(OPENED, sessions_opened)                                                                     \
    N(RENEWED, sessions_renewed)                                                                   \
    N(BOUND, sessions_bound)                                                                       \
    N(CLOSED, sessions_closed)                                                                     \
    N(SILENT, sessions_silent)                                                                     \
    N(EXPIRED, sessions_expired)                                                                   \
    N(EPHEMERALS, ephemerals)                                                                      \
    N(TOUCH_FRAMES, touch_frames)                                                                  \
    N(TOLD, watch_events)                                                                          \
    N(RESUMES, watch_resumes)                                                                      \
    N(RESETS_TOLD, watch_resets)

enum sim_counter {
#define COUNTER_ENUM(NAME, name) COUNT_##NAME,
    SIM_COUNTERS(COUNTER_ENUM)
#undef COUNTER_ENUM
        COUNT_COUNT
};

struct world {
    struct choice_stream choices;
    enum sim_mode mode;
    uint64_t seed;
    struct swarm swarm;
    uint64_t now_ns;
    uint32_t instant_events; // so far at now_ns
    uint32_t second_events;  // ... and in its second
    struct event_queue queue;
    struct node *nodes; // swarm.nodes of them
    struct network *network;
    struct workload *workload;
    struct watchers *watchers;
    struct oracle *oracle;
    struct ambush ambushes[AMBUSHES_MAX];
    bool calm;          // the last blow was struck
    bool healing;       // faults are over
    bool in_part;       // only the core is healed
    bool whole_core;    // ... and has no link to the rest, so all of it must converge
    uint32_t core;      // set of node indexes that must make progress once healing
    uint64_t *counters; // COUNT_COUNT, of all runs
    uint64_t digest;    // of everything that happened
    bool log;           // print every event
    void (*made)(const struct choice_stream *choices); // see world_options
};

// Runs one seed from its beginning to the last check. Ends the process when an oracle complains.
// With a list of choices, replays that instead of drawing. Returns the digest of the run.
struct world_options {
    uint64_t seed;
    enum sim_mode mode;
    size_t nodes; // 0: drawn
    bool log;
    const uint32_t *choices; // NULL: drawn from the seed
    size_t choice_count;
    uint64_t *counters;
    // If set, is shown the choices that were made, also when the run fails.
    void (*made)(const struct choice_stream *choices);
};
uint64_t world_run(const struct world_options *options);

// The run under way, for what has no other way to it: machine.c and the crash handler.
extern struct world *world_current;

void world_schedule(struct world *world, uint64_t delay_ns, struct event event);
// Mixes something that happened into the digest.
void world_note(struct world *world, const void *data, size_t length);
void world_count(struct world *world, enum sim_counter counter);

// Prints one line: mode, seed, oracle, simulated time, the reason and how to see it again; ends the
// process.
_Noreturn void world_fail(struct world *world, enum sim_exit status, const char *oracle,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));
// Shows the choices of the run to whoever asked for them: it is over.
void world_end(struct world *world);
// A line of --log full.
void world_log(struct world *world, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline struct choice_stream *choices_of(struct world *world)
{
    return &world->choices;
}
