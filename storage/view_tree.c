// SPDX-License-Identifier: Apache-2.0
// Listing of a subtree in path order, without recursion: paths can be 30,000 levels deep.
//
// The listing's place is two things: the stack of nodes whose children are being listed, and the
// path of the node that was visited last. What follows the topmost node's path in it is the name
// behind which the listing goes on.
#include <string.h>

#include "storage/view_internal.h"

enum { LEVEL_BYTES = 12 };

struct level {
    uint64_t id;
    uint32_t path_length;
};

struct listing {
    struct view *view;
    uint32_t depth;
    bool with_data;
    znode_visit visit;
    void *context;
    bool stopped;
};

// ---- The place ---------------------------------------------------------------------------------

static void push_level(struct view *view, uint64_t id)
{
    buffer_u64(&view->levels, id);
    buffer_u32(&view->levels, (uint32_t)view->path.length);
}

static struct level top_level(const struct view *view)
{
    const uint8_t *at = view->levels.data + view->levels.length - LEVEL_BYTES;

    return (struct level){.id = bytes_get_u64(at), .path_length = bytes_get_u32(at + 8)};
}

static size_t level_count(const struct view *view)
{
    return view->levels.length / LEVEL_BYTES;
}

// Where a child's name starts in the path.
static size_t name_offset(const struct level *level)
{
    return level->path_length == 1 ? 1 : (size_t)level->path_length + 1;
}

static void set_child_path(struct view *view, const struct level *level, const char *name,
                           size_t length)
{
    view->path.length = level->path_length;
    if (level->path_length > 1)
        buffer_u8(&view->path, '/');
    buffer_append(&view->path, name, length);
}

static enum error visit_node(struct listing *listing, const struct spot *spot)
{
    struct view *view = listing->view;
    struct znode node;

    enum error error = view_describe(view, spot, listing->with_data, &node);
    if (error != ERROR_OK)
        return error;
    node.name = (const char *)view->path.data;
    node.name_length = view->path.length;
    listing->stopped = !listing->visit(listing->context, &node);
    return ERROR_OK;
}

// ---- The walk ----------------------------------------------------------------------------------

// Takes the child in `row`: visits it and, if there is something to list below it, goes down.
static enum error take_child(struct listing *listing, const struct level *level,
                             const struct row *row, bool *down)
{
    struct view *view = listing->view;
    struct spot spot;

    enum error error = node_decode(row->key, row->value, &spot);
    if (error != ERROR_OK)
        return error;
    set_child_path(view, level, (const char *)row->key.data + 8, row->key.length - 8);
    if (view->path.length > ZNODE_PATH_MAX)
        return ERROR_CORRUPT;
    *down = level_count(view) < listing->depth && spot.node.num_children > 0;
    error = visit_node(listing, &spot);
    if (*down)
        push_level(view, spot.node.id);
    return error;
}

static enum error walk(struct listing *listing)
{
    struct view *view = listing->view;
    bool beside = false; // the cursor stands at the node that was visited last

    while (view->levels.length > 0 && !listing->stopped) {
        struct level level = top_level(view);
        size_t offset = name_offset(&level);
        size_t length = view->path.length > offset ? view->path.length - offset : 0;
        const char *after = (const char *)view->path.data + offset;
        struct row row;
        bool down;
        enum error error = beside ? view_next_child(view, level.id, &row)
                                  : view_seek_child(view, level.id, after, length, &row);
        if (error == ERROR_MISSING) {
            view->path.length = level.path_length;
            view->levels.length -= LEVEL_BYTES;
            beside = false;
            continue;
        }
        if (error == ERROR_OK)
            error = take_child(listing, &level, &row, &down);
        if (error != ERROR_OK)
            return error;
        beside = !down;
    }
    return ERROR_OK;
}

// ---- The start ---------------------------------------------------------------------------------

// Order of paths by components: a parent before its children, and siblings by the bytes of their
// names.
static int compare_paths(const char *a, size_t a_length, const char *b, size_t b_length)
{
    for (size_t i = 0; i < a_length && i < b_length; i++) {
        uint8_t left = a[i] == '/' ? 0 : (uint8_t)a[i];
        uint8_t right = b[i] == '/' ? 0 : (uint8_t)b[i];
        if (left != right)
            return left < right ? -1 : 1;
    }
    return (a_length > b_length) - (a_length < b_length);
}

static bool at_or_below(const char *path, size_t length, const char *top, size_t top_length)
{
    return length >= top_length && memcmp(path, top, top_length) == 0 &&
           (length == top_length || top_length == 1 || path[top_length] == '/');
}

// Goes down from the top to `after`, as far as it still exists and is listed.
static enum error resume(struct listing *listing, const char *after, size_t length)
{
    struct view *view = listing->view;
    struct level level = top_level(view);
    size_t start = name_offset(&level);
    struct spot spot;

    while (start < length) {
        const char *slash = memchr(after + start, '/', length - start);
        size_t end = slash != NULL ? (size_t)(slash - after) : length;
        level = top_level(view);
        set_child_path(view, &level, after + start, end - start);
        enum error error =
            tree_child(&view->transaction, level.id, after + start, end - start, &spot);
        if (error == ERROR_NO_NODE)
            return ERROR_OK;
        if (error != ERROR_OK || level_count(view) == listing->depth)
            return error;
        push_level(view, spot.node.id);
        start = end + 1;
    }
    return ERROR_OK;
}

static enum error start(struct listing *listing, const struct spot *top, const char *after,
                        size_t after_length)
{
    struct view *view = listing->view;
    size_t length = view->path.length;
    const char *path = (const char *)view->path.data;

    if (after != NULL && at_or_below(after, after_length, path, length)) {
        if (listing->depth == 0)
            return ERROR_OK;
        push_level(view, top->node.id);
        return resume(listing, after, after_length);
    }
    if (after != NULL && compare_paths(after, after_length, path, length) > 0)
        return ERROR_OK;
    enum error error = visit_node(listing, top);
    if (listing->depth > 0)
        push_level(view, top->node.id);
    return error;
}

enum error view_tree(struct view *view, const char *path, size_t length, const char *after,
                     size_t after_length, uint32_t depth, bool with_data, znode_visit visit,
                     void *context, bool *more)
{
    struct listing listing = {
        .view = view, .depth = depth, .with_data = with_data, .visit = visit, .context = context};
    struct spot top;

    *more = false;
    enum error error = tree_find(&view->transaction, path, length, &top);
    if (error != ERROR_OK)
        return error;
    buffer_clear(&view->levels);
    buffer_clear(&view->path);
    buffer_append(&view->path, path, length);
    error = start(&listing, &top, after, after_length);
    if (error == ERROR_OK)
        error = walk(&listing);
    *more = listing.stopped;
    return error;
}
