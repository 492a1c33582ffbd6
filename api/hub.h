// SPDX-License-Identifier: Apache-2.0
// Wakes those who wait for changes, and nobody else. It holds no events: the state keeps what
// happened (storage/history.h), so the hub's thread reads each new row once, looks up who waits for
// such a change, and wakes them; they read for themselves what they have missed.
//
// Nothing is lost between looking and waiting: whoever is added tells up to which zxid it has looked,
// and is refused (HUB_LATE) when the hub has read further than that.
#pragma once

#include "api/deadlines.h"
#include "storage/live.h"

struct hub;
struct hub_wait;

// What a key of a wait stands for.
enum hub_kind {
    HUB_NODE,     // created, changed, deleted: the znode itself
    HUB_PRESENCE, // created, deleted: the znode itself
    HUB_CHILDREN, // a child of the znode was created or deleted
    HUB_TREE,     // created, changed, deleted: the znode or anything below it
    HUB_SESSION,  // the session, whose id (a uint64_t) stands in the place of a path. Not in the
    // history: its owner looks at the state. Alone in its wait, which is a lasting one
};

struct hub_key {
    // The owner's:
    const char *path; // borrowed while the wait is added
    size_t length;
    enum hub_kind kind;
    // The hub's:
    struct hub_wait *wait;
    struct hub_key *next;
    struct hub_key *previous;
    uint64_t hash;
};

// Why wake was called.
enum hub_reason {
    HUB_CHANGED = 1,  // something that a key stands for
    HUB_DEADLINE = 2, // the time has come
    HUB_DRAINING = 4, // the server stops: nobody may wait any more
    HUB_GONE = 8,     // hub_end was called
};

// Zxids of which some have something that matches: the first, the last, and perhaps others between.
struct hub_range {
    uint64_t first;
    uint64_t last;
};

enum { HUB_RANGES = 8 }; // kept for each wait; the last one grows when there are more

// One who waits. All zero but for what the owner sets. A lasting one stays until hub_remove; another is
// removed just before its one wake.
struct hub_wait {
    // The owner's:
    struct hub_key *keys; // borrowed while added
    size_t key_count;
    bool lasting;
    uint64_t deadline_ns; // when to wake, or, of a lasting wait, when for the first time
    uint64_t period_ns;   // of a lasting wait: the time between its deadlines, about
    // reasons: HUB_CHANGED, ... Thread: the hub's or that of hub_end; the hub is locked, so it must
    // call nothing of it.
    void (*wake)(struct hub_wait *wait, unsigned reasons);
    // The hub's:
    bool added;
    bool ended;                          // by hub_end
    struct hub_range ranges[HUB_RANGES]; // what matched and was not taken, in order
    size_t range_count;
    struct deadline deadline;
    struct hub_wait *next;
    struct hub_wait *previous;
};

enum hub_added {
    HUB_ADDED,
    HUB_LATE,   // there are changes above `looked` that were not kept for this wait: look again
    HUB_ENDED,  // hub_end came before
    HUB_CLOSED, // draining
};

// Starts the thread. `live` must outlive the hub; zxid is where it is now.
struct hub *hub_start(struct live *live, uint64_t zxid);
// Ends the thread. Requires that no wait is left.
void hub_stop(struct hub *hub);
void hub_free(struct hub *hub);
// The state is now visible up to this zxid. Cheap while nobody waits. Thread: any, until hub_free.
void hub_changed(struct hub *hub, uint64_t zxid);
// A session was bound or closed (0: any may have been), and the live state shows it. Cheap while nobody
// waits for a session. Thread: any, until hub_free.
void hub_session_changed(struct hub *hub, uint64_t session);
// Wakes all who wait with HUB_DRAINING, and refuses others from now on. Thread: any.
void hub_drain(struct hub *hub);

// Adds a wait whose owner has looked at everything up to the zxid `looked`. Thread: any.
enum hub_added hub_add(struct hub *hub, struct hub_wait *wait, uint64_t looked);
// Adds a lasting wait that has still to look at everything. Returns false while draining.
bool hub_add_lasting(struct hub *hub, struct hub_wait *wait);
// When this returns, wake neither runs nor will run. Returns whether the wait was still added.
bool hub_remove(struct hub *hub, struct hub_wait *wait);
// Wakes a wait that is added with HUB_GONE; a later hub_add of it is refused. Thread: any.
void hub_end(struct hub *hub, struct hub_wait *wait);

// Takes the first range of what matches a lasting wait, above *looked, up to which its owner has
// looked. *looked rises to a zxid up to which there is nothing else. false: there is none for now, and
// the next one wakes. Its last zxid is UINT64_MAX when all that there is must be looked at.
bool hub_take(struct hub *hub, struct hub_wait *wait, uint64_t *looked, struct hub_range *range);

struct hub_counts {
    size_t polls;    // that wait once
    size_t streams;  // of changes
    size_t sessions; // streams of sessions
};
void hub_count(struct hub *hub, struct hub_counts *counts);
