// SPDX-License-Identifier: Apache-2.0
// Random commands on two states, one command per entry and many, against a model that knows nothing
// of rows: znodes, sessions, what is due and the history of changes are the model's after each
// command, and batching leaves no trace. The model is told which commands succeed; what they then do
// it works out by itself.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "storage/history.h"
#include "storage/session.h"

enum {
    SEEDS = 20,
    ENTRIES = 150,   // of the state that batches
    PER_ENTRY = 6,   // commands at most
    OPS_MAX = 4,     // of one command
    PATH_BYTES = 64, // with room for numbers
    NODES_MAX = 400,
    SESSIONS_KEPT = 3,
    CHANGES_KEPT = 1000,
};

// ---- The model ---------------------------------------------------------------------------------

struct model_node {
    char path[PATH_BYTES];
    struct stat_fields stat; // but for cversion
    uint32_t creates;
    uint8_t kind;
    uint64_t ttl_ms;
    uint64_t due_us;
    uint64_t born; // order of creation
    const char *data;
};

struct model_change {
    uint8_t kind;
    char path[PATH_BYTES];
    struct stat_fields stat, parent;
    const char *data;
};

struct model_session {
    uint64_t id;
    uint64_t generation;
    struct session_binding binding;
};

struct model {
    struct model_node nodes[NODES_MAX];
    unsigned node_count;
    struct model_session sessions[SESSIONS_KEPT];
    unsigned session_count;
    struct model_change changes[CHANGES_KEPT]; // of the last command
    unsigned change_count;
    uint64_t zxid; // of the last change
    uint64_t births;
    uint64_t now_us; // log time of the command
    uint64_t wall_ms;
    uint64_t actor;
};

static struct model_node *find(struct model *model, const char *path)
{
    for (unsigned i = 0; i < model->node_count; i++) {
        if (strcmp(model->nodes[i].path, path) == 0)
            return &model->nodes[i];
    }
    return NULL;
}

static struct model_node *parent_of(struct model *model, const char *path)
{
    char parent[PATH_BYTES];
    size_t length = (size_t)(strrchr(path, '/') - path);

    snprintf(parent, sizeof parent, "%.*s", length == 0 ? 1 : (int)length, path);
    struct model_node *node = find(model, parent);
    assert_non_null(node);
    return node;
}

static struct stat_fields visible(const struct model_node *node)
{
    struct stat_fields stat = node->stat;

    stat.cversion = (int32_t)(2 * node->creates - stat.num_children); // S3
    return stat;
}

static void note(struct model *model, enum change_kind kind, const struct model_node *node,
                 const struct model_node *parent)
{
    struct model_change *change = &model->changes[model->change_count++];

    assert_true(model->change_count < CHANGES_KEPT);
    *change = (struct model_change){.kind = (uint8_t)kind, .stat = visible(node)};
    strcpy(change->path, node->path);
    change->data = kind == CHANGE_DELETED ? "" : node->data;
    if (parent != NULL)
        change->parent = visible(parent);
}

static void set_deadline(struct model *model, struct model_node *node)
{
    if (node->kind == ZNODE_TTL)
        node->due_us = model->now_us + node->ttl_ms * 1000;
}

static void model_create(struct model *model, const char *path, const struct op *op)
{
    struct model_node *parent = parent_of(model, path);
    struct model_node *node = &model->nodes[model->node_count++];
    uint64_t zxid = model->zxid + 1;

    assert_true(model->node_count < NODES_MAX);
    assert_true(parent->kind != ZNODE_EPHEMERAL);
    *node = (struct model_node){.kind = op != NULL ? op->kind : ZNODE_PERSISTENT,
                                .ttl_ms = op != NULL ? op->ttl_ms : 0,
                                .data = op != NULL ? (const char *)op->data : "",
                                .born = model->births++};
    strcpy(node->path, path);
    node->stat = (struct stat_fields){.czxid = zxid,
                                      .mzxid = zxid,
                                      .pzxid = zxid,
                                      .ctime = model->wall_ms,
                                      .mtime = model->wall_ms,
                                      .data_length = (uint32_t)strlen(node->data)};
    if (node->kind == ZNODE_EPHEMERAL)
        node->stat.owner = model->actor;
    set_deadline(model, node);
    parent->creates++;
    parent->stat.num_children++;
    parent->stat.pzxid = zxid;
    note(model, CHANGE_CREATED, node, parent);
}

static void model_create_ancestors(struct model *model, const char *path)
{
    char ancestor[PATH_BYTES];

    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(ancestor, sizeof ancestor, "%.*s", (int)(slash - path), path);
        if (find(model, ancestor) == NULL)
            model_create(model, ancestor, NULL);
    }
}

static void model_set(struct model *model, struct model_node *node, const struct op *op)
{
    node->stat.mzxid = model->zxid + 1;
    node->stat.mtime = model->wall_ms;
    node->stat.version++;
    node->data = (const char *)op->data;
    node->stat.data_length = (uint32_t)op->data_length;
    set_deadline(model, node);
    note(model, CHANGE_CHANGED, node, NULL);
}

static void model_remove(struct model *model, const char *path)
{
    struct model_node *node = find(model, path), *parent = parent_of(model, path);

    assert_non_null(node);
    assert_int_equal(node->stat.num_children, 0);
    parent->stat.num_children--;
    parent->stat.pzxid = model->zxid + 1;
    if (parent->kind == ZNODE_CONTAINER)
        parent->due_us = model->now_us;
    note(model, CHANGE_DELETED, node, parent);
    *node = model->nodes[--model->node_count];
}

// The first child in byte order.
static struct model_node *first_child(struct model *model, const char *path)
{
    size_t length = strlen(path);
    struct model_node *first = NULL;

    for (unsigned i = 0; i < model->node_count; i++) {
        struct model_node *node = &model->nodes[i];
        if (strncmp(node->path, path, length) == 0 && node->path[length] == '/' &&
            strchr(node->path + length + 1, '/') == NULL &&
            (first == NULL || strcmp(node->path, first->path) < 0))
            first = node;
    }
    return first;
}

static void model_remove_tree(struct model *model, const char *path, uint32_t *count)
{
    struct model_node *child;
    char name[PATH_BYTES];

    while (*count > 0 && (child = first_child(model, path)) != NULL) {
        strcpy(name, child->path);
        model_remove_tree(model, name, count);
    }
    if (*count == 0)
        return;
    model_remove(model, path);
    --*count;
}

static struct model_session *find_session(struct model *model, uint64_t id)
{
    for (unsigned i = 0; i < model->session_count; i++) {
        if (model->sessions[i].id == id)
            return &model->sessions[i];
    }
    return NULL;
}

// The oldest node of the session.
static struct model_node *first_owned(struct model *model, uint64_t id)
{
    struct model_node *first = NULL;

    for (unsigned i = 0; i < model->node_count; i++) {
        struct model_node *node = &model->nodes[i];
        if (node->stat.owner == id && (first == NULL || node->born < first->born))
            first = node;
    }
    return first;
}

static void model_close(struct model *model, struct model_session *session)
{
    struct model_node *node;
    char path[PATH_BYTES];

    while ((node = first_owned(model, session->id)) != NULL) {
        strcpy(path, node->path);
        model_remove(model, path);
    }
    *session = model->sessions[--model->session_count];
}

static bool is_due(const struct model_node *node, uint64_t now_us)
{
    bool candidate =
        node->kind == ZNODE_TTL || (node->kind == ZNODE_CONTAINER && node->creates > 0);

    return candidate && node->stat.num_children == 0 && node->due_us <= now_us;
}

static bool model_reap(struct model *model, const struct op *op)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "%.*s", (int)op->path_length, op->path);
    struct model_node *node = find(model, path);
    if (node == NULL || node->kind != op->kind || node->stat.mzxid != op->match[0] ||
        !is_due(node, model->now_us))
        return false;
    model_remove(model, path);
    return true;
}

// Returns whether it has an effect. The op has succeeded.
static bool model_session_op(struct model *model, const struct op *op)
{
    struct model_session *session = find_session(model, op->session.id);
    const struct session_binding *binding = &op->session.binding;

    switch (op->type) {
    case OP_SESSION_OPEN:
        model->sessions[model->session_count++] = (struct model_session){.id = model->zxid + 1};
        return true;
    case OP_SESSION_BIND:
        session->binding = *binding;
        session->generation++;
        return true;
    case OP_SESSION_EXPIRE:
        if (session == NULL || session->generation != op->session.generation)
            return false;
        break;
    case OP_SESSION_UNBIND_CLOSE:
        if (session == NULL || binding->node == 0 || session->binding.node != binding->node ||
            session->binding.counter != binding->counter)
            return false;
        break;
    default:
        assert_non_null(session);
    }
    model_close(model, session);
    return true;
}

static bool model_op(struct model *model, const struct op *op, const struct op_result *result)
{
    char path[PATH_BYTES];
    uint32_t count = result->deleted;

    if (op->type > OP_REAP)
        return model_session_op(model, op);
    if (op->type == OP_REAP)
        return model_reap(model, op);
    snprintf(path, sizeof path, "%.*s", (int)op->path_length, op->path);
    switch (op->type) {
    case OP_CREATE:
    case OP_PUT:
        if (op->type == OP_PUT && find(model, path) != NULL) {
            model_set(model, find(model, path), op);
            return true;
        }
        model_create_ancestors(model, path);
        if ((op->flags & OP_SEQUENTIAL) != 0)
            snprintf(path + op->path_length, 16, "%010u", parent_of(model, path)->creates);
        model_create(model, path, op);
        return true;
    case OP_SET:
        model_set(model, find(model, path), op);
        return true;
    case OP_DELETE:
        model_remove(model, path);
        return true;
    case OP_DELETE_TREE:
        model_remove_tree(model, path, &count);
        return result->deleted > 0;
    default:
        return false;
    }
}

// ---- Comparing ---------------------------------------------------------------------------------

struct comparison {
    struct model *model;
    struct view *view;
    unsigned at;
    uint64_t last; // order of what was visited before
    uint64_t session;
};

static bool compare_change(void *context, const struct change *change)
{
    struct comparison *comparison = context;
    const struct model *model = comparison->model;
    const struct model_change *expected = &model->changes[comparison->at++];

    assert_true(comparison->at <= model->change_count);
    assert_int_equal(change->zxid, model->zxid);
    assert_int_equal(change->kind, expected->kind);
    assert_int_equal(change->path_length, strlen(expected->path));
    assert_memory_equal(change->path, expected->path, change->path_length);
    assert_true(same_stat(&change->stat, &expected->stat));
    assert_true(same_stat(&change->parent, &expected->parent));
    assert_int_equal(change->data_length, strlen(expected->data));
    if (change->data_length > 0)
        assert_memory_equal(change->data, expected->data, change->data_length);
    assert_int_equal(change->last, comparison->at == model->change_count);
    return true;
}

static bool compare_owned(void *context, uint64_t id, const char *path, size_t length)
{
    struct comparison *comparison = context;
    char text[PATH_BYTES];

    snprintf(text, sizeof text, "%.*s", (int)length, path);
    const struct model_node *node = find(comparison->model, text);
    assert_non_null(node);
    assert_int_equal(node->stat.owner, comparison->session);
    assert_true(comparison->at == 0 || node->born > comparison->last);
    assert_true(id > 0);
    comparison->last = node->born;
    comparison->at++;
    return true;
}

// An ephemeral exists exactly if its session does, and the session knows of it.
static void compare_sessions(struct model *model, struct view *view)
{
    unsigned owned = 0, ephemerals = 0;

    assert_int_equal(view_position(view)->session_count, model->session_count);
    for (unsigned i = 0; i < model->session_count; i++) {
        struct comparison comparison = {.model = model, .session = model->sessions[i].id};
        struct session_info info;
        assert_int_equal(view_session(view, comparison.session, &info), ERROR_OK);
        assert_int_equal(info.generation, model->sessions[i].generation);
        assert_int_equal(info.binding.counter, model->sessions[i].binding.counter);
        assert_int_equal(
            view_session_nodes(view, comparison.session, 0, compare_owned, &comparison), ERROR_OK);
        assert_int_equal(info.ephemeral_count, comparison.at);
        owned += comparison.at;
    }
    for (unsigned i = 0; i < model->node_count; i++) {
        ephemerals += model->nodes[i].kind == ZNODE_EPHEMERAL;
        assert_true((model->nodes[i].kind == ZNODE_EPHEMERAL) ==
                    (find_session(model, model->nodes[i].stat.owner) != NULL));
    }
    assert_int_equal(owned, ephemerals);
}

static bool compare_item(void *context, const struct due_item *item)
{
    struct comparison *comparison = context;
    uint64_t order = (item->kind == ZNODE_TTL ? 1ull << 63 : 0) | item->deadline_us;
    char text[PATH_BYTES];

    snprintf(text, sizeof text, "%.*s", (int)item->path_length, item->path);
    const struct model_node *node = find(comparison->model, text);
    assert_non_null(node);
    assert_true(is_due(node, comparison->model->now_us));
    assert_int_equal(item->kind, node->kind);
    assert_int_equal(item->deadline_us, node->due_us);
    assert_int_equal(item->mzxid, node->stat.mzxid);
    assert_true(order >= comparison->last);
    comparison->last = order;
    comparison->at++;
    return true;
}

static void compare_due(struct model *model, struct view *view)
{
    struct comparison comparison = {.model = model};
    unsigned expected = 0;

    for (unsigned i = 0; i < model->node_count; i++)
        expected += is_due(&model->nodes[i], model->now_us);
    assert_int_equal(view_due(view, model->now_us, compare_item, &comparison), ERROR_OK);
    assert_int_equal(comparison.at, expected);
}

static void compare_nodes(struct model *model, struct view *view)
{
    assert_int_equal(view_position(view)->node_count, model->node_count + 3); // of /zookeeper
    for (unsigned i = 0; i < model->node_count; i++) {
        struct model_node *expected = &model->nodes[i];
        struct stat_fields stat = visible(expected);
        struct znode node;
        assert_int_equal(view_get(view, expected->path, strlen(expected->path), true, &node),
                         ERROR_OK);
        assert_int_equal(node.kind, expected->kind);
        assert_true(same_stat(&node.stat, &stat));
        if (stat.data_length > 0)
            assert_memory_equal(node.data, expected->data, stat.data_length);
    }
}

static void compare(struct fixture *fixture, struct model *model, uint64_t before)
{
    struct comparison comparison = {.model = model};
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_position(view)->zxid, model->zxid);
    assert_int_equal(view_changes(view, before, compare_change, &comparison), ERROR_OK);
    assert_int_equal(comparison.at, model->change_count);
    compare_nodes(model, view);
    compare_sessions(model, view);
    compare_due(model, view);
    view_close(view);
}

// ---- Random commands ---------------------------------------------------------------------------

struct random {
    uint64_t seed;
    const char *big; // more than fits into a row
};

static uint32_t next_random(struct random *random, uint32_t below)
{
    random->seed = random->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random->seed >> 33) % below;
}

static const char *random_path(struct random *random)
{
    static const char *const paths[] = {
        "/a", "/a/b", "/a/b/c", "/a/c", "/e", "/e/f", "/e/f/g", "/e/g", "/h", "/h/i", "/h/j",
    };

    return paths[next_random(random, sizeof paths / sizeof *paths)];
}

static struct op random_znode_op(struct random *random)
{
    static const uint8_t types[] = {OP_CREATE, OP_CREATE, OP_CREATE, OP_CREATE, OP_SET,
                                    OP_PUT,    OP_DELETE, OP_DELETE, OP_CHECK,  OP_DELETE_TREE};
    static const unsigned flags[] = {0, 0, OP_SEQUENTIAL, OP_PARENTS, OP_SEQUENTIAL | OP_PARENTS};
    uint8_t type = types[next_random(random, sizeof types)];
    const char *data = next_random(random, 12) == 0 ? random->big : "some data";
    struct op op = op_create(random_path(random), data);

    op.type = type;
    if (type == OP_CREATE)
        op.kind = (uint8_t)next_random(random, ZNODE_TTL + 1);
    if (type == OP_CREATE)
        op.flags = (uint16_t)flags[next_random(random, 5)];
    if (op.kind == ZNODE_TTL)
        op.ttl_ms = 1 + next_random(random, 20);
    if (type == OP_DELETE || type == OP_CHECK || type == OP_DELETE_TREE)
        op.data = NULL, op.data_length = 0;
    if (type == OP_DELETE_TREE) {
        op.limit = next_random(random, 5);
        op.flags = next_random(random, 2) == 0 ? OP_PARTIAL : 0;
    }
    return op;
}

static uint64_t random_session(struct random *random, const struct model *model)
{
    uint64_t any = 1 + next_random(random, 1 + (uint32_t)model->zxid);

    if (model->session_count == 0 || next_random(random, 10) == 0)
        return any;
    return model->sessions[next_random(random, model->session_count)].id;
}

static struct op random_session_op(struct random *random, const struct model *model)
{
    struct session_binding binding = {.node = (uint16_t)next_random(random, 3),
                                      .counter = next_random(random, 3)};
    uint64_t id = random_session(random, model);

    switch (next_random(random, 8)) {
    case 0:
        return op_on_session(OP_SESSION_CLOSE, id);
    case 1:
        return op_expire(id, next_random(random, 3));
    case 2:
        return op_unbind(id, binding);
    case 3:
    case 4:
        return op_bind(id, binding);
    default:
        return model->session_count < SESSIONS_KEPT ? op_open(1000) : op_bind(id, binding);
    }
}

static struct op random_reap(struct random *random, const struct model *model)
{
    const struct model_node *node = &model->nodes[next_random(random, model->node_count)];
    bool right = next_random(random, 8) > 0;

    for (unsigned i = 0; i < model->node_count && right; i++) {
        if (is_due(&model->nodes[i], model->now_us))
            node = &model->nodes[i];
    }
    return op_reap(node->path, node->kind == ZNODE_TTL ? ZNODE_TTL : ZNODE_CONTAINER,
                   node->stat.mzxid + !right);
}

// A command: its ops borrow paths from the model, so it is encoded before it is executed.
struct command_maker {
    struct op ops[OPS_MAX];
    uint32_t count;
    bool multi;
};

static struct command_maker random_command(struct random *random, struct model *model)
{
    struct command_maker maker = {.count = 1};
    uint32_t choice = next_random(random, 10);

    if (choice < 1) {
        maker.ops[0] = random_session_op(random, model);
    } else if (choice == 1) {
        maker.ops[0] = random_reap(random, model);
    } else {
        maker.multi = choice > 7;
        maker.count = maker.multi ? 1 + next_random(random, OPS_MAX) : 1;
        for (uint32_t i = 0; i < maker.count; i++)
            maker.ops[i] = random_znode_op(random);
    }
    model->actor = next_random(random, 4) == 0 ? 0 : random_session(random, model);
    return maker;
}

// What the commands of all seeds were, so that none of it is left untried.
struct reached {
    unsigned executed;
    unsigned succeeded;
    unsigned reaps;  // with an effect
    unsigned closes; // of sessions with more than one ephemeral
};

// Appends the command to the entry that the other state will execute.
static void add_to_entry(struct fixture *one, struct buffer *commands,
                         const struct command_maker *maker)
{
    encode(&one->command, one, maker->multi, maker->ops, maker->count);
    buffer_string(commands, one->command.data, one->command.length);
}

// Executes it on the state of one command per entry and on the model, and compares.
static void execute_and_compare(struct fixture *one, struct model *model,
                                const struct command_maker *maker, struct reached *reached)
{
    char reaped[PATH_BYTES];
    struct op first = maker->ops[0];
    uint64_t before = model->zxid;
    bool changed = false;

    if (first.type == OP_REAP) { // its path is the model's
        snprintf(reaped, sizeof reaped, "%.*s", (int)first.path_length, first.path);
        first.path = reaped;
    }
    one->log_time_us = model->now_us;
    enum error error = maker->multi ? run_multi(one, maker->ops, maker->count) : run(one, first);
    model->change_count = 0;
    for (uint32_t i = 0; i < maker->count && error == ERROR_OK; i++)
        changed |= model_op(model, maker->multi ? &maker->ops[i] : &first, &one->last.ops[i]);
    model->zxid += changed;
    assert_int_equal(one->last.result.zxid, model->zxid);
    compare(one, model, before);
    reached->executed++;
    reached->succeeded += error == ERROR_OK;
    reached->reaps += first.type == OP_REAP && changed;
    reached->closes += first.type > OP_REAP && model->change_count > 1;
}

// Executes all commands of an entry at once.
static void execute_entry(struct fixture *many, uint64_t log_time_us, const struct buffer *commands,
                          uint32_t count)
{
    struct origin origin = {.node = 1, .boot = 1, .sequence = many->sequence};

    buffer_clear(&many->batch);
    batch_begin(&many->batch);
    batch_begin_part(&many->batch, &origin, count);
    buffer_append(&many->batch, commands->data, commands->length);
    many->log_time_us = log_time_us;
    assert_int_equal(execute_value(many, many->batch.data, many->batch.length, NULL, NULL),
                     ERROR_OK);
    many->sequence += count;
}

static void run_seed(uint64_t seed, const char *big, struct reached *reached)
{
    struct random random = {.seed = seed, .big = big};
    struct model *model = memory_zalloc(sizeof *model);
    struct buffer commands = {0};
    struct fixture *one, *many;
    fixture_setup((void **)&one);
    fixture_setup((void **)&many);
    model->nodes[model->node_count++] =
        (struct model_node){.path = "/", .data = "", .stat.num_children = 1};
    for (unsigned entry = 0; entry < ENTRIES; entry++) {
        uint32_t count = 1 + next_random(&random, PER_ENTRY);
        model->now_us += next_random(&random, 8000);
        model->wall_ms = one->wall_ms = many->wall_ms = 5000 + entry;
        buffer_clear(&commands);
        for (uint32_t i = 0; i < count; i++) {
            struct command_maker maker = random_command(&random, model);
            act_as(one, model->actor);
            add_to_entry(one, &commands, &maker);
            execute_and_compare(one, model, &maker, reached);
        }
        execute_entry(many, model->now_us, &commands, count);
        assert_true(hash128_equal(position_of(one).digest, position_of(many).digest));
    }
    buffer_deinit(&commands);
    fixture_teardown((void **)&one);
    fixture_teardown((void **)&many);
    free(model);
}

static void states_are_what_the_model_says(void **context)
{
    char *big = memory_alloc(5001);
    struct reached reached = {0};

    (void)context;
    memset(big, 'b', 5000);
    big[5000] = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed, big, &reached);
    assert_in_range(reached.succeeded, reached.executed / 5, reached.executed * 19 / 20);
    assert_true(reached.reaps > SEEDS);
    assert_true(reached.closes > SEEDS / 2);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_what_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
