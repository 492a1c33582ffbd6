// SPDX-License-Identifier: Apache-2.0
// The apply thread completes them, so a wait ends as soon as its position is visible.
#include "server/waiters.h"

#include "base/assert.h"

void waiters_init(struct waiters *waiters)
{
    *waiters = (struct waiters){0};
    pthread_mutex_init(&waiters->lock, NULL);
}

static struct read_wait *wait_of(struct fifo_link *link)
{
    return CONTAINER_OF(link, struct read_wait, link);
}

static void complete_all(struct fifo *done, enum error error)
{
    struct fifo_link *link;

    while ((link = fifo_pop(done)) != NULL)
        wait_of(link)->complete(wait_of(link), error);
}

void waiters_deinit(struct waiters *waiters)
{
    complete_all(&waiters->waits, ERROR_DRAINING);
    pthread_mutex_destroy(&waiters->lock);
}

void waiters_add(struct waiters *waiters, struct read_wait *wait)
{
    pthread_mutex_lock(&waiters->lock);
    bool reached = waiters->zxid >= wait->min_zxid;
    if (!reached)
        fifo_push(&waiters->waits, &wait->link);
    pthread_mutex_unlock(&waiters->lock);
    if (reached)
        wait->complete(wait, ERROR_OK);
}

// Takes out what has reached its zxid or its deadline. Requires the lock.
static struct fifo take(struct waiters *waiters, uint64_t zxid, uint64_t now_ns)
{
    struct fifo all = fifo_take(&waiters->waits);
    struct fifo taken = {0};
    struct fifo_link *link;

    while ((link = fifo_pop(&all)) != NULL) {
        bool done = wait_of(link)->min_zxid <= zxid || wait_of(link)->deadline_ns <= now_ns;
        fifo_push(done ? &taken : &waiters->waits, link);
    }
    return taken;
}

void waiters_advance(struct waiters *waiters, uint64_t zxid)
{
    pthread_mutex_lock(&waiters->lock);
    waiters->zxid = zxid;
    struct fifo taken = take(waiters, zxid, 0);
    pthread_mutex_unlock(&waiters->lock);
    complete_all(&taken, ERROR_OK);
}

void waiters_expire(struct waiters *waiters, uint64_t now_ns)
{
    pthread_mutex_lock(&waiters->lock);
    struct fifo taken = take(waiters, 0, now_ns);
    pthread_mutex_unlock(&waiters->lock);
    complete_all(&taken, ERROR_BEHIND);
}
