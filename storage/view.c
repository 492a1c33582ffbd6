// SPDX-License-Identifier: Apache-2.0
// Consistent reads: one LMDB read transaction each. Transactions are kept and renewed, because
// beginning one takes a lock that all readers share.
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "storage/keys.h"
#include "storage/position.h"
#include "storage/view_internal.h"

enum { KEPT_BUFFER_BYTES = 64 << 10 }; // larger buffers are not kept with an idle view

// ---- Open and close ----------------------------------------------------------------------------

static struct view *take_idle(struct state *state)
{
    pthread_mutex_lock(&state->lock);
    struct view *view = state->idle;
    if (view != NULL)
        state->idle = view->next;
    pthread_mutex_unlock(&state->lock);
    return view;
}

static void put_idle(struct view *view)
{
    struct state *state = view->state;

    pthread_mutex_lock(&state->lock);
    view->next = state->idle;
    state->idle = view;
    pthread_mutex_unlock(&state->lock);
}

static void trim(struct buffer *buffer)
{
    if (buffer->capacity > KEPT_BUFFER_BYTES)
        buffer_deinit(buffer);
}

static void view_free(struct view *view)
{
    if (view->transaction.handle != NULL)
        transaction_end_read(&view->transaction);
    buffer_deinit(&view->data);
    buffer_deinit(&view->path);
    buffer_deinit(&view->levels);
    buffer_deinit(&view->changes);
    buffer_deinit(&view->change_path);
    free(view);
}

static enum error read_position(struct view *view)
{
    struct reader reader;
    struct bytes value;

    enum error error = table_get(&view->transaction, TABLE_META, META_POSITION, &value);
    if (error != ERROR_OK)
        return error == ERROR_MISSING ? ERROR_CORRUPT : error;
    reader_init(&reader, value.data, value.length);
    position_read(&reader, &view->position);
    return reader_done(&reader) ? ERROR_OK : ERROR_CORRUPT;
}

enum error view_open(struct state *state, struct view **view)
{
    struct view *opened = take_idle(state);
    enum error error;

    if (opened == NULL) {
        opened = memory_zalloc(sizeof *opened);
        opened->state = state;
        error = transaction_read(state->tables, &opened->transaction);
    } else {
        error = transaction_renew(&opened->transaction);
    }
    if (error == ERROR_OK)
        error = read_position(opened);
    if (error != ERROR_OK) {
        view_free(opened);
        return error;
    }
    *view = opened;
    return ERROR_OK;
}

void view_close(struct view *view)
{
    transaction_reset(&view->transaction);
    trim(&view->data);
    trim(&view->path);
    trim(&view->levels);
    trim(&view->changes);
    trim(&view->change_path);
    put_idle(view);
}

void view_free_idle(struct state *state)
{
    struct view *view;

    while ((view = take_idle(state)) != NULL)
        view_free(view);
}

const struct state_position *view_position(const struct view *view)
{
    return &view->position;
}

// ---- One node ----------------------------------------------------------------------------------

enum error view_describe(struct view *view, const struct spot *spot, bool with_data,
                         struct znode *node)
{
    *node = (struct znode){
        .stat = node_stat(&spot->node),
        .kind = spot->node.kind,
        .null_data = (spot->node.flags & NODE_NULL_DATA) != 0,
    };
    return with_data ? tree_data(&view->transaction, spot, &view->data, &node->data) : ERROR_OK;
}

enum error view_get(struct view *view, const char *path, size_t length, bool with_data,
                    struct znode *node)
{
    struct spot spot;

    enum error error = tree_find(&view->transaction, path, length, &spot);
    if (error == ERROR_OK)
        error = view_describe(view, &spot, with_data, node);
    if (error != ERROR_OK)
        return error;
    const char *slash = memrchr(path, '/', length);
    node->name = slash + 1;
    node->name_length = length - (size_t)(node->name - path);
    return ERROR_OK;
}

// ---- Children ----------------------------------------------------------------------------------

enum error view_seek_child(struct view *view, uint64_t parent, const char *after,
                           size_t after_length, struct row *row)
{
    uint8_t key[NODE_KEY_MAX];
    // No name is longer than this, so the cut changes nothing in the order.
    size_t length = after_length < ZNODE_NAME_MAX ? after_length : ZNODE_NAME_MAX;
    struct bytes wanted = {.data = key, .length = 8 + length};

    bytes_put_u64_be(key, parent);
    if (length > 0)
        memcpy(key + 8, after, length);
    enum error error = table_seek(&view->transaction, TABLE_NODE, wanted, row);
    if (error == ERROR_OK && row->key.length == wanted.length &&
        memcmp(row->key.data, key, wanted.length) == 0)
        error = table_next(&view->transaction, TABLE_NODE, row);
    if (error == ERROR_OK && memcmp(row->key.data, key, 8) != 0)
        error = ERROR_MISSING;
    return error;
}

enum error view_next_child(struct view *view, uint64_t parent, struct row *row)
{
    enum error error = table_next(&view->transaction, TABLE_NODE, row);

    if (error == ERROR_OK && bytes_get_u64_be(row->key.data) != parent)
        error = ERROR_MISSING;
    return error;
}

static enum error visit_children(struct view *view, uint64_t parent, const char *after,
                                 size_t after_length, bool with_data, znode_visit visit,
                                 void *context, bool *more)
{
    struct spot spot;
    struct znode node;
    struct row row;

    enum error error = view_seek_child(view, parent, after, after_length, &row);
    while (error == ERROR_OK) {
        error = node_decode(row.key, row.value, &spot);
        if (error == ERROR_OK)
            error = view_describe(view, &spot, with_data, &node);
        if (error != ERROR_OK)
            return error;
        node.name = (const char *)row.key.data + 8;
        node.name_length = row.key.length - 8;
        if (!visit(context, &node)) {
            *more = true;
            return ERROR_OK;
        }
        error = view_next_child(view, parent, &row);
    }
    return error == ERROR_MISSING ? ERROR_OK : error;
}

enum error view_children(struct view *view, const char *path, size_t length, const char *after,
                         size_t after_length, bool with_data, znode_visit visit, void *context,
                         struct znode *parent, bool *more)
{
    struct spot spot;

    *more = false;
    enum error error = tree_find(&view->transaction, path, length, &spot);
    if (error != ERROR_OK)
        return error;
    error = visit_children(view, spot.node.id, after, after != NULL ? after_length : 0, with_data,
                           visit, context, more);
    // Last, because the data of the children and of the parent share a buffer.
    return error != ERROR_OK ? error : view_get(view, path, length, with_data, parent);
}

// ---- Keys and rows -----------------------------------------------------------------------------

enum error view_key(struct view *view, const void *key, size_t length, struct hash128 *identity,
                    struct blob **result)
{
    struct kept_outcome outcome;

    enum error error =
        keys_find(&view->transaction, key, length, view->position.log_time_us, &outcome);
    if (error != ERROR_OK)
        return error;
    *identity = outcome.identity;
    *result = keys_replay(outcome.result);
    return ERROR_OK;
}

enum error view_ephemerals(struct view *view, uint64_t *count)
{
    return table_count(&view->transaction, TABLE_EPHEMERAL, count);
}

enum error view_rows(struct view *view, row_visit visit, void *context)
{
    struct row row;

    for (enum table table = 0; table < TABLE_META; table++) {
        enum error error = table_first(&view->transaction, table, &row);
        while (error == ERROR_OK) {
            error = visit(context, (uint8_t)table, row.key.data, row.key.length, row.value.data,
                          row.value.length);
            if (error != ERROR_OK)
                return error;
            error = table_next(&view->transaction, table, &row);
        }
        if (error != ERROR_MISSING)
            return error;
    }
    return ERROR_OK;
}
