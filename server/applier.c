// SPDX-License-Identifier: Apache-2.0
// A run is bounded by time: a long queue is executed in several transactions, so that the first
// answers do not wait for the last entry.
#include "server/applier.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mailbox.h"
#include "base/memory.h"
#include "server/fatal.h"

enum { RUN_NS = 5000000 };

struct job {
    struct fifo_link link;
    paxos_slot install;    // load this checkpoint; 0: execute the entry
    struct entry entry;    // with a reference to its value
    uint64_t committed_ns; // when it was handed over
};

// A result that waits for its transaction.
struct outcome_item {
    struct origin origin;
    struct blob *result; // a reference
    uint64_t committed_ns;
};

struct applier {
    struct live *live;
    struct applier_events events;
    pthread_t thread;
    struct mailbox jobs;
    struct outcome_item *outcomes; // of the transaction that is open
    size_t outcome_count;
    size_t outcome_capacity;
    uint64_t committed_ns; // of the entry that is executed
};

void applier_execute(struct applier *applier, const struct entry *entry)
{
    struct job *job = memory_alloc(sizeof *job);

    job->install = 0;
    job->entry = *entry;
    job->committed_ns = clock_monotonic_ns();
    blob_ref(entry->value);
    mailbox_push(&applier->jobs, &job->link);
}

void applier_install(struct applier *applier, paxos_slot slot)
{
    struct job *job = memory_zalloc(sizeof *job);

    job->install = slot;
    mailbox_push(&applier->jobs, &job->link);
}

static void keep_outcome(void *context, const struct origin *origin, struct blob *result)
{
    struct applier *applier = context;

    if (result == NULL)
        return;
    if (applier->outcome_count == applier->outcome_capacity) {
        applier->outcome_capacity = applier->outcome_capacity * 2 + 64;
        applier->outcomes = memory_realloc(applier->outcomes,
                                           applier->outcome_capacity * sizeof *applier->outcomes);
    }
    applier->outcomes[applier->outcome_count++] = (struct outcome_item){
        .origin = *origin, .result = blob_ref(result), .committed_ns = applier->committed_ns};
}

static void hand_out(struct applier *applier)
{
    for (size_t i = 0; i < applier->outcome_count; i++) {
        struct outcome_item *item = &applier->outcomes[i];
        applier->events.result(applier->events.context, &item->origin, item->result,
                               item->committed_ns);
        blob_unref(item->result);
    }
    applier->outcome_count = 0;
}

static void require(enum error error)
{
    if (error != ERROR_OK)
        fatal_exit("the live state could not be changed", error);
}

static struct job *first_job(const struct fifo *jobs)
{
    return CONTAINER_OF(jobs->head, struct job, link);
}

static uint64_t live_zxid(struct live *live)
{
    struct live_view view;

    require(live_acquire(live, &view));
    uint64_t zxid = view_position(view.view)->zxid;
    live_release(live, &view);
    return zxid;
}

static void install(struct applier *applier, struct fifo *jobs)
{
    struct job *job = first_job(jobs);
    paxos_slot slot = job->install;

    fifo_pop(jobs);
    free(job);
    live_replace(applier->live, applier->events.load(applier->events.context, slot));
    applier->events.installed(applier->events.context);
    applier->events.applied(applier->events.context, slot, live_zxid(applier->live));
}

// Executes entries from the front of the queue in one transaction.
static void execute_run(struct applier *applier, struct fifo *jobs)
{
    struct state *state = live_state(applier->live);
    uint64_t began_ns = clock_monotonic_ns();
    uint64_t until_ns = began_ns + RUN_NS;
    paxos_slot slot = 0;

    require(state_begin(state));
    do {
        struct job *job = first_job(jobs);
        fifo_pop(jobs);
        applier->committed_ns = job->committed_ns;
        require(state_execute(state, &job->entry, keep_outcome, applier));
        slot = job->entry.slot;
        blob_unref(job->entry.value);
        free(job);
    } while (!fifo_empty(jobs) && first_job(jobs)->install == 0 && clock_monotonic_ns() < until_ns);
    uint64_t zxid = state_writing_position(state)->zxid;
    require(state_commit(state));
    applier->events.took(applier->events.context, clock_monotonic_ns() - began_ns);
    if (state_changed_sessions(state) > 0)
        applier->events.sessions(applier->events.context, state);
    hand_out(applier);
    applier->events.applied(applier->events.context, slot, zxid);
}

static void *run(void *argument)
{
    struct applier *applier = argument;
    struct fifo jobs;

    pthread_setname_np(pthread_self(), "apply");
    while (mailbox_wait(&applier->jobs, &jobs)) {
        while (!fifo_empty(&jobs)) {
            if (first_job(&jobs)->install != 0)
                install(applier, &jobs);
            else
                execute_run(applier, &jobs);
        }
    }
    return NULL;
}

struct applier *applier_start(struct live *live, const struct applier_events *events)
{
    struct applier *applier = memory_zalloc(sizeof *applier);

    applier->live = live;
    applier->events = *events;
    mailbox_init(&applier->jobs);
    int failed = pthread_create(&applier->thread, NULL, run, applier);
    ASSERT(failed == 0);
    return applier;
}

void applier_stop(struct applier *applier)
{
    if (applier == NULL)
        return;
    mailbox_close(&applier->jobs);
    pthread_join(applier->thread, NULL);
    mailbox_deinit(&applier->jobs);
    free(applier->outcomes);
    free(applier);
}
