// SPDX-License-Identifier: Apache-2.0
// The journal is kept back to the older of two checkpoints, so that damage to the newest one loses
// nothing. While space is short, one checkpoint that was just verified must do. The reserve holds what will be needed to get out of a full disk: the missing spare
// segments and the next checkpoint.
#include "server/keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "server/fatal.h"

enum { CHECK_MS = 200 };

struct keeper {
    struct keeper_settings settings;
    struct keeper_ports ports;
    struct checkpoint_info newest;
    paxos_slot older;
    bool full;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stopping;
};

static bool keep_going(void *context, uint64_t bytes)
{
    struct keeper *keeper = context;

    (void)bytes;
    return !atomic_load(&keeper->stopping);
}

static void trim(struct keeper *keeper, unsigned checkpoints)
{
    enum error error = checkpoint_prune(keeper->ports.disk, checkpoints);

    if (error == ERROR_OK)
        error = journal_trim(keeper->ports.journal, keeper->older);
    if (error != ERROR_OK)
        fatal_exit("old files could not be removed", error);
}

static void write_checkpoint(struct keeper *keeper)
{
    struct live_view live;
    struct checkpoint_info info;
    uint64_t started_ns = clock_monotonic_ns();

    if (live_acquire(keeper->ports.live, &live) != ERROR_OK)
        fatal_exit("the live state could not be read", ERROR_IO);
    enum error error = checkpoint_write(keeper->ports.disk, &keeper->ports.identity, live.view,
                                        keep_going, keeper, &info);
    live_release(keeper->ports.live, &live);
    if (error == ERROR_DRAINING)
        return;
    if (error == ERROR_DISK_FULL) {
        log_event(LOG_WARNING, "no room for a checkpoint");
        return;
    }
    if (error != ERROR_OK)
        fatal_exit("a checkpoint could not be written", error);
    keeper->older = keeper->newest.position.applied;
    keeper->newest = info;
    log_write(LOG_INFO, "checkpoint written",
              "slot=%" PRIu64 " zxid=%" PRIu64 " bytes=%" PRIu64 " duration_ms=%" PRIu64,
              info.position.applied, info.position.zxid, info.bytes,
              (clock_monotonic_ns() - started_ns) / 1000000);
    trim(keeper, CHECKPOINTS_KEPT);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// The size of a checkpoint of the state as it is now.
static uint64_t estimate_checkpoint(struct keeper *keeper)
{
    struct live_view live;

    if (live_acquire(keeper->ports.live, &live) != ERROR_OK)
        fatal_exit("the live state could not be read", ERROR_IO);
    const struct state_position *position = view_position(live.view);
    uint64_t bytes = position->data_bytes + position->data_bytes / 8;
    live_release(keeper->ports.live, &live);
    return bytes;
}

static bool checkpoint_due(struct keeper *keeper)
{
    uint64_t since = journal_bytes_since(keeper->ports.journal, keeper->newest.position.applied);

    if (keeper->full)
        return since > 0 &&
               keeper->newest.bytes + journal_bytes_since(keeper->ports.journal, keeper->older) >
                   estimate_checkpoint(keeper) + 3 * JOURNAL_SEGMENT_BYTES;
    return since > larger(keeper->settings.checkpoint_journal_bytes, keeper->newest.bytes);
}

// Gives up the older checkpoint and the journal before the newest one, if that frees something.
static void relieve(struct keeper *keeper)
{
    paxos_slot slot = keeper->newest.position.applied;
    uint64_t kept = journal_bytes_since(keeper->ports.journal, keeper->older);
    uint64_t needed = journal_bytes_since(keeper->ports.journal, slot);
    struct checkpoint_info info;
    struct failure failure;

    if (keeper->older == slot || kept < needed + JOURNAL_SEGMENT_BYTES)
        return;
    enum error error =
        checkpoint_verify(keeper->ports.disk, &keeper->ports.identity, slot, &info, &failure);
    if (error != ERROR_OK)
        return;
    log_write(LOG_WARNING, "space is short: only the newest checkpoint is kept",
              "slot=%" PRIu64 " journal_bytes=%" PRIu64, slot, kept - needed);
    keeper->older = slot;
    trim(keeper, 1);
}

static uint64_t missing_spares(struct keeper *keeper)
{
    struct journal_statistics statistics;

    journal_statistics(keeper->ports.journal, &statistics);
    return statistics.spares < JOURNAL_SPARES ? JOURNAL_SPARES - statistics.spares : 0;
}

static void check_space(struct keeper *keeper)
{
    uint64_t available;
    uint64_t reserve = keeper->settings.disk_reserve_bytes + estimate_checkpoint(keeper) +
                       missing_spares(keeper) * JOURNAL_SEGMENT_BYTES;

    if (keeper->ports.disk->operations->free_bytes(keeper->ports.disk, &available) != ERROR_OK)
        fatal_exit("the free space could not be read", ERROR_IO);
    bool full = available < (keeper->full ? reserve + reserve / 16 : reserve);
    if (full != keeper->full)
        log_write(full ? LOG_ERROR : LOG_INFO,
                  full ? "the disk is nearly full: only reads and deletes are served"
                       : "the disk has room again: all requests are served",
                  "free_bytes=%" PRIu64 " reserve_bytes=%" PRIu64, available, reserve);
    keeper->full = full;
    keeper->ports.disk_full(keeper->ports.context, full);
}

static void make_spares(struct keeper *keeper)
{
    enum error error = journal_make_spares(keeper->ports.journal, JOURNAL_SPARES);

    if (error != ERROR_OK && error != ERROR_DISK_FULL)
        fatal_exit("a journal segment could not be made", error);
}

static void wait_for_next_check(struct keeper *keeper)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += CHECK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&keeper->lock);
    while (!atomic_load(&keeper->stopping)) {
        if (pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until) == ETIMEDOUT)
            break;
    }
    pthread_mutex_unlock(&keeper->lock);
}

static void *run(void *argument)
{
    struct keeper *keeper = argument;

    pthread_setname_np(pthread_self(), "bulk");
    while (!atomic_load(&keeper->stopping)) {
        check_space(keeper);
        make_spares(keeper);
        if (checkpoint_due(keeper))
            write_checkpoint(keeper);
        if (keeper->full)
            relieve(keeper);
        wait_for_next_check(keeper);
    }
    return NULL;
}

struct keeper *keeper_start(const struct keeper_settings *settings,
                            const struct keeper_ports *ports, const struct checkpoint_info *newest,
                            paxos_slot older)
{
    struct keeper *keeper = memory_zalloc(sizeof *keeper);
    pthread_condattr_t attributes;

    keeper->settings = *settings;
    keeper->ports = *ports;
    keeper->newest = *newest;
    keeper->older = older;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    check_space(keeper);
    int failed = pthread_create(&keeper->thread, NULL, run, keeper);
    ASSERT(failed == 0);
    return keeper;
}

void keeper_stop(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    pthread_mutex_lock(&keeper->lock);
    atomic_store(&keeper->stopping, true);
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}
