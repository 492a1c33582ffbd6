// SPDX-License-Identifier: Apache-2.0
// A simulated node: a process (the shipped driver and core, with models of its threads) that dies
// and comes back, and a disk that stays.
#pragma once

#include "base/fifo.h"
#include "server/recovery.h"
#include "server/replica.h"
#include "server/transfer.h"
#include "storage/identity.h"
#include "tests/lib/disk_fake.h"
#include "tests/sim/shadow.h"
#include "tests/sim/world.h"

// The journal thread: jobs queue up, one group is in flight.
struct flush {
    struct fifo jobs;
    struct fifo group; // in flight; empty when the thread is idle
    uint64_t reached;  // highest persist sequence that the core loop was told of
};

// The apply thread: entries queue up.
struct apply {
    struct fifo jobs;
    bool scheduled;
    paxos_slot reached; // highest slot that the core loop was told of
};

struct attendance;
struct notifier;

struct node {
    struct world *world;
    uint16_t id; // index + 1
    uint16_t index;
    struct disk *disk;
    struct shadow shadow; // what the disk holds, by what was flushed
    struct shadow torn;   // ... if the flush that was in flight at the crash got through
    bool has_torn;
    struct ballot sent_promise; // highest ballot promised in a message, over all runs
    bool damaged;               // bits of its disk were flipped, or it was exchanged
    bool outcast;               // its disk was exchanged for a blank or an older one
    unsigned outcast_starts;    // since then
    struct shadow lost;         // what the disk before held
    struct disk *older_disk;    // a copy, NULL if there is none
    bool halted;                // refused to start

    bool up;
    uint32_t run; // +1 per start of the process
    bool silent;  // nothing leaves it any more: it is about to die
    bool dying;   // its last answers are collected: ports do nothing
    struct identity identity;
    struct live *live;
    struct state *state; // the live one
    struct attendance *attendance;
    struct notifier *notifier;
    struct journal *journal;
    struct replica *replica;
    const struct paxos *paxos; // the replica's core, to look at
    struct flush flush;
    struct apply apply;
    uint32_t catching_up; // set of ids of peers whose catch-up is under way
    paxos_slot newest_checkpoint;
    paxos_slot older_checkpoint;
    struct transfer *transfer;
    struct checkpoint_info received; // a checkpoint that is complete
    paxos_slot accepted;             // one that the core goes on from, until it is installed
    paxos_slot begun_anew;           // the log begins behind this one, which was installed
    uint64_t timer;                  // number of the tick that is valid
    uint64_t timer_at_ns;            // node's time that it is due
    uint64_t tick_ns;                // node's time at which the loop last looked at itself
    bool turn_scheduled;
    struct paxos_status status; // after the last step
    paxos_slot candidate_last;  // end of its log before it led

    // Its clock: local = local_base + (now - real_base) * rate / 2^20.
    uint64_t rate;
    uint64_t real_base_ns;
    uint64_t local_base_ns;
    int64_t wall_offset_ms;
    uint64_t paused_until_ns;
    uint64_t stuck_until_ns; // its disk answers nothing before
};

void nodes_make(struct world *world);
void nodes_free(struct world *world);

// Starts the process: recovery from the disk, then the driver. Fails the run when recovery refuses
// although nothing damaged the disk.
void node_start(struct node *node);
// The process is gone; the machine goes on, so the page cache stays.
void node_kill(struct node *node);
// The machine loses power: of what was not synced any part may be missing.
void node_power_loss(struct node *node);
// The process ends itself after an error of its disk.
void node_fatal(struct node *node, enum error error);
void node_restart_later(struct node *node, uint64_t delay_ns);

struct replica_time node_time(const struct node *node);
// Real time until the node's clock shows this.
uint64_t node_real_delay_ns(const struct node *node, uint64_t local_ns);
// How far the node's clock goes in that time.
uint64_t node_local_span_ns(const struct node *node, uint64_t real_ns);
// The process stands still until then.
void node_pause(struct node *node, uint64_t until_ns);
void node_resume(struct node *node);
// The core loop looks at its inbox soon.
void node_wake(struct node *node);
// To be called after every call into the driver: sets the timer, looks at what changed.
void node_stepped(struct node *node);
// A leader that does not know that there is another; NULL if there is none.
struct node *node_deposed(struct world *world);
// A quorum of the voters.
size_t world_quorum(const struct world *world);

void node_on_turn(struct world *world, struct event *event);
void node_on_tick(struct world *world, struct event *event);
void node_on_peer_down(struct world *world, struct event *event);
void node_on_start(struct world *world, struct event *event);

// ---- flush.c: the journal thread ---------------------------------------------------------------
void flush_persist(struct node *node, const struct paxos_output *output);
// The process is gone. Whatever part of the group in flight the disk got, it got.
void flush_abandon(struct node *node);
void flush_on_end(struct world *world, struct event *event);
void flush_on_persisted(struct world *world, struct event *event);

// ---- apply.c: the apply thread -----------------------------------------------------------------
void apply_entry(struct node *node, const struct entry *entry);
void apply_install(struct node *node, paxos_slot slot);
void apply_abandon(struct node *node);
void apply_on_run(struct world *world, struct event *event);
void apply_on_applied(struct world *world, struct event *event);

// ---- bulk.c: the bulk thread -------------------------------------------------------------------
void bulk_start(struct node *node);
// Anybody may teach anybody what is decided, also unasked: late, twice, in the middle of an election.
void bulk_teach(struct node *node);
void bulk_on_check(struct world *world, struct event *event);
// The state was replaced by the checkpoint of this slot.
enum error bulk_installed(struct node *node, paxos_slot slot);

// ---- courier.c: the courier thread -------------------------------------------------------------
void courier_start(struct node *node);
void courier_stop(struct node *node);
void courier_lagging(struct node *node, uint16_t to, paxos_slot from);
// A frame of a peer's transfer.
void courier_receive(struct node *node, uint16_t from, const void *data, size_t length);
enum error courier_tick(struct node *node);
void courier_on_catch_up(struct world *world, struct event *event);
void courier_on_transfer(struct world *world, struct event *event);
void courier_on_install(struct world *world, struct event *event);
