// SPDX-License-Identifier: Apache-2.0
// Catch-up between two or three nodes whose disks and network are in memory: the network loses, repeats
// and reorders, nodes restart, disks fill, files rot, and a peer sends rubbish.
#include "tests/unit/storage/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "server/transfer.h"
#include "server/transfer_frame.h"
#include "tests/lib/disk_fake.h"

enum {
    GIVER,
    OTHER_GIVER,
    TAKER,
    NODES,
    ZNODES = 90, // of a checkpoint
    ZNODE_BYTES = 40000,
    STEPS_MAX = 4000,
};

#define SILENCE_NS UINT64_C(100000000)
#define STEP_NS    (SILENCE_NS / 4)

static const struct ballot leading = {.round = 7, .node = 1};

struct frame {
    uint16_t from, to;
    size_t length;
    uint8_t *data;
};

struct node {
    struct net *net;
    struct disk *disk;
    struct identity identity;
    struct journal *journal;
    struct transfer *transfer;
    uint64_t reserve_bytes;
    paxos_slot executed;
    paxos_slot newest; // checkpoint
    paxos_slot last;   // of the journal
    struct hash128 last_hash;
    struct ballot promised;
    paxos_slot installed; // by the port
    unsigned installs;
    struct ballot installed_ballot;
};

struct net {
    struct fixture *state;
    struct node nodes[NODES];
    uint64_t now_ns;
    uint64_t random;
    struct frame frames[4096];
    size_t count;
    size_t sent_of_kind[8]; // frames
};

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

static void restart_node(struct node *node)
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

static int setup(void **context)
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

static void drop_frames(struct net *net)
{
    while (net->count > 0)
        free(net->frames[--net->count].data);
}

static int teardown(void **context)
{
    struct net *net = *context;
    void *state = net->state;

    drop_frames(net);
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

static uint64_t draw(struct net *net, uint64_t bound)
{
    net->random = hash64(&net->random, sizeof net->random, 11);
    return net->random % bound;
}

static void receive(struct net *net, const struct frame *frame)
{
    struct node *node = &net->nodes[frame->to - 1];

    assert_int_equal(transfer_receive(node->transfer, frame->from, frame->data, frame->length,
                                      node->executed, net->now_ns),
                     ERROR_OK);
}

// Delivers the frame at that place.
static void deliver(struct net *net, size_t index)
{
    struct frame frame = net->frames[index];

    net->count--;
    memmove(net->frames + index, net->frames + index + 1,
            (net->count - index) * sizeof net->frames[0]);
    receive(net, &frame);
    free(frame.data);
}

static void tick(struct net *net)
{
    net->now_ns += STEP_NS;
    for (size_t i = 0; i < NODES; i++)
        assert_int_equal(transfer_tick(net->nodes[i].transfer, net->now_ns), ERROR_OK);
}

static void lagging(struct net *net, size_t giver)
{
    struct node *node = &net->nodes[giver];

    assert_int_equal(transfer_lagging(node->transfer, TAKER + 1, 1, leading, node->executed),
                     ERROR_OK);
}

// Everything arrives, in order, until nothing is under way.
static void run_to_end(struct net *net)
{
    for (int steps = 0; net->count > 0; steps++) {
        assert_true(steps < STEPS_MAX);
        deliver(net, 0);
    }
}

// Loses, repeats and reorders.
static void deliver_badly(struct net *net)
{
    size_t index = (size_t)draw(net, net->count);
    struct frame *frame = &net->frames[index];

    switch (draw(net, 5)) {
    case 0:
        free(frame->data);
        *frame = net->frames[--net->count];
        break;
    case 1:
        receive(net, &(struct frame){.from = frame->from,
                                     .to = frame->to,
                                     .length = frame->length,
                                     .data = frame->data});
        break;
    case 2:
        frame->data[draw(net, frame->length)] ^= (uint8_t)(1 + draw(net, 255));
        break;
    default:
        deliver(net, index);
        break;
    }
}

// ---- Checkpoints ---------------------------------------------------------------------------------

static void fill(struct net *net)
{
    static char data[ZNODE_BYTES];
    char path[32];

    for (unsigned i = 0; i < ZNODES; i++) {
        memset(data, 'a' + (int)(i % 26), sizeof data - 1);
        snprintf(path, sizeof path, "/n%u", i);
        assert_int_equal(run(net->state, op_create(path, data)), ERROR_OK);
    }
}

// Writes one more entry and a checkpoint of it on a node.
static void write_checkpoint(struct net *net, size_t index)
{
    struct node *node = &net->nodes[index];
    struct checkpoint_info info;
    struct view *view;

    if (position_of(net->state).applied == 0)
        fill(net);
    assert_int_equal(run(net->state, op_put("/last", "x")), ERROR_OK);
    assert_int_equal(view_open(net->state->state, &view), ERROR_OK);
    assert_int_equal(checkpoint_write(node->disk, &node->identity, view, NULL, NULL, &info),
                     ERROR_OK);
    view_close(view);
    assert_true(info.bytes > 3 * TRANSFER_RANGE_BYTES);
    node->newest = node->executed = info.position.applied;
}

static void checkpoint_path(paxos_slot slot, char path[64])
{
    snprintf(path, 64, "checkpoint/%016llx", (unsigned long long)slot);
}

static void assert_installed(struct net *net, size_t giver)
{
    struct node *taker = &net->nodes[TAKER];
    struct buffer given = {0}, taken = {0};
    char path[64];

    assert_int_equal(taker->installs, 1);
    assert_int_equal(taker->installed, net->nodes[giver].newest);
    assert_int_equal(ballot_compare(taker->installed_ballot, leading), 0);
    checkpoint_path(taker->installed, path);
    disk_fake_read(net->nodes[giver].disk, path, &given);
    disk_fake_read(taker->disk, path, &taken);
    assert_int_equal(given.length, taken.length);
    assert_memory_equal(given.data, taken.data, given.length);
    buffer_deinit(&given);
    buffer_deinit(&taken);
}

static bool receiving(const struct net *net)
{
    uint64_t received, total;

    return transfer_receiving(net->nodes[TAKER].transfer, &received, &total);
}

static uint64_t received(const struct net *net)
{
    uint64_t bytes, total;

    transfer_receiving(net->nodes[TAKER].transfer, &bytes, &total);
    return bytes;
}

// Starts a transfer and delivers until `ranges` of them have arrived.
static void receive_some(struct net *net, size_t giver, uint64_t ranges)
{
    lagging(net, giver);
    while (received(net) < ranges * TRANSFER_RANGE_BYTES) {
        assert_true(net->count > 0);
        deliver(net, 0);
    }
    assert_true(receiving(net));
}

static void checkpoint_is_given_where_the_journal_does_not_reach(void **context)
{
    struct net *net = *context;

    write_checkpoint(net, GIVER);
    lagging(net, GIVER);
    assert_int_equal(net->sent_of_kind[FRAME_OFFER], 1);
    run_to_end(net);
    assert_installed(net, GIVER);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], 4);
    assert_int_equal(net->sent_of_kind[FRAME_RANGE], 4);
    assert_false(receiving(net));
    // It is not received once more while the core takes its time.
    lagging(net, GIVER);
    run_to_end(net);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], 4);
}

static void offer_that_is_not_above_executed_is_ignored(void **context)
{
    struct net *net = *context;

    write_checkpoint(net, GIVER);
    net->nodes[TAKER].executed = net->nodes[GIVER].newest;
    lagging(net, GIVER);
    run_to_end(net);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], 0);
    net->nodes[TAKER].executed--;
    lagging(net, GIVER);
    run_to_end(net);
    assert_installed(net, GIVER);
}

static void node_without_a_newer_checkpoint_offers_none(void **context)
{
    struct net *net = *context;

    net->nodes[GIVER].executed = 5;
    lagging(net, GIVER);
    assert_int_equal(net->count, 0);
    net->nodes[GIVER].newest = 5; // which was pruned
    lagging(net, GIVER);
    assert_int_equal(net->count, 0);
    assert_int_equal(transfer_lagging(net->nodes[GIVER].transfer, TAKER + 1, 6, leading, 5),
                     ERROR_OK);
    assert_int_equal(net->count, 0);
}

static void bad_network_and_restarts_end_in_the_same_file(void **context)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        teardown(context);
        setup(context);
        struct net *net = *context;
        struct node *taker = &net->nodes[TAKER];
        net->random = seed;
        write_checkpoint(net, GIVER);
        uint64_t most = 0;
        for (int steps = 0; taker->installs == 0; steps++) {
            assert_true(steps < STEPS_MAX);
            // Nothing is ever received twice.
            assert_true(!receiving(net) || received(net) >= most);
            most = receiving(net) ? received(net) : most;
            if (net->count > 0)
                deliver_badly(net);
            if (net->count == 0 || draw(net, 4) == 0)
                tick(net);
            if (draw(net, 10) == 0)
                lagging(net, GIVER);
            if (draw(net, 20) == 0)
                restart_node(&net->nodes[draw(net, NODES)]);
            if (net->count > 1000)
                drop_frames(net);
        }
        drop_frames(net);
        assert_installed(net, GIVER);
    }
}

static void lost_range_is_asked_for_again(void **context)
{
    struct net *net = *context;

    write_checkpoint(net, GIVER);
    receive_some(net, GIVER, 1);
    drop_frames(net);
    size_t wants = net->sent_of_kind[FRAME_WANT];
    tick(net);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], wants);
    for (int i = 0; i < 3; i++)
        tick(net);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], wants + 1);
    run_to_end(net);
    assert_installed(net, GIVER);
}

static void restarted_peer_goes_on_where_its_file_ends(void **context)
{
    struct net *net = *context;

    write_checkpoint(net, GIVER);
    receive_some(net, GIVER, 2);
    drop_frames(net);
    restart_node(&net->nodes[TAKER]);
    restart_node(&net->nodes[GIVER]);
    assert_false(receiving(net));
    size_t ranges = net->sent_of_kind[FRAME_RANGE];
    lagging(net, GIVER);
    run_to_end(net);
    assert_installed(net, GIVER);
    assert_int_equal(net->sent_of_kind[FRAME_RANGE] - ranges, 2);
}

static void waits_until_offers_are_taken_again(struct net *net)
{
    for (int i = 0; i < 100 && !receiving(net) && net->nodes[TAKER].installs == 0; i++) {
        tick(net);
        lagging(net, GIVER);
        deliver(net, 0);
    }
}

static void damaged_file_is_refused_and_received_again(void **context)
{
    struct net *net = *context;
    struct node *giver = &net->nodes[GIVER];
    char path[64];

    write_checkpoint(net, GIVER);
    checkpoint_path(giver->newest, path);
    receive_some(net, GIVER, 1);
    disk_fake_flip(giver->disk, path, 2 * TRANSFER_RANGE_BYTES + 100, 5);
    run_to_end(net);
    assert_int_equal(net->nodes[TAKER].installs, 0);
    assert_false(receiving(net));
    assert_false(disk_fake_exists(net->nodes[TAKER].disk, path));
    disk_fake_flip(giver->disk, path, 2 * TRANSFER_RANGE_BYTES + 100, 5);
    // Not at once, or a file that is damaged for good would be sent over and over.
    lagging(net, GIVER);
    run_to_end(net);
    assert_int_equal(net->nodes[TAKER].installs, 0);
    waits_until_offers_are_taken_again(net);
    assert_int_equal(received(net), 0);
    run_to_end(net);
    assert_installed(net, GIVER);
}

static void checkpoint_is_not_begun_without_room(void **context)
{
    struct net *net = *context;
    struct node *taker = &net->nodes[TAKER];
    uint64_t bytes, after;

    taker->reserve_bytes = 1000000;
    restart_node(taker);
    write_checkpoint(net, GIVER);
    struct checkpoint_file file;
    assert_int_equal(checkpoint_find(net->nodes[GIVER].disk, net->nodes[GIVER].newest, &file),
                     ERROR_OK);
    disk_fake_set_free(taker->disk, file.bytes + taker->reserve_bytes - 1);
    assert_int_equal(taker->disk->operations->free_bytes(taker->disk, &bytes), ERROR_OK);
    lagging(net, GIVER);
    run_to_end(net);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], 0);
    disk_fake_set_free(taker->disk, file.bytes + taker->reserve_bytes);
    waits_until_offers_are_taken_again(net);
    run_to_end(net);
    assert_installed(net, GIVER);
    assert_int_equal(taker->disk->operations->free_bytes(taker->disk, &after), ERROR_OK);
    assert_int_equal(after, taker->reserve_bytes);
}

static void disk_that_fills_up_meanwhile_gets_its_room_back(void **context)
{
    struct net *net = *context;
    struct node *taker = &net->nodes[TAKER];
    uint64_t bytes;

    write_checkpoint(net, GIVER);
    receive_some(net, GIVER, 2);
    disk_fake_set_free(taker->disk, 1000);
    run_to_end(net);
    assert_false(receiving(net));
    assert_int_equal(taker->disk->operations->sync_directory(taker->disk, "checkpoint"), ERROR_OK);
    assert_int_equal(taker->disk->operations->free_bytes(taker->disk, &bytes), ERROR_OK);
    assert_true(bytes >= 1000 + 2 * TRANSFER_RANGE_BYTES);
    disk_fake_set_free(taker->disk, UINT64_C(1) << 30);
    waits_until_offers_are_taken_again(net);
    run_to_end(net);
    assert_installed(net, GIVER);
}

static void second_offer_is_taken_only_when_the_first_giver_is_silent(void **context)
{
    struct net *net = *context;

    write_checkpoint(net, GIVER);
    write_checkpoint(net, OTHER_GIVER);
    assert_true(net->nodes[OTHER_GIVER].newest > net->nodes[GIVER].newest);
    receive_some(net, GIVER, 1);
    drop_frames(net);
    lagging(net, OTHER_GIVER);
    deliver(net, 0);
    assert_int_equal(received(net), TRANSFER_RANGE_BYTES);
    assert_int_equal(net->count, 0);
    for (int i = 0; receiving(net); i++) {
        assert_true(i < 100);
        tick(net);
        drop_frames(net);
    }
    lagging(net, OTHER_GIVER);
    run_to_end(net);
    assert_installed(net, OTHER_GIVER);
}

static void newer_checkpoint_is_taken_only_when_the_older_one_is_gone(void **context)
{
    struct net *net = *context;
    struct node *giver = &net->nodes[GIVER];
    char path[64];

    write_checkpoint(net, GIVER);
    paxos_slot older = giver->newest;
    receive_some(net, GIVER, 1);
    write_checkpoint(net, GIVER);
    assert_true(giver->newest > older);
    drop_frames(net);
    lagging(net, GIVER);
    deliver(net, 0);
    assert_int_equal(received(net), TRANSFER_RANGE_BYTES);
    assert_int_equal(net->count, 0);
    checkpoint_path(older, path);
    assert_int_equal(giver->disk->operations->remove(giver->disk, path), ERROR_OK);
    for (int i = 0; i < 4; i++)
        tick(net);
    assert_true(net->count > 0);
    run_to_end(net);
    assert_true(receiving(net));
    lagging(net, GIVER);
    run_to_end(net);
    assert_installed(net, GIVER);
}

// Frames that fit but for one thing.
static void frames_that_were_not_asked_for_are_ignored(void **context)
{
    static const uint8_t data[TRANSFER_RANGE_BYTES];
    struct net *net = *context;
    struct buffer bytes = {0};
    struct checkpoint_file file;

    write_checkpoint(net, GIVER);
    receive_some(net, GIVER, 1);
    assert_int_equal(checkpoint_find(net->nodes[GIVER].disk, net->nodes[GIVER].newest, &file),
                     ERROR_OK);
    for (int wrong = 0; wrong < 7; wrong++) {
        struct frame sent = {.from = GIVER + 1, .to = TAKER + 1};
        struct transfer_frame frame = {.kind = FRAME_RANGE,
                                       .file = file,
                                       .ballot = leading,
                                       .offset = TRANSFER_RANGE_BYTES,
                                       .length = TRANSFER_RANGE_BYTES,
                                       .data = data};
        sent.from = wrong == 0 || wrong >= 5 ? OTHER_GIVER + 1 : GIVER + 1;
        frame.file.slot += wrong == 1 || wrong >= 5;
        frame.file.tag += wrong == 2;
        frame.offset -= wrong == 3;
        frame.length -= wrong == 4;
        if (wrong >= 5)
            frame.kind = FRAME_OFFER;
        frame.gone = wrong == 6 ? file.slot : 0;
        transfer_frame_encode(&bytes, &frame);
        sent.data = bytes.data;
        sent.length = bytes.length;
        receive(net, &sent);
        assert_int_equal(received(net), TRANSFER_RANGE_BYTES);
    }
    // And the giving end gives nothing but what it has.
    struct transfer_frame want = {.kind = FRAME_WANT, .file = file, .length = 1000};
    drop_frames(net);
    for (int wrong = 0; wrong < 3; wrong++) {
        want.file.tag = file.tag + (wrong == 0);
        want.file.slot = file.slot + (wrong == 1);
        want.offset = wrong == 2 ? file.bytes : 0;
        transfer_frame_encode(&bytes, &want);
        receive(net, &(struct frame){.from = TAKER + 1,
                                     .to = GIVER + 1,
                                     .length = bytes.length,
                                     .data = bytes.data});
        assert_int_equal(net->count, 0);
    }
    buffer_deinit(&bytes);
    for (int i = 0; i < 4; i++)
        tick(net);
    run_to_end(net);
    assert_installed(net, GIVER);
}

// ---- Peers that do not keep to the rules -----------------------------------------------------------

static void send_rubbish(struct net *net, const struct buffer *valid)
{
    uint8_t bytes[200];
    struct buffer frame = {0};

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)draw(net, 256);
    bytes[0] = (uint8_t)draw(net, 8);
    buffer_append(&frame, bytes, (size_t)draw(net, sizeof bytes));
    if (draw(net, 2) == 0) {
        buffer_clear(&frame);
        buffer_append(&frame, valid->data, valid->length - 8);
        size_t at = (size_t)draw(net, frame.length < 64 ? frame.length : 64);
        frame.data[at] ^= (uint8_t)(1 << draw(net, 8));
    }
    // With a right checksum the bounds have to hold.
    if (draw(net, 4) != 0)
        buffer_u64(&frame, hash64(frame.data, frame.length, 0));
    for (size_t i = 0; i < NODES; i++)
        if (i != OTHER_GIVER)
            receive(net, &(struct frame){.from = OTHER_GIVER + 1,
                                         .to = (uint16_t)(i + 1),
                                         .length = frame.length,
                                         .data = frame.data});
    buffer_deinit(&frame);
}

static void rubbish_of_a_peer_changes_nothing(void **context)
{
    struct net *net = *context;
    struct buffer valid = {0};

    write_checkpoint(net, GIVER);
    lagging(net, GIVER);
    deliver(net, 0);
    while (net->count > 0) {
        buffer_clear(&valid);
        buffer_append(&valid, net->frames[0].data, net->frames[0].length);
        size_t under_way = net->count;
        for (int i = 0; i < 300; i++)
            send_rubbish(net, &valid);
        while (net->count > under_way) // answers to OTHER_GIVER
            free(net->frames[--net->count].data);
        deliver(net, 0);
    }
    buffer_deinit(&valid);
    assert_installed(net, GIVER);
    assert_true(transfer_malformed(net->nodes[TAKER].transfer) > 100);
    assert_true(transfer_malformed(net->nodes[GIVER].transfer) > 100);
}

// Frames in right form with every number at its edge.
static void edges_of_numbers_are_harmless(void **context)
{
    static const uint64_t edges[] = {
        0, 1, TRANSFER_RANGE_BYTES, UINT64_C(1) << 40, UINT64_MAX - 1, UINT64_MAX};
    static const uint8_t data[16];
    enum { EDGES = sizeof edges / sizeof edges[0] };
    struct net *net = *context;
    struct buffer frame = {0};

    write_checkpoint(net, GIVER);
    for (unsigned i = 0; i < EDGES * EDGES * EDGES * 3; i++) {
        struct transfer_frame edge = {
            .kind = (uint8_t)(FRAME_OFFER + i % 3),
            .file = {.slot = edges[i / 3 % EDGES], .bytes = edges[i / 3 / EDGES % EDGES], .tag = 1},
            .ballot = leading,
            .offset = edges[i / 3 / EDGES % EDGES],
            .length = (uint32_t)edges[i / 3 / EDGES / EDGES % EDGES],
            .data = data,
        };
        struct transfer_frame decoded;
        if (edge.kind == FRAME_RANGE && edge.length > sizeof data)
            edge.length = sizeof data;
        transfer_frame_encode(&frame, &edge);
        if (transfer_frame_decode(frame.data, frame.length, &decoded) == ERROR_OK)
            assert_true(decoded.file.bytes <= TRANSFER_CHECKPOINT_BYTES_MAX &&
                        decoded.length <= TRANSFER_RANGE_BYTES);
        for (uint16_t to = 1; to <= NODES; to++)
            receive(net, &(struct frame){.from = (uint16_t)(to % NODES + 1),
                                         .to = to,
                                         .length = frame.length,
                                         .data = frame.data});
        drop_frames(net);
    }
    buffer_deinit(&frame);
}

// ---- Entries from the journal --------------------------------------------------------------------

static void append_entries(struct node *node, size_t count, size_t length)
{
    struct paxos_record records[MESSAGE_ENTRIES_MAX + 1];
    struct paxos_scalars scalars = {.epoch = 3,
                                    .promised = node->promised,
                                    .last = node->last,
                                    .last_hash = node->last_hash,
                                    .decided = node->last};

    node->promised = (struct ballot){.round = node->promised.round + 1, .node = 1};
    records[0] =
        (struct paxos_record){.type = RECORD_PROMISE, .epoch = 3, .ballot = node->promised};
    for (size_t i = 1; i <= count; i++) {
        struct entry *entry = &records[i].entry;
        records[i] = (struct paxos_record){.type = RECORD_APPEND, .epoch = 3};
        *entry = (struct entry){.slot = ++node->last,
                                .epoch = 3,
                                .origin = node->promised,
                                .type = ENTRY_BATCH,
                                .prev_hash = node->last_hash,
                                .value = blob_new(length)};
        memset(entry->value->data, (int)entry->slot, length);
        node->last_hash = entry->hash = entry_hash(entry);
    }
    assert_int_equal(journal_append(node->journal, records, count + 1, &scalars), ERROR_OK);
    for (size_t i = 1; i <= count; i++)
        blob_unref(records[i].entry.value);
    node->executed = node->last;
}

// Asks for the entries from that slot on and returns how many came.
static uint32_t learned(struct net *net, paxos_slot from)
{
    struct node *giver = &net->nodes[GIVER];
    struct paxos_message message;

    assert_int_equal(transfer_lagging(giver->transfer, TAKER + 1, from, leading, giver->executed),
                     ERROR_OK);
    if (net->count == 0)
        return 0;
    assert_int_equal(net->count, 1);
    const struct frame *frame = &net->frames[0];
    assert_int_equal(frame->to, TAKER + 1);
    assert_int_equal(frame->data[0], FRAME_PAXOS);
    assert_int_equal(paxos_message_decode(frame->data + 1, frame->length - 1, &message), ERROR_OK);
    assert_int_equal(message.type, MESSAGE_LEARN);
    assert_int_equal(message.epoch, 3);
    assert_int_equal(message.from, GIVER + 1);
    assert_int_equal(message.to, TAKER + 1);
    assert_int_equal(message.boot, 5);
    assert_int_equal(ballot_compare(message.ballot, leading), 0);
    assert_int_equal(message.slot, from - 1);
    assert_true(message.entry_count > 0);
    uint32_t count = message.entry_count;
    paxos_message_release(&message);
    drop_frames(net);
    return count;
}

static void entries_are_given_from_the_journal(void **context)
{
    struct net *net = *context;
    struct node *giver = &net->nodes[GIVER];

    append_entries(giver, 1000, 10);
    append_entries(giver, 500, 10);
    assert_int_equal(learned(net, 1), MESSAGE_ENTRIES_MAX);
    // The peer had room for a part of them, or lost them, or is further than thought.
    assert_int_equal(learned(net, 301), MESSAGE_ENTRIES_MAX - 300);
    assert_int_equal(learned(net, 301), MESSAGE_ENTRIES_MAX - 300);
    assert_int_equal(learned(net, 1025), 1500 - 1024);
    assert_int_equal(learned(net, 17), MESSAGE_ENTRIES_MAX);
    assert_int_equal(learned(net, 1500), 1);
    assert_int_equal(learned(net, 1501), 0);
    append_entries(giver, 1, 10);
    assert_int_equal(learned(net, 1501), 1);
    giver->executed = 1300;
    assert_int_equal(learned(net, 1200), 101);
    for (int i = 0; i < 1000; i++)
        tick(net);
    assert_int_equal(learned(net, 1201), 100);
}

static void learn_messages_are_bounded_in_bytes(void **context)
{
    struct net *net = *context;

    append_entries(&net->nodes[GIVER], 8, 300 << 10);
    append_entries(&net->nodes[GIVER], 1, 2 << 20);
    assert_int_equal(learned(net, 1), 3);
    assert_int_equal(learned(net, 4), 3);
    assert_int_equal(learned(net, 7), 2);
    assert_int_equal(learned(net, 9), 1);
}

static void damaged_journal_stops_the_node(void **context)
{
    struct net *net = *context;
    struct node *giver = &net->nodes[GIVER];

    append_entries(giver, 8, 3000);
    disk_fake_flip(giver->disk, "journal/0000000000000001", 4096 + 5000, 1);
    assert_int_equal(transfer_lagging(giver->transfer, TAKER + 1, 1, leading, giver->executed),
                     ERROR_CORRUPT);
}

// More peers than there is room for: each gets what it asked for all the same.
static void many_peers_are_served(void **context)
{
    struct net *net = *context;
    struct node *giver = &net->nodes[GIVER];

    append_entries(giver, 30, 100);
    for (unsigned i = 0; i < 100; i++) {
        uint16_t to = (uint16_t)(1 + i % 30);
        assert_int_equal(transfer_lagging(giver->transfer, to, 1 + i % 7, leading, 30), ERROR_OK);
        assert_int_equal(net->count, 1);
        assert_int_equal(net->frames[0].to, to);
        drop_frames(net);
        if (i % 10 == 0)
            tick(net);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(checkpoint_is_given_where_the_journal_does_not_reach),
        TEST(offer_that_is_not_above_executed_is_ignored),
        TEST(node_without_a_newer_checkpoint_offers_none),
        TEST(bad_network_and_restarts_end_in_the_same_file),
        TEST(lost_range_is_asked_for_again),
        TEST(restarted_peer_goes_on_where_its_file_ends),
        TEST(damaged_file_is_refused_and_received_again),
        TEST(checkpoint_is_not_begun_without_room),
        TEST(disk_that_fills_up_meanwhile_gets_its_room_back),
        TEST(second_offer_is_taken_only_when_the_first_giver_is_silent),
        TEST(newer_checkpoint_is_taken_only_when_the_older_one_is_gone),
        TEST(frames_that_were_not_asked_for_are_ignored),
        TEST(rubbish_of_a_peer_changes_nothing),
        TEST(edges_of_numbers_are_harmless),
        TEST(entries_are_given_from_the_journal),
        TEST(learn_messages_are_bounded_in_bytes),
        TEST(damaged_journal_stops_the_node),
        TEST(many_peers_are_served),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
