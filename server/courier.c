// SPDX-License-Identifier: Apache-2.0
// The queue is short: what is dropped is asked for again.
#include "server/courier.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mailbox.h"
#include "base/memory.h"
#include "server/fatal.h"

enum { QUEUE_MAX = 64 };

enum job_kind { JOB_LAGGING, JOB_RECEIVE, JOB_TICK };

struct job {
    struct fifo_link link;
    enum job_kind kind;
    uint16_t node;
    paxos_slot from;
    struct ballot ballot;
    paxos_slot executed;
    size_t length;
    uint8_t data[];
};

struct courier {
    struct transfer *transfer;
    struct mailbox jobs;
    atomic_size_t queued;
    pthread_mutex_t lock;              // lagging
    uint16_t lagging[PAXOS_NODES_MAX]; // nodes with a JOB_LAGGING that waits; 0: free
    pthread_t thread;
};

// Replaces the first `before` in the set by `after`. Returns whether there was one.
static bool replace(struct courier *courier, uint16_t before, uint16_t after)
{
    bool found = false;

    for (size_t i = 0; i < PAXOS_NODES_MAX && !found; i++) {
        found = courier->lagging[i] == before;
        if (found)
            courier->lagging[i] = after;
    }
    return found;
}

// Whether none of this node waits; then one does.
static bool claim(struct courier *courier, uint16_t node)
{
    pthread_mutex_lock(&courier->lock);
    bool waits = replace(courier, node, node);
    if (!waits)
        replace(courier, 0, node);
    pthread_mutex_unlock(&courier->lock);
    return !waits;
}

static void release(struct courier *courier, uint16_t node)
{
    pthread_mutex_lock(&courier->lock);
    replace(courier, node, 0);
    pthread_mutex_unlock(&courier->lock);
}

static enum error carry_out(struct courier *courier, const struct job *job)
{
    switch (job->kind) {
    case JOB_LAGGING:
        release(courier, job->node);
        return transfer_lagging(courier->transfer, job->node, job->from, job->ballot,
                                job->executed);
    case JOB_RECEIVE:
        return transfer_receive(courier->transfer, job->node, job->data, job->length, job->executed,
                                clock_monotonic_ns());
    case JOB_TICK:
        return transfer_tick(courier->transfer, clock_monotonic_ns());
    }
    UNREACHABLE();
}

static void *run(void *argument)
{
    struct courier *courier = argument;
    struct fifo jobs;

    pthread_setname_np(pthread_self(), "courier");
    while (mailbox_wait(&courier->jobs, &jobs)) {
        struct fifo_link *link;
        while ((link = fifo_pop(&jobs)) != NULL) {
            struct job *job = CONTAINER_OF(link, struct job, link);
            enum error error = carry_out(courier, job);
            if (error != ERROR_OK)
                fatal_exit("a peer could not be brought up to date", error);
            free(job);
            atomic_fetch_sub(&courier->queued, 1);
        }
    }
    return NULL;
}

static void push(struct courier *courier, const struct job *job, const void *data)
{
    if (atomic_load(&courier->queued) >= QUEUE_MAX ||
        (job->kind == JOB_LAGGING && !claim(courier, job->node)))
        return;
    struct job *queued = memory_alloc(sizeof *queued + job->length);
    *queued = *job;
    if (job->length > 0)
        memcpy(queued->data, data, job->length);
    atomic_fetch_add(&courier->queued, 1);
    mailbox_push(&courier->jobs, &queued->link);
}

void courier_lagging(struct courier *courier, uint16_t to, paxos_slot from, struct ballot ballot,
                     paxos_slot executed)
{
    push(courier,
         &(struct job){
             .kind = JOB_LAGGING, .node = to, .from = from, .ballot = ballot, .executed = executed},
         NULL);
}

void courier_receive(struct courier *courier, uint16_t from, const void *data, size_t length,
                     paxos_slot executed)
{
    push(courier,
         &(struct job){.kind = JOB_RECEIVE, .node = from, .executed = executed, .length = length},
         data);
}

void courier_tick(struct courier *courier)
{
    push(courier, &(struct job){.kind = JOB_TICK}, NULL);
}

struct courier *courier_start(const struct transfer_settings *settings,
                              const struct transfer_ports *ports)
{
    struct courier *courier = memory_zalloc(sizeof *courier);

    courier->transfer = transfer_new(settings, ports);
    mailbox_init(&courier->jobs);
    pthread_mutex_init(&courier->lock, NULL);
    int failed = pthread_create(&courier->thread, NULL, run, courier);
    ASSERT(failed == 0);
    return courier;
}

void courier_stop(struct courier *courier)
{
    if (courier == NULL)
        return;
    mailbox_close(&courier->jobs);
    pthread_join(courier->thread, NULL);
    mailbox_deinit(&courier->jobs);
    pthread_mutex_destroy(&courier->lock);
    transfer_free(courier->transfer);
    free(courier);
}
