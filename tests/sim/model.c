// SPDX-License-Identifier: Apache-2.0
// Znodes are interned by path and never forgotten; sessions stand in the order of their ids.
#include "tests/sim/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "storage/history.h"
#include "storage/path.h"
#include "storage/session.h"
#include "tests/sim/oracle.h"

struct model_node {
    char *path; // owned
    size_t length;
    bool exists;
    uint64_t owner;
    uint64_t order; // in which it was created
};

struct model {
    struct world *world;
    struct model_node *nodes;
    size_t node_count;
    size_t node_capacity;
    size_t *by_path; // open addressing: node + 1, 0 = free
    size_t by_path_size;
    uint64_t created;
    struct model_session *sessions;
    size_t session_count;
    size_t session_capacity;
    struct model_change *changes;
    size_t change_count;
    size_t change_capacity;
    size_t compared; // changes of them
    size_t *ended;   // sessions that ended since the last comparison
    size_t ended_count;
    size_t ended_capacity;
    uint64_t zxid; // of the command under way
};

// Makes room for one more.
static void *grown(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity * 2 + 64;
    return memory_realloc(items, *capacity * size);
}

struct model *model_new(struct world *world)
{
    struct model *model = memory_zalloc(sizeof *model);

    model->world = world;
    model->by_path_size = 4096;
    model->by_path = memory_zalloc(model->by_path_size * sizeof *model->by_path);
    return model;
}

void model_free(struct model *model)
{
    for (size_t i = 0; i < model->node_count; i++)
        free(model->nodes[i].path);
    free(model->nodes);
    free(model->by_path);
    free(model->sessions);
    free(model->changes);
    free(model->ended);
    free(model);
}

#define DIFFERS(model, ...) world_fail((model)->world, SIM_CORRECTNESS, "model", __VA_ARGS__)

// ---- Znodes --------------------------------------------------------------------------------------

static size_t *place_of(const struct model *model, const char *path, size_t length)
{
    size_t at = hash64(path, length, 0) % model->by_path_size;

    while (model->by_path[at] != 0) {
        const struct model_node *node = &model->nodes[model->by_path[at] - 1];
        if (node->length == length && memcmp(node->path, path, length) == 0)
            break;
        at = (at + 1) % model->by_path_size;
    }
    return &model->by_path[at];
}

static void enlarge(struct model *model)
{
    free(model->by_path);
    model->by_path_size *= 2;
    model->by_path = memory_zalloc(model->by_path_size * sizeof *model->by_path);
    for (size_t i = 0; i < model->node_count; i++)
        *place_of(model, model->nodes[i].path, model->nodes[i].length) = i + 1;
}

static struct model_node *node_of(struct model *model, const char *path, size_t length)
{
    size_t *place = place_of(model, path, length);

    if (*place != 0)
        return &model->nodes[*place - 1];
    model->nodes =
        grown(model->nodes, model->node_count, &model->node_capacity, sizeof *model->nodes);
    struct model_node *node = &model->nodes[model->node_count++];
    *node = (struct model_node){.path = memory_alloc(length + 1), .length = length};
    memcpy(node->path, path, length);
    node->path[length] = '\0';
    *place = model->node_count;
    if (model->node_count * 2 > model->by_path_size)
        enlarge(model);
    return node;
}

static void change(struct model *model, const struct model_node *node, enum change_kind kind)
{
    model->changes =
        grown(model->changes, model->change_count, &model->change_capacity, sizeof *model->changes);
    model->changes[model->change_count++] =
        (struct model_change){.zxid = model->zxid, .kind = (uint8_t)kind, .path = node->path};
}

static void create(struct model *model, const char *path, size_t length, uint64_t owner,
                   bool with_parents)
{
    size_t parent = length > 1 ? path_parent_length(path, length) : 0;

    if (with_parents && parent > 1 && !node_of(model, path, parent)->exists)
        create(model, path, parent, 0, true);
    struct model_node *node = node_of(model, path, length);
    if (node->exists)
        DIFFERS(model, "%s was created at zxid %" PRIu64 ", but it existed", node->path,
                model->zxid);
    node->exists = true;
    node->owner = owner;
    node->order = ++model->created;
    if (owner != 0)
        world_count(model->world, COUNT_EPHEMERALS);
    change(model, node, CHANGE_CREATED);
}

static void remove_node(struct model *model, struct model_node *node)
{
    if (!node->exists)
        DIFFERS(model, "%s was deleted at zxid %" PRIu64 ", but it did not exist", node->path,
                model->zxid);
    node->exists = false;
    change(model, node, CHANGE_DELETED);
}

static void set(struct model *model, const struct model_node *node)
{
    if (!node->exists)
        DIFFERS(model, "%s was set at zxid %" PRIu64 ", but it did not exist", node->path,
                model->zxid);
    change(model, node, CHANGE_CHANGED);
}

static void put(struct model *model, const struct op *op, const struct op_result *done)
{
    bool exists = node_of(model, op->path, op->path_length)->exists;

    if (exists == ((done->flags & RESULT_CREATED) != 0))
        DIFFERS(model, "a put at zxid %" PRIu64 " %s", model->zxid,
                exists ? "created what existed" : "found what did not exist");
    if (exists)
        set(model, node_of(model, op->path, op->path_length));
    else
        create(model, op->path, op->path_length, 0, (op->flags & OP_PARENTS) != 0);
}

// ---- Sessions ------------------------------------------------------------------------------------

static struct model_session *session_of(const struct model *model, uint64_t id)
{
    for (size_t i = model->session_count; i-- > 0;) {
        if (model->sessions[i].id == id)
            return &model->sessions[i];
    }
    return NULL;
}

static bool lives(const struct model *model, uint64_t id)
{
    const struct model_session *session = session_of(model, id);

    return session != NULL && session->lives;
}

static void open_session(struct model *model, const struct session_op *op)
{
    model->sessions = grown(model->sessions, model->session_count, &model->session_capacity,
                            sizeof *model->sessions);
    model->sessions[model->session_count++] =
        (struct model_session){.id = model->zxid, .timeout_ms = op->timeout_ms, .lives = true};
}

static struct model_node *first_of(const struct model *model, uint64_t session)
{
    struct model_node *first = NULL;

    for (size_t i = 0; i < model->node_count; i++) {
        struct model_node *node = &model->nodes[i];
        if (node->exists && node->owner == session && (first == NULL || node->order < first->order))
            first = node;
    }
    return first;
}

// 35: with all that it owns, in one change.
static void end_session(struct model *model, struct model_session *session,
                        const struct op_result *done)
{
    struct model_node *node;
    uint32_t deleted = 0;

    while ((node = first_of(model, session->id)) != NULL) {
        remove_node(model, node);
        deleted++;
    }
    if (deleted != done->deleted)
        DIFFERS(model, "session %" PRIu64 " ended with %u of its %u znodes", session->id,
                done->deleted, deleted);
    session->lives = false;
    model->ended =
        grown(model->ended, model->ended_count, &model->ended_capacity, sizeof *model->ended);
    model->ended[model->ended_count++] = (size_t)(session - model->sessions);
}

static bool same_binding(const struct session_binding *a, const struct session_binding *b)
{
    return a->node == b->node && a->boot == b->boot && a->counter == b->counter;
}

// Whether an end with a condition comes about.
static bool should_end(const struct op *op, const struct model_session *session,
                       const struct entry *entry)
{
    if (session == NULL || !session->lives)
        return false;
    if (op->type == OP_SESSION_EXPIRE)
        return op->session.generation == session->generation &&
               ballot_compare(op->session.leader, entry->origin) == 0;
    return session->binding.node != 0 && same_binding(&op->session.binding, &session->binding);
}

static void end_perhaps(struct model *model, const struct entry *entry, const struct op *op,
                        const struct op_result *done)
{
    struct model_session *session = session_of(model, op->session.id);
    bool ends = should_end(op, session, entry);

    if (ends == ((done->flags & RESULT_NO_EFFECT) != 0))
        DIFFERS(model, "the end of session %" PRIu64 " at slot %" PRIu64 " %s", op->session.id,
                entry->slot, ends ? "had no effect" : "should have had no effect");
    if (!ends)
        return;
    if (op->type == OP_SESSION_EXPIRE)
        oracle_expired(model->world, session->id, session->timeout_ms, entry->slot);
    end_session(model, session, done);
}

static void bind_session(struct model *model, const struct session_op *op)
{
    struct model_session *session = session_of(model, op->id);

    session->binding = op->binding;
    session->generation++;
}

// ---- Commands ------------------------------------------------------------------------------------

static void execute_session_op(struct model *model, const struct entry *entry, const struct op *op,
                               const struct op_result *done)
{
    bool conditional = op->type == OP_SESSION_EXPIRE || op->type == OP_SESSION_UNBIND_CLOSE;

    if (op->type == OP_SESSION_OPEN) {
        open_session(model, &op->session);
        return;
    }
    if (!conditional && !lives(model, op->session.id))
        DIFFERS(model, "session %" PRIu64 " does not exist, but is used at slot %" PRIu64,
                op->session.id, entry->slot);
    if (conditional)
        end_perhaps(model, entry, op, done);
    else if (op->type == OP_SESSION_BIND)
        bind_session(model, &op->session);
    else
        end_session(model, session_of(model, op->session.id), done);
}

static void execute_op(struct model *model, const struct entry *entry,
                       const struct command *command, const struct op *op,
                       const struct op_result *done)
{
    uint64_t owner = op->kind == ZNODE_EPHEMERAL ? command->actor : 0;

    switch (op->type) {
    case OP_CHECK:
        break;
    case OP_CREATE:
        create(model, done->path, done->path_length, owner, (op->flags & OP_PARENTS) != 0);
        break;
    case OP_SET:
        set(model, node_of(model, op->path, op->path_length));
        break;
    case OP_DELETE:
        remove_node(model, node_of(model, op->path, op->path_length));
        break;
    case OP_PUT:
        put(model, op, done);
        break;
    default:
        execute_session_op(model, entry, op, done);
        break;
    }
}

// Whoever asks in the name of a session that does not exist is told so, and nobody else is.
static void check_actor(const struct model *model, const struct entry *entry,
                        const struct command *command, const struct result *result)
{
    bool told = result->error == ERROR_SESSION_EXPIRED;

    if (command->proof != NULL && told == lives(model, command->actor))
        DIFFERS(model, "slot %" PRIu64 " says that session %" PRIu64 " %s", entry->slot,
                command->actor, told ? "does not exist" : "exists");
}

void model_execute(struct model *model, const struct entry *entry, const uint8_t *data,
                   size_t length, const struct result *result)
{
    struct result results = *result;
    struct command command;

    ASSERT(command_decode(data, length, &command) == ERROR_OK);
    check_actor(model, entry, &command, result);
    if (result->error != ERROR_OK)
        return;
    model->zxid = result->zxid;
    for (uint32_t i = 0; i < command.op_count; i++) {
        struct op_result done;
        struct op op;
        command_next_op(&command, &op);
        result_next_op(&results, &done);
        execute_op(model, entry, &command, &op, &done);
    }
}

// ---- Comparing -----------------------------------------------------------------------------------

static void compare_node(const struct model *model, struct view *view, const char *path)
{
    size_t length = strlen(path);
    const struct model_node *node = &model->nodes[*place_of(model, path, length) - 1];
    struct znode found;
    bool exists = view_get(view, path, length, false, &found) == ERROR_OK;

    if (exists != node->exists || (exists && found.stat.owner != node->owner))
        DIFFERS(model, "%s %s, owned by %" PRIu64 ", but should %s, owned by %" PRIu64, path,
                exists ? "exists" : "does not exist", exists ? found.stat.owner : 0,
                node->exists ? "exist" : "not", node->exists ? node->owner : 0);
}

static bool is_owned(void *context, uint64_t node, const char *path, size_t length)
{
    (void)path;
    (void)length;
    (void)node;
    ++*(size_t *)context;
    return true;
}

static void compare_ended(const struct model *model, struct view *view, uint64_t id)
{
    struct session_info info;
    size_t owned = 0;

    if (view_session(view, id, &info) != ERROR_SESSION_EXPIRED)
        DIFFERS(model, "session %" PRIu64 " has ended, but exists", id);
    if (view_session_nodes(view, id, 0, is_owned, &owned) != ERROR_OK || owned != 0)
        DIFFERS(model, "session %" PRIu64 " has ended, but owns %zu znodes", id, owned);
}

struct rows {
    struct model *model;
    size_t at; // change that comes next
};

static bool compare_row(void *context, const struct change *row)
{
    struct rows *rows = context;
    struct model *model = rows->model;
    const struct model_change *expected = &model->changes[rows->at];

    if (rows->at == model->change_count || expected->zxid != row->zxid ||
        expected->kind != row->kind || strlen(expected->path) != row->path_length ||
        memcmp(expected->path, row->path, row->path_length) != 0 ||
        row->last != (rows->at + 1 == model->change_count || expected[1].zxid != row->zxid))
        world_fail(model->world, SIM_CORRECTNESS, "history",
                   "%.*s at zxid %" PRIu64 " is not what changed then", (int)row->path_length,
                   row->path, row->zxid);
    rows->at++;
    return true;
}

// The rows above a position are the changes above it, all of them.
static void compare_history(struct model *model, struct view *view, size_t from)
{
    struct rows rows = {.model = model, .at = from};
    uint64_t start = view_history_start(view);

    while (rows.at < model->change_count && model->changes[rows.at].zxid <= start)
        rows.at++;
    if (rows.at == model->change_count)
        return;
    if (view_changes(view, model->changes[rows.at].zxid - 1, compare_row, &rows) != ERROR_OK ||
        rows.at != model->change_count)
        world_fail(model->world, SIM_CORRECTNESS, "history", "the changes of zxid %" PRIu64 " miss",
                   model->changes[rows.at].zxid);
}

void model_compare(struct model *model, struct view *view)
{
    for (size_t i = model->compared; i < model->change_count; i++)
        compare_node(model, view, model->changes[i].path);
    for (size_t i = 0; i < model->ended_count; i++)
        compare_ended(model, view, model->sessions[model->ended[i]].id);
    compare_history(model, view, model->compared);
    model->compared = model->change_count;
    model->ended_count = 0;
}

struct counted {
    struct model *model;
    struct view *view;
    size_t count;
    size_t owned; // znodes with an owner
};

static bool count_node(void *context, const struct znode *node)
{
    struct counted *counted = context;

    counted->count++;
    counted->owned += node->stat.owner != 0;
    return true;
}

static bool count_session(void *context, const struct session_info *info)
{
    struct counted *counted = context;
    const struct model_session *session = session_of(counted->model, info->id);

    if (session == NULL || !session->lives || session->generation != info->generation)
        DIFFERS(counted->model, "session %" PRIu64 " exists as it should not", info->id);
    counted->count++;
    counted->owned += info->ephemeral_count;
    return true;
}

static void compare_counts(const struct model *model, const struct counted *nodes,
                           const struct counted *sessions)
{
    enum { INITIAL_NODES = 4 }; // that every state begins with
    size_t exist = 0, owned = 0, live = 0;

    for (size_t i = 0; i < model->node_count; i++) {
        exist += model->nodes[i].exists;
        owned += model->nodes[i].exists && model->nodes[i].owner != 0;
    }
    for (size_t i = 0; i < model->session_count; i++)
        live += model->sessions[i].lives;
    if (nodes->count != exist + INITIAL_NODES || nodes->owned != owned ||
        sessions->owned != owned || sessions->count != live)
        DIFFERS(model,
                "there are %zu znodes, %zu of them owned, and %zu sessions with %zu, "
                "instead of %zu, %zu and %zu",
                nodes->count, nodes->owned, sessions->count, sessions->owned, exist + INITIAL_NODES,
                owned, live);
}

void model_compare_all(struct model *model, struct view *view)
{
    struct counted nodes = {.model = model}, sessions = {.model = model};
    bool more;

    for (size_t i = 0; i < model->node_count; i++)
        compare_node(model, view, model->nodes[i].path);
    if (view_tree(view, "/", 1, NULL, 0, UINT32_MAX, false, count_node, &nodes, &more) !=
            ERROR_OK ||
        view_sessions(view, 0, count_session, &sessions) != ERROR_OK)
        DIFFERS(model, "the state cannot be read");
    compare_counts(model, &nodes, &sessions);
    compare_history(model, view, 0);
}

const struct model_change *model_changes(const struct model *model, size_t *count)
{
    *count = model->change_count;
    return model->changes;
}
