// SPDX-License-Identifier: Apache-2.0
// A lock that nobody holds for longer than a copy: the thread that executes commands never waits for the
// one that wakes.
#include "api/session_changes.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void session_changes_init(struct session_changes *changes)
{
    memset(changes, 0, sizeof *changes);
    pthread_mutex_init(&changes->lock, NULL);
}

void session_changes_deinit(struct session_changes *changes)
{
    free(changes->ids);
    pthread_mutex_destroy(&changes->lock);
}

void session_changes_want(struct session_changes *changes)
{
    atomic_fetch_add(&changes->wanted, 1);
}

void session_changes_unwant(struct session_changes *changes)
{
    atomic_fetch_sub(&changes->wanted, 1);
}

size_t session_changes_wanted(struct session_changes *changes)
{
    return atomic_load(&changes->wanted);
}

bool session_changes_add(struct session_changes *changes, uint64_t id)
{
    if (session_changes_wanted(changes) == 0)
        return false;
    pthread_mutex_lock(&changes->lock);
    if (changes->ids == NULL)
        changes->ids = memory_alloc(SESSION_CHANGES_MAX * sizeof *changes->ids);
    if (id == 0 || changes->count == SESSION_CHANGES_MAX)
        changes->any = true;
    else
        changes->ids[changes->count++] = id;
    pthread_mutex_unlock(&changes->lock);
    return true;
}

bool session_changes_take(struct session_changes *changes,
                          void (*visit)(void *context, uint64_t id), void *context)
{
    pthread_mutex_lock(&changes->lock);
    uint64_t *ids = changes->ids;
    size_t count = changes->count;
    bool any = changes->any;
    changes->ids = NULL;
    changes->count = 0;
    changes->any = false;
    pthread_mutex_unlock(&changes->lock);
    for (size_t i = 0; i < count && !any; i++)
        visit(context, ids[i]);
    free(ids);
    return !any;
}
