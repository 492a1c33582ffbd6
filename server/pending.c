// SPDX-License-Identifier: Apache-2.0
// A ring indexed by sequence. Sequences are consecutive, so the ring has room as long as the oldest
// one that is still pending lies less than a ring's length back.
#include "server/pending.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

struct pending {
    pthread_mutex_t lock;
    uint64_t next;   // sequence of the next submission
    uint64_t oldest; // every sequence below is answered
    struct submission *ring[PENDING_CAPACITY];
};

struct pending *pending_new(void)
{
    struct pending *pending = memory_zalloc(sizeof *pending);

    pthread_mutex_init(&pending->lock, NULL);
    return pending;
}

void pending_free(struct pending *pending)
{
    if (pending == NULL)
        return;
    for (size_t i = 0; i < PENDING_CAPACITY; i++)
        ASSERT(pending->ring[i] == NULL);
    pthread_mutex_destroy(&pending->lock);
    free(pending);
}

uint64_t pending_next(struct pending *pending)
{
    pthread_mutex_lock(&pending->lock);
    uint64_t next = pending->next;
    pthread_mutex_unlock(&pending->lock);
    return next;
}

static void skip_answered(struct pending *pending)
{
    while (pending->oldest < pending->next &&
           pending->ring[pending->oldest % PENDING_CAPACITY] == NULL)
        pending->oldest++;
}

bool pending_has_room(struct pending *pending, size_t count)
{
    pthread_mutex_lock(&pending->lock);
    skip_answered(pending);
    bool room = pending->next + count - pending->oldest <= PENDING_CAPACITY;
    pthread_mutex_unlock(&pending->lock);
    return room;
}

void pending_put(struct pending *pending, struct submission *submission)
{
    pthread_mutex_lock(&pending->lock);
    struct submission **place = &pending->ring[pending->next % PENDING_CAPACITY];
    ASSERT(*place == NULL);
    *place = submission;
    pending->next++;
    pthread_mutex_unlock(&pending->lock);
}

struct submission *pending_take(struct pending *pending, uint64_t sequence)
{
    struct submission *submission = NULL;

    pthread_mutex_lock(&pending->lock);
    if (sequence >= pending->oldest && sequence < pending->next) {
        submission = pending->ring[sequence % PENDING_CAPACITY];
        pending->ring[sequence % PENDING_CAPACITY] = NULL;
    }
    pthread_mutex_unlock(&pending->lock);
    return submission;
}

struct submission *pending_take_expired(struct pending *pending, uint64_t now_ns)
{
    struct submission *expired = NULL;

    pthread_mutex_lock(&pending->lock);
    skip_answered(pending);
    for (uint64_t i = pending->oldest; i < pending->next && expired == NULL; i++) {
        struct submission *submission = pending->ring[i % PENDING_CAPACITY];
        if (submission != NULL && submission->deadline_ns <= now_ns) {
            expired = submission;
            pending->ring[i % PENDING_CAPACITY] = NULL;
        }
    }
    pthread_mutex_unlock(&pending->lock);
    return expired;
}
