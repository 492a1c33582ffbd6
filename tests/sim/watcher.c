// SPDX-License-Identifier: Apache-2.0
// What has come behind the last id is forgotten when a stream ends: it comes again. So is the rest of a
// line that was cut off.
#include "tests/sim/watcher.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "base/assert.h"
#include "base/memory.h"
#include "tests/sim/notifier.h"

enum { PIECE_BYTES = 1 << 16, PATHS_MAX = 2 };

#define READ_NS (200 * MICROSECOND_NS) // mean time between two reads
#define STAY_NS SECOND_NS              // mean time that a stream is followed

struct watcher {
    struct world *world;
    uint16_t index;
    struct buffer paths;
    size_t path_count;
    bool recursive;
    bool initial;
    bool with_data;
    // The connection.
    struct node *node; // NULL: there is none
    struct stream *stream;
    uint64_t connection; // number of it
    uint64_t leave_ns;   // when it has enough
    bool greeted;        // it was told something
    bool asleep;
    struct buffer line; // that is not complete yet
    // What it knows.
    bool has_id;
    uint64_t last_id;
    struct told_event *events;
    size_t count; // behind the last id, too
    size_t sure;  // up to the last id
    size_t capacity;
};

struct watchers {
    struct watcher *all;
    size_t count;
};

static void look_at(struct watcher *watcher, uint64_t delay_ns)
{
    world_schedule(
        watcher->world, delay_ns,
        (struct event){
            .kind = EVENT_WATCH, .node = NOBODY, .a = watcher->index, .b = watcher->connection});
}

static void later(struct watcher *watcher, uint64_t mean_ns)
{
    look_at(watcher, choose_delay(&watcher->world->choices, mean_ns));
}

// ---- Lines ---------------------------------------------------------------------------------------

static _Noreturn void malformed(const struct watcher *watcher, const char *line)
{
    world_fail(watcher->world, SIM_CORRECTNESS, "watch", "watcher %u was sent %.200s",
               watcher->index, line);
}

static const char *value_of(const char *line, const char *name)
{
    const char *at = strstr(line, name);

    return at != NULL ? at + strlen(name) : NULL;
}

static uint64_t number_of(const char *line, const char *name)
{
    const char *at = value_of(line, name);

    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

static bool parse_kind(const char *line, enum told_kind *kind)
{
    static const char *const names[TOLD_COUNT] = {
#define TOLD_NAME(NAME, name) "{\"event\":\"" #name "\"",
        TOLD_KINDS(TOLD_NAME)
#undef TOLD_NAME
    };

    for (unsigned i = 0; i < TOLD_COUNT; i++) {
        if (strncmp(line, names[i], strlen(names[i])) == 0) {
            *kind = (enum told_kind)i;
            return true;
        }
    }
    return false;
}

static void parse_path(const char *line, struct told_event *event)
{
    const char *path = value_of(line, "\"path\":\"");
    size_t length = path != NULL ? strcspn(path, "\"") : 0;

    ASSERT(length < WATCHED_PATH_BYTES);
    if (path != NULL)
        memcpy(event->path, path, length);
}

static struct told_event parse(const struct watcher *watcher, const char *line)
{
    struct told_event event = {0};
    const char *id = value_of(line, "\"id\":\"");

    if (!parse_kind(line, &event.kind))
        malformed(watcher, line);
    parse_path(line, &event);
    event.zxid = number_of(line, "\"zxid\":");
    event.mzxid = number_of(line, "\"mzxid\":");
    event.has_id = id != NULL;
    if (id != NULL) {
        const char *dot = strchr(id, '.');
        if (dot == NULL || strtoull(dot + 1, NULL, 10) != event.zxid)
            malformed(watcher, line);
    }
    return event;
}

static void take(struct watcher *watcher, const struct told_event *event)
{
    if (watcher->count == watcher->capacity) {
        watcher->capacity = watcher->capacity * 2 + 256;
        watcher->events =
            memory_realloc(watcher->events, watcher->capacity * sizeof *watcher->events);
    }
    watcher->greeted = true;
    watcher->events[watcher->count++] = *event;
    if (event->kind == TOLD_RESET)
        world_count(watcher->world, COUNT_RESETS_TOLD);
    if (event->kind <= TOLD_CHILDREN)
        world_count(watcher->world, COUNT_TOLD);
    if (!event->has_id)
        return;
    watcher->has_id = true;
    watcher->last_id = event->zxid;
    watcher->sure = watcher->count;
}

static void take_line(struct watcher *watcher, const char *line)
{
    static const char heartbeat[] = "{\"event\":\"heartbeat\"";

    world_note(watcher->world, line, strlen(line));
    if (strncmp(line, heartbeat, sizeof heartbeat - 1) == 0)
        return;
    struct told_event event = parse(watcher, line);
    world_log(watcher->world, watcher->node, "watcher %u: %.120s", watcher->index, line);
    take(watcher, &event);
}

static void take_bytes(struct watcher *watcher, const char *bytes, size_t length)
{
    const char *end;

    while ((end = memchr(bytes, '\n', length)) != NULL) {
        size_t part = (size_t)(end - bytes);
        buffer_append(&watcher->line, bytes, part);
        buffer_u8(&watcher->line, '\0');
        take_line(watcher, (const char *)watcher->line.data);
        buffer_clear(&watcher->line);
        bytes += part + 1;
        length -= part + 1;
    }
    buffer_append(&watcher->line, bytes, length);
}

// ---- Connections ---------------------------------------------------------------------------------

static void disconnect(struct watcher *watcher)
{
    struct stream *stream = watcher->stream;

    if (watcher->node == NULL)
        return;
    watcher->stream = NULL;
    watcher->node = NULL;
    watcher->connection++;
    watcher->asleep = false;
    stream_unref(stream);
    buffer_clear(&watcher->line);
    watcher->count = watcher->sure;
    later(watcher, 10 * MILLISECOND_NS);
}

static void resume(void *context)
{
    struct watcher *watcher = context;

    watcher->asleep = false;
    later(watcher, READ_NS);
}

static struct node *choose_node(struct world *world)
{
    struct node *node = &world->nodes[choose(&world->choices, (uint32_t)world->swarm.nodes)];

    for (size_t i = 0; i < world->swarm.nodes && world->healing; i++) {
        if ((world->core >> node->index & 1) != 0)
            break;
        node = &world->nodes[(node->index + 1u) % world->swarm.nodes];
    }
    return node;
}

// As the browser's, or as the parameter `since`.
static void say_where(const struct watcher *watcher, struct request *request, char id[EVENT_ID_MAX])
{
    uint32_t tag = request->service->cluster_tag;

    if (!watcher->has_id)
        return;
    if (choose(&watcher->world->choices, 2) == 0) {
        event_id_write(id, tag, watcher->last_id);
        request->headers.value[HEADER_LAST_EVENT_ID] = id;
    } else {
        request->query.given |= QUERY_BIT(SINCE);
        request->query.since = (struct event_id){.zxid = watcher->last_id};
    }
    world_count(watcher->world, COUNT_RESUMES);
}

static void connect(struct watcher *watcher)
{
    struct world *world = watcher->world;
    struct node *node = choose_node(world);
    struct request request = {.method = METHOD_GET};
    char id[EVENT_ID_MAX];

    if (!node->up || node->paused_until_ns > world->now_ns) {
        later(watcher, 10 * MILLISECOND_NS);
        return;
    }
    request.service = notifier_service(node);
    request.headers.value[HEADER_ACCEPT] = "application/x-ndjson";
    request.query.given = QUERY_BIT(PATH);
    request.query.value[QUERY_PATH] = (int64_t)watcher->path_count;
    request.query.value[QUERY_RECURSIVE] = watcher->recursive;
    request.query.value[QUERY_INITIAL] = watcher->initial;
    request.query.value[QUERY_DATA] = watcher->with_data;
    buffer_append(&request.query.paths, watcher->paths.data, watcher->paths.length);
    say_where(watcher, &request, id);
    watch_get(&request);
    buffer_deinit(&request.query.paths);
    ASSERT(request.reply.status == 200);
    watcher->node = node;
    watcher->stream = request.reply.stream;
    watcher->greeted = false;
    watcher->leave_ns = world->now_ns + choose_delay(&world->choices, STAY_NS);
    stream_attach(watcher->stream, resume, watcher);
    notifier_look(node);
    later(watcher, READ_NS);
    look_at(watcher, watcher->leave_ns - world->now_ns);
}

static void read_some(struct watcher *watcher)
{
    static const uint32_t rooms[] = {PIECE_BYTES, PIECE_BYTES, 1000, 100};
    struct world *world = watcher->world;
    uint32_t room = rooms[choose(&world->choices, 4)];
    static char piece[PIECE_BYTES];

    ssize_t length = stream_read(watcher->stream, piece, room);
    notifier_look(watcher->node);
    if (length < 0) {
        disconnect(watcher);
        return;
    }
    take_bytes(watcher, piece, (size_t)length);
    if (length == 0 && stream_sleep(watcher->stream))
        watcher->asleep = true;
    else
        later(watcher, READ_NS);
}

static bool has_enough(const struct watcher *watcher)
{
    const struct world *world = watcher->world;

    if (world->healing)
        return (world->core >> watcher->node->index & 1) == 0;
    return world->now_ns >= watcher->leave_ns;
}

void watchers_on_event(struct world *world, struct event *event)
{
    struct watcher *watcher = &world->watchers->all[event->a];

    if (event->b != watcher->connection)
        return;
    if (watcher->node == NULL) {
        connect(watcher);
        return;
    }
    if (watcher->node->paused_until_ns > world->now_ns) {
        look_at(watcher, watcher->node->paused_until_ns - world->now_ns);
        return;
    }
    if (has_enough(watcher))
        disconnect(watcher);
    else if (!watcher->asleep)
        read_some(watcher);
}

// ---- All -----------------------------------------------------------------------------------------

static void add_path(struct watcher *watcher, const char *prefix)
{
    struct world *world = watcher->world;
    char path[WATCHED_PATH_BYTES];

    if (prefix[0] != 'k' && prefix[0] != 'e')
        snprintf(path, sizeof path, "/%s", prefix);
    else
        snprintf(path, sizeof path, "/%s%u", prefix,
                 choose(&world->choices, (uint32_t)world->swarm.keys));
    buffer_append(&watcher->paths, path, strlen(path) + 1);
    watcher->path_count++;
}

static void make(struct world *world, struct watcher *watcher)
{
    static const char *const prefixes[] = {"", "k", "e", "s", "m0", "k"};
    uint32_t paths = 1 + choose(&world->choices, PATHS_MAX);

    watcher->world = world;
    watcher->recursive = choose(&world->choices, 2) == 1;
    watcher->initial = choose(&world->choices, 2) == 1;
    watcher->with_data = choose(&world->choices, 2) == 1;
    for (uint32_t i = 0; i < paths; i++)
        add_path(watcher, prefixes[choose(&world->choices, 6)]);
    later(watcher, 20 * MILLISECOND_NS);
}

void watchers_make(struct world *world)
{
    struct watchers *watchers = memory_zalloc(sizeof *watchers);

    world->watchers = watchers;
    watchers->count = world->swarm.watchers;
    watchers->all = memory_zalloc((watchers->count + 1) * sizeof *watchers->all);
    for (uint16_t i = 0; i < watchers->count; i++) {
        watchers->all[i].index = i;
        make(world, &watchers->all[i]);
    }
}

void watchers_free(struct world *world)
{
    for (size_t i = 0; i < world->watchers->count; i++) {
        struct watcher *watcher = &world->watchers->all[i];
        ASSERT(watcher->node == NULL);
        buffer_deinit(&watcher->paths);
        buffer_deinit(&watcher->line);
        free(watcher->events);
    }
    free(world->watchers->all);
    free(world->watchers);
}

void watchers_node_down(struct node *node)
{
    struct watchers *watchers = node->world->watchers;

    for (size_t i = 0; i < watchers->count; i++) {
        if (watchers->all[i].node == node)
            disconnect(&watchers->all[i]);
    }
}

void watchers_heal(struct world *world)
{
    for (size_t i = 0; i < world->watchers->count; i++)
        look_at(&world->watchers->all[i], MILLISECOND_NS);
}

bool watchers_settled(const struct world *world)
{
    for (size_t i = 0; i < world->watchers->count; i++) {
        const struct watcher *watcher = &world->watchers->all[i];
        if (watcher->node == NULL || !watcher->asleep || !watcher->greeted ||
            (world->core >> watcher->node->index & 1) == 0 || notifier_busy(watcher->node))
            return false;
    }
    return true;
}

size_t watchers_count(const struct world *world)
{
    return world->watchers->count;
}

struct told watchers_told(const struct world *world, size_t index)
{
    const struct watcher *watcher = &world->watchers->all[index];

    return (struct told){.paths = (const char *)watcher->paths.data,
                         .path_count = watcher->path_count,
                         .recursive = watcher->recursive,
                         .snapshot = watcher->initial,
                         .events = watcher->events,
                         .count = watcher->sure};
}
