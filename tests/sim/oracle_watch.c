// SPDX-License-Identifier: Apache-2.0
// What watchers were told, held against the changes of the model: everything that they watch, in order,
// once, whole, up to each id that they were given; and a reset only where the history, as it was at that
// zxid, does not reach back.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "storage/history.h"
#include "storage/path.h"
#include "tests/sim/oracle_internal.h"
#include "tests/sim/watcher.h"

struct checking {
    struct world *world;
    size_t watcher;
    struct told told;
    const struct model_change *changes;
    size_t change_count;
    const uint64_t *starts; // of the history, by zxid
    uint64_t last_zxid;
    size_t at;         // change that comes next
    uint64_t position; // everything up to there was told
};

// Where a watched znode stands while a snapshot is put together.
struct seen {
    const char *path;
    uint64_t mzxid;
};

struct picture {
    struct seen *all;
    size_t count;
    size_t capacity;
};

#define FAILS(checking, oracle, format, ...)                                                       \
    world_fail((checking)->world, SIM_CORRECTNESS, oracle, "watcher %zu: " format,                 \
               (checking)->watcher, __VA_ARGS__)

// ---- The filter ----------------------------------------------------------------------------------

static bool covers(const struct told *told, const char *watched, const char *path, size_t length)
{
    size_t prefix = strlen(watched);

    if (length == prefix && memcmp(watched, path, length) == 0)
        return true;
    return told->recursive && length > prefix && memcmp(watched, path, prefix) == 0 &&
           (prefix == 1 || path[prefix] == '/');
}

static bool is_watched(const struct told *told, const char *path, size_t length)
{
    const char *watched = told->paths;

    for (size_t i = 0; i < told->path_count; i++) {
        if (covers(told, watched, path, length))
            return true;
        watched += strlen(watched) + 1;
    }
    return false;
}

static bool is_of_child(const struct told *told, const struct model_change *change)
{
    size_t length = strlen(change->path);

    return !told->recursive && change->kind != CHANGE_CHANGED && length > 1 &&
           is_watched(told, change->path, path_parent_length(change->path, length));
}

// ---- Changes -------------------------------------------------------------------------------------

static bool same_path(const struct told_event *event, const char *path, size_t length)
{
    return strlen(event->path) == length && memcmp(event->path, path, length) == 0;
}

static bool is_node_event(const struct told_event *event, const struct model_change *change)
{
    static const uint8_t kinds[] = {[CHANGE_CREATED] = TOLD_CREATED,
                                    [CHANGE_CHANGED] = TOLD_CHANGED,
                                    [CHANGE_DELETED] = TOLD_DELETED};

    return event->kind == kinds[change->kind] && event->zxid == change->zxid &&
           same_path(event, change->path, strlen(change->path)) &&
           (change->kind == CHANGE_DELETED || event->mzxid == change->zxid);
}

static bool is_children_event(const struct told_event *event, const struct model_change *change)
{
    return event->kind == TOLD_CHILDREN && event->zxid == change->zxid &&
           same_path(event, change->path, path_parent_length(change->path, strlen(change->path)));
}

// What a change is told as is what comes next.
static size_t expect_change(const struct checking *checking, const struct model_change *change,
                            size_t from, size_t to)
{
    const struct told *told = &checking->told;
    bool node = is_watched(told, change->path, strlen(change->path));
    bool child = is_of_child(told, change);
    size_t at = from;

    if (node && (at == to || !is_node_event(&told->events[at++], change)))
        FAILS(checking, "reliable", "was not told of %s at zxid %" PRIu64 ", where it should have",
              change->path, change->zxid);
    if (child && (at == to || !is_children_event(&told->events[at++], change)))
        FAILS(checking, "reliable", "was not told of the children when %s changed at zxid %" PRIu64,
              change->path, change->zxid);
    return at;
}

// Events [from, to) are all that happened above the position, up to the last one's zxid.
static void check_changes(struct checking *checking, size_t from, size_t to)
{
    const struct told_event *last = &checking->told.events[to - 1];
    size_t end = last->kind == TOLD_BOOKMARK ? to - 1 : to;

    while (checking->at < checking->change_count &&
           checking->changes[checking->at].zxid <= last->zxid)
        from = expect_change(checking, &checking->changes[checking->at++], from, end);
    if (from != end)
        FAILS(checking, "unique", "was told of %s at zxid %" PRIu64 " again, or without a cause",
              checking->told.events[from].path, checking->told.events[from].zxid);
}

// ---- Snapshots -----------------------------------------------------------------------------------

static struct seen *find(const struct picture *picture, const char *path)
{
    for (size_t i = 0; i < picture->count; i++) {
        if (strcmp(picture->all[i].path, path) == 0)
            return &picture->all[i];
    }
    return NULL;
}

static void put(struct picture *picture, const char *path, uint64_t mzxid)
{
    struct seen *seen = find(picture, path);

    if (seen == NULL) {
        if (picture->count == picture->capacity) {
            picture->capacity = picture->capacity * 2 + 64;
            picture->all = memory_realloc(picture->all, picture->capacity * sizeof *picture->all);
        }
        seen = &picture->all[picture->count++];
    }
    *seen = (struct seen){.path = path, .mzxid = mzxid};
}

static void take_out(struct picture *picture, const char *path)
{
    struct seen *seen = find(picture, path);

    if (seen != NULL)
        *seen = picture->all[--picture->count];
}

static void paint_told(struct picture *picture, const struct told_event *event)
{
    switch (event->kind) {
    case TOLD_CREATED:
    case TOLD_CHANGED:
    case TOLD_SNAPSHOT:
        put(picture, event->path, event->mzxid);
        break;
    case TOLD_DELETED:
        take_out(picture, event->path);
        break;
    case TOLD_RESET:
        picture->count = 0;
        break;
    default:
        break;
    }
}

static bool is_initial(const char *path)
{
    return strcmp(path, "/") == 0 || strncmp(path, "/zookeeper", 10) == 0;
}

// What the reader knows at the closing bookmark is what there was at its zxid.
static void compare_pictures(const struct checking *checking, const struct picture *told,
                             const struct picture *real, uint64_t zxid)
{
    size_t count = 0;

    for (size_t i = 0; i < real->count; i++) {
        const struct seen *seen = find(told, real->all[i].path);
        if (seen == NULL || seen->mzxid != real->all[i].mzxid)
            FAILS(checking, "snapshot",
                  "%s was changed at zxid %" PRIu64 ", not at %" PRIu64
                  " as told in the snapshot of %" PRIu64,
                  real->all[i].path, real->all[i].mzxid, seen != NULL ? seen->mzxid : 0, zxid);
    }
    for (size_t i = 0; i < told->count; i++)
        count += !is_initial(told->all[i].path);
    if (count != real->count)
        FAILS(checking, "snapshot", "%zu znodes are told of at zxid %" PRIu64 ", which has %zu",
              count, zxid, real->count);
}

static void check_snapshot(struct checking *checking, size_t from, size_t to)
{
    const struct told *told = &checking->told;
    uint64_t zxid = told->events[to - 1].zxid;
    struct picture painted = {0}, real = {0};

    if (told->events[to - 1].kind != TOLD_BOOKMARK)
        FAILS(checking, "snapshot", "the snapshot of %" PRIu64 " has no end", zxid);
    for (size_t i = from; i < to; i++)
        paint_told(&painted, &told->events[i]);
    for (checking->at = 0;
         checking->at < checking->change_count && checking->changes[checking->at].zxid <= zxid;
         checking->at++) {
        const struct model_change *change = &checking->changes[checking->at];
        if (!is_watched(told, change->path, strlen(change->path)))
            continue;
        if (change->kind == CHANGE_DELETED)
            take_out(&real, change->path);
        else
            put(&real, change->path, change->zxid);
    }
    compare_pictures(checking, &painted, &real, zxid);
    free(painted.all);
    free(real.all);
}

// ---- Groups --------------------------------------------------------------------------------------

// A function of the zxid, whichever node was asked.
static void check_reset(const struct checking *checking, const struct told_event *reset)
{
    if (reset->zxid > checking->last_zxid || checking->starts[reset->zxid] == UINT64_MAX)
        FAILS(checking, "resumable", "zxid %" PRIu64 " of a reset is none of a state", reset->zxid);
    if (checking->starts[reset->zxid] <= checking->position)
        FAILS(checking, "resumable",
              "was reset at zxid %" PRIu64 ", where the history reaches back to %" PRIu64
              " and it had %" PRIu64,
              reset->zxid, checking->starts[reset->zxid], checking->position);
}

// Events with an id at the last one.
static void check_group(struct checking *checking, size_t from, size_t to)
{
    const struct told_event *events = checking->told.events;
    bool snapshot = from == 0 && checking->told.snapshot;

    for (size_t i = from; i < to; i++) {
        snapshot |= events[i].kind == TOLD_RESET;
        if (events[i].kind == TOLD_RESET)
            check_reset(checking, &events[i]);
        if (events[i].zxid < checking->position ||
            (i > from && events[i].zxid < events[i - 1].zxid))
            FAILS(checking, "ordered", "zxid %" PRIu64 " comes behind %" PRIu64, events[i].zxid,
                  i > from ? events[i - 1].zxid : checking->position);
    }
    if (snapshot)
        check_snapshot(checking, from, to);
    else if (from == 0) // where it began
        while (checking->at < checking->change_count &&
               checking->changes[checking->at].zxid <= events[to - 1].zxid)
            checking->at++;
    else
        check_changes(checking, from, to);
    checking->position = events[to - 1].zxid;
}

// Nothing is left that it should have been told of.
static void check_end(struct checking *checking)
{
    if (checking->told.count == 0)
        FAILS(checking, "reliable", "was told of %s", "nothing");
    for (; checking->at < checking->change_count; checking->at++)
        expect_change(checking, &checking->changes[checking->at], 0, 0);
}

void oracle_check_watchers(struct world *world, const struct model *model, const uint64_t *starts,
                           uint64_t last_zxid)
{
    struct checking checking = {.world = world, .starts = starts, .last_zxid = last_zxid};

    checking.changes = model_changes(model, &checking.change_count);
    for (size_t i = 0; i < watchers_count(world); i++) {
        size_t from = 0;
        checking.watcher = i;
        checking.told = watchers_told(world, i);
        checking.at = 0;
        checking.position = 0;
        for (size_t to = 1; to <= checking.told.count; to++) {
            if (!checking.told.events[to - 1].has_id)
                continue;
            check_group(&checking, from, to);
            from = to;
        }
        check_end(&checking);
    }
}
