// SPDX-License-Identifier: Apache-2.0
// GET /v1/watch: from the request to a stream, and the stream's life. An EventSource gives up for good on
// any status but 200, so whatever will pass is waited for inside the stream, or closes the connection.
#include "api/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/handlers.h"
#include "api/read.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/fifo.h"
#include "base/memory.h"
#include "base/random.h"
#include "storage/history.h"
#include "storage/path.h"

enum {
    PATHS_MAX = 1000,
    RETRY_LEAST_MS = 250, // for browsers to connect again, spread so that they do not come at once
    RETRY_SPREAD_MS = 1750,
    BARRIER_HELD_MS = 100, // less: the backend refused at once
};

// Bookmarks come at least every 5 s, comments at least every 15 s.
static const uint64_t period_ns = 5000000000;
static const uint64_t silence_ns = 10000000000;
static const uint64_t ns_per_ms = 1000000;

// ---- References: the stream's, and the backend's while it holds the barrier --------------------

static void watch_unref(struct watch *watch)
{
    if (atomic_fetch_sub(&watch->references, 1) > 1)
        return;
    filter_deinit(&watch->filter);
    buffer_deinit(&watch->names);
    buffer_deinit(&watch->cursor);
    pthread_mutex_destroy(&watch->lock);
    free(watch->keys);
    free(watch);
}

// ---- The barrier -------------------------------------------------------------------------------

static void complete_barrier(struct read_wait *wait, enum error error)
{
    struct watch *watch = CONTAINER_OF(wait, struct watch, barrier);

    pthread_mutex_lock(&watch->lock);
    watch->barrier_pending = false;
    watch->barrier_passed = error == ERROR_OK;
    watch->barrier_failed = error != ERROR_OK;
    if (watch->stream != NULL)
        stream_wake(watch->stream);
    pthread_mutex_unlock(&watch->lock);
    watch_unref(watch);
}

static void begin_barrier(struct watch *watch)
{
    const struct api_backend *backend = &watch->service->backend;
    uint64_t wait_ns = watch->service->limits.wait_default_ms * ns_per_ms;

    atomic_fetch_add(&watch->references, 1);
    watch->barrier = (struct read_wait){.barrier = true,
                                        .deadline_ns = clock_monotonic_ns() + wait_ns,
                                        .complete = complete_barrier};
    watch->barrier_pending = true;
    backend->read(backend->context, &watch->barrier);
}

// Whether it has passed; else it is under way, or waits for the next tick because it was refused.
static bool pass_barrier(struct watch *watch, bool tick)
{
    const struct api_backend *backend = &watch->service->backend;

    pthread_mutex_lock(&watch->lock);
    bool passed = watch->barrier_passed;
    bool pending = watch->barrier_pending;
    uint64_t held_until_ns = watch->barrier.deadline_ns;
    bool held = clock_monotonic_ns() + BARRIER_HELD_MS * ns_per_ms >= held_until_ns;
    bool again = !watch->barrier_failed || held || tick;
    pthread_mutex_unlock(&watch->lock);
    if (passed || (!pending && backend->read_at_once(backend->context)))
        return true;
    if (!pending && again)
        begin_barrier(watch);
    return false;
}

// ---- The beginning -----------------------------------------------------------------------------

static enum stream_step begin_resumed(struct watch *watch, struct view *view)
{
    uint64_t zxid = view_position(view)->zxid;

    if (watch->since_unusable)
        return watch_reset(watch, "cluster", zxid);
    if (watch->since > zxid)
        return watch_reset(watch, "future", zxid);
    if (view_history_start(view) > watch->since)
        return watch_reset(watch, "history", zxid);
    watch->position = watch->since;
    watch->phase = WATCH_FOLLOW;
    watch_bookmark(watch);
    return STREAM_MORE;
}

static enum stream_step begin_fresh(struct watch *watch, struct view *view)
{
    watch->position = view_position(view)->zxid;
    watch->phase = watch->initial ? WATCH_SNAPSHOT : WATCH_FOLLOW;
    if (!watch->initial)
        watch_bookmark(watch);
    return STREAM_MORE;
}

static bool is_reached(const struct watch *watch)
{
    struct live *live = watch->service->live;
    struct live_view view;

    if (!watch->has_since || watch->since_unusable || live_acquire(live, &view) != ERROR_OK)
        return false;
    bool reached = watch->since <= view_position(view.view)->zxid;
    live_release(live, &view);
    return reached;
}

// A position that this node has reached needs no leader; anything else needs a barrier before the
// state is looked at.
static enum stream_step begin(struct watch *watch, bool tick)
{
    struct live *live = watch->service->live;
    struct live_view view;

    if (!is_reached(watch) && !pass_barrier(watch, tick))
        return STREAM_IDLE;
    enum error error = live_acquire(live, &view);
    if (error != ERROR_OK)
        return watch_fail(watch, error);
    enum stream_step step =
        watch->has_since ? begin_resumed(watch, view.view) : begin_fresh(watch, view.view);
    live_release(live, &view);
    return step;
}

// ---- The stream --------------------------------------------------------------------------------

static void wake(struct hub_wait *wait, unsigned reasons)
{
    struct watch *watch = CONTAINER_OF(wait, struct watch, wait);

    atomic_fetch_or(&watch->reasons, reasons);
    stream_wake(watch->stream);
}

static bool greet(struct watch *watch)
{
    event_retry(&watch->writer, RETRY_LEAST_MS + (unsigned)(random_u64() % RETRY_SPREAD_MS));
    watch->wait.deadline_ns = clock_monotonic_ns() + random_u64() % period_ns;
    watch->waiting = hub_add_lasting(watch->service->hub, &watch->wait);
    return watch->waiting;
}

static enum stream_step advance(struct watch *watch, bool tick)
{
    switch (watch->phase) {
    case WATCH_START:
        return begin(watch, tick);
    case WATCH_SNAPSHOT:
        return watch_snapshot(watch);
    case WATCH_FOLLOW:
        return watch_follow(watch);
    case WATCH_FAILED:
        break;
    }
    return STREAM_END;
}

// A bookmark says that nothing has happened, so it needs contact.
static void keep_alive(struct watch *watch)
{
    const struct api_backend *backend = &watch->service->backend;

    if (watch->phase == WATCH_FOLLOW && backend->in_contact(backend->context))
        watch_bookmark(watch);
    else if (clock_monotonic_ns() - watch->spoke_ns >= silence_ns)
        event_comment(&watch->writer);
}

static enum stream_step fill(void *context, struct buffer *into)
{
    struct watch *watch = context;
    unsigned reasons = atomic_exchange(&watch->reasons, 0);
    bool tick = (reasons & HUB_DEADLINE) != 0;

    watch->writer.into = into;
    if ((reasons & HUB_DRAINING) != 0 || (!watch->waiting && !greet(watch)))
        return STREAM_END;
    enum stream_step step = advance(watch, tick);
    if (step == STREAM_IDLE && tick && into->length == 0)
        keep_alive(watch);
    if (into->length > 0)
        watch->spoke_ns = clock_monotonic_ns();
    return step;
}

static void close_watch(void *context)
{
    struct watch *watch = context;

    if (watch->waiting)
        hub_remove(watch->service->hub, &watch->wait);
    pthread_mutex_lock(&watch->lock);
    watch->stream = NULL;
    pthread_mutex_unlock(&watch->lock);
    watch_unref(watch);
}

static const struct stream_source event_stream = {
    .content_type = "text/event-stream", .fill = fill, .close = close_watch};
static const struct stream_source line_stream = {
    .content_type = "application/x-ndjson", .fill = fill, .close = close_watch};

// ---- The request -------------------------------------------------------------------------------

static enum error add_path(struct watch *watch, const char *path, struct problem *problem)
{
    const char *reason;

    enum error error = path_validate(path, strlen(path), &reason);
    if (error != ERROR_OK)
        return problem_set(problem, error, "the path \"%.200s\" is not valid: %s", path, reason);
    buffer_append(&watch->names, path, strlen(path) + 1);
    return ERROR_OK;
}

static enum error take_paths(struct watch *watch, const struct request *request,
                             struct problem *problem)
{
    const struct query *query = &request->query;
    const char *at = (const char *)query->paths.data;
    enum error error = ERROR_OK;

    if (request->trailing_slash)
        return problem_set(problem, ERROR_BAD_PATH, "the path ends with a slash");
    if (!query_has(query, QUERY_PATH))
        return add_path(watch, request->path_length > 0 ? request_path(request) : "/", problem);
    if (query->value[QUERY_PATH] > PATHS_MAX)
        return problem_set(problem, ERROR_BAD_QUERY, "\"path\" is given more than %d times",
                           PATHS_MAX);
    for (int64_t i = 0; i < query->value[QUERY_PATH] && error == ERROR_OK; i++) {
        error = add_path(watch, at, problem);
        at += strlen(at) + 1;
    }
    return error;
}

// `names` stays as it is from now on.
static void make_filter(struct watch *watch, bool recursive)
{
    struct filter_path *paths = memory_alloc(watch->names.length * sizeof *paths);
    const char *at = (const char *)watch->names.data;
    const char *end = at + watch->names.length;
    size_t count = 0;

    while (at < end) {
        paths[count++] = (struct filter_path){.path = at, .length = strlen(at)};
        at += strlen(at) + 1;
    }
    filter_init(&watch->filter, paths, count, recursive);
    free(paths);
}

static void make_keys(struct watch *watch)
{
    const struct filter *filter = &watch->filter;
    struct hub_key *keys = memory_zalloc(2 * filter->count * sizeof *keys);
    size_t count = 0;

    for (size_t i = 0; i < filter->count; i++) {
        struct hub_key key = {.path = filter->paths[i].path, .length = filter->paths[i].length};
        key.kind = filter->recursive ? HUB_TREE : HUB_NODE;
        keys[count++] = key;
        key.kind = HUB_CHILDREN;
        if (!filter->recursive)
            keys[count++] = key;
    }
    watch->keys = keys;
    watch->wait = (struct hub_wait){
        .keys = keys, .key_count = count, .lasting = true, .period_ns = period_ns, .wake = wake};
}

// What a browser sends when it connects again is newer than what the page asked for.
static void take_position(struct watch *watch, const struct request *request)
{
    const char *last = request->headers.value[HEADER_LAST_EVENT_ID];
    struct event_id id = request->query.since;

    watch->has_since = query_has(&request->query, QUERY_SINCE);
    if (last != NULL && last[0] != '\0') {
        watch->has_since = true;
        watch->since_unusable = !event_id_parse(last, &id);
    }
    watch->since = id.zxid;
    watch->since_unusable =
        watch->since_unusable || (id.has_tag && id.tag != request->service->cluster_tag);
}

static struct watch *watch_new(const struct request *request)
{
    const struct query *query = &request->query;
    struct watch *watch = memory_zalloc(sizeof *watch);

    watch->service = request->service;
    atomic_init(&watch->references, 1);
    pthread_mutex_init(&watch->lock, NULL);
    snprintf(watch->request_id, sizeof watch->request_id, "%s", request->id);
    watch->initial = query->value[QUERY_INITIAL] != 0;
    watch->with_data = query->value[QUERY_DATA] != 0;
    watch->writer.lines = accept_prefers_lines(request->headers.value[HEADER_ACCEPT]);
    watch->writer.tag = request->service->cluster_tag;
    watch->spoke_ns = clock_monotonic_ns();
    take_position(watch, request);
    return watch;
}

static void open_watch(struct request *request)
{
    struct watch *watch = watch_new(request);
    const struct stream_source *source = watch->writer.lines ? &line_stream : &event_stream;
    struct problem problem = {0};

    if (take_paths(watch, request, &problem) != ERROR_OK) {
        reply_problem(request, &problem);
        watch_unref(watch);
        return;
    }
    request->reply.status = 200;
    request->reply.no_store = true;
    request->reply.content_type = source->content_type;
    if (request->method == METHOD_HEAD) {
        watch_unref(watch);
        return;
    }
    make_filter(watch, request->query.value[QUERY_RECURSIVE] != 0);
    make_keys(watch);
    watch->stream = stream_new(source, watch);
    request->reply.stream = watch->stream;
}

void watch_get(struct request *request)
{
    if (read_admit(request))
        open_watch(request);
}
