// SPDX-License-Identifier: Apache-2.0
// A libuv loop with one descriptor to wake it and one timer. Events are collected under a lock and
// carried into the replica in this order: what was executed, what is durable (both make room), then
// what is new.
//
// uv_async is not used: its receiver spins until the sender has returned from the system call that
// woke it, and where both share a processor the sender cannot.
#include "server/core_loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"

enum {
    TICK_MS = 100,
    APPLIED_BURST = 64, // executed slots that are worth a turn of their own
};

// What other threads have handed over since the last turn.
struct inbox {
    struct fifo submissions;
    uint64_t persisted; // highest sequence
    paxos_slot applied; // highest slot
    bool stopping;
    bool signalled; // whoever set this writes to wake_fd; the turn that takes the inbox clears it
};

struct core_loop {
    uv_loop_t uv;
    int wake_fd; // eventfd
    uv_poll_t wake;
    uv_timer_t tick;
    pthread_t thread;
    bool started;
    struct replica *replica;
    pthread_mutex_t lock;  // inbox, status, waits_for_applied, applied
    pthread_cond_t serves; // status.serving became true
    struct inbox inbox;
    struct paxos_status status;
    bool waits_for_applied; // the replica cannot go on before more is executed
    atomic_bool serving;
    atomic_bool disk_full;
    uint64_t persisted; // already carried into the replica
    paxos_slot applied; // likewise
};

static struct replica_time now(void)
{
    return (struct replica_time){.monotonic_ns = clock_monotonic_ns(), .wall_ms = clock_wall_ms()};
}

// Whether the caller is the one to write to wake_fd. Requires the lock.
static bool claim_wake(struct core_loop *loop)
{
    bool first = !loop->inbox.signalled;

    loop->inbox.signalled = true;
    return first;
}

static void wake_up(struct core_loop *loop)
{
    eventfd_write(loop->wake_fd, 1);
}

// What was executed only frees memory, so it comes with the next turn, unless the replica waits for
// it. An event that came in while this turn was under way did not know that it does.
static void publish_status(struct core_loop *loop)
{
    struct paxos_status status;

    replica_status(loop->replica, &status);
    pthread_mutex_lock(&loop->lock);
    loop->status = status;
    loop->waits_for_applied = !status.serving || replica_blocked(loop->replica);
    bool again = loop->waits_for_applied && loop->inbox.applied > loop->applied;
    again = again && claim_wake(loop);
    pthread_mutex_unlock(&loop->lock);
    atomic_store_explicit(&loop->serving, status.serving, memory_order_release);
    if (status.serving)
        pthread_cond_broadcast(&loop->serves);
    if (again)
        wake_up(loop);
}

static void close_handles(struct core_loop *loop)
{
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->tick, NULL);
}

static void carry_in(struct core_loop *loop, struct inbox *inbox)
{
    struct fifo_link *link;

    if (inbox->persisted > loop->persisted) {
        loop->persisted = inbox->persisted;
        replica_persisted(loop->replica, inbox->persisted, now());
    }
    replica_set_disk_full(loop->replica, atomic_load(&loop->disk_full));
    while ((link = fifo_pop(&inbox->submissions)) != NULL)
        replica_submit(loop->replica, CONTAINER_OF(link, struct submission, link));
    replica_run(loop->replica, now());
}

static void turn(struct core_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct inbox inbox = loop->inbox;
    inbox.submissions = fifo_take(&loop->inbox.submissions);
    loop->inbox.signalled = false;
    bool applied = inbox.applied > loop->applied;
    if (applied)
        loop->applied = inbox.applied;
    pthread_mutex_unlock(&loop->lock);
    if (applied)
        replica_applied(loop->replica, inbox.applied, now());
    carry_in(loop, &inbox);
    publish_status(loop);
    if (inbox.stopping && replica_outstanding(loop->replica) == 0)
        close_handles(loop);
}

static void on_wake(uv_poll_t *wake, int status, int events)
{
    struct core_loop *loop = wake->data;
    eventfd_t ignored;

    (void)status;
    (void)events;
    eventfd_read(loop->wake_fd, &ignored);
    turn(loop);
}

static void on_tick(uv_timer_t *tick)
{
    struct core_loop *loop = tick->data;

    replica_tick(loop->replica, now());
    turn(loop);
}

static void *run(void *argument)
{
    struct core_loop *loop = argument;

    pthread_setname_np(pthread_self(), "core");
    replica_start(loop->replica, now());
    publish_status(loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    return NULL;
}

struct core_loop *core_loop_new(void)
{
    struct core_loop *loop = memory_zalloc(sizeof *loop);

    pthread_mutex_init(&loop->lock, NULL);
    pthread_cond_init(&loop->serves, NULL);
    int failed = uv_loop_init(&loop->uv);
    ASSERT(failed == 0);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(loop->wake_fd >= 0);
    failed = uv_poll_init(&loop->uv, &loop->wake, loop->wake_fd);
    ASSERT(failed == 0);
    loop->wake.data = loop;
    failed = uv_timer_init(&loop->uv, &loop->tick);
    ASSERT(failed == 0);
    loop->tick.data = loop;
    return loop;
}

void core_loop_start(struct core_loop *loop, struct replica *replica)
{
    loop->replica = replica;
    uv_poll_start(&loop->wake, UV_READABLE, on_wake);
    uv_timer_start(&loop->tick, on_tick, TICK_MS, TICK_MS);
    int failed = pthread_create(&loop->thread, NULL, run, loop);
    ASSERT(failed == 0);
    loop->started = true;
}

void core_loop_submit(struct core_loop *loop, struct submission *submission)
{
    pthread_mutex_lock(&loop->lock);
    fifo_push(&loop->inbox.submissions, &submission->link);
    bool first = claim_wake(loop);
    pthread_mutex_unlock(&loop->lock);
    if (first)
        wake_up(loop);
}

void core_loop_persisted(struct core_loop *loop, uint64_t persist_sequence)
{
    pthread_mutex_lock(&loop->lock);
    loop->inbox.persisted = persist_sequence;
    bool first = claim_wake(loop);
    pthread_mutex_unlock(&loop->lock);
    if (first)
        wake_up(loop);
}

void core_loop_applied(struct core_loop *loop, paxos_slot slot)
{
    pthread_mutex_lock(&loop->lock);
    loop->inbox.applied = slot;
    bool urgent = loop->waits_for_applied || slot - loop->applied >= APPLIED_BURST;
    bool first = urgent && claim_wake(loop);
    pthread_mutex_unlock(&loop->lock);
    if (first)
        wake_up(loop);
}

void core_loop_set_disk_full(struct core_loop *loop, bool full)
{
    atomic_store(&loop->disk_full, full);
}

void core_loop_status(struct core_loop *loop, struct paxos_status *status)
{
    pthread_mutex_lock(&loop->lock);
    *status = loop->status;
    pthread_mutex_unlock(&loop->lock);
}

bool core_loop_serving(struct core_loop *loop)
{
    return atomic_load_explicit(&loop->serving, memory_order_acquire);
}

void core_loop_wait_serving(struct core_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    while (!loop->status.serving)
        pthread_cond_wait(&loop->serves, &loop->lock);
    pthread_mutex_unlock(&loop->lock);
}

void core_loop_stop(struct core_loop *loop)
{
    if (!loop->started)
        return;
    pthread_mutex_lock(&loop->lock);
    loop->inbox.stopping = true;
    pthread_mutex_unlock(&loop->lock);
    wake_up(loop);
    pthread_join(loop->thread, NULL);
    loop->started = false;
}

void core_loop_free(struct core_loop *loop)
{
    if (loop == NULL)
        return;
    ASSERT(!loop->started);
    replica_free(loop->replica);
    if (!uv_is_closing((uv_handle_t *)&loop->wake))
        close_handles(loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&loop->uv);
    ASSERT(busy == 0);
    close(loop->wake_fd);
    pthread_cond_destroy(&loop->serves);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}
