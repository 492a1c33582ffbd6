// SPDX-License-Identifier: Apache-2.0
// The time of the log stands still while nothing is written, so what it would be now is reckoned from
// the last entry and the time since that was first seen: never ahead of what the next entry will say.
#include "server/reaper.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "server/fatal.h"
#include "storage/session.h"

enum {
    PAUSE_MS = 200,
    BURST = 256,                 // proposals at once
    REAP_WITHIN_NS = 1000000000, // a proposal
};

struct reaper {
    struct reaper_ports ports;
    uint64_t log_time_us; // of the last entry that was seen
    uint64_t seen_ns;     // when it was first seen
    atomic_size_t under_way;
    struct fifo found;
    size_t found_count;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

struct reaping {
    struct fifo_link link;
    struct reaper *reaper;
    struct submission submission;
};

static void answered(struct submission *submission, enum error error, struct blob *result)
{
    struct reaping *reaping = CONTAINER_OF(submission, struct reaping, submission);
    struct reaper *reaper = reaping->reaper;

    (void)error;
    blob_unref(result);
    blob_unref(submission->command);
    free(reaping);
    atomic_fetch_sub(&reaper->under_way, 1);
}

static bool found(void *context, const struct due_item *item)
{
    struct reaper *reaper = context;
    struct command command = {.op_count = 1};
    struct op op = {.type = OP_REAP,
                    .kind = item->kind,
                    .path = item->path,
                    .path_length = item->path_length,
                    .version = -1,
                    .match_count = 1,
                    .match = {item->mzxid}};
    struct buffer encoded = {0};

    command_encode_begin(&encoded, &command);
    command_encode_op(&encoded, &op);
    struct reaping *reaping = memory_zalloc(sizeof *reaping);
    reaping->reaper = reaper;
    reaping->submission.command = blob_copy(encoded.data, encoded.length);
    reaping->submission.shrinks = true;
    reaping->submission.complete = answered;
    buffer_deinit(&encoded);
    fifo_push(&reaper->found, &reaping->link);
    return ++reaper->found_count < BURST;
}

static uint64_t log_time_now_us(struct reaper *reaper, const struct view *view)
{
    uint64_t log_time_us = view_position(view)->log_time_us;
    uint64_t now_ns = clock_monotonic_ns();

    if (log_time_us != reaper->log_time_us || reaper->seen_ns == 0) {
        reaper->log_time_us = log_time_us;
        reaper->seen_ns = now_ns;
    }
    return log_time_us + (now_ns - reaper->seen_ns) / 1000;
}

static void look(struct reaper *reaper)
{
    struct live_view view;

    if (live_acquire(reaper->ports.live, &view) != ERROR_OK)
        return;
    enum error error = view_due(view.view, log_time_now_us(reaper, view.view), found, reaper);
    live_release(reaper->ports.live, &view);
    if (error != ERROR_OK)
        fatal_exit("what is due could not be read", error);
}

// The view is closed by now: nobody waits while one is open.
static void propose(struct reaper *reaper)
{
    struct fifo_link *link;

    reaper->found_count = 0;
    while ((link = fifo_pop(&reaper->found)) != NULL) {
        struct reaping *reaping = CONTAINER_OF(link, struct reaping, link);
        reaping->submission.received_ns = clock_monotonic_ns();
        reaping->submission.deadline_ns = reaping->submission.received_ns + REAP_WITHIN_NS;
        atomic_fetch_add(&reaper->under_way, 1);
        reaper->ports.submit(reaper->ports.context, &reaping->submission);
    }
}

static bool pause_or_stop(struct reaper *reaper)
{
    struct timespec until;
    int waited = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PAUSE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&reaper->lock);
    while (!reaper->stopping && waited == 0)
        waited = pthread_cond_timedwait(&reaper->wake, &reaper->lock, &until);
    bool stopping = reaper->stopping;
    pthread_mutex_unlock(&reaper->lock);
    return stopping;
}

static void *run(void *argument)
{
    struct reaper *reaper = argument;

    pthread_setname_np(pthread_self(), "reaper");
    while (!pause_or_stop(reaper)) {
        if (atomic_load(&reaper->under_way) > 0 || !reaper->ports.leads(reaper->ports.context))
            continue;
        look(reaper);
        propose(reaper);
    }
    return NULL;
}

struct reaper *reaper_start(const struct reaper_ports *ports)
{
    struct reaper *reaper = memory_zalloc(sizeof *reaper);
    pthread_condattr_t monotonic;

    reaper->ports = *ports;
    pthread_mutex_init(&reaper->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&reaper->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int failed = pthread_create(&reaper->thread, NULL, run, reaper);
    ASSERT(failed == 0);
    return reaper;
}

void reaper_stop(struct reaper *reaper)
{
    if (reaper == NULL)
        return;
    pthread_mutex_lock(&reaper->lock);
    reaper->stopping = true;
    pthread_cond_signal(&reaper->wake);
    pthread_mutex_unlock(&reaper->lock);
    pthread_join(reaper->thread, NULL);
}

void reaper_free(struct reaper *reaper)
{
    if (reaper == NULL)
        return;
    ASSERT(atomic_load(&reaper->under_way) == 0);
    pthread_cond_destroy(&reaper->wake);
    pthread_mutex_destroy(&reaper->lock);
    free(reaper);
}
