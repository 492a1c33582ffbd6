// SPDX-License-Identifier: Apache-2.0
// The journal is kept back to the older of two checkpoints, so that damage to the newest one loses
// nothing. While space is short, one checkpoint that was just verified must do. The reserve holds
// what will be needed to get out of a full disk: the missing spare segments and the next checkpoint.
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

enum {
    CHECK_MS = 200,
    CHECK_NEAR_MS = 10,      // when a burst of writes could fill what is left within CHECK_MS
    NEAR_RESERVES = 8,       // that is: when less than so many reserves are left
    NO_ROOM_PAUSE_MS = 5000, // after a checkpoint that the disk had no room for
};

struct keeper {
    struct keeper_settings settings;
    struct keeper_ports ports;
    struct checkpoint_info installed; // by another thread, to be taken over; under the lock
    pthread_mutex_t files;            // held while checkpoints are removed
    paxos_slot received;              // not to be removed; under `files`, like these two:
    paxos_slot asked;                 // one that the core is asked to go on from
    paxos_slot accepted;              // one that it goes on from, until it is installed
    atomic_uint_fast64_t newest_slot; // of `newest`, for other threads
    struct checkpoint_info newest;
    paxos_slot older;
    bool full;           // the disk
    bool cramped;        // the live tree
    bool near;           // not full yet, but close to it
    uint64_t available;  // free bytes of the disk at the last check
    uint64_t checked_ns; // time of the last check
    uint64_t no_room_ns; // until then no checkpoint is tried
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stopping;
};

// Removes what the two checkpoints make superfluous.
static void trim(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->files);
    const paxos_slot kept[] = {keeper->newest.position.applied, keeper->older, keeper->received,
                               keeper->asked, keeper->accepted};
    enum error error = checkpoint_prune(keeper->ports.disk, kept, sizeof kept / sizeof kept[0]);
    pthread_mutex_unlock(&keeper->files);

    if (error == ERROR_OK)
        error = journal_trim(keeper->ports.journal, keeper->older);
    if (error != ERROR_OK)
        fatal_exit("old files could not be removed", error);
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

    if (clock_monotonic_ns() < keeper->no_room_ns)
        return false;
    if (keeper->full)
        return since > 0 && keeper->available > estimate_checkpoint(keeper) &&
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
    trim(keeper);
}

static uint64_t missing_spares(struct keeper *keeper)
{
    struct journal_statistics statistics;

    journal_statistics(keeper->ports.journal, &statistics);
    return statistics.spares < JOURNAL_SPARES ? JOURNAL_SPARES - statistics.spares : 0;
}

// The room of the live tree runs out on its own where it lies on another file system, or where its
// address space is used up.
static void check_live(struct keeper *keeper)
{
    struct state_room room;

    if (live_room(keeper->ports.live, keeper->settings.disk_reserve_bytes, &room) != ERROR_OK)
        fatal_exit("the room of the live state could not be read", ERROR_IO);
    uint64_t quarter = room.total_bytes / 4;
    uint64_t reserve = keeper->settings.disk_reserve_bytes;
    if (reserve > quarter)
        reserve = quarter;
    bool cramped = room.free_bytes < (keeper->cramped ? reserve + reserve / 16 : reserve);
    if (cramped != keeper->cramped)
        log_write(cramped ? LOG_ERROR : LOG_INFO,
                  cramped ? "the live tree has nearly no room: only reads and deletes are served"
                          : "the live tree has room again: all requests are served",
                  "free_bytes=%" PRIu64 " reserve_bytes=%" PRIu64 " total_bytes=%" PRIu64,
                  room.free_bytes, reserve, room.total_bytes);
    keeper->cramped = cramped;
    if (room.free_bytes < NEAR_RESERVES * reserve && room.free_bytes < room.total_bytes / 2)
        keeper->near |= !cramped;
}

// `written`: how much of the next checkpoint lies on the disk already.
static void check_disk(struct keeper *keeper, uint64_t written)
{
    struct disk *disk = keeper->ports.disk;
    uint64_t checkpoint = estimate_checkpoint(keeper);
    uint64_t reserve = keeper->settings.disk_reserve_bytes +
                       (checkpoint > written ? checkpoint - written : 0) +
                       missing_spares(keeper) * JOURNAL_SEGMENT_BYTES;

    if (disk->operations->free_bytes(disk, &keeper->available) != ERROR_OK)
        fatal_exit("the free space could not be read", ERROR_IO);
    bool full = keeper->available < (keeper->full ? reserve + reserve / 16 : reserve);
    if (full != keeper->full)
        log_write(full ? LOG_ERROR : LOG_INFO,
                  full ? "the disk is nearly full: only reads and deletes are served"
                       : "the disk has room again: all requests are served",
                  "free_bytes=%" PRIu64 " reserve_bytes=%" PRIu64, keeper->available, reserve);
    keeper->full = full;
    if (keeper->available < NEAR_RESERVES * reserve)
        keeper->near |= !full;
}

static uint64_t check_pause_ns(const struct keeper *keeper)
{
    return (keeper->near ? CHECK_NEAR_MS : CHECK_MS) * 1000000ull;
}

static void check_space(struct keeper *keeper, uint64_t written)
{
    keeper->near = false;
    check_disk(keeper, written);
    check_live(keeper);
    keeper->checked_ns = clock_monotonic_ns();
    keeper->ports.disk_full(keeper->ports.context, keeper->full || keeper->cramped);
}

static void make_spares(struct keeper *keeper)
{
    // On a disk without room for one every try would fail, and be logged.
    if (missing_spares(keeper) == 0 || keeper->available < JOURNAL_SEGMENT_BYTES)
        return;
    enum error error = journal_make_spares(keeper->ports.journal, JOURNAL_SPARES);
    if (error != ERROR_OK && error != ERROR_DISK_FULL)
        fatal_exit("a journal segment could not be made", error);
}

// A checkpoint can take minutes, and writes go on meanwhile: the space is watched as before.
static bool pace_checkpoint(void *context, uint64_t bytes)
{
    struct keeper *keeper = context;

    if (clock_monotonic_ns() - keeper->checked_ns >= check_pause_ns(keeper)) {
        check_space(keeper, bytes);
        make_spares(keeper);
    }
    return !atomic_load(&keeper->stopping);
}

static void set_newest(struct keeper *keeper, const struct checkpoint_info *info, paxos_slot older)
{
    keeper->newest = *info;
    keeper->older = older;
    atomic_store(&keeper->newest_slot, info->position.applied);
}

// The journal has a gap before an installed checkpoint, so nothing older can be started from.
static void take_installed(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    struct checkpoint_info info = keeper->installed;
    keeper->installed = (struct checkpoint_info){0};
    pthread_mutex_unlock(&keeper->lock);
    if (info.position.applied <= keeper->newest.position.applied)
        return;
    pthread_mutex_lock(&keeper->files);
    keeper->accepted = 0;
    pthread_mutex_unlock(&keeper->files);
    set_newest(keeper, &info, info.position.applied);
    trim(keeper);
}

static void write_checkpoint(struct keeper *keeper)
{
    struct live_view live;
    struct checkpoint_info info;
    uint64_t started_ns = clock_monotonic_ns();

    if (live_acquire(keeper->ports.live, &live) != ERROR_OK)
        fatal_exit("the live state could not be read", ERROR_IO);
    enum error error = checkpoint_write(keeper->ports.disk, &keeper->ports.identity, live.view,
                                        pace_checkpoint, keeper, &info);
    live_release(keeper->ports.live, &live);
    if (error == ERROR_DRAINING)
        return;
    if (error == ERROR_DISK_FULL) {
        log_event(LOG_WARNING, "no room for a checkpoint");
        keeper->no_room_ns = clock_monotonic_ns() + NO_ROOM_PAUSE_MS * 1000000ull;
        return;
    }
    if (error != ERROR_OK)
        fatal_exit("a checkpoint could not be written", error);
    if (info.position.applied <= keeper->newest.position.applied)
        return; // another node's was installed meanwhile
    set_newest(keeper, &info, keeper->newest.position.applied);
    log_write(LOG_INFO, "checkpoint written",
              "slot=%" PRIu64 " zxid=%" PRIu64 " bytes=%" PRIu64 " duration_ms=%" PRIu64,
              info.position.applied, info.position.zxid, info.bytes,
              (clock_monotonic_ns() - started_ns) / 1000000);
    trim(keeper);
}

static void wait_for_next_check(struct keeper *keeper)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)check_pause_ns(keeper);
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
        check_space(keeper, 0);
        make_spares(keeper);
        take_installed(keeper);
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
    set_newest(keeper, newest, older);
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_mutex_init(&keeper->files, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    check_space(keeper, 0);
    int failed = pthread_create(&keeper->thread, NULL, run, keeper);
    ASSERT(failed == 0);
    return keeper;
}

void keeper_keep(struct keeper *keeper, paxos_slot slot)
{
    pthread_mutex_lock(&keeper->files);
    keeper->received = slot;
    pthread_mutex_unlock(&keeper->files);
}

bool keeper_ask(struct keeper *keeper, paxos_slot slot)
{
    pthread_mutex_lock(&keeper->files);
    bool there = keeper->received == slot;
    keeper->asked = there ? slot : 0;
    pthread_mutex_unlock(&keeper->files);
    return there;
}

void keeper_answer(struct keeper *keeper, bool accepted)
{
    pthread_mutex_lock(&keeper->files);
    if (accepted)
        keeper->accepted = keeper->asked;
    keeper->asked = 0;
    pthread_mutex_unlock(&keeper->files);
}

void keeper_installed(struct keeper *keeper, const struct checkpoint_info *info)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->installed = *info;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
}

paxos_slot keeper_newest(struct keeper *keeper)
{
    return atomic_load(&keeper->newest_slot);
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
    pthread_mutex_destroy(&keeper->files);
    free(keeper);
}
