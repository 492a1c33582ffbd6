// SPDX-License-Identifier: Apache-2.0
// Znodes as rows. S and C are ZooKeeper's rules for stat fields and creation.
#include "storage/tree.h"

#include <string.h>

#include "base/assert.h"
#include "storage/due.h"

enum { BLOB_KEY_BYTES = 12, DOOMED_BYTES = 12 };

// ---- Records -----------------------------------------------------------------------------------

static size_t record_bytes(uint8_t kind)
{
    return kind == ZNODE_TTL ? NODE_RECORD_BYTES + 8 : NODE_RECORD_BYTES;
}

// One field holds what the kind needs: a session or a deadline.
void node_encode(struct buffer *into, const struct node *node)
{
    uint8_t *at = buffer_reserve(into, record_bytes(node->kind));

    bytes_put_u64(at, node->id);
    bytes_put_u64(at + 8, node->czxid);
    bytes_put_u64(at + 16, node->mzxid);
    bytes_put_u64(at + 24, node->pzxid);
    bytes_put_u64(at + 32, node->ctime);
    bytes_put_u64(at + 40, node->mtime);
    bytes_put_u32(at + 48, (uint32_t)node->version);
    bytes_put_u32(at + 52, (uint32_t)node->creates);
    bytes_put_u32(at + 56, (uint32_t)node->aversion);
    bytes_put_u32(at + 60, node->num_children);
    bytes_put_u64(at + 64, node->kind == ZNODE_EPHEMERAL ? node->owner : node->due_us);
    bytes_put_u64(at + 72, node->blob);
    bytes_put_u32(at + 80, node->acl);
    at[84] = node->kind;
    at[85] = node->flags;
    bytes_put_u32(at + 86, node->data_length);
    if (node->kind == ZNODE_TTL)
        bytes_put_u64(at + NODE_RECORD_BYTES, node->ttl_ms);
    into->length += record_bytes(node->kind);
}

static void read_record(const uint8_t *at, struct node *node)
{
    uint64_t owner_or_due = bytes_get_u64(at + 64);

    node->id = bytes_get_u64(at);
    node->czxid = bytes_get_u64(at + 8);
    node->mzxid = bytes_get_u64(at + 16);
    node->pzxid = bytes_get_u64(at + 24);
    node->ctime = bytes_get_u64(at + 32);
    node->mtime = bytes_get_u64(at + 40);
    node->version = (int32_t)bytes_get_u32(at + 48);
    node->creates = (int32_t)bytes_get_u32(at + 52);
    node->aversion = (int32_t)bytes_get_u32(at + 56);
    node->num_children = bytes_get_u32(at + 60);
    node->blob = bytes_get_u64(at + 72);
    node->acl = bytes_get_u32(at + 80);
    node->kind = at[84];
    node->flags = at[85];
    node->data_length = bytes_get_u32(at + 86);
    node->owner = node->kind == ZNODE_EPHEMERAL ? owner_or_due : 0;
    node->due_us = node->kind == ZNODE_EPHEMERAL ? 0 : owner_or_due;
    node->ttl_ms = 0; // stands behind the record
}

static bool fits_inline(size_t key_length, uint8_t kind, size_t data_length)
{
    return key_length + record_bytes(kind) + data_length <= NODE_ROW_MAX;
}

// What a node of its kind cannot be.
static bool kind_plausible(const struct node *node)
{
    switch (node->kind) {
    case ZNODE_PERSISTENT:
        return node->due_us == 0;
    case ZNODE_EPHEMERAL:
        return node->owner != 0 && node->num_children == 0;
    case ZNODE_CONTAINER:
        return true;
    case ZNODE_TTL:
        return node->ttl_ms >= 1 && node->ttl_ms <= TTL_MAX_MS;
    default:
        return false;
    }
}

enum error node_decode(struct bytes key, struct bytes value, struct spot *spot)
{
    const uint8_t *record = value.data;
    struct node *node = &spot->node;

    if (key.length < 8 || key.length > NODE_KEY_MAX || value.length < NODE_RECORD_BYTES)
        return ERROR_CORRUPT;
    read_record(record, node);
    bool is_inline = fits_inline(key.length, node->kind, node->data_length);
    size_t head = record_bytes(node->kind);
    if (value.length != head + (is_inline ? node->data_length : 0) ||
        is_inline != (node->blob == 0) || node->data_length > DATA_MAX ||
        (node->flags & ~NODE_NULL_DATA) != 0 || node->id <= bytes_get_u64_be(key.data) ||
        node->creates < 0)
        return ERROR_CORRUPT;
    if (node->kind == ZNODE_TTL)
        node->ttl_ms = bytes_get_u64(record + NODE_RECORD_BYTES);
    if (!kind_plausible(node) || ((node->flags & NODE_NULL_DATA) != 0 && node->data_length > 0))
        return ERROR_CORRUPT;
    spot->inline_data = is_inline ? record + head : NULL;
    return ERROR_OK;
}

struct stat_fields node_stat(const struct node *node)
{
    return (struct stat_fields){
        .czxid = node->czxid,
        .mzxid = node->mzxid,
        .pzxid = node->pzxid,
        .ctime = node->ctime,
        .mtime = node->mtime,
        .version = node->version,
        // S3: creates and deletes, in 32 bits that wrap.
        .cversion = (int32_t)(2 * (uint32_t)node->creates - node->num_children),
        .aversion = node->aversion,
        .data_length = node->data_length,
        .num_children = node->num_children,
        .owner = node->owner,
    };
}

// ---- Finding -----------------------------------------------------------------------------------

static enum error get_row(struct transaction *transaction, struct spot *spot)
{
    struct bytes key = {.data = spot->key, .length = spot->key_length};
    struct bytes value;
    enum error error = table_get(transaction, TABLE_NODE, key, &value);

    if (error != ERROR_OK)
        return error == ERROR_MISSING ? ERROR_NO_NODE : error;
    return node_decode(key, value, spot);
}

static void set_key(struct spot *spot, uint64_t parent, const char *name, size_t name_length)
{
    ASSERT(name_length <= ZNODE_NAME_MAX);
    bytes_put_u64_be(spot->key, parent);
    memcpy(spot->key + 8, name, name_length);
    spot->key_length = 8 + name_length;
}

enum error tree_child(struct transaction *transaction, uint64_t parent, const char *name,
                      size_t name_length, struct spot *spot)
{
    if (name_length == 0 || name_length > ZNODE_NAME_MAX)
        return ERROR_NO_NODE;
    set_key(spot, parent, name, name_length);
    return get_row(transaction, spot);
}

static enum error find_root(struct transaction *transaction, struct spot *spot)
{
    set_key(spot, 0, "", 0);
    enum error error = get_row(transaction, spot);
    return error == ERROR_NO_NODE ? ERROR_CORRUPT : error;
}

// Reads a node again that was there a moment ago.
static enum error reread_child(struct transaction *transaction, uint64_t parent, const char *name,
                               size_t name_length, struct spot *spot)
{
    enum error error = tree_child(transaction, parent, name, name_length, spot);

    return error == ERROR_NO_NODE ? ERROR_CORRUPT : error;
}

enum error tree_walk(struct transaction *transaction, const char *path, size_t length,
                     struct spot *spot, size_t *reached)
{
    uint64_t grandparent = 0, parent = NODE_ROOT_ID;
    size_t parent_start = 0, start = 1; // of the names in the path

    *reached = 0;
    if (length == 0 || path[0] != '/')
        return ERROR_NO_NODE;
    *reached = 1;
    if (length == 1)
        return find_root(transaction, spot);
    for (;;) {
        const char *slash = memchr(path + start, '/', length - start);
        size_t end = slash != NULL ? (size_t)(slash - path) : length;
        enum error error = tree_child(transaction, parent, path + start, end - start, spot);
        if (error == ERROR_NO_NODE) {
            // The key of the missing child took the place of the deepest ancestor's.
            error = parent == NODE_ROOT_ID
                        ? find_root(transaction, spot)
                        : reread_child(transaction, grandparent, path + parent_start,
                                       *reached - parent_start, spot);
            return error == ERROR_OK ? ERROR_NO_NODE : error;
        }
        *reached = end;
        if (error != ERROR_OK || slash == NULL)
            return error;
        grandparent = parent;
        parent = spot->node.id;
        parent_start = start;
        start = end + 1;
    }
}

enum error tree_find(struct transaction *transaction, const char *path, size_t length,
                     struct spot *spot)
{
    size_t reached;

    return tree_walk(transaction, path, length, spot, &reached);
}

enum error tree_first_child(struct transaction *transaction, uint64_t parent, struct spot *spot)
{
    struct row row;

    bytes_put_u64_be(spot->key, parent);
    enum error error = table_seek(transaction, TABLE_NODE, (struct bytes){spot->key, 8}, &row);
    if (error != ERROR_OK)
        return error == ERROR_MISSING ? ERROR_NO_NODE : error;
    if (memcmp(row.key.data, spot->key, 8) != 0)
        return ERROR_NO_NODE;
    error = node_decode(row.key, row.value, spot);
    if (error != ERROR_OK)
        return error;
    memcpy(spot->key, row.key.data, row.key.length);
    spot->key_length = row.key.length;
    return ERROR_OK;
}

// ---- Data --------------------------------------------------------------------------------------

static struct bytes blob_key(uint8_t key[BLOB_KEY_BYTES], uint64_t id, uint32_t chunk)
{
    bytes_put_u64_be(key, id);
    bytes_put_u32(key + 8, __builtin_bswap32(chunk)); // big-endian
    return (struct bytes){.data = key, .length = BLOB_KEY_BYTES};
}

static size_t chunk_length(size_t length, size_t offset)
{
    return length - offset < BLOB_CHUNK_BYTES ? length - offset : BLOB_CHUNK_BYTES;
}

enum error tree_data(struct transaction *transaction, const struct spot *spot,
                     struct buffer *scratch, const uint8_t **data)
{
    uint8_t key[BLOB_KEY_BYTES];
    struct row row;

    if (spot->inline_data != NULL) {
        *data = spot->inline_data;
        return ERROR_OK;
    }
    buffer_clear(scratch);
    uint8_t *into = buffer_reserve(scratch, spot->node.data_length);
    struct bytes wanted = blob_key(key, spot->node.blob, 0);
    enum error error = table_seek(transaction, TABLE_BLOB, wanted, &row);
    for (uint32_t at = 0, chunk = 0; at < spot->node.data_length; chunk++) {
        size_t length = chunk_length(spot->node.data_length, at);
        wanted = blob_key(key, spot->node.blob, chunk);
        if (chunk > 0)
            error = table_next(transaction, TABLE_BLOB, &row);
        if (error != ERROR_OK)
            return error == ERROR_MISSING ? ERROR_CORRUPT : error;
        if (row.key.length != wanted.length || row.value.length != length ||
            memcmp(row.key.data, wanted.data, wanted.length) != 0)
            return ERROR_CORRUPT;
        memcpy(into + at, row.value.data, length);
        at += (uint32_t)length;
    }
    *data = into;
    return ERROR_OK;
}

static enum error write_blob(struct tree *tree, uint64_t id, const struct content *content)
{
    uint8_t key[BLOB_KEY_BYTES];
    enum error error = ERROR_OK;
    uint32_t chunk = 0;

    for (size_t at = 0; at < content->length && error == ERROR_OK; at += BLOB_CHUNK_BYTES) {
        struct bytes value = {.data = content->data + at,
                              .length = chunk_length(content->length, at)};
        error = table_put(tree->transaction, TABLE_BLOB, blob_key(key, id, chunk++), value);
    }
    return error;
}

static enum error remove_blob(struct tree *tree, uint64_t id, uint32_t length)
{
    uint8_t key[BLOB_KEY_BYTES];
    enum error error = ERROR_OK;
    uint32_t chunk = 0;

    for (size_t at = 0; at < length && error == ERROR_OK; at += BLOB_CHUNK_BYTES)
        error = table_remove(tree->transaction, TABLE_BLOB, blob_key(key, id, chunk++));
    return error == ERROR_MISSING ? ERROR_CORRUPT : error;
}

static void doom_blob(struct tree *tree, const struct node *node)
{
    if (node->blob == 0)
        return;
    buffer_u64(&tree->doomed, node->blob);
    buffer_u32(&tree->doomed, node->data_length);
}

enum error tree_settle(struct tree *tree)
{
    enum error error = ERROR_OK;

    for (size_t at = 0; at < tree->doomed.length && error == ERROR_OK; at += DOOMED_BYTES)
        error = remove_blob(tree, bytes_get_u64(tree->doomed.data + at),
                            bytes_get_u32(tree->doomed.data + at + 8));
    buffer_clear(&tree->doomed);
    return error;
}

void tree_forget(struct tree *tree)
{
    changes_forget(&tree->changes);
    buffer_clear(&tree->doomed);
}

// ---- Changes -----------------------------------------------------------------------------------

static enum error put_row(struct tree *tree, const struct spot *spot, const uint8_t *data,
                          size_t length)
{
    buffer_clear(&tree->row);
    node_encode(&tree->row, &spot->node);
    buffer_append(&tree->row, data, length);
    return table_put(tree->transaction, TABLE_NODE,
                     (struct bytes){.data = spot->key, .length = spot->key_length},
                     (struct bytes){.data = tree->row.data, .length = tree->row.length});
}

// Writes the node with new content.
static enum error put_content(struct tree *tree, struct spot *spot, const struct content *content)
{
    bool is_inline = fits_inline(spot->key_length, spot->node.kind, content->length);

    ASSERT(content->length <= DATA_MAX);
    spot->node.data_length = (uint32_t)content->length;
    spot->node.flags = content->null ? NODE_NULL_DATA : 0;
    spot->node.blob = is_inline ? 0 : tree->position->next_id++;
    spot->inline_data = NULL;
    if (is_inline)
        return put_row(tree, spot, content->data, content->length);
    enum error error = write_blob(tree, spot->node.blob, content);
    return error != ERROR_OK ? error : put_row(tree, spot, NULL, 0);
}

// Writes the fields of the node and leaves its data.
static enum error put_fields(struct tree *tree, struct spot *spot)
{
    struct bytes key = {.data = spot->key, .length = spot->key_length};
    size_t length = spot->node.blob == 0 ? spot->node.data_length : 0;
    size_t head = record_bytes(spot->node.kind);
    struct bytes value;

    buffer_clear(&tree->row);
    node_encode(&tree->row, &spot->node);
    spot->inline_data = NULL;
    if (length > 0) {
        enum error error = table_get(tree->transaction, TABLE_NODE, key, &value);
        if (error != ERROR_OK)
            return error == ERROR_MISSING ? ERROR_CORRUPT : error;
        if (value.length != head + length)
            return ERROR_CORRUPT;
        buffer_append(&tree->row, (const uint8_t *)value.data + head, length);
    }
    return table_put(tree->transaction, TABLE_NODE, key,
                     (struct bytes){.data = tree->row.data, .length = tree->row.length});
}

static void note(struct tree *tree, enum change_kind kind, const char *path, size_t length,
                 const struct node *node, const struct node *parent, const struct content *content)
{
    struct change change = {.kind = (uint8_t)kind,
                            .path = path,
                            .path_length = length,
                            .stat = node_stat(node),
                            .null_data = content->null,
                            .data = content->data,
                            .data_length = content->length};

    if (parent != NULL)
        change.parent = node_stat(parent);
    changes_note(&tree->changes, &change);
}

// A time to live is counted from the last change of the data (rule C26), in log time.
static void begin_life(struct node *node, const struct stamp *stamp)
{
    if (node->kind == ZNODE_TTL)
        node->due_us = stamp->log_time_us + node->ttl_ms * 1000;
}

enum error tree_insert(struct tree *tree, struct spot *parent, const char *path, size_t length,
                       const struct content *content, const struct stamp *stamp, struct spot *child)
{
    const char *name = (const char *)memrchr(path, '/', length) + 1;

    set_key(child, parent->node.id, name, length - (size_t)(name - path));
    child->node = (struct node){
        .id = tree->position->next_id++,
        .czxid = stamp->zxid,
        .mzxid = stamp->zxid,
        .pzxid = stamp->zxid,
        .ctime = stamp->time_ms,
        .mtime = stamp->time_ms,
        .acl = ACL_ALL,
        .kind = content->kind,
        .owner = content->owner,
        .ttl_ms = content->ttl_ms,
    };
    begin_life(&child->node, stamp);
    enum error error = put_content(tree, child, content);
    if (error == ERROR_OK)
        error = due_add(tree->transaction, &child->node, path, length);
    if (error == ERROR_OK)
        error = due_remove(tree->transaction, &parent->node);
    if (error != ERROR_OK)
        return error;
    tree->position->node_count++;
    if (parent->node.creates < INT32_MAX) // C10: it sticks
        parent->node.creates++;
    parent->node.num_children++;
    parent->node.pzxid = stamp->zxid;
    note(tree, CHANGE_CREATED, path, length, &child->node, &parent->node, content);
    return put_fields(tree, parent);
}

// S5: the version wraps and leaves out -1, which stands for "any".
static int32_t next_version(int32_t version)
{
    uint32_t next = (uint32_t)version + 1;

    return next == UINT32_MAX ? 0 : (int32_t)next;
}

enum error tree_set(struct tree *tree, struct spot *spot, const char *path, size_t length,
                    const struct content *content, const struct stamp *stamp)
{
    enum error error = due_remove(tree->transaction, &spot->node);

    if (error != ERROR_OK)
        return error;
    doom_blob(tree, &spot->node);
    spot->node.mzxid = stamp->zxid;
    spot->node.mtime = stamp->time_ms;
    spot->node.version = next_version(spot->node.version);
    begin_life(&spot->node, stamp);
    error = put_content(tree, spot, content);
    if (error == ERROR_OK)
        error = due_add(tree->transaction, &spot->node, path, length);
    if (error == ERROR_OK)
        note(tree, CHANGE_CHANGED, path, length, &spot->node, NULL, content);
    return error;
}

enum error tree_remove(struct tree *tree, struct spot *parent, const struct spot *spot,
                       const char *path, size_t length, const struct stamp *stamp)
{
    const struct content none = {0};
    struct bytes key = {.data = spot->key, .length = spot->key_length};

    if (parent->node.num_children == 0)
        return ERROR_CORRUPT;
    doom_blob(tree, &spot->node);
    enum error error = table_remove(tree->transaction, TABLE_NODE, key);
    if (error == ERROR_OK)
        error = due_remove(tree->transaction, &spot->node);
    if (error != ERROR_OK)
        return error == ERROR_MISSING ? ERROR_CORRUPT : error;
    tree->position->node_count--;
    parent->node.num_children--;
    parent->node.pzxid = stamp->zxid;
    note(tree, CHANGE_DELETED, path, length, &spot->node, &parent->node, &none);
    if (parent->node.kind == ZNODE_CONTAINER)
        parent->node.due_us = stamp->log_time_us;
    error = due_add(tree->transaction, &parent->node, path, path_parent_length(path, length));
    return error != ERROR_OK ? error : put_fields(tree, parent);
}

// ---- The first start ---------------------------------------------------------------------------

static enum error make_acl(struct tree *tree, enum acl_id id, uint32_t permissions)
{
    uint8_t key[4];

    bytes_put_u32(key, __builtin_bswap32((uint32_t)id)); // big-endian
    buffer_clear(&tree->row);
    buffer_u32(&tree->row, 1);
    buffer_u32(&tree->row, permissions);
    buffer_string(&tree->row, "world", strlen("world"));
    buffer_string(&tree->row, "anyone", strlen("anyone"));
    return table_put(tree->transaction, TABLE_ACL, (struct bytes){key, sizeof key},
                     (struct bytes){tree->row.data, tree->row.length});
}

static enum error make_node(struct tree *tree, uint64_t parent, const char *name,
                            uint32_t num_children)
{
    struct spot spot = {.node = {.num_children = num_children, .acl = ACL_ALL}};

    set_key(&spot, parent, name, strlen(name));
    spot.node.id = tree->position->next_id++;
    tree->position->node_count++;
    if (strcmp(name, "config") == 0) {
        spot.node.acl = ACL_READ;
        spot.node.version = spot.node.aversion = -1;
    }
    return put_row(tree, &spot, NULL, 0);
}

enum error tree_make_initial(struct tree *tree)
{
    enum { PERMISSION_READ = 1, PERMISSIONS_ALL = 31 };

    tree->position->next_id = NODE_ROOT_ID;
    enum error error = make_acl(tree, ACL_ALL, PERMISSIONS_ALL);
    if (error == ERROR_OK)
        error = make_acl(tree, ACL_READ, PERMISSION_READ);
    if (error == ERROR_OK)
        error = make_node(tree, 0, "", 1);
    if (error == ERROR_OK)
        error = make_node(tree, NODE_ROOT_ID, "zookeeper", 2);
    if (error == ERROR_OK)
        error = make_node(tree, NODE_ROOT_ID + 1, "quota", 0);
    if (error == ERROR_OK)
        error = make_node(tree, NODE_ROOT_ID + 1, "config", 0);
    return error;
}

void tree_deinit(struct tree *tree)
{
    buffer_deinit(&tree->row);
    buffer_deinit(&tree->path);
    buffer_deinit(&tree->doomed);
    changes_deinit(&tree->changes);
}
