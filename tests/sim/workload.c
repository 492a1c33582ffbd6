// SPDX-License-Identifier: Apache-2.0
// What clients ask for. Each command holds a number of its own in its data, so that no two are alike
// and the log tells which of them came through, how often and when.
#include "tests/sim/workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/sim/attendance.h"
#include "tests/sim/faults.h"
#include "tests/sim/holder.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"

enum {
    PATH_BYTES = 32,
    FILLER_MAX = 120,
    KEY_RETENTION_S = 100000,
    KEY_CAPACITY = 100000,
    OPS_MAX = 4,
    SPARES = PAXOS_WINDOW + 200,
};

#define FLOOD_NS (40 * MICROSECOND_NS) // between its commands, so that each gets a slot of its own

// Clients beyond the swarm's are spare ones: each sends one request when it is needed.
struct client {
    uint32_t index;
    bool busy;
    bool spare;
    size_t operation; // while busy
    struct node *at;  // who is to get the request; NULL: anybody
    struct holder holder;
};

struct workload {
    struct client *clients;
    struct history history;
    bool finishing;
    uint64_t numbers;
};

// One attempt of an operation at one node.
struct request {
    struct submission submission;
    struct replica_read read;
    struct read_wait renewal;
    struct node *node;
    struct client *client;
};

static void probe(struct world *world, uint32_t key);

static struct operation *operation_of(struct world *world, const struct client *client)
{
    return &world->workload->history.operations[client->operation];
}

static void client_later(struct world *world, const struct client *client, uint64_t mean_ns)
{
    world_schedule(world, choose_delay(&world->choices, mean_ns),
                   (struct event){.kind = EVENT_CLIENT, .node = NOBODY, .a = client->index});
}

uint64_t workload_number(struct world *world)
{
    return ++world->workload->numbers;
}

// ---- Commands ----------------------------------------------------------------------------------

struct text {
    char path[PATH_BYTES];
    uint8_t data[8 + FILLER_MAX];
};

static struct op make_op(struct text *text, enum op_type type, const char *prefix, uint32_t number)
{
    snprintf(text->path, sizeof text->path, "/%s%u", prefix, number);
    return (struct op){.type = (uint8_t)type,
                       .kind = ZNODE_PERSISTENT,
                       .path = text->path,
                       .path_length = strlen(text->path),
                       .version = -1};
}

// The data begins with a number that no other data has.
static struct op with_data(struct world *world, struct op op, struct text *text)
{
    size_t length = 8 + choose(&world->choices, world->swarm.floods > 0 ? 1 : FILLER_MAX);

    bytes_put_u64(text->data, ++world->workload->numbers);
    memset(text->data + 8, (int)(world->workload->numbers & 0xff), length - 8);
    op.data = text->data;
    op.data_length = length;
    return op;
}

static uint32_t make_ops(struct world *world, struct operation *operation, struct op ops[OPS_MAX],
                         struct text texts[OPS_MAX])
{
    uint32_t kind = choose(&world->choices, 10);
    uint32_t key = operation->key;

    operation->writes = kind < 4 || (kind >= 6 && kind <= 8);

    if (kind < 4) {
        ops[0] = with_data(world, make_op(&texts[0], OP_PUT, "k", key), &texts[0]);
        operation->value = world->workload->numbers;
        return 1;
    }
    if (kind < 6) {
        ops[0] = with_data(world, make_op(&texts[0], OP_CREATE, "s/n", key), &texts[0]);
        ops[0].flags = OP_SEQUENTIAL | OP_PARENTS;
        return 1;
    }
    if (kind < 8) {
        ops[0] = with_data(world, make_op(&texts[0], OP_SET, "k", key), &texts[0]);
        operation->value = world->workload->numbers;
        ops[0].version = (int32_t)choose(&world->choices, 4) - 1;
        return 1;
    }
    ops[0] = make_op(&texts[0], kind == 8 ? OP_DELETE : OP_CHECK, "k", key);
    ops[1] = with_data(world, make_op(&texts[1], OP_PUT, "m", key), &texts[1]);
    ops[2] = with_data(world, make_op(&texts[2], OP_CREATE, "s/m", key), &texts[2]);
    ops[2].flags = OP_SEQUENTIAL | OP_PARENTS;
    return 3;
}

void workload_key(struct world *world, struct command *command, uint8_t key[8])
{
    bytes_put_u64(key, workload_number(world));
    command->key = key;
    command->key_length = 8;
    command->identity = hash128(key, 8, 1);
    command->key_retention_us = (uint64_t)KEY_RETENTION_S * 1000000;
    command->key_capacity = KEY_CAPACITY;
}

static struct blob *make_command(struct world *world, struct operation *operation)
{
    struct text texts[OPS_MAX];
    struct op ops[OPS_MAX];
    struct buffer encoded = {0};
    uint8_t key[8];
    uint32_t count = make_ops(world, operation, ops, texts);
    struct command command = {.multi = count > 1, .op_count = count};

    if (operation->keyed)
        workload_key(world, &command, key);
    command_encode_begin(&encoded, &command);
    for (uint32_t i = 0; i < count; i++)
        command_encode_op(&encoded, &ops[i]);
    struct blob *blob = blob_copy(encoded.data, encoded.length);
    buffer_deinit(&encoded);
    return blob;
}

// ---- Answers -----------------------------------------------------------------------------------

static void told(struct world *world, struct operation *operation)
{
    struct history *history = &world->workload->history;
    uint64_t least = operation->floor_zxid + (operation->changed ? 1 : 0);

    if (operation->zxid < least)
        world_fail(world, SIM_CORRECTNESS, "real-time",
                   "a %s was answered with zxid %" PRIu64 ", but %" PRIu64
                   " had been told before it was asked for",
                   operation->read ? "read" : "write", operation->zxid, operation->floor_zxid);
    if (operation->zxid > history->told_zxid)
        history->told_zxid = operation->zxid;
}

static void finish(struct world *world, struct client *client, enum operation_status status,
                   enum error error)
{
    struct operation *operation = operation_of(world, client);

    if (status == OPERATION_UNKNOWN && world->mode == MODE_QUIET)
        world_fail(world, SIM_CORRECTNESS, "quiet", "an answer is unknown: %s",
                   error_entry(error)->slug);
    if (status == OPERATION_UNKNOWN)
        world_count(world, COUNT_WRITES_UNKNOWN);
    operation->completed_ns = world->now_ns;
    operation->status = status;
    operation->error = error;
    client->busy = false;
    if (status == OPERATION_OK)
        told(world, operation);
    if (operation->asks != ASKS_READ && !client->spare)
        holder_end(world, &client->holder, operation);
    world_note(world, operation, offsetof(struct operation, command));
    if (!client->spare)
        client_later(world, client, world->swarm.think_ns);
}

// An answer that leaves it open what happened: a keyed request is asked again until it is known.
static void finish_unknown(struct world *world, struct client *client, enum error error)
{
    struct operation *operation = operation_of(world, client);

    operation->unknown_attempts++;
    if (operation->keyed)
        client_later(world, client, world->swarm.think_ns + MILLISECOND_NS);
    else
        finish(world, client, OPERATION_UNKNOWN, error);
}

static void finish_refused(struct world *world, struct client *client, enum error error)
{
    struct operation *operation = operation_of(world, client);

    if (operation->unknown_attempts > 0) {
        client_later(world, client, world->swarm.think_ns + MILLISECOND_NS);
        return;
    }
    world_count(world, operation->read ? COUNT_READS_FAILED : COUNT_WRITES_REFUSED);
    finish(world, client, OPERATION_REFUSED, error);
}

static bool has_changed(const struct result *result)
{
    struct result ops = *result;
    struct op_result first;

    if (result->error != ERROR_OK)
        return false;
    result_next_op(&ops, &first);
    return (first.flags & RESULT_NO_EFFECT) == 0;
}

static void finish_write(struct world *world, struct client *client, struct blob *blob)
{
    struct operation *operation = operation_of(world, client);
    struct result result;

    if (result_decode(blob->data, blob->length, &result) != ERROR_OK)
        world_fail(world, SIM_CORRECTNESS, "answer", "a result does not decode");
    operation->result = blob;
    operation->zxid = result.zxid;
    operation->changed = has_changed(&result);
    operation->gone = result.error == ERROR_SESSION_EXPIRED;
    if (operation->asks == ASKS_OPEN && operation->changed)
        operation->session = result.zxid;
    world_count(world, COUNT_WRITES_OK);
    uint32_t key = operation->key;
    bool changed = operation->changed;
    finish(world, client, OPERATION_OK, ERROR_OK);
    if (changed && key != NO_KEY && !client->spare &&
        choose_chance(&world->choices, world->swarm.probes))
        probe(world, key);
}

static void on_complete(struct submission *submission, enum error error, struct blob *result)
{
    struct request *request = CONTAINER_OF(submission, struct request, submission);
    struct world *world = request->node->world;
    struct client *client = request->client;
    bool dying = request->node->dying;

    blob_unref(submission->command);
    free(request);
    world_log(world, NULL, "client %u: %s", client->index,
              dying ? "connection lost" : error_entry(error)->slug);
    if (error == ERROR_OK && !dying)
        finish_write(world, client, result);
    else if (dying || error_entry(error)->outcome == OUTCOME_UNKNOWN)
        finish_unknown(world, client, dying ? ERROR_OUTCOME_UNKNOWN : error);
    else
        finish_refused(world, client, error);
}

uint64_t workload_look(struct view *view, uint32_t key, uint64_t *value)
{
    struct znode znode;
    struct text text;
    struct op op = make_op(&text, OP_CHECK, "k", key);

    *value = 0;
    if (view_get(view, op.path, op.path_length, true, &znode) != ERROR_OK)
        return 0;
    *value = bytes_get_u64(znode.data);
    uint64_t stat[] = {znode.stat.czxid, znode.stat.mzxid, (uint64_t)znode.stat.version,
                       znode.stat.ctime, znode.stat.mtime};
    uint64_t hash = hash64(stat, sizeof stat, znode.stat.data_length);
    return hash64(znode.data, znode.stat.data_length, hash) | 1;
}

static void look(struct world *world, struct node *node, struct client *client)
{
    struct operation *operation = operation_of(world, client);
    struct view *view;

    ASSERT(view_open(node->state, &view) == ERROR_OK);
    operation->zxid = view_position(view)->zxid;
    operation->slot = view_position(view)->applied;
    if (operation->asks == ASKS_RENEWAL) {
        operation->content = holder_look(view, operation->session);
        operation->gone = operation->content == 0;
    } else {
        operation->content = workload_look(view, operation->key, &operation->value);
    }
    view_close(view);
    world_count(world, COUNT_READS_OK);
    finish(world, client, OPERATION_OK, ERROR_OK);
}

static void on_read(struct replica_read *read, enum error error)
{
    struct request *request = CONTAINER_OF(read, struct request, read);
    struct node *node = request->node;
    struct client *client = request->client;

    free(request);
    if (error == ERROR_OK && !node->dying)
        look(node->world, node, client);
    else
        finish_refused(node->world, client, error);
}

static void on_renewal(struct read_wait *wait, enum error error)
{
    struct request *request = CONTAINER_OF(wait, struct request, renewal);

    on_read(&request->read, error);
}

static void renew(struct request *request)
{
    const struct operation *operation = operation_of(request->node->world, request->client);

    request->renewal = (struct read_wait){.barrier = true,
                                          .renew = operation->session,
                                          .deadline_ns = request->read.deadline_ns,
                                          .complete = on_renewal};
    attendance_renew(request->node, &request->renewal);
}

// The node did not know the session: it does now, or the session does not exist.
static void on_known(struct replica_read *read, enum error error)
{
    struct request *request = CONTAINER_OF(read, struct request, read);
    const struct operation *operation = operation_of(request->node->world, request->client);
    struct session_info info;
    struct view *view;

    if (error == ERROR_OK && !request->node->dying) {
        ASSERT(view_open(request->node->state, &view) == ERROR_OK);
        bool known = view_session(view, operation->session, &info) == ERROR_OK;
        view_close(view);
        if (known) {
            renew(request);
            return;
        }
    }
    on_read(read, error);
}

// ---- Requests ----------------------------------------------------------------------------------

static struct operation *add_operation(struct world *world, struct client *client)
{
    struct history *history = &world->workload->history;

    if (history->count == history->capacity) {
        history->capacity = history->capacity * 2 + 64;
        history->operations =
            memory_realloc(history->operations, history->capacity * sizeof *history->operations);
    }
    client->busy = true;
    client->operation = history->count++;
    struct operation *operation = operation_of(world, client);
    *operation = (struct operation){.invoked_ns = world->now_ns, .floor_zxid = history->told_zxid};
    return operation;
}

static void note_command(struct operation *operation)
{
    operation->command_hash = hash64(operation->command->data, operation->command->length, 0);
}

static void make_write(struct world *world, struct operation *operation)
{
    operation->command = make_command(world, operation);
    note_command(operation);
}

static void begin(struct world *world, struct client *client)
{
    struct operation *operation = add_operation(world, client);

    if (holder_begin(world, &client->holder, operation)) {
        if (!operation->read)
            note_command(operation);
        return;
    }
    operation->read = choose(&world->choices, 3) == 2;
    operation->asks = operation->read ? ASKS_READ : ASKS_WRITE;
    operation->keyed = choose(&world->choices, 4) == 3 && !operation->read;
    operation->key = choose(&world->choices, (uint32_t)world->swarm.keys);
    if (!operation->read)
        make_write(world, operation);
}

static struct node *choose_node(struct world *world)
{
    struct node *node = &world->nodes[choose(&world->choices, (uint32_t)world->swarm.nodes)];

    for (size_t i = 0; i < world->swarm.nodes && world->healing; i++) {
        if (world->core & 1u << node->index)
            break;
        node = &world->nodes[(node->index + 1u) % world->swarm.nodes];
    }
    return node;
}

// What is sent to a node that is paused waits in its socket, or times out.
static bool wait_for_node(struct world *world, struct client *client, struct node *node)
{
    if (client->at != NULL || choose(&world->choices, 2) == 0)
        return false;
    client->at = node;
    world_schedule(world, node->paused_until_ns - world->now_ns,
                   (struct event){.kind = EVENT_CLIENT, .node = NOBODY, .a = client->index});
    return true;
}

// As api/session.c does with a renewal: where the session is not known, a barrier comes first.
static void submit_read(struct request *request, bool renewal, bool known)
{
    request->read.complete = renewal && !known ? on_known : on_read;
    if (renewal && known)
        renew(request);
    else
        replica_read(request->node->replica, &request->read);
}

static void submit(struct node *node, struct client *client, const struct operation *operation)
{
    struct replica_time now = node_time(node);
    struct request *request = memory_zalloc(sizeof *request);
    bool known =
        operation->session != 0 && attendance_touch(node, operation->session, client->holder.proof);

    request->node = node;
    request->client = client;
    request->read.deadline_ns = now.monotonic_ns + node->world->swarm.patience_ns;
    if (operation->read) {
        submit_read(request, operation->asks == ASKS_RENEWAL, known);
        return;
    }
    request->submission.command = blob_ref(operation->command);
    request->submission.deadline_ns = request->read.deadline_ns;
    request->submission.shrinks = operation->asks == ASKS_CLOSE;
    request->submission.received_ns = now.monotonic_ns;
    request->submission.complete = on_complete;
    replica_submit(node->replica, &request->submission);
}

static void send(struct world *world, struct client *client)
{
    struct operation *operation = operation_of(world, client);
    struct node *node = client->at != NULL ? client->at : choose_node(world);
    bool paused = node->up && node->paused_until_ns > world->now_ns;

    if (paused && wait_for_node(world, client, node))
        return;
    client->at = NULL;
    if (!node->up || paused) {
        finish_refused(world, client, ERROR_NO_LEADER);
        return;
    }
    world_log(world, node, "client %u %s", client->index, operation->read ? "reads" : "writes");
    submit(node, client, operation);
    node_stepped(node);
    node_wake(node);
}

void workload_on_client(struct world *world, struct event *event)
{
    struct client *client = &world->workload->clients[event->a];

    if (!client->busy) {
        if (world->workload->finishing || client->spare)
            return;
        begin(world, client);
    }
    send(world, client);
}

// ---- Probes and floods -------------------------------------------------------------------------

static struct client *idle_spare(struct world *world)
{
    for (size_t i = world->swarm.clients; i < world->swarm.clients + SPARES; i++) {
        if (!world->workload->clients[i].busy)
            return &world->workload->clients[i];
    }
    return NULL;
}

// A write was just answered: others read the same znode elsewhere and must see it.
static void probe(struct world *world, uint32_t key)
{
    enum { PROBES = 3 };

    world_count(world, COUNT_PROBES);
    for (unsigned i = 0; i < PROBES; i++) {
        struct client *client = idle_spare(world);
        if (client == NULL || world->workload->finishing)
            return;
        struct operation *operation = add_operation(world, client);
        operation->read = true;
        operation->asks = ASKS_READ;
        operation->key = key;
        client->at = choose(&world->choices, 2) == 1 ? node_deposed(world) : NULL;
        if (client->at != NULL && choose_chance(&world->choices, world->swarm.replays))
            network_replay(world, client->at->index);
        client_later(world, client, MILLISECOND_NS);
    }
}

// A leader, mostly alone with what it is asked to do then.
static void start_flood(struct world *world, struct event *event)
{
    struct node *node = faults_leader(world);

    event->a = node->index;
    event->b = choose(&world->choices, 4) != 0 ? PAXOS_WINDOW + 100 : 100;
    world_count(world, COUNT_FLOODS);
    if (choose(&world->choices, 4) != 0)
        faults_isolate(world, node->index, NOBODY);
    if (choose(&world->choices, 4) == 3)
        node->stuck_until_ns = world->now_ns + choose_delay(&world->choices, SECOND_NS);
}

void workload_on_flood(struct world *world, struct event *event)
{
    struct client *client = idle_spare(world);

    if (client == NULL || world->healing)
        return;
    if (event->b == 0)
        start_flood(world, event);
    struct operation *operation = add_operation(world, client);
    operation->key = choose(&world->choices, (uint32_t)world->swarm.keys);
    make_write(world, operation);
    client->at = &world->nodes[event->a];
    send(world, client);
    if (event->b > 1)
        world_schedule(
            world, FLOOD_NS,
            (struct event){.kind = EVENT_FLOOD, .node = NOBODY, .a = event->a, .b = event->b - 1});
}

// ---- Life --------------------------------------------------------------------------------------

void workload_make(struct world *world)
{
    struct workload *workload = memory_zalloc(sizeof *workload);

    world->workload = workload;
    workload->clients = memory_zalloc((world->swarm.clients + SPARES) * sizeof *workload->clients);
    for (uint32_t i = 0; i < world->swarm.clients + SPARES; i++) {
        workload->clients[i].index = i;
        workload->clients[i].spare = i >= world->swarm.clients;
        if (i < world->swarm.clients)
            client_later(world, &workload->clients[i], 20 * MILLISECOND_NS);
    }
}

void workload_free(struct world *world)
{
    struct history *history = &world->workload->history;

    for (size_t i = 0; i < history->count; i++) {
        blob_unref(history->operations[i].command);
        blob_unref(history->operations[i].result);
    }
    free(history->operations);
    free(world->workload->clients);
    free(world->workload);
}

void workload_finish(struct world *world)
{
    world->workload->finishing = true;
}

bool workload_busy(const struct world *world)
{
    for (size_t i = 0; i < world->swarm.clients + SPARES; i++) {
        if (world->workload->clients[i].busy)
            return true;
    }
    return false;
}

const struct history *workload_history(const struct world *world)
{
    return &world->workload->history;
}
