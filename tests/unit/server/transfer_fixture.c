// SPDX-License-Identifier: Apache-2.0
// Nodes and a network in memory: see the header.
#include "tests/unit/server/transfer_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define STEP_NS (SILENCE_NS / 4)

const struct ballot leading = {.round = 7, .node = 1};

// ---- Nodes ---------------------------------------------------------------------------------------

static uint16_t id_of(const struct node *node)
{
    return node->identity.node;
}

static void port_send(void *context, uint16_t to, const void *data, size_t length)
{
    struct node *node = context;
    struct net *net = node->net;

    assert_true(net->count < sizeof net->frames / sizeof net->frames[0]);
    net->sent_of_kind[((const uint8_t *)data)[0]]++;
    net->frames[net->count++] = (struct frame){
        .from = id_of(node), .to = to, .length = length, .data = memory_copy(data, length)};
}

static void port_install(void *context, const struct checkpoint_info *info, struct ballot ballot)
{
    struct node *node = context;

    node->installs++;
    node->installed = info->position.applied;
    node->installed_ballot = ballot;
}

static paxos_slot port_newest(void *context)
{
    return ((struct node *)context)->newest;
}

static void start_node(struct node *node)
{
    const struct transfer_settings settings = {
        .disk = node->disk,
        .identity = &node->identity,
        .journal = node->journal,
        .epoch = 3,
        .silence_ns = SILENCE_NS,
        .reserve_bytes = node->reserve_bytes,
    };
    const struct transfer_ports ports = {.context = node,
                                         .send = port_send,
                                         .install = port_install,
                                         .newest_checkpoint = port_newest};

    node->transfer = transfer_new(&settings, &ports);
}

void net_restart(struct node *node)
{
    transfer_free(node->transfer);
    start_node(node);
}

static enum error on_start(void *context, const struct paxos_scalars *scalars,
                           struct failure *failure)
{
    (void)context;
    (void)scalars;
    (void)failure;
    return ERROR_OK;
}

static enum error on_record(void *context, const struct paxos_record *record,
                            struct failure *failure)
{
    (void)context;
    (void)record;
    (void)failure;
    return ERROR_OK;
}

static enum error on_group(void *context, paxos_slot decided, struct failure *failure)
{
    (void)context;
    (void)decided;
    (void)failure;
    return ERROR_OK;
}

static void make_node(struct net *net, size_t index)
{
    const struct journal_handler handler = {
        .start = on_start, .record = on_record, .group_end = on_group};
    struct node *node = &net->nodes[index];
    struct failure failure;

    node->net = net;
    node->disk = disk_fake_new();
    node->identity = (struct identity){
        .cluster = "cluster-cluster", .node = (uint16_t)(index + 1), .boot_count = 5};
    assert_int_equal(journal_open(node->disk, &node->identity, &handler, &node->journal, &failure),
                     ERROR_OK);
    start_node(node);
}

int net_setup(void **context)
{
    void *state;
    struct net *net = memory_zalloc(sizeof *net);

    fixture_setup(&state);
    net->state = state;
    net->random = 1;
    net->now_ns = 1000 * SILENCE_NS;
    for (size_t i = 0; i < NODES; i++)
        make_node(net, i);
    *context = net;
    return 0;
}

void net_drop_frames(struct net *net)
{
    while (net->count > 0)
        free(net->frames[--net->count].data);
}

int net_teardown(void **context)
{
    struct net *net = *context;
    void *state = net->state;

    net_drop_frames(net);
    for (size_t i = 0; i < NODES; i++) {
        transfer_free(net->nodes[i].transfer);
        journal_close(net->nodes[i].journal);
        disk_fake_free(net->nodes[i].disk);
    }
    fixture_teardown(&state);
    free(net);
    return 0;
}

// ---- The network ---------------------------------------------------------------------------------

uint64_t net_draw(struct net *net, uint64_t bound)
{
    net->random = hash64(&net->random, sizeof net->random, 11);
    return net->random % bound;
}

void net_receive(struct net *net, const struct frame *frame)
{
    struct node *node = &net->nodes[frame->to - 1];

    assert_int_equal(transfer_receive(node->transfer, frame->from, frame->data, frame->length,
                                      node->executed, net->now_ns),
                     ERROR_OK);
}

void net_deliver(struct net *net, size_t index)
{
    struct frame frame = net->frames[index];

    net->count--;
    memmove(net->frames + index, net->frames + index + 1,
            (net->count - index) * sizeof net->frames[0]);
    net_receive(net, &frame);
    free(frame.data);
}

void net_tick(struct net *net)
{
    net->now_ns += STEP_NS;
    for (size_t i = 0; i < NODES; i++)
        assert_int_equal(transfer_tick(net->nodes[i].transfer, net->now_ns), ERROR_OK);
}

void net_lagging(struct net *net, size_t giver)
{
    struct node *node = &net->nodes[giver];

    assert_int_equal(transfer_lagging(node->transfer, TAKER + 1, 1, leading, node->executed),
                     ERROR_OK);
}

void net_run_to_end(struct net *net)
{
    for (int steps = 0; net->count > 0; steps++) {
        assert_true(steps < STEPS_MAX);
        net_deliver(net, 0);
    }
}

void net_deliver_badly(struct net *net)
{
    size_t index = (size_t)net_draw(net, net->count);
    struct frame *frame = &net->frames[index];

    switch (net_draw(net, 5)) {
    case 0:
        free(frame->data);
        *frame = net->frames[--net->count];
        break;
    case 1:
        net_receive(net, &(struct frame){.from = frame->from,
                                         .to = frame->to,
                                         .length = frame->length,
                                         .data = frame->data});
        break;
    case 2:
        frame->data[net_draw(net, frame->length)] ^= (uint8_t)(1 + net_draw(net, 255));
        break;
    default:
        net_deliver(net, index);
        break;
    }
}
