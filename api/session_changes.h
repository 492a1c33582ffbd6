// SPDX-License-Identifier: Apache-2.0
// Which sessions have changed, from the thread that changes them to the one that wakes who waits for it.
// Bounded: beyond that nobody knows which, so it may be any.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session_changes {
    atomic_size_t wanted; // by so many
    pthread_mutex_t lock; // of the rest
    uint64_t *ids;        // owned
    size_t count;
    bool any; // and any other may have
};

enum { SESSION_CHANGES_MAX = 16384 };

void session_changes_init(struct session_changes *changes);
void session_changes_deinit(struct session_changes *changes);
// One more waits, or one less. What changes before somebody waits is not kept.
void session_changes_want(struct session_changes *changes);
void session_changes_unwant(struct session_changes *changes);
size_t session_changes_wanted(struct session_changes *changes);
// Takes note of one; 0: any may have changed. Returns whether anybody waits. Thread: any.
bool session_changes_add(struct session_changes *changes, uint64_t id);
// Visits and forgets them. Returns false instead when any may have changed.
bool session_changes_take(struct session_changes *changes,
                          void (*visit)(void *context, uint64_t id), void *context);
