// SPDX-License-Identifier: Apache-2.0
// Sessions. N are ZooKeeper's rules for them. Record: proof, u32 timeout, u32 grace, u16 node, u64
// boot, u64 counter, u64 generation, u64 created, u32 ephemerals.
#include "storage/session.h"

#include <string.h>

#include "base/assert.h"
#include "storage/sessions.h"
#include "storage/view_internal.h"

enum { SESSION_KEY_BYTES = 8, EPHEMERAL_KEY_BYTES = 16 };

// ---- Rows --------------------------------------------------------------------------------------

static struct bytes session_key(uint8_t key[SESSION_KEY_BYTES], uint64_t id)
{
    bytes_put_u64_be(key, id);
    return (struct bytes){.data = key, .length = SESSION_KEY_BYTES};
}

static struct bytes ephemeral_key(uint8_t key[EPHEMERAL_KEY_BYTES], uint64_t session, uint64_t node)
{
    bytes_put_u64_be(key, session);
    bytes_put_u64_be(key + 8, node);
    return (struct bytes){.data = key, .length = EPHEMERAL_KEY_BYTES};
}

enum error session_decode(struct bytes key, struct bytes value, struct session_info *info)
{
    struct reader reader;

    if (key.length != SESSION_KEY_BYTES || value.length != SESSION_RECORD_BYTES)
        return ERROR_CORRUPT;
    reader_init(&reader, value.data, value.length);
    info->id = bytes_get_u64_be(key.data);
    memcpy(info->proof, reader_bytes(&reader, SESSION_PROOF_BYTES), SESSION_PROOF_BYTES);
    info->timeout_ms = reader_u32(&reader);
    info->grace_ms = reader_u32(&reader);
    info->binding.node = reader_u16(&reader);
    info->binding.boot = reader_u64(&reader);
    info->binding.counter = reader_u64(&reader);
    info->generation = reader_u64(&reader);
    info->created_ms = reader_u64(&reader);
    info->ephemeral_count = reader_u32(&reader);
    return reader_done(&reader) ? ERROR_OK : ERROR_CORRUPT;
}

static enum error session_read(struct transaction *transaction, uint64_t id,
                               struct session_info *info)
{
    uint8_t bytes[SESSION_KEY_BYTES];
    struct bytes key = session_key(bytes, id), value;

    enum error error = table_get(transaction, TABLE_SESSION, key, &value);
    if (error != ERROR_OK)
        return error == ERROR_MISSING ? ERROR_SESSION_EXPIRED : error;
    return session_decode(key, value, info);
}

static enum error session_write(struct transaction *transaction, const struct session_info *info)
{
    uint8_t key[SESSION_KEY_BYTES], at[SESSION_RECORD_BYTES];

    memcpy(at, info->proof, SESSION_PROOF_BYTES);
    bytes_put_u32(at + 32, info->timeout_ms);
    bytes_put_u32(at + 36, info->grace_ms);
    bytes_put_u16(at + 40, info->binding.node);
    bytes_put_u64(at + 42, info->binding.boot);
    bytes_put_u64(at + 50, info->binding.counter);
    bytes_put_u64(at + 58, info->generation);
    bytes_put_u64(at + 66, info->created_ms);
    bytes_put_u32(at + 74, info->ephemeral_count);
    return table_put(transaction, TABLE_SESSION, session_key(key, info->id),
                     (struct bytes){at, sizeof at});
}

bool ephemeral_row_plausible(struct bytes key, struct bytes value)
{
    return key.length == EPHEMERAL_KEY_BYTES && value.length >= 2 &&
           value.length <= ZNODE_PATH_MAX && *(const char *)value.data == '/';
}

enum error session_check(struct transaction *transaction, uint64_t id, const uint8_t *proof)
{
    struct session_info info;

    enum error error = session_read(transaction, id, &info);
    if (error != ERROR_OK)
        return error;
    return memcmp(info.proof, proof, SESSION_PROOF_BYTES) == 0 ? ERROR_OK : ERROR_SESSION_DENIED;
}

// ---- What a session owns -----------------------------------------------------------------------

// Adds to the count of a session that owns a node, so it exists.
static enum error count_ephemeral(struct transaction *transaction, uint64_t id, uint32_t more)
{
    struct session_info info;

    enum error error = session_read(transaction, id, &info);
    if (error != ERROR_OK)
        return error == ERROR_SESSION_EXPIRED ? ERROR_CORRUPT : error;
    info.ephemeral_count += more;
    return session_write(transaction, &info);
}

enum error session_own(struct transaction *transaction, const struct node *node, const char *path,
                       size_t length)
{
    uint8_t key[EPHEMERAL_KEY_BYTES];

    enum error error =
        table_put(transaction, TABLE_EPHEMERAL, ephemeral_key(key, node->owner, node->id),
                  (struct bytes){path, length});
    return error != ERROR_OK ? error : count_ephemeral(transaction, node->owner, 1);
}

enum error session_disown(struct transaction *transaction, const struct node *node)
{
    uint8_t key[EPHEMERAL_KEY_BYTES];

    enum error error =
        table_remove(transaction, TABLE_EPHEMERAL, ephemeral_key(key, node->owner, node->id));
    if (error != ERROR_OK)
        return error == ERROR_MISSING ? ERROR_CORRUPT : error;
    return count_ephemeral(transaction, node->owner, UINT32_MAX);
}

// The first node of the session: its path goes to *path, its row is removed. MISSING when there is
// none.
static enum error take_ephemeral(struct transaction *transaction, uint64_t session, uint64_t *node,
                                 struct buffer *path)
{
    uint8_t bytes[EPHEMERAL_KEY_BYTES];
    struct bytes key = ephemeral_key(bytes, session, 0);
    struct row row;

    enum error error = table_seek(transaction, TABLE_EPHEMERAL, key, &row);
    if (error != ERROR_OK)
        return error;
    if (memcmp(row.key.data, bytes, 8) != 0)
        return ERROR_MISSING;
    *node = bytes_get_u64_be((const uint8_t *)row.key.data + 8);
    buffer_clear(path);
    buffer_append(path, row.value.data, row.value.length);
    return table_remove(transaction, TABLE_EPHEMERAL, ephemeral_key(bytes, session, *node));
}

static enum error remove_ephemeral(struct tree *tree, uint64_t id, const struct stamp *stamp)
{
    const char *path = (const char *)tree->path.data;
    size_t length = tree->path.length;
    struct spot parent, spot;

    enum error error = tree_find(tree->transaction, path, length, &spot);
    if (error == ERROR_OK)
        error = tree_find(tree->transaction, path, path_parent_length(path, length), &parent);
    if (error == ERROR_OK && spot.node.id != id)
        error = ERROR_CORRUPT;
    if (error != ERROR_OK)
        return error == ERROR_NO_NODE ? ERROR_CORRUPT : error;
    return tree_remove(tree, &parent, &spot, path, length, stamp);
}

// N18: the session and all that it owns, at one zxid.
static enum error close_session(struct tree *tree, uint64_t id, const struct stamp *stamp,
                                struct op_result *result)
{
    uint8_t key[SESSION_KEY_BYTES];
    enum error error;
    uint64_t node;

    while ((error = take_ephemeral(tree->transaction, id, &node, &tree->path)) == ERROR_OK) {
        error = remove_ephemeral(tree, node, stamp);
        if (error != ERROR_OK)
            return error;
        result->deleted++;
    }
    if (error == ERROR_MISSING)
        error = table_remove(tree->transaction, TABLE_SESSION, session_key(key, id));
    if (error != ERROR_OK || tree->position->session_count == 0)
        return error == ERROR_OK || error == ERROR_MISSING ? ERROR_CORRUPT : error;
    tree->position->session_count--;
    return ERROR_OK;
}

// ---- Operations --------------------------------------------------------------------------------

static enum error open_session(struct tree *tree, const struct session_op *op,
                               const struct stamp *stamp)
{
    struct session_info info = {
        .id = stamp->zxid, // N1
        .timeout_ms = op->timeout_ms,
        .created_ms = stamp->time_ms,
    };

    if (op->timeout_ms < SESSION_TIMEOUT_MIN_MS || op->timeout_ms > SESSION_TIMEOUT_MAX_MS)
        return ERROR_BAD_ARGUMENTS;
    if (tree->position->session_count >= SESSIONS_MAX)
        return ERROR_SESSIONS_FULL;
    memcpy(info.proof, op->proof, SESSION_PROOF_BYTES);
    tree->position->session_count++;
    return session_write(tree->transaction, &info);
}

static enum error bind_session(struct tree *tree, const struct session_op *op,
                               struct session_info *info)
{
    info->binding = op->binding;
    info->grace_ms = op->grace_ms;
    info->generation++;
    return session_write(tree->transaction, info);
}

static bool same_binding(const struct session_binding *a, const struct session_binding *b)
{
    return a->node == b->node && a->boot == b->boot && a->counter == b->counter;
}

// Whether an operation that says for which state of the session it is meant still is.
static bool still_applies(const struct op *op, const struct session_info *info,
                          const struct stamp *stamp)
{
    if (op->type == OP_SESSION_EXPIRE)
        return op->session.generation == info->generation &&
               ballot_compare(op->session.leader, stamp->ballot) == 0;
    if (op->type == OP_SESSION_UNBIND_CLOSE)
        return info->binding.node != 0 && same_binding(&op->session.binding, &info->binding);
    return true;
}

enum error session_execute(struct tree *tree, const struct op *op, const struct stamp *stamp,
                           struct op_result *result)
{
    struct session_info info;

    if (op->type == OP_SESSION_OPEN)
        return open_session(tree, &op->session, stamp);
    enum error error = session_read(tree->transaction, op->session.id, &info);
    bool conditional = op->type == OP_SESSION_EXPIRE || op->type == OP_SESSION_UNBIND_CLOSE;
    if ((error == ERROR_SESSION_EXPIRED && conditional) ||
        (error == ERROR_OK && !still_applies(op, &info, stamp))) {
        result->flags |= RESULT_NO_EFFECT;
        return ERROR_OK;
    }
    if (error != ERROR_OK)
        return error;
    if (op->type == OP_SESSION_BIND)
        return bind_session(tree, &op->session, &info);
    return close_session(tree, op->session.id, stamp, result);
}

// ---- Views -------------------------------------------------------------------------------------

enum error view_session(struct view *view, uint64_t id, struct session_info *info)
{
    return session_read(&view->transaction, id, info);
}

enum error view_sessions(struct view *view, uint64_t after, session_visit visit, void *context)
{
    uint8_t key[SESSION_KEY_BYTES];
    struct session_info info;
    struct row row;

    if (after == UINT64_MAX)
        return ERROR_OK;
    enum error error =
        table_seek(&view->transaction, TABLE_SESSION, session_key(key, after + 1), &row);
    while (error == ERROR_OK) {
        error = session_decode(row.key, row.value, &info);
        if (error != ERROR_OK || !visit(context, &info))
            return error;
        error = table_next(&view->transaction, TABLE_SESSION, &row);
    }
    return error == ERROR_MISSING ? ERROR_OK : error;
}

enum error view_session_nodes(struct view *view, uint64_t id, uint64_t after, owned_visit visit,
                              void *context)
{
    uint8_t key[EPHEMERAL_KEY_BYTES];
    struct row row;

    if (after == UINT64_MAX)
        return ERROR_OK;
    enum error error =
        table_seek(&view->transaction, TABLE_EPHEMERAL, ephemeral_key(key, id, after + 1), &row);
    while (error == ERROR_OK && memcmp(row.key.data, key, 8) == 0 &&
           visit(context, bytes_get_u64_be((const uint8_t *)row.key.data + 8), row.value.data,
                 row.value.length))
        error = table_next(&view->transaction, TABLE_EPHEMERAL, &row);
    return error == ERROR_MISSING ? ERROR_OK : error;
}
