// SPDX-License-Identifier: Apache-2.0
// One function per type of operation. The order of the checks is part of the rules: of a create, a
// missing parent comes before a forbidden one, and that before an illegal name.
#include "storage/operations.h"

#include <string.h>

#include "base/assert.h"
#include "storage/due.h"
#include "storage/sessions.h"

struct step {
    struct tree *tree;
    const struct op *op;
    const struct stamp *stamp;
    struct op_result *result;
};

bool operation_error_is_fatal(enum error error)
{
    return error == ERROR_IO || error == ERROR_DISK_FULL || error == ERROR_CORRUPT;
}

// ---- Shared checks -----------------------------------------------------------------------------

static void set_stat(struct step *step, const struct node *node)
{
    step->result->flags |= RESULT_HAS_STAT;
    step->result->stat = node_stat(node);
}

// What ZooKeeper checks before it looks at the tree.
static bool has_slash_and_no_nul(const struct op *op)
{
    return op->path_length > 0 && memchr(op->path, '/', op->path_length) != NULL &&
           memchr(op->path, 0, op->path_length) == NULL;
}

static bool has_match(const struct op *op)
{
    return op->match_count > 0 || (op->flags & OP_MUST_EXIST) != 0;
}

static bool mzxid_matches(const struct op *op, uint64_t mzxid)
{
    for (unsigned i = 0; i < op->match_count; i++) {
        if (op->match[i] == mzxid)
            return true;
    }
    return op->match_count == 0;
}

// If-Match and If-None-Match of a node that exists. The node's stat goes with a refusal.
static enum error check_match(struct step *step, const struct node *node)
{
    if (mzxid_matches(step->op, node->mzxid) && (step->op->flags & OP_MUST_NOT_EXIST) == 0)
        return ERROR_OK;
    set_stat(step, node);
    return ERROR_PRECONDITION_FAILED;
}

static enum error check_version(struct step *step, const struct node *node)
{
    if (step->op->version == -1 || step->op->version == node->version) // O1
        return ERROR_OK;
    set_stat(step, node);
    return ERROR_BAD_VERSION;
}

static enum error check_node(struct step *step, const struct node *node)
{
    enum error error = check_match(step, node);

    return error != ERROR_OK ? error : check_version(step, node);
}

// Clients change nothing at or below /zookeeper.
static bool forbidden(const char *path, size_t length)
{
    return path_is_reserved(path, length);
}

static enum error find(struct step *step, struct spot *spot, size_t *reached)
{
    return tree_walk(step->tree->transaction, step->op->path, step->op->path_length, spot, reached);
}

// The error for a node that is not there: a failed precondition only if its parent is there.
static enum error absent(const struct step *step, size_t reached)
{
    size_t parent_length = path_parent_length(step->op->path, step->op->path_length);

    return has_match(step->op) && reached == parent_length ? ERROR_PRECONDITION_FAILED
                                                           : ERROR_NO_NODE;
}

static struct content content_of(const struct step *step)
{
    const struct op *op = step->op;

    return (struct content){
        .data = op->data,
        .length = op->data_length,
        .null = (op->flags & OP_NULL_DATA) != 0,
        .kind = op->kind,
        .owner = op->kind == ZNODE_EPHEMERAL ? step->stamp->actor : 0,
        .ttl_ms = op->ttl_ms,
    };
}

// ---- Create ------------------------------------------------------------------------------------

// The name behind the last slash of the final path.
static const char *last_name(const char *path, size_t length, size_t *name_length)
{
    const char *slash = memrchr(path, '/', length);
    const char *name = slash + 1;

    *name_length = length - (size_t)(name - path);
    return name;
}

// Sets the result's path to the final name, with the number of a sequential create (C7: the
// parent's count of creates), and checks it (P13).
static enum error make_final_path(struct step *step, int32_t creates)
{
    const struct op *op = step->op;
    struct op_result *result = step->result;
    struct buffer *path = &step->tree->path;

    result->path = op->path;
    result->path_length = op->path_length;
    if ((op->flags & OP_SEQUENTIAL) != 0) {
        buffer_clear(path);
        buffer_append(path, op->path, op->path_length);
        buffer_printf(path, "%010d", creates);
        result->path = (const char *)path->data;
        result->path_length = path->length;
    }
    return path_validate(result->path, result->path_length, NULL);
}

// Makes what is missing of the path's first `end` bytes; *parent is the deepest ancestor that
// exists, `reached` its length, and then the parent.
static enum error make_ancestors(struct step *step, struct spot *parent, size_t reached, size_t end)
{
    const char *path = step->op->path;
    const struct content empty = {0};
    struct spot child;

    while (reached < end) {
        size_t start = reached == 1 ? 1 : reached + 1;
        const char *slash = memchr(path + start, '/', end - start);
        reached = slash != NULL ? (size_t)(slash - path) : end;
        enum error error =
            tree_insert(step->tree, parent, path, reached, &empty, step->stamp, &child);
        if (error != ERROR_OK)
            return error;
        *parent = child;
    }
    return ERROR_OK;
}

// The node would be new: conditions that only an existing one can meet, then the parent's kind.
static enum error check_new(const struct step *step, const struct node *ancestor)
{
    const struct op *op = step->op;

    if (op->type == OP_PUT && (op->flags & OP_HAS_VERSION) != 0)
        return ERROR_NO_NODE;
    if (has_match(op))
        return ERROR_PRECONDITION_FAILED;
    if (ancestor->kind == ZNODE_EPHEMERAL)
        return ERROR_NO_CHILDREN_FOR_EPHEMERALS; // C14
    return ERROR_OK;
}

// Makes the node whose final path is result->path.
static enum error insert(struct step *step, struct spot *parent, size_t reached,
                         size_t parent_length)
{
    struct content content = content_of(step);
    const struct op_result *result = step->result;
    struct spot child;

    enum error error = make_ancestors(step, parent, reached, parent_length);
    if (error != ERROR_OK)
        return error;
    error = tree_insert(step->tree, parent, result->path, result->path_length, &content,
                        step->stamp, &child);
    if (error == ERROR_OK && child.node.kind == ZNODE_EPHEMERAL)
        error =
            session_own(step->tree->transaction, &child.node, result->path, result->path_length);
    if (error == ERROR_OK)
        set_stat(step, &child.node);
    return error;
}

// The node that a create would make: NO_NODE when it is free.
static enum error find_final(const struct step *step, const struct spot *parent, struct spot *spot)
{
    const struct op_result *result = step->result;
    size_t name_length;

    if (result->path_length == 1) {
        *spot = *parent;
        return ERROR_OK;
    }
    const char *name = last_name(result->path, result->path_length, &name_length);
    return tree_child(step->tree->transaction, parent->node.id, name, name_length, spot);
}

// A node of the final name is an error, another one when a precondition says so.
static enum error check_free(struct step *step, const struct spot *parent)
{
    struct spot existing;
    enum error error = find_final(step, parent, &existing);

    if (error == ERROR_NO_NODE)
        return ERROR_OK;
    if (error == ERROR_OK)
        error = check_match(step, &existing.node);
    return error != ERROR_OK ? error : ERROR_NODE_EXISTS; // P29 as well
}

// What ZooKeeper checks first of a create: C2, C13, C25.
static enum error check_kind(const struct step *step)
{
    const struct op *op = step->op;

    switch (op->kind) {
    case ZNODE_EPHEMERAL:
        return step->stamp->actor != 0 ? ERROR_OK : ERROR_SESSION_REQUIRED;
    case ZNODE_CONTAINER:
        return (op->flags & OP_SEQUENTIAL) == 0 ? ERROR_OK : ERROR_BAD_ARGUMENTS;
    case ZNODE_TTL:
        return op->ttl_ms >= 1 && op->ttl_ms <= TTL_MAX_MS ? ERROR_OK : ERROR_BAD_ARGUMENTS;
    default:
        return ERROR_OK;
    }
}

static enum error create(struct step *step)
{
    const struct op *op = step->op;
    struct spot parent;
    size_t reached;

    enum error error = check_kind(step);
    if (error != ERROR_OK)
        return error;
    if (!has_slash_and_no_nul(op))
        return ERROR_BAD_PATH;
    size_t parent_length = path_parent_length(op->path, op->path_length);
    error = tree_walk(step->tree->transaction, op->path, parent_length, &parent, &reached);
    bool missing = error == ERROR_NO_NODE && (op->flags & OP_PARENTS) != 0;
    if (error != ERROR_OK && !missing)
        return error;
    if (forbidden(op->path, parent_length))
        return ERROR_NO_AUTH;
    error = make_final_path(step, missing ? 0 : parent.node.creates);
    if (error == ERROR_OK && !missing)
        error = check_free(step, &parent);
    if (error == ERROR_OK)
        error = check_new(step, &parent.node);
    if (error != ERROR_OK)
        return error;
    step->result->flags |= RESULT_HAS_PATH;
    return insert(step, &parent, reached, parent_length);
}

// ---- Set and put -------------------------------------------------------------------------------

static enum error set_existing(struct step *step, struct spot *spot)
{
    struct content content = content_of(step);

    if (forbidden(step->op->path, step->op->path_length))
        return ERROR_NO_AUTH;
    enum error error = check_node(step, &spot->node);
    if (error != ERROR_OK)
        return error;
    error =
        tree_set(step->tree, spot, step->op->path, step->op->path_length, &content, step->stamp);
    if (error == ERROR_OK)
        set_stat(step, &spot->node);
    return error;
}

static enum error set(struct step *step)
{
    struct spot spot;
    size_t reached;

    enum error error = path_validate(step->op->path, step->op->path_length, NULL);
    if (error != ERROR_OK)
        return error;
    error = find(step, &spot, &reached);
    if (error == ERROR_NO_NODE)
        return absent(step, reached);
    return error != ERROR_OK ? error : set_existing(step, &spot);
}

static enum error put(struct step *step)
{
    const struct op *op = step->op;
    size_t parent_length = path_parent_length(op->path, op->path_length);
    struct spot spot;
    size_t reached;

    enum error error = path_validate(op->path, op->path_length, NULL);
    if (error != ERROR_OK)
        return error;
    error = find(step, &spot, &reached);
    if (error == ERROR_OK)
        return set_existing(step, &spot);
    if (error != ERROR_NO_NODE)
        return error;
    if (reached != parent_length && (op->flags & OP_PARENTS) == 0)
        return ERROR_NO_NODE;
    if (forbidden(op->path, parent_length))
        return ERROR_NO_AUTH;
    error = check_new(step, &spot.node);
    if (error != ERROR_OK)
        return error;
    step->result->path = op->path;
    step->result->path_length = op->path_length;
    step->result->flags |= RESULT_CREATED;
    return insert(step, &spot, reached, parent_length);
}

// ---- Delete and check --------------------------------------------------------------------------

// The checks that both kinds of delete share; finds the node and its parent.
static enum error find_doomed(struct step *step, struct spot *parent, struct spot *spot)
{
    struct transaction *transaction = step->tree->transaction;
    const struct op *op = step->op;
    size_t name_length;

    if (!has_slash_and_no_nul(op) || path_is_special(op->path, op->path_length))
        return ERROR_BAD_ARGUMENTS; // P25
    size_t parent_length = path_parent_length(op->path, op->path_length);
    enum error error = tree_find(transaction, op->path, parent_length, parent);
    if (error != ERROR_OK)
        return error;
    if (forbidden(op->path, parent_length))
        return ERROR_NO_AUTH;
    const char *name = last_name(op->path, op->path_length, &name_length);
    error = tree_child(transaction, parent->node.id, name, name_length, spot);
    if (error == ERROR_NO_NODE && has_match(op))
        return ERROR_PRECONDITION_FAILED;
    return error != ERROR_OK ? error : check_node(step, &spot->node);
}

// C15: whoever deletes it, its session owns it no longer.
static enum error remove_node(struct step *step, struct spot *parent, const struct spot *spot,
                              const char *path, size_t length)
{
    enum error error = ERROR_OK;

    if (spot->node.kind == ZNODE_EPHEMERAL)
        error = session_disown(step->tree->transaction, &spot->node);
    return error != ERROR_OK ? error
                             : tree_remove(step->tree, parent, spot, path, length, step->stamp);
}

static enum error delete_node(struct step *step)
{
    struct spot parent, spot;

    enum error error = find_doomed(step, &parent, &spot);
    if (error != ERROR_OK)
        return error;
    if (spot.node.num_children > 0)
        return ERROR_NOT_EMPTY;
    return remove_node(step, &parent, &spot, step->op->path, step->op->path_length);
}

static enum error check(struct step *step)
{
    struct spot spot;
    size_t reached;

    enum error error = path_validate(step->op->path, step->op->path_length, NULL);
    if (error != ERROR_OK)
        return error;
    error = find(step, &spot, &reached);
    if (error == ERROR_NO_NODE)
        return absent(step, reached);
    return error != ERROR_OK ? error : check_node(step, &spot.node);
}

// ---- Delete of a subtree -----------------------------------------------------------------------

// Counts the nodes below `id` and the node itself, no further than limit + 1. The queue holds the
// ids whose children are still to be counted, so depth costs no stack.
static enum error count_nodes(struct tree *tree, const struct node *top, uint64_t limit,
                              uint64_t *count)
{
    struct buffer queue = {0};
    enum error error = ERROR_OK;
    struct row row;
    struct spot spot;

    *count = 1;
    if (top->num_children > 0)
        buffer_u64(&queue, top->id);
    for (size_t at = 0; at < queue.length && *count <= limit && error == ERROR_OK; at += 8) {
        uint8_t prefix[8];
        bytes_put_u64_be(prefix, bytes_get_u64(queue.data + at));
        error = table_seek(tree->transaction, TABLE_NODE, (struct bytes){prefix, 8}, &row);
        while (error == ERROR_OK && memcmp(row.key.data, prefix, 8) == 0 && *count <= limit) {
            ++*count;
            error = node_decode(row.key, row.value, &spot);
            if (error == ERROR_OK && spot.node.num_children > 0)
                buffer_u64(&queue, spot.node.id);
            if (error == ERROR_OK)
                error = table_next(tree->transaction, TABLE_NODE, &row);
        }
        if (error == ERROR_MISSING)
            error = ERROR_OK;
    }
    buffer_deinit(&queue);
    return error;
}

// Keys of the nodes on the way down, each behind its length, so that the way back up needs neither
// recursion nor searching.
static void push_key(struct buffer *stack, const struct spot *spot)
{
    buffer_append(stack, spot->key, spot->key_length);
    buffer_u16(stack, (uint16_t)spot->key_length);
}

// The path follows the walk.
static void append_name(struct buffer *path, const struct spot *spot)
{
    buffer_u8(path, '/');
    buffer_append(path, spot->key + 8, spot->key_length - 8);
}

static enum error pop_spot(struct tree *tree, struct buffer *stack, struct spot *spot)
{
    struct bytes value;

    spot->key_length = bytes_get_u16(stack->data + stack->length - 2);
    stack->length -= 2 + spot->key_length;
    memcpy(spot->key, stack->data + stack->length, spot->key_length);
    struct bytes key = {.data = spot->key, .length = spot->key_length};
    enum error error = table_get(tree->transaction, TABLE_NODE, key, &value);
    if (error != ERROR_OK)
        return error == ERROR_MISSING ? ERROR_CORRUPT : error;
    return node_decode(key, value, spot);
}

// Removes up to `limit` nodes at and below *spot, leaves first. *parent is the parent of *spot.
static enum error remove_leaves(struct step *step, struct spot *parent, struct spot *spot,
                                uint64_t limit)
{
    struct buffer above = {0}; // ancestors of *parent within the subtree, and above it one more
    struct buffer *path = &step->tree->path;
    enum error error = ERROR_OK;
    uint32_t depth = 0;

    buffer_clear(path);
    buffer_append(path, step->op->path, step->op->path_length);
    while (step->result->deleted < limit && error == ERROR_OK) {
        if (spot->node.num_children > 0) {
            push_key(&above, parent);
            *parent = *spot;
            depth++;
            error = tree_first_child(step->tree->transaction, parent->node.id, spot);
            if (error == ERROR_NO_NODE)
                error = ERROR_CORRUPT;
            append_name(path, spot);
            continue;
        }
        error = remove_node(step, parent, spot, (const char *)path->data, path->length);
        if (error != ERROR_OK)
            break;
        step->result->deleted++;
        if (depth-- == 0)
            break;
        path->length = path_parent_length((const char *)path->data, path->length);
        *spot = *parent;
        error = pop_spot(step->tree, &above, parent);
    }
    buffer_deinit(&above);
    return error;
}

static enum error delete_tree(struct step *step)
{
    uint64_t limit = step->op->limit, count;
    struct spot parent, spot;

    enum error error = find_doomed(step, &parent, &spot);
    if (error != ERROR_OK)
        return error;
    error = count_nodes(step->tree, &spot.node, limit, &count);
    if (error != ERROR_OK)
        return error;
    if (count > limit && (step->op->flags & OP_PARTIAL) == 0)
        return ERROR_TOO_MANY_NODES;
    if (count > limit)
        step->result->flags |= RESULT_MORE;
    return remove_leaves(step, &parent, &spot, limit);
}

// ---- Reaping -----------------------------------------------------------------------------------

// Whether the node is still the one that was due, and due at the time of the log.
static bool still_due(const struct step *step, const struct node *node)
{
    return node->kind == step->op->kind && mzxid_matches(step->op, node->mzxid) &&
           due_is_waiting(node) && node->due_us <= step->stamp->log_time_us;
}

static enum error reap(struct step *step)
{
    struct transaction *transaction = step->tree->transaction;
    const struct op *op = step->op;
    struct spot parent, spot;

    enum error error = tree_find(transaction, op->path, op->path_length, &spot);
    if (error == ERROR_NO_NODE || (error == ERROR_OK && !still_due(step, &spot.node))) {
        step->result->flags |= RESULT_NO_EFFECT;
        return ERROR_OK;
    }
    if (error == ERROR_OK)
        error = tree_find(transaction, op->path, path_parent_length(op->path, op->path_length),
                          &parent);
    if (error != ERROR_OK)
        return error == ERROR_NO_NODE ? ERROR_CORRUPT : error;
    step->result->deleted = 1;
    return tree_remove(step->tree, &parent, &spot, op->path, op->path_length, step->stamp);
}

// ---- All ---------------------------------------------------------------------------------------

static enum error execute(struct step *step)
{
    switch (step->op->type) {
    case OP_CHECK:
        return check(step);
    case OP_CREATE:
        return create(step);
    case OP_SET:
        return set(step);
    case OP_DELETE:
        return delete_node(step);
    case OP_PUT:
        return put(step);
    case OP_DELETE_TREE:
        return delete_tree(step);
    case OP_REAP:
        return reap(step);
    default: // the decoder knows no other
        return session_execute(step->tree, step->op, step->stamp, step->result);
    }
}

enum error operation_execute(struct tree *tree, const struct op *op, const struct stamp *stamp,
                             struct op_result *result)
{
    struct step step = {.tree = tree, .op = op, .stamp = stamp, .result = result};

    *result = (struct op_result){.type = op->type};
    enum error error = execute(&step);
    result->error = (uint8_t)error;
    return error;
}
