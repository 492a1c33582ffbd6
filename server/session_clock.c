// SPDX-License-Identifier: Apache-2.0
// Sessions lie in buckets by the step in which their time runs out, so an advance looks only at those
// that could have; a touch only notes the new step, and the old bucket passes the session on.
#include "server/session_clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fifo.h"
#include "base/map.h"
#include "base/memory.h"

enum { BUCKETS = 4096, NS_PER_MS = 1000000 }; // a round of buckets lasts 204 s

struct timed_session {
    struct fifo_link link; // in its bucket
    uint64_t id;
    uint64_t generation;
    uint64_t due;   // step in which its time runs out
    uint64_t steps; // that it has from now on when it is touched
    bool removed;   // freed when its bucket is looked at
    uint8_t proof[SESSION_PROOF_BYTES];
};

struct session_clock {
    pthread_mutex_t lock;
    struct map sessions;
    struct fifo buckets[BUCKETS];
    uint64_t step;    // that is under way
    uint64_t part_ns; // of it that has passed
};

struct session_clock *session_clock_new(void)
{
    struct session_clock *clock = memory_zalloc(sizeof *clock);

    pthread_mutex_init(&clock->lock, NULL);
    return clock;
}

static void free_bucket(struct fifo *bucket)
{
    struct fifo_link *link;

    while ((link = fifo_pop(bucket)) != NULL)
        free(CONTAINER_OF(link, struct timed_session, link));
}

static void clear(struct session_clock *clock)
{
    for (size_t i = 0; i < BUCKETS; i++)
        free_bucket(&clock->buckets[i]);
    map_deinit(&clock->sessions);
}

void session_clock_free(struct session_clock *clock)
{
    if (clock == NULL)
        return;
    clear(clock);
    pthread_mutex_destroy(&clock->lock);
    free(clock);
}

void session_clock_clear(struct session_clock *clock)
{
    pthread_mutex_lock(&clock->lock);
    clear(clock);
    pthread_mutex_unlock(&clock->lock);
}

// One step more than the timeout has, because the one under way is not whole.
static uint64_t due_step(const struct session_clock *clock, const struct timed_session *session)
{
    return clock->step + session->steps + 1;
}

static void place(struct session_clock *clock, struct timed_session *session)
{
    fifo_push(&clock->buckets[session->due % BUCKETS], &session->link);
}

static struct timed_session *add(struct session_clock *clock, uint64_t id)
{
    struct timed_session *session = memory_zalloc(sizeof *session);

    session->id = id;
    map_put(&clock->sessions, id, session);
    return session;
}

void session_clock_set(struct session_clock *clock, const struct session_info *info)
{
    uint64_t timeout_ns = (uint64_t)info->timeout_ms * NS_PER_MS;

    pthread_mutex_lock(&clock->lock);
    struct timed_session *session = map_get(&clock->sessions, info->id);
    bool fresh = session == NULL;
    if (fresh)
        session = add(clock, info->id);
    session->generation = info->generation;
    memcpy(session->proof, info->proof, sizeof session->proof);
    session->steps = (timeout_ns + SESSION_STEP_NS - 1) / SESSION_STEP_NS;
    session->due = due_step(clock, session);
    if (fresh)
        place(clock, session);
    pthread_mutex_unlock(&clock->lock);
}

void session_clock_remove(struct session_clock *clock, uint64_t id)
{
    pthread_mutex_lock(&clock->lock);
    struct timed_session *session = map_remove(&clock->sessions, id);
    if (session != NULL)
        session->removed = true;
    pthread_mutex_unlock(&clock->lock);
}

bool session_clock_touch(struct session_clock *clock, uint64_t id)
{
    pthread_mutex_lock(&clock->lock);
    struct timed_session *session = id != 0 ? map_get(&clock->sessions, id) : NULL;
    if (session != NULL)
        session->due = due_step(clock, session);
    pthread_mutex_unlock(&clock->lock);
    return session != NULL;
}

// What is compared are hashes, so the time that it takes tells nothing of the secret.
bool session_clock_proves(struct session_clock *clock, uint64_t id, const uint8_t *proof)
{
    pthread_mutex_lock(&clock->lock);
    const struct timed_session *session = id != 0 ? map_get(&clock->sessions, id) : NULL;
    bool right = session != NULL && memcmp(session->proof, proof, sizeof session->proof) == 0;
    pthread_mutex_unlock(&clock->lock);
    return right;
}

void session_clock_restart(struct session_clock *clock)
{
    size_t at = 0;
    uint64_t id;
    void *value;

    pthread_mutex_lock(&clock->lock);
    while (map_next(&clock->sessions, &at, &id, &value)) {
        struct timed_session *session = value;
        session->due = due_step(clock, session);
    }
    pthread_mutex_unlock(&clock->lock);
}

// A session that shares its bucket with this step but is due later stays; one whose bucket is that of an
// earlier due step is passed on.
static void look_at_bucket(struct session_clock *clock, session_expired expired, void *context)
{
    struct fifo all = fifo_take(&clock->buckets[clock->step % BUCKETS]);
    struct fifo_link *link;

    while ((link = fifo_pop(&all)) != NULL) {
        struct timed_session *session = CONTAINER_OF(link, struct timed_session, link);
        if (session->removed) {
            free(session);
            continue;
        }
        if (session->due <= clock->step) {
            session->due = due_step(clock, session);
            expired(context, session->id, session->generation);
        }
        place(clock, session);
    }
}

void session_clock_advance(struct session_clock *clock, uint64_t elapsed_ns,
                           session_expired expired, void *context)
{
    pthread_mutex_lock(&clock->lock);
    clock->part_ns += elapsed_ns < SESSION_STEP_NS ? elapsed_ns : SESSION_STEP_NS;
    if (clock->part_ns >= SESSION_STEP_NS) {
        clock->part_ns -= SESSION_STEP_NS;
        clock->step++;
        look_at_bucket(clock, expired, context);
    }
    pthread_mutex_unlock(&clock->lock);
}

size_t session_clock_count(struct session_clock *clock)
{
    pthread_mutex_lock(&clock->lock);
    size_t count = clock->sessions.count;
    pthread_mutex_unlock(&clock->lock);
    return count;
}
