// SPDX-License-Identifier: Apache-2.0
// A hash table from (kind, path) to waits. A change is looked up by its path, by its parent, and by
// every ancestor while anybody watches a tree: what it costs does not depend on how many wait for
// other paths.
#include "api/hub.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/session_changes.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/fifo.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "storage/history.h"
#include "storage/path.h"

enum { BUCKETS_LEAST = 1024, RETRY_MS = 100 };

// Lasting waits are woken in groups, this far apart: each group costs one look at all streams.
static const uint64_t group_ns = 250000000;

struct hub {
    struct live *live;
    pthread_t thread;
    int wake; // eventfd
    atomic_uint_fast64_t newest;
    atomic_bool signalled;    // the thread has been told of newest
    atomic_size_t wait_count; // waits for changes that are added
    struct session_changes sessions;
    pthread_mutex_t lock; // of all that follows, and of every wait that is added
    uint64_t scanned;     // every row up to here was matched
    struct hub_key **buckets;
    size_t bucket_count; // a power of two
    size_t key_count;
    size_t kind_count[HUB_SESSION + 1];
    size_t lasting_count;
    uint64_t seed; // so that nobody can choose paths of one bucket
    struct deadlines deadlines;
    struct hub_wait *first;
    bool draining;
    bool stopping;
};

// ---- The table ---------------------------------------------------------------------------------

static uint64_t hash_key(const struct hub *hub, enum hub_kind kind, const char *path, size_t length)
{
    return hash64(path, length, hub->seed + (uint64_t)kind);
}

static void link_key(struct hub *hub, struct hub_key *key)
{
    struct hub_key **bucket = &hub->buckets[key->hash & (hub->bucket_count - 1)];

    key->previous = NULL;
    key->next = *bucket;
    if (key->next != NULL)
        key->next->previous = key;
    *bucket = key;
}

static void grow(struct hub *hub)
{
    struct hub_key **before = hub->buckets;
    size_t count = hub->bucket_count;

    hub->bucket_count *= 2;
    hub->buckets = memory_zalloc(hub->bucket_count * sizeof *hub->buckets);
    for (size_t i = 0; i < count; i++) {
        for (struct hub_key *key = before[i]; key != NULL;) {
            struct hub_key *next = key->next;
            link_key(hub, key);
            key = next;
        }
    }
    free(before);
}

static void add_key(struct hub *hub, struct hub_wait *wait, struct hub_key *key)
{
    key->wait = wait;
    key->hash = hash_key(hub, key->kind, key->path, key->length);
    if (hub->key_count == hub->bucket_count)
        grow(hub);
    link_key(hub, key);
    hub->key_count++;
    hub->kind_count[key->kind]++;
}

static void remove_key(struct hub *hub, struct hub_key *key)
{
    if (key->next != NULL)
        key->next->previous = key->previous;
    if (key->previous != NULL)
        key->previous->next = key->next;
    else
        hub->buckets[key->hash & (hub->bucket_count - 1)] = key->next;
    hub->key_count--;
    hub->kind_count[key->kind]--;
}

// ---- Waits -------------------------------------------------------------------------------------

static void tell_thread(struct hub *hub)
{
    if (!atomic_exchange(&hub->signalled, true))
        eventfd_write(hub->wake, 1);
}

static bool is_for_session(const struct hub_wait *wait)
{
    return wait->key_count > 0 && wait->keys[0].kind == HUB_SESSION;
}

// Lasting waits are due in groups, the next one or that before the time. A period that is not much
// longer than a group keeps its own time.
static uint64_t due_ns(const struct hub_wait *wait, uint64_t at_ns, uint64_t now_ns)
{
    uint64_t group = at_ns / group_ns;
    uint64_t next = now_ns / group_ns + 1;

    if (!wait->lasting || wait->period_ns < 4 * group_ns)
        return at_ns;
    return (group > next ? group : next) * group_ns;
}

static void enter(struct hub *hub, struct hub_wait *wait)
{
    for (size_t i = 0; i < wait->key_count; i++)
        add_key(hub, wait, &wait->keys[i]);
    wait->added = true;
    wait->previous = NULL;
    wait->next = hub->first;
    if (wait->next != NULL)
        wait->next->previous = wait;
    hub->first = wait;
    hub->lasting_count += wait->lasting;
    wait->deadline.at_ns = due_ns(wait, wait->deadline_ns, clock_monotonic_ns());
    deadlines_add(&hub->deadlines, &wait->deadline);
    if (deadlines_first(&hub->deadlines) == &wait->deadline)
        tell_thread(hub);
}

static void leave(struct hub *hub, struct hub_wait *wait)
{
    for (size_t i = 0; i < wait->key_count; i++)
        remove_key(hub, &wait->keys[i]);
    wait->added = false;
    if (wait->next != NULL)
        wait->next->previous = wait->previous;
    if (wait->previous != NULL)
        wait->previous->next = wait->next;
    else
        hub->first = wait->next;
    hub->lasting_count -= wait->lasting;
    deadlines_remove(&hub->deadlines, &wait->deadline);
    if (is_for_session(wait))
        session_changes_unwant(&hub->sessions);
    else
        atomic_fetch_sub(&hub->wait_count, 1);
}

static void add_range(struct hub_wait *wait, uint64_t first, uint64_t last)
{
    struct hub_range *newest = wait->range_count > 0 ? &wait->ranges[wait->range_count - 1] : NULL;
    bool apart = newest == NULL || (newest->last < first - 1 && wait->range_count < HUB_RANGES);

    if (apart)
        wait->ranges[wait->range_count++] = (struct hub_range){first, last};
    else if (newest->last < last)
        newest->last = last;
}

// Either hub_changed sees the count or this sees the position that it stored before. While nobody
// waited nothing was read.
static void count_in(struct hub *hub)
{
    if (atomic_fetch_add(&hub->wait_count, 1) == 0) {
        uint64_t newest = atomic_load(&hub->newest);
        hub->scanned = newest > hub->scanned ? newest : hub->scanned;
    }
}

enum hub_added hub_add(struct hub *hub, struct hub_wait *wait, uint64_t looked)
{
    enum hub_added added = HUB_ADDED;

    pthread_mutex_lock(&hub->lock);
    count_in(hub);
    wait->range_count = 0;
    if (wait->ended)
        added = HUB_ENDED;
    else if (hub->draining)
        added = HUB_CLOSED;
    else if (hub->scanned > looked)
        added = HUB_LATE;
    if (added == HUB_ADDED)
        enter(hub, wait);
    else
        atomic_fetch_sub(&hub->wait_count, 1);
    pthread_mutex_unlock(&hub->lock);
    return added;
}

bool hub_add_lasting(struct hub *hub, struct hub_wait *wait)
{
    pthread_mutex_lock(&hub->lock);
    bool draining = hub->draining;
    if (!draining) {
        if (is_for_session(wait))
            session_changes_want(&hub->sessions);
        else
            count_in(hub);
        wait->range_count = 0;
        add_range(wait, 1, UINT64_MAX);
        enter(hub, wait);
    }
    pthread_mutex_unlock(&hub->lock);
    return !draining;
}

bool hub_remove(struct hub *hub, struct hub_wait *wait)
{
    pthread_mutex_lock(&hub->lock);
    bool added = wait->added;
    if (added)
        leave(hub, wait);
    pthread_mutex_unlock(&hub->lock);
    return added;
}

static void wake(struct hub *hub, struct hub_wait *wait, enum hub_reason reason)
{
    if (!wait->lasting)
        leave(hub, wait);
    wait->wake(wait, reason);
}

void hub_end(struct hub *hub, struct hub_wait *wait)
{
    pthread_mutex_lock(&hub->lock);
    wait->ended = true;
    if (wait->added)
        wake(hub, wait, HUB_GONE);
    pthread_mutex_unlock(&hub->lock);
}

static void drop_range(struct hub_wait *wait)
{
    wait->range_count--;
    memmove(wait->ranges, wait->ranges + 1, wait->range_count * sizeof wait->ranges[0]);
}

bool hub_take(struct hub *hub, struct hub_wait *wait, uint64_t *looked, struct hub_range *range)
{
    pthread_mutex_lock(&hub->lock);
    while (wait->range_count > 0 && wait->ranges[0].last <= *looked)
        drop_range(wait);
    bool some = wait->range_count > 0;
    uint64_t clear = some ? wait->ranges[0].first - 1 : hub->scanned;
    *looked = clear > *looked ? clear : *looked;
    if (some) {
        *range = wait->ranges[0];
        drop_range(wait);
    }
    pthread_mutex_unlock(&hub->lock);
    return some;
}

void hub_count(struct hub *hub, struct hub_counts *counts)
{
    pthread_mutex_lock(&hub->lock);
    counts->sessions = session_changes_wanted(&hub->sessions);
    counts->streams = hub->lasting_count - counts->sessions;
    counts->polls = atomic_load(&hub->wait_count) - counts->streams;
    pthread_mutex_unlock(&hub->lock);
}

// ---- Matching ----------------------------------------------------------------------------------

// Who was told of something and has not taken all needs no other wake.
static void note(struct hub *hub, struct hub_wait *wait, uint64_t first, uint64_t last)
{
    bool told = wait->range_count > 0;

    add_range(wait, first, last);
    if (!told)
        wake(hub, wait, HUB_CHANGED);
}

static void match(struct hub *hub, enum hub_kind kind, const char *path, size_t length,
                  uint64_t zxid)
{
    if (hub->kind_count[kind] == 0)
        return;
    uint64_t hash = hash_key(hub, kind, path, length);
    struct hub_key *key = hub->buckets[hash & (hub->bucket_count - 1)];
    while (key != NULL) {
        struct hub_key *next = key->next;
        struct hub_wait *wait = key->wait;
        bool same = key->hash == hash && key->kind == kind && key->length == length &&
                    memcmp(key->path, path, length) == 0;
        // A wait that is removed takes its other keys with it.
        while (same && !wait->lasting && next != NULL && next->wait == wait)
            next = next->next;
        if (same)
            note(hub, wait, zxid, zxid);
        key = next;
    }
}

static void match_trees(struct hub *hub, const struct change *change)
{
    size_t length = change->path_length;

    while (hub->kind_count[HUB_TREE] > 0) {
        match(hub, HUB_TREE, change->path, length, change->zxid);
        if (length <= 1)
            return;
        length = path_parent_length(change->path, length);
    }
}

static bool visit(void *context, const struct change *change)
{
    struct hub *hub = context;

    pthread_mutex_lock(&hub->lock);
    match(hub, HUB_NODE, change->path, change->path_length, change->zxid);
    match_trees(hub, change);
    if (change->kind != CHANGE_CHANGED) {
        match(hub, HUB_PRESENCE, change->path, change->path_length, change->zxid);
        if (change->path_length > 1)
            match(hub, HUB_CHILDREN, change->path,
                  path_parent_length(change->path, change->path_length), change->zxid);
    }
    pthread_mutex_unlock(&hub->lock);
    return true; // to the end, also when nobody is left: who comes meanwhile relies on it
}

static void match_session(void *context, uint64_t id)
{
    match(context, HUB_SESSION, (const char *)&id, sizeof id, 1);
}

static void note_all_sessions(struct hub *hub)
{
    for (struct hub_wait *wait = hub->first; wait != NULL; wait = wait->next) {
        if (is_for_session(wait))
            note(hub, wait, 1, 1);
    }
}

static void take_sessions(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    if (!session_changes_take(&hub->sessions, match_session, hub))
        note_all_sessions(hub);
    pthread_mutex_unlock(&hub->lock);
}

void hub_session_changed(struct hub *hub, uint64_t session)
{
    if (session_changes_add(&hub->sessions, session))
        tell_thread(hub);
}

// An installed checkpoint can begin behind what was read: then nobody knows what has changed from `first`
// on. An owner may have looked further than the hub.
static void note_all(struct hub *hub, uint64_t first)
{
    pthread_mutex_lock(&hub->lock);
    for (struct hub_wait *wait = hub->first; wait != NULL;) {
        struct hub_wait *next = wait->next;
        note(hub, wait, first, UINT64_MAX);
        wait = next;
    }
    pthread_mutex_unlock(&hub->lock);
}

static uint64_t scanned(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    uint64_t zxid = hub->scanned;
    pthread_mutex_unlock(&hub->lock);
    return zxid;
}

// Reads what is new. Returns false when the state could not be read.
static bool scan(struct hub *hub)
{
    uint64_t before = scanned(hub);
    struct live_view live;

    if (atomic_load(&hub->wait_count) == 0 || atomic_load(&hub->newest) <= before)
        return true;
    if (live_acquire(hub->live, &live) != ERROR_OK)
        return false;
    uint64_t zxid = view_position(live.view)->zxid;
    if (view_history_start(live.view) > before ||
        view_changes(live.view, before, visit, hub) != ERROR_OK)
        note_all(hub, before + 1);
    live_release(hub->live, &live);
    pthread_mutex_lock(&hub->lock);
    hub->scanned = zxid > hub->scanned ? zxid : hub->scanned;
    pthread_mutex_unlock(&hub->lock);
    return true;
}

// ---- The thread --------------------------------------------------------------------------------

static void expire(struct hub *hub, uint64_t now_ns)
{
    struct deadline *item;

    while ((item = deadlines_first(&hub->deadlines)) != NULL && item->at_ns <= now_ns) {
        struct hub_wait *wait = CONTAINER_OF(item, struct hub_wait, deadline);
        if (wait->lasting) {
            deadlines_remove(&hub->deadlines, item);
            item->at_ns = due_ns(wait, now_ns + wait->period_ns, now_ns);
            deadlines_add(&hub->deadlines, item);
        }
        wake(hub, wait, HUB_DEADLINE);
    }
}

static void wake_all(struct hub *hub)
{
    for (struct hub_wait *wait = hub->first; wait != NULL;) {
        struct hub_wait *next = wait->next;
        wake(hub, wait, HUB_DRAINING);
        wait = next;
    }
}

static int wait_ms(const struct hub *hub, uint64_t now_ns)
{
    const struct deadline *first = deadlines_first(&hub->deadlines);

    if (first == NULL)
        return -1;
    uint64_t left_ms = first->at_ns > now_ns ? (first->at_ns - now_ns + 999999) / 1000000 : 0;
    return left_ms < INT32_MAX ? (int)left_ms : INT32_MAX;
}

// What is due besides changes. Returns how long to wait at most; *running: the thread goes on.
static int keep_time(struct hub *hub, bool *running)
{
    uint64_t now_ns = clock_monotonic_ns();

    pthread_mutex_lock(&hub->lock);
    expire(hub, now_ns);
    int timeout_ms = wait_ms(hub, now_ns);
    *running = !hub->stopping;
    pthread_mutex_unlock(&hub->lock);
    return timeout_ms;
}

static void *run(void *argument)
{
    struct hub *hub = argument;
    struct pollfd source = {.fd = hub->wake, .events = POLLIN};
    eventfd_t ignored;
    bool running = true;

    pthread_setname_np(pthread_self(), "notifier");
    while (running) {
        bool read = scan(hub);
        take_sessions(hub);
        int timeout_ms = keep_time(hub, &running);
        if (!read && (timeout_ms < 0 || timeout_ms > RETRY_MS))
            timeout_ms = RETRY_MS;
        int ready = running ? poll(&source, 1, timeout_ms) : 0;
        ASSERT(ready >= 0 || errno == EINTR);
        if (ready > 0)
            eventfd_read(hub->wake, &ignored);
        atomic_store(&hub->signalled, false);
    }
    return NULL;
}

void hub_changed(struct hub *hub, uint64_t zxid)
{
    uint_fast64_t before = atomic_load(&hub->newest);

    while (before < zxid && !atomic_compare_exchange_weak(&hub->newest, &before, zxid))
        continue;
    if (atomic_load(&hub->wait_count) > 0)
        tell_thread(hub);
}

void hub_drain(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    bool first = !hub->draining;
    hub->draining = true;
    if (first)
        wake_all(hub);
    pthread_mutex_unlock(&hub->lock);
}

struct hub *hub_start(struct live *live, uint64_t zxid)
{
    struct hub *hub = memory_zalloc(sizeof *hub);

    hub->live = live;
    hub->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(hub->wake >= 0);
    hub->scanned = zxid;
    atomic_init(&hub->newest, zxid);
    hub->seed = random_u64();
    hub->bucket_count = BUCKETS_LEAST;
    hub->buckets = memory_zalloc(hub->bucket_count * sizeof *hub->buckets);
    pthread_mutex_init(&hub->lock, NULL);
    session_changes_init(&hub->sessions);
    int failed = pthread_create(&hub->thread, NULL, run, hub);
    ASSERT(failed == 0);
    return hub;
}

void hub_stop(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    hub->stopping = true;
    pthread_mutex_unlock(&hub->lock);
    eventfd_write(hub->wake, 1);
    pthread_join(hub->thread, NULL);
    ASSERT(hub->first == NULL);
}

void hub_free(struct hub *hub)
{
    deadlines_deinit(&hub->deadlines);
    session_changes_deinit(&hub->sessions);
    pthread_mutex_destroy(&hub->lock);
    close(hub->wake);
    free(hub->buckets);
    free(hub);
}
