// SPDX-License-Identifier: Apache-2.0
// Clients that watch: each follows a stream of some node, as the shipped api serves it, and goes on
// elsewhere with the last id that it has when the stream ends or when it has enough of it.
#pragma once

#include "tests/sim/model.h"
#include "tests/sim/node.h"

// C(NAME, name): what an event of a stream says.
#define TOLD_KINDS(C)                                                                              \
    C(CREATED, created)                                                                            \
    C(CHANGED, changed)                                                                            \
    C(DELETED, deleted)                                                                            \
    C(CHILDREN, children)                                                                          \
    C(SNAPSHOT, snapshot)                                                                          \
    C(BOOKMARK, bookmark)                                                                          \
    C(RESET, reset)

enum told_kind {
#define TOLD_ENUM(NAME, name) TOLD_##NAME,
    TOLD_KINDS(TOLD_ENUM)
#undef TOLD_ENUM
        TOLD_COUNT
};

enum { WATCHED_PATH_BYTES = 32 };

struct told_event {
    enum told_kind kind;
    uint64_t zxid;
    uint64_t mzxid; // of the stat; 0: it has none
    bool has_id;    // everything up to zxid was told
    char path[WATCHED_PATH_BYTES];
};

// What a watcher was told, as far as an id stands behind it.
struct told {
    const char *paths; // what it watches, a NUL behind each
    size_t path_count;
    bool recursive;
    bool snapshot; // it began with one
    const struct told_event *events;
    size_t count;
};

void watchers_make(struct world *world);
void watchers_free(struct world *world);
// The process of a node ends: its streams with it.
void watchers_node_down(struct node *node);
// Faults are over.
void watchers_heal(struct world *world);
// Whether each is connected to a node of the core and has nothing more to read.
bool watchers_settled(const struct world *world);
size_t watchers_count(const struct world *world);
struct told watchers_told(const struct world *world, size_t index);
void watchers_on_event(struct world *world, struct event *event);
