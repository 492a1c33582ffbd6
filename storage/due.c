// SPDX-License-Identifier: Apache-2.0
// Znodes that are due: kept by the changes of the tree, read by the leader.
#include "storage/due.h"

#include <string.h>

#include "storage/session.h"
#include "storage/view_internal.h"

enum { NODE_DUE_KEY_BYTES = DUE_PREFIX_BYTES + 8 };

static struct bytes due_key(uint8_t key[NODE_DUE_KEY_BYTES], uint8_t kind, uint64_t deadline_us,
                            uint64_t id)
{
    key[0] = kind == ZNODE_TTL ? DUE_TTL : DUE_CONTAINER;
    bytes_put_u64_be(key + 1, deadline_us);
    bytes_put_u64_be(key + DUE_PREFIX_BYTES, id);
    return (struct bytes){.data = key, .length = NODE_DUE_KEY_BYTES};
}

bool due_is_waiting(const struct node *node)
{
    return node->num_children == 0 &&
           (node->kind == ZNODE_TTL || (node->kind == ZNODE_CONTAINER && node->creates > 0));
}

enum error due_add(struct transaction *transaction, const struct node *node, const char *path,
                   size_t length)
{
    uint8_t key[NODE_DUE_KEY_BYTES];

    if (!due_is_waiting(node))
        return ERROR_OK;
    return table_put(transaction, TABLE_DUE, due_key(key, node->kind, node->due_us, node->id),
                     (struct bytes){path, length});
}

enum error due_remove(struct transaction *transaction, const struct node *node)
{
    uint8_t key[NODE_DUE_KEY_BYTES];

    if (!due_is_waiting(node))
        return ERROR_OK;
    enum error error =
        table_remove(transaction, TABLE_DUE, due_key(key, node->kind, node->due_us, node->id));
    return error == ERROR_MISSING ? ERROR_CORRUPT : error;
}

bool due_row_plausible(struct bytes key, struct bytes value)
{
    if (key.length != NODE_DUE_KEY_BYTES || value.length < 2 || value.length > ZNODE_PATH_MAX)
        return false;
    uint8_t kind = *(const uint8_t *)key.data;
    return (kind == DUE_CONTAINER || kind == DUE_TTL) && *(const char *)value.data == '/';
}

static enum error visit_row(struct view *view, const struct row *row, due_visit visit,
                            void *context, bool *going)
{
    const uint8_t *key = row->key.data;
    struct due_item item = {
        .deadline_us = bytes_get_u64_be(key + 1),
        .kind = key[0] == DUE_TTL ? ZNODE_TTL : ZNODE_CONTAINER,
        .path = row->value.data,
        .path_length = row->value.length,
    };
    struct spot spot;

    enum error error = tree_find(&view->transaction, item.path, item.path_length, &spot);
    if (error != ERROR_OK)
        return error == ERROR_NO_NODE ? ERROR_CORRUPT : error;
    item.mzxid = spot.node.mzxid;
    *going = visit(context, &item);
    return ERROR_OK;
}

enum error view_due(struct view *view, uint64_t log_time_us, due_visit visit, void *context)
{
    const uint8_t kinds[] = {ZNODE_CONTAINER, ZNODE_TTL};
    bool going = true;

    for (unsigned i = 0; i < sizeof kinds && going; i++) {
        uint8_t first[NODE_DUE_KEY_BYTES], end[NODE_DUE_KEY_BYTES];
        struct row row;
        enum error error =
            table_seek(&view->transaction, TABLE_DUE, due_key(first, kinds[i], 0, 0), &row);
        due_key(end, kinds[i], log_time_us, 0);
        while (error == ERROR_OK && going && memcmp(row.key.data, end, DUE_PREFIX_BYTES) <= 0) {
            error = visit_row(view, &row, visit, context, &going);
            if (error == ERROR_OK && going)
                error = table_next(&view->transaction, TABLE_DUE, &row);
        }
        if (error != ERROR_OK && error != ERROR_MISSING)
            return error;
    }
    return ERROR_OK;
}
