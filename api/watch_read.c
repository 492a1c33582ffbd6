// SPDX-License-Identifier: Apache-2.0
// A snapshot is listed page by page, each from a view of its own. Before a page come the changes up to
// its zxid: those of znodes that were listed before are written, the others are already in what will
// be listed. So at the end the reader's picture is the state at the last page's zxid.
#include "api/watch.h"
#include "storage/history.h"
#include "storage/path.h"

static bool is_full(const struct watch *watch)
{
    return watch->writer.into->length >= STREAM_PIECE_BYTES;
}

void watch_bookmark(struct watch *watch)
{
    event_open(&watch->writer, "bookmark", NULL, 0, watch->position);
    event_close(&watch->writer, true);
}

enum stream_step watch_fail(struct watch *watch, enum error error)
{
    event_problem(&watch->writer, error, error_entry(error)->title, watch->position,
                  watch->request_id);
    watch->phase = WATCH_FAILED;
    return STREAM_END;
}

enum stream_step watch_reset(struct watch *watch, const char *reason, uint64_t zxid)
{
    event_open(&watch->writer, "reset", NULL, 0, zxid);
    event_text(&watch->writer, "reason", reason);
    counter_add(&watch->service->metrics.resets, 1);
    event_close(&watch->writer, false);
    watch->phase = WATCH_SNAPSHOT;
    watch->position = zxid;
    watch->written = 0;
    watch->root = 0;
    buffer_clear(&watch->cursor);
    return STREAM_MORE;
}

// ---- Changes -----------------------------------------------------------------------------------

struct reading {
    struct watch *watch;
    struct view *view;
    uint32_t index; // of the change within its zxid
    bool full;      // stopped before the end
};

// Whether the path is watched and, during a snapshot, was listed already.
static bool is_due(const struct watch *watch, const char *path, size_t length)
{
    const struct buffer *cursor = &watch->cursor;
    long root = filter_find(&watch->filter, path, length);

    if (root == FILTER_NONE || watch->phase == WATCH_FOLLOW)
        return root != FILTER_NONE;
    if ((size_t)root != watch->root)
        return (size_t)root < watch->root;
    return cursor->length > 0 &&
           filter_order(path, length, (const char *)cursor->data, cursor->length) <= 0;
}

// A value that the history left out is the node's, as long as nobody has written another.
static void write_left_out(struct reading *reading, const struct change *change)
{
    struct event_writer *writer = &reading->watch->writer;
    struct znode node;

    if (view_get(reading->view, change->path, change->path_length, true, &node) == ERROR_OK &&
        node.stat.mzxid == change->zxid && node.stat.version == change->stat.version)
        event_data(writer, node.data, node.stat.data_length, node.null_data);
    else
        event_data_omitted(writer);
}

static void write_node(struct reading *reading, const struct change *change)
{
    static const char *const kinds[] = {
        [CHANGE_CREATED] = "created", [CHANGE_CHANGED] = "changed", [CHANGE_DELETED] = "deleted"};
    struct watch *watch = reading->watch;

    event_open(&watch->writer, kinds[change->kind], change->path, change->path_length,
               change->zxid);
    event_stat(&watch->writer, &change->stat);
    counter_add(&watch->service->metrics.events, 1);
    if (!watch->with_data || change->kind == CHANGE_DELETED)
        return;
    if (change->data_left_out)
        write_left_out(reading, change);
    else
        event_data(&watch->writer, change->data, change->data_length, change->null_data);
}

static void write_children(struct watch *watch, const struct change *change, size_t parent_length)
{
    event_open(&watch->writer, "children", change->path, parent_length, change->zxid);
    event_stat(&watch->writer, &change->parent);
    counter_add(&watch->service->metrics.events, 1);
}

// Rule W10: the znode first, then its parent's children. A recursive watch has no children events.
static bool write_change(struct reading *reading, const struct change *change)
{
    struct watch *watch = reading->watch;
    size_t parent_length =
        change->path_length > 1 ? path_parent_length(change->path, change->path_length) : 0;
    bool node = is_due(watch, change->path, change->path_length);
    bool parent = !watch->filter.recursive && change->kind != CHANGE_CHANGED && parent_length > 0 &&
                  is_due(watch, change->path, parent_length);

    if ((node || parent) && is_full(watch))
        return false;
    if (node)
        write_node(reading, change);
    if (parent)
        write_children(watch, change, parent_length);
    return true;
}

// An id stands on the last event of a zxid, which is known when its last change was seen. During a
// snapshot there are none. When the piece is full in the middle of a zxid, what follows has an event.
static bool visit(void *context, const struct change *change)
{
    struct reading *reading = context;
    struct watch *watch = reading->watch;

    if (change->zxid > watch->last)
        return false;
    if (reading->index++ < watch->written && change->zxid == watch->position + 1)
        return true;
    if (!write_change(reading, change)) {
        event_close(&watch->writer, false);
        watch->position = change->zxid - 1;
        watch->written = reading->index - 1;
        reading->full = true;
        return false;
    }
    if (change->last) {
        event_close(&watch->writer, watch->phase == WATCH_FOLLOW);
        watch->position = change->zxid;
        watch->written = reading->index = 0;
    }
    return true;
}

// Writes the changes up to the view's zxid, or to the last that matters. *full: there are more.
static enum error read_changes(struct watch *watch, struct view *view, bool *full)
{
    struct reading reading = {.watch = watch, .view = view};
    uint64_t end = view_position(view)->zxid;
    if (end > watch->last)
        end = watch->last;

    enum error error = view_changes(view, watch->position, visit, &reading);
    *full = reading.full;
    if (error == ERROR_OK && !reading.full && end > watch->position)
        watch->position = end;
    return error;
}

static enum stream_step follow(struct watch *watch, struct view *view)
{
    bool full = false;

    if (view_history_start(view) > watch->position)
        return watch_reset(watch, "history", view_position(view)->zxid);
    enum error error = read_changes(watch, view, &full);
    if (error != ERROR_OK)
        return watch_fail(watch, error);
    watch->behind = full;
    return full ? STREAM_MORE : STREAM_IDLE;
}

// Between two changes that concern a stream there can be many that do not, and many streams: none of
// them reads what is between.
static bool take_range(struct watch *watch)
{
    struct hub_range range;

    if (!hub_take(watch->service->hub, &watch->wait, &watch->position, &range))
        return false;
    watch->last = range.last;
    return true;
}

// The view comes after the range, so it has all of it.
enum stream_step watch_follow(struct watch *watch)
{
    enum stream_step step = STREAM_IDLE;
    struct live_view view;

    while (step == STREAM_IDLE && (watch->behind || take_range(watch))) {
        enum error error = live_acquire(watch->service->live, &view);
        if (error != ERROR_OK)
            return watch_fail(watch, error);
        step = follow(watch, view.view);
        live_release(watch->service->live, &view);
    }
    return step;
}

// ---- Snapshots ---------------------------------------------------------------------------------

static void write_snapshot(struct watch *watch, const char *path, size_t length,
                           const struct znode *node)
{
    event_open(&watch->writer, "snapshot", path, length, watch->position);
    event_stat(&watch->writer, &node->stat);
    if (watch->with_data)
        event_data(&watch->writer, node->data, node->stat.data_length, node->null_data);
    event_close(&watch->writer, false);
    buffer_clear(&watch->cursor);
    buffer_append(&watch->cursor, path, length);
}

static bool visit_node(void *context, const struct znode *node)
{
    struct watch *watch = context;

    if (is_full(watch))
        return false;
    write_snapshot(watch, node->name, node->name_length, node);
    return true;
}

static enum error list_tree(struct watch *watch, struct view *view, bool *more)
{
    const struct filter_path *root = &watch->filter.paths[watch->root];
    struct buffer after = watch->cursor;

    watch->cursor = (struct buffer){0};
    buffer_append(&watch->cursor, after.data, after.length);
    enum error error = view_tree(view, root->path, root->length,
                                 after.length > 0 ? (const char *)after.data : NULL, after.length,
                                 UINT32_MAX, watch->with_data, visit_node, watch, more);
    buffer_deinit(&after);
    return error;
}

static enum error list_node(struct watch *watch, struct view *view, bool *more)
{
    const struct filter_path *root = &watch->filter.paths[watch->root];
    struct znode node;

    *more = is_full(watch);
    if (*more)
        return ERROR_OK;
    enum error error = view_get(view, root->path, root->length, watch->with_data, &node);
    if (error == ERROR_OK)
        write_snapshot(watch, root->path, root->length, &node);
    return error;
}

// Lists what fits; *more tells that something is left.
static enum error list_page(struct watch *watch, struct view *view, bool *more)
{
    *more = false;
    while (watch->root < watch->filter.count) {
        enum error error =
            watch->filter.recursive ? list_tree(watch, view, more) : list_node(watch, view, more);
        if (error != ERROR_OK && error != ERROR_NO_NODE)
            return error;
        if (*more)
            return ERROR_OK;
        watch->root++;
        buffer_clear(&watch->cursor);
    }
    return ERROR_OK;
}

static enum stream_step snapshot(struct watch *watch, struct view *view)
{
    bool full = false;

    if (view_history_start(view) > watch->position)
        return watch_reset(watch, "history", view_position(view)->zxid);
    enum error error = read_changes(watch, view, &full);
    if (error == ERROR_OK && !full)
        error = list_page(watch, view, &full);
    if (error != ERROR_OK)
        return watch_fail(watch, error);
    if (full)
        return STREAM_MORE;
    watch_bookmark(watch);
    watch->phase = WATCH_FOLLOW;
    watch->behind = true;
    return STREAM_MORE;
}

enum stream_step watch_snapshot(struct watch *watch)
{
    struct live *live = watch->service->live;
    struct live_view view;

    watch->last = UINT64_MAX;
    enum error error = live_acquire(live, &view);
    if (error != ERROR_OK)
        return watch_fail(watch, error);
    enum stream_step step = snapshot(watch, view.view);
    live_release(live, &view);
    return step;
}
