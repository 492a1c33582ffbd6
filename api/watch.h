// SPDX-License-Identifier: Apache-2.0
// What the two halves of a watch share: watch.c has its life, watch_read.c turns the history of changes
// and the tree into events.
//
// A watch has no queue. It has a position: everything up to that zxid was written. A reader that is
// slow is just behind, and gets a reset when the history no longer reaches back to its position.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "api/event.h"
#include "api/filter.h"
#include "api/request.h"

enum watch_phase {
    WATCH_START,    // nothing was written yet
    WATCH_SNAPSHOT, // what exists is being listed
    WATCH_FOLLOW,   // changes are written as they come
    WATCH_FAILED,   // nothing more follows
};

struct watch {
    struct service *service; // not to be used once `stream` is NULL
    struct hub_wait wait;
    struct hub_key *keys; // owned
    bool waiting;         // `wait` was added
    atomic_uint reasons;  // why the hub woke it
    atomic_int references;
    char request_id[REQUEST_ID_MAX];
    // What was asked for.
    struct buffer names; // the filter's paths
    struct filter filter;
    bool initial;
    bool with_data;
    bool has_since;
    bool since_unusable; // of another cluster, or unreadable
    uint64_t since;
    // Where it is.
    enum watch_phase phase;
    struct event_writer writer;
    uint64_t position;    // every change up to here was written, or need not be
    uint64_t last;        // no change above that need be looked at for now
    uint32_t written;     // changes of the zxid behind it that were looked at
    bool behind;          // there may be more changes in the state than were looked at
    size_t root;          // snapshot: the path of the filter that is being listed
    struct buffer cursor; // ... and the last znode listed below it; empty: none
    uint64_t spoke_ns;    // when something was last written
    // The barrier before the first look.
    pthread_mutex_t lock;  // of the rest
    struct stream *stream; // NULL once closed
    struct read_wait barrier;
    bool barrier_pending;
    bool barrier_passed;
    bool barrier_failed; // to be tried again
};

// Each looks at the state and writes what it finds. Returns what fill does.
enum stream_step watch_follow(struct watch *watch);
enum stream_step watch_snapshot(struct watch *watch);
// The reader must forget what it knows, as of this zxid: the event and the beginning of a snapshot.
enum stream_step watch_reset(struct watch *watch, const char *reason, uint64_t zxid);
// Something that does not pass.
enum stream_step watch_fail(struct watch *watch, enum error error);
// A bookmark at the position.
void watch_bookmark(struct watch *watch);
