// SPDX-License-Identifier: Apache-2.0
// What holders of sessions ask for. A proof holds a number of its own, so no two sessions are alike.
#include "tests/sim/holder.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

enum {
    PATH_BYTES = 32,
    OPS_MAX = 2,
    RENEWALS = 4, // within a timeout
};

struct text {
    char path[PATH_BYTES];
    uint8_t data[8];
};

static struct op path_op(struct text *text, enum op_type type, const char *prefix, uint32_t number)
{
    snprintf(text->path, sizeof text->path, "/%s%u", prefix, number);
    return (struct op){.type = (uint8_t)type,
                       .path = text->path,
                       .path_length = strlen(text->path),
                       .version = -1};
}

static struct op with_number(struct world *world, struct op op, struct text *text)
{
    bytes_put_u64(text->data, workload_number(world));
    op.data = text->data;
    op.data_length = sizeof text->data;
    return op;
}

static struct op session_op(const struct holder *holder, enum op_type type)
{
    return (struct op){.type = (uint8_t)type, .session = {.id = holder->id}};
}

// ---- What is asked for ---------------------------------------------------------------------------

static void encode_as(struct operation *operation, const struct command *command,
                      const struct op *ops)
{
    struct buffer encoded = {0};

    command_encode_begin(&encoded, command);
    for (uint32_t i = 0; i < command->op_count; i++)
        command_encode_op(&encoded, &ops[i]);
    operation->command = blob_copy(encoded.data, encoded.length);
    buffer_deinit(&encoded);
}

static void encode(struct operation *operation, const struct holder *holder, bool as_actor,
                   const struct op *ops, uint32_t count)
{
    struct command command = {.op_count = count, .multi = count > 1};

    if (as_actor) {
        command.actor = holder->id;
        command.proof = holder->proof;
    }
    encode_as(operation, &command, ops);
}

// With a key, which makes it unlike all others, and known in the end.
static void encode_keyed(struct world *world, struct operation *operation,
                         const struct holder *holder, const struct op *ops, uint32_t count)
{
    struct command command = {
        .op_count = count, .multi = count > 1, .actor = holder->id, .proof = holder->proof};
    uint8_t key[8];

    workload_key(world, &command, key);
    operation->keyed = true;
    encode_as(operation, &command, ops);
}

static void open_session(struct world *world, struct holder *holder, struct operation *operation)
{
    struct op op = {.type = OP_SESSION_OPEN};

    memset(holder->proof, 0, sizeof holder->proof);
    bytes_put_u64(holder->proof, workload_number(world));
    holder->timeout_ms =
        (uint32_t)choose_between(&world->choices, SESSION_TIMEOUT_MIN_MS, world->swarm.timeout_ms);
    op.session.timeout_ms = holder->timeout_ms;
    op.session.proof = holder->proof;
    operation->asks = ASKS_OPEN;
    encode(operation, holder, false, &op, 1);
}

static void bind_session(struct world *world, struct holder *holder, struct operation *operation)
{
    struct op op = session_op(holder, OP_SESSION_BIND);

    holder->binding.node = (uint16_t)(1 + choose(&world->choices, (uint32_t)world->swarm.nodes));
    holder->binding.boot = 1;
    holder->binding.counter = ++holder->bound;
    op.session.binding = holder->binding;
    op.session.grace_ms = 1000;
    operation->asks = ASKS_BIND;
    encode(operation, holder, true, &op, 1);
}

// The end of a connection: its last one, or one before that came late.
static void hang_up(struct world *world, struct holder *holder, struct operation *operation)
{
    struct op op = session_op(holder, OP_SESSION_UNBIND_CLOSE);
    bool late = choose(&world->choices, 4) != 0 && holder->bound - holder->hung_up > 1;

    op.session.binding = holder->binding;
    op.session.binding.counter -= late;
    holder->hung_up = op.session.binding.counter;
    operation->asks = ASKS_CLOSE;
    encode(operation, holder, false, &op, 1);
}

static void close_session(struct world *world, struct holder *holder, struct operation *operation)
{
    struct op op = session_op(holder, OP_SESSION_CLOSE);

    operation->asks = ASKS_CLOSE;
    encode_keyed(world, operation, holder, &op, 1);
}

static void make_ephemeral(struct world *world, struct holder *holder, struct operation *operation)
{
    uint32_t number = choose(&world->choices, (uint32_t)world->swarm.keys);
    uint32_t kind = choose(&world->choices, 3);
    struct text texts[OPS_MAX];
    struct op ops[OPS_MAX];

    ops[0] = path_op(&texts[0], OP_CREATE, kind == 1 ? "s/e" : "e", number);
    ops[0] = with_number(world, ops[0], &texts[0]);
    ops[0].kind = ZNODE_EPHEMERAL;
    if (kind == 1)
        ops[0].flags = OP_SEQUENTIAL | OP_PARENTS;
    if (kind == 2)
        ops[1] = with_number(world, path_op(&texts[1], OP_PUT, "m", number), &texts[1]);
    operation->asks = ASKS_WRITE;
    encode(operation, holder, true, ops, kind == 2 ? 2 : 1);
}

// Somebody else's, perhaps.
static void delete_ephemeral(struct world *world, struct holder *holder,
                             struct operation *operation)
{
    struct text text;
    struct op op =
        path_op(&text, OP_DELETE, "e", choose(&world->choices, (uint32_t)world->swarm.keys));

    operation->asks = ASKS_WRITE;
    encode_keyed(world, operation, holder, &op, 1);
}

static void renew(struct operation *operation)
{
    operation->read = true;
    operation->asks = ASKS_RENEWAL;
}

static void ask(struct world *world, struct holder *holder, struct operation *operation)
{
    uint64_t often_ns = holder->timeout_ms * MILLISECOND_NS / RENEWALS;
    uint32_t kind = choose(&world->choices, 32);

    if (world->now_ns - holder->renewed_ns > often_ns || kind < 4)
        renew(operation);
    else if (kind < 7)
        delete_ephemeral(world, holder, operation);
    else if (kind < 20)
        make_ephemeral(world, holder, operation);
    else if (kind < 26)
        bind_session(world, holder, operation);
    else if (kind < 28 && holder->bound > holder->hung_up)
        hang_up(world, holder, operation);
    else if (kind < 29)
        close_session(world, holder, operation);
    else
        renew(operation);
}

bool holder_begin(struct world *world, struct holder *holder, struct operation *operation)
{
    if (!choose_chance(&world->choices, world->swarm.sessions))
        return false;
    if (holder->id != 0 && choose_chance(&world->choices, world->swarm.lapses))
        *holder = (struct holder){0}; // nobody will ever hear of it again
    operation->key = NO_KEY;
    operation->session = holder->id;
    if (holder->id == 0) {
        open_session(world, holder, operation);
        return true;
    }
    ask(world, holder, operation);
    if (operation->asks != ASKS_CLOSE)
        holder->renewed_ns = world->now_ns;
    return true;
}

// ---- What comes of it ----------------------------------------------------------------------------

static void opened(struct world *world, struct holder *holder, const struct operation *operation)
{
    if (operation->status != OPERATION_OK)
        return;
    ASSERT(operation->session != 0);
    world_count(world, COUNT_OPENED);
    holder->id = operation->session;
    holder->renewed_ns = world->now_ns;
    holder->binding = (struct session_binding){0};
    holder->bound = holder->hung_up = 0;
}

void holder_end(struct world *world, struct holder *holder, const struct operation *operation)
{
    bool ok = operation->status == OPERATION_OK;

    if (operation->asks == ASKS_OPEN)
        opened(world, holder, operation);
    if (operation->asks == ASKS_RENEWAL && ok && operation->content != 0)
        world_count(world, COUNT_RENEWED);
    if (operation->asks == ASKS_BIND && ok && operation->changed)
        world_count(world, COUNT_BOUND);
    bool closed = operation->asks == ASKS_CLOSE &&
                  ((ok && operation->changed) || operation->status == OPERATION_UNKNOWN);
    if (closed)
        world_count(world, COUNT_CLOSED);
    if (closed || operation->gone)
        holder->id = 0;
}

uint64_t holder_look(struct view *view, uint64_t session)
{
    struct session_info info;

    if (view_session(view, session, &info) != ERROR_OK)
        return 0;
    uint64_t said[] = {info.id,           info.timeout_ms,      info.grace_ms,
                       info.binding.node, info.binding.counter, info.generation,
                       info.created_ms,   info.ephemeral_count};
    return hash64(said, sizeof said, 0) | 1;
}
