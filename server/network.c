// SPDX-License-Identifier: Apache-2.0
// A hello waits until the other's boot_count is durable here, which a thread of libuv's pool sees to:
// the core loop never waits for a disk.
#include "server/network.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/fifo.h"
#include "base/memory.h"
#include "server/fatal.h"
#include "server/forward.h"
#include "server/genesis.h"
#include "storage/identity.h"

// A hello whose boot_count is being noted.
struct introduction {
    struct fifo_link link;
    uint64_t token;
    struct node_met met;
    enum error error;
    struct failure failure;
};

struct network {
    uv_loop_t *loop;
    struct network_settings settings;
    struct network_addresses addresses;
    struct network_ports ports;
    struct disk *disk;
    struct identity *identity;
    struct peers *peers;
    bool closed;
    bool noting; // `work` is under way, on the first introduction
    struct fifo introductions;
    uv_work_t work;
    bool blank[PAXOS_VOTERS_MAX]; // by member: it waits for our genesis
};

struct peers_settings network_peers(const struct network_settings *settings,
                                    const struct identity *identity,
                                    struct network_addresses *addresses)
{
    const struct peer_list *list = settings->list;
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct peer_entry *entry = &list->entries[i];
        struct peer_address address = {
            .node = entry->node, .host = entry->host, .port = entry->port};
        if (entry->node == identity->node)
            addresses->self = address;
        else
            addresses->others[count++] = address;
    }
    return (struct peers_settings){.hello = genesis_hello(identity, list),
                                   .self = &addresses->self,
                                   .others = addresses->others,
                                   .other_count = count,
                                   .tls = settings->tls,
                                   .silence_ms = settings->silence_ms};
}

// ---- Who is let in ---------------------------------------------------------------------------------

static void note_next(struct network *network);

static void note(uv_work_t *work)
{
    struct network *network = work->data;
    struct introduction *first =
        CONTAINER_OF(network->introductions.head, struct introduction, link);

    first->error = identity_meet(network->disk, network->identity, &first->met, &first->failure);
}

static void noted(uv_work_t *work, int status)
{
    struct network *network = work->data;
    struct introduction *first =
        CONTAINER_OF(fifo_pop(&network->introductions), struct introduction, link);

    ASSERT(status == 0);
    network->noting = false;
    if (first->error != ERROR_OK && first->error != ERROR_FOREIGN)
        fatal_exit("what a peer said of itself could not be noted", first->error);
    if (!network->closed && first->error == ERROR_OK)
        peers_accept(network->peers, first->token);
    else if (!network->closed)
        peers_refuse(network->peers, first->token, first->failure.text);
    free(first);
    note_next(network);
}

static void note_next(struct network *network)
{
    if (network->noting || fifo_empty(&network->introductions))
        return;
    network->noting = true;
    network->work.data = network;
    int failed = uv_queue_work(network->loop, &network->work, note, noted);
    ASSERT(failed == 0);
}

static void introduce(struct network *network, uint64_t token, const struct hello *hello)
{
    struct introduction *introduction = memory_zalloc(sizeof *introduction);

    introduction->token = token;
    introduction->met =
        (struct node_met){.node = hello->node, .boot = hello->boot, .runs = hello->runs};
    memcpy(introduction->met.incarnation, hello->incarnation, sizeof hello->incarnation);
    fifo_push(&network->introductions, &introduction->link);
    note_next(network);
}

static size_t member_index(const struct network *network, uint16_t node)
{
    const struct cluster_member *member = identity_member(network->identity, node);

    ASSERT(member != NULL);
    return (size_t)(member - network->identity->members);
}

static void on_hello(void *context, uint64_t token, const struct hello *hello)
{
    struct network *network = context;
    struct failure why = {0};
    enum genesis_verdict verdict =
        genesis_judge(network->identity, network->settings.list, hello, &why);

    if (verdict == GENESIS_REFUSE) {
        peers_refuse(network->peers, token, why.text);
        return;
    }
    network->blank[member_index(network, hello->node)] = verdict == GENESIS_GIVE;
    if (verdict == GENESIS_GIVE)
        peers_accept(network->peers, token);
    else
        introduce(network, token, hello);
}

static void on_up(void *context, uint16_t node, enum peer_channel channel)
{
    struct network *network = context;
    struct buffer frame = {0};
    struct genesis genesis;

    if (channel != PEER_CONTROL)
        return;
    if (!network->blank[member_index(network, node)]) {
        network->ports.up(network->ports.context, node);
        return;
    }
    genesis_of(network->identity, &genesis);
    genesis_encode(&genesis, &frame);
    peers_send(network->peers, node, PEER_CONTROL, frame.data, frame.length);
    peers_flush(network->peers);
    buffer_deinit(&frame);
}

// ---- Frames ----------------------------------------------------------------------------------------

static void take_report(struct network *network, uint16_t from, const void *data, size_t length)
{
    struct report report;

    if (report_decode(data, length, &report) == ERROR_OK)
        network->ports.report(network->ports.context, from, &report);
}

static void on_receive(void *context, uint16_t from, enum peer_channel channel, const void *data,
                       size_t length)
{
    struct network *network = context;

    (void)channel;
    if (length == 0)
        return;
    switch (*(const uint8_t *)data) {
    case FRAME_PAXOS:
    case FRAME_FORWARD:
        network->ports.consensus(network->ports.context, from, data, length);
        break;
    case FRAME_OFFER:
    case FRAME_WANT:
    case FRAME_RANGE:
        network->ports.transfer(network->ports.context, from, data, length);
        break;
    case FRAME_REPORT:
        take_report(network, from, data, length);
        break;
    case FRAME_TOUCH:
    case FRAME_TOUCHED:
        network->ports.touch(network->ports.context, from, data, length);
        break;
    default:
        break;
    }
}

static void on_down(void *context, uint16_t node)
{
    struct network *network = context;

    network->ports.down(network->ports.context, node);
}

static void on_drained(void *context, uint16_t node)
{
    (void)context;
    (void)node;
}

// ---- Life ------------------------------------------------------------------------------------------

enum error network_open(uv_loop_t *loop, const struct network_settings *settings, struct disk *disk,
                        struct identity *identity, const struct network_ports *ports,
                        struct network **opened, struct failure *failure)
{
    struct network *network = memory_zalloc(sizeof *network);
    const struct peers_ports peers_ports = {.context = network,
                                            .hello = on_hello,
                                            .receive = on_receive,
                                            .up = on_up,
                                            .down = on_down,
                                            .drained = on_drained};

    *network = (struct network){
        .loop = loop, .settings = *settings, .ports = *ports, .disk = disk, .identity = identity};
    struct peers_settings peers_settings = network_peers(settings, identity, &network->addresses);
    enum error error = peers_open(loop, &peers_settings, &peers_ports, &network->peers, failure);
    if (error != ERROR_OK) {
        free(network);
        return error;
    }
    *opened = network;
    return ERROR_OK;
}

void network_close(struct network *network, uint64_t linger_ms)
{
    network->closed = true;
    peers_close(network->peers, linger_ms);
}

void network_free(struct network *network)
{
    if (network == NULL)
        return;
    ASSERT(fifo_empty(&network->introductions));
    peers_free(network->peers);
    free(network);
}

void network_send(struct network *network, uint16_t to, enum peer_channel channel, const void *data,
                  size_t length)
{
    peers_send(network->peers, to, channel, data, length);
}

void network_flush(struct network *network)
{
    peers_flush(network->peers);
}

void network_state(const struct network *network, uint16_t node, struct peer_state *state)
{
    peers_state(network->peers, node, state);
}
