// SPDX-License-Identifier: Apache-2.0
// A ring indexed by sequence. Sequences are consecutive and executed in order, so the ring has room as
// long as the oldest one that is not executed lies less than a ring's length back.
#include "server/pending.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

struct item {
    struct submission *submission; // NULL when it was answered
    struct blob *command;          // a reference; NULL when it was executed
};

struct pending {
    pthread_mutex_t lock;
    uint64_t next;   // sequence of the next submission
    uint64_t oldest; // every sequence below is executed
    struct item ring[PENDING_CAPACITY];
};

static struct item *item_of(struct pending *pending, uint64_t sequence)
{
    return &pending->ring[sequence % PENDING_CAPACITY];
}

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
    for (size_t i = 0; i < PENDING_CAPACITY; i++) {
        ASSERT(pending->ring[i].submission == NULL);
        blob_unref(pending->ring[i].command);
    }
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

uint64_t pending_oldest(struct pending *pending)
{
    pthread_mutex_lock(&pending->lock);
    uint64_t oldest = pending->oldest;
    pthread_mutex_unlock(&pending->lock);
    return oldest;
}

bool pending_has_room(struct pending *pending, size_t count)
{
    pthread_mutex_lock(&pending->lock);
    bool room = pending->next + count - pending->oldest <= PENDING_CAPACITY;
    pthread_mutex_unlock(&pending->lock);
    return room;
}

void pending_put(struct pending *pending, struct submission *submission)
{
    pthread_mutex_lock(&pending->lock);
    struct item *item = item_of(pending, pending->next);
    ASSERT(item->submission == NULL && item->command == NULL);
    item->submission = submission;
    item->command = blob_ref(submission->command);
    pending->next++;
    pthread_mutex_unlock(&pending->lock);
}

size_t pending_command_length(struct pending *pending, uint64_t sequence)
{
    size_t length = 0;

    pthread_mutex_lock(&pending->lock);
    if (sequence >= pending->oldest && sequence < pending->next)
        length = item_of(pending, sequence)->command->length;
    pthread_mutex_unlock(&pending->lock);
    return length;
}

uint32_t pending_commands(struct pending *pending, uint64_t *first, uint64_t end,
                          struct blob **commands)
{
    uint32_t count = 0;

    pthread_mutex_lock(&pending->lock);
    ASSERT(end <= pending->next);
    if (*first < pending->oldest)
        *first = pending->oldest;
    for (uint64_t sequence = *first; sequence < end; sequence++)
        commands[count++] = blob_ref(item_of(pending, sequence)->command);
    pthread_mutex_unlock(&pending->lock);
    return count;
}

struct submission *pending_execute(struct pending *pending, uint64_t sequence)
{
    struct submission *submission = NULL;

    pthread_mutex_lock(&pending->lock);
    if (sequence >= pending->oldest && sequence < pending->next) {
        struct item *item = item_of(pending, sequence);
        ASSERT(sequence == pending->oldest);
        submission = item->submission;
        blob_unref(item->command);
        *item = (struct item){0};
        pending->oldest++;
    }
    pthread_mutex_unlock(&pending->lock);
    return submission;
}

struct submission *pending_take_expired(struct pending *pending, uint64_t now_ns)
{
    struct submission *expired = NULL;

    pthread_mutex_lock(&pending->lock);
    for (uint64_t i = pending->oldest; i < pending->next && expired == NULL; i++) {
        struct item *item = item_of(pending, i);
        if (item->submission != NULL && item->submission->deadline_ns <= now_ns) {
            expired = item->submission;
            item->submission = NULL;
        }
    }
    pthread_mutex_unlock(&pending->lock);
    return expired;
}
