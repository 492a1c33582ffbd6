// SPDX-License-Identifier: Apache-2.0
// A checkpoint on its way between nodes: the network loses, repeats and reorders, nodes restart, disks
// fill, files rot, and a peer sends rubbish.
#include "tests/unit/server/transfer_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
    ZNODES = 55,         // of a checkpoint
    ZNODE_BYTES = 66000, // more than the history keeps
};

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
    net_lagging(net, giver);
    while (received(net) < ranges * TRANSFER_RANGE_BYTES) {
        assert_true(net->count > 0);
        net_deliver(net, 0);
    }
    assert_true(receiving(net));
}

// How many ranges the giver's newest checkpoint has.
static size_t count_ranges(struct net *net)
{
    struct checkpoint_file file;
    paxos_slot slot;
    size_t count;

    assert_int_equal(checkpoint_list(net->nodes[GIVER].disk, &slot, 1, &count), ERROR_OK);
    assert_int_equal(checkpoint_find(net->nodes[GIVER].disk, slot, &file), ERROR_OK);
    assert_true(file.bytes > 3 * (uint64_t)TRANSFER_RANGE_BYTES);
    return (size_t)((file.bytes + TRANSFER_RANGE_BYTES - 1) / TRANSFER_RANGE_BYTES);
}

static void checkpoint_is_given_where_the_journal_does_not_reach(void **context)
{
    struct net *net = *context;

    write_checkpoint(net, GIVER);
    net_lagging(net, GIVER);
    assert_int_equal(net->sent_of_kind[FRAME_OFFER], 1);
    net_run_to_end(net);
    assert_installed(net, GIVER);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], count_ranges(net));
    assert_int_equal(net->sent_of_kind[FRAME_RANGE], count_ranges(net));
    assert_false(receiving(net));
}

static void offer_of_what_is_here_installs_it_again(void **context)
{
    struct net *net = *context;
    struct node *taker = &net->nodes[TAKER];
    char path[64];

    write_checkpoint(net, GIVER);
    net_lagging(net, GIVER);
    net_run_to_end(net);
    for (int i = 0; i < 100; i++) {
        net_tick(net);
        net_lagging(net, GIVER);
        net_run_to_end(net);
    }
    assert_int_equal(net->sent_of_kind[FRAME_WANT], count_ranges(net));
    assert_true(taker->installs >= 2 && taker->installs <= 5);
    // It was pruned before the core took it.
    checkpoint_path(taker->installed, path);
    assert_int_equal(taker->disk->operations->remove(taker->disk, path), ERROR_OK);
    taker->installs = 0;
    for (int i = 0; i < 100 && taker->installs == 0; i++) {
        net_tick(net);
        net_lagging(net, GIVER);
        net_run_to_end(net);
    }
    assert_installed(net, GIVER);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], 2 * count_ranges(net));
}

static void offer_that_is_not_above_executed_is_ignored(void **context)
{
    struct net *net = *context;

    write_checkpoint(net, GIVER);
    net->nodes[TAKER].executed = net->nodes[GIVER].newest;
    net_lagging(net, GIVER);
    net_run_to_end(net);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], 0);
    net->nodes[TAKER].executed--;
    net_lagging(net, GIVER);
    net_run_to_end(net);
    assert_installed(net, GIVER);
}

static void node_without_a_newer_checkpoint_offers_none(void **context)
{
    struct net *net = *context;

    net->nodes[GIVER].executed = 5;
    net_lagging(net, GIVER);
    assert_int_equal(net->count, 0);
    net->nodes[GIVER].newest = 5; // which was pruned
    net_lagging(net, GIVER);
    assert_int_equal(net->count, 0);
    assert_int_equal(transfer_lagging(net->nodes[GIVER].transfer, TAKER + 1, 6, leading, 5),
                     ERROR_OK);
    assert_int_equal(net->count, 0);
}

static void bad_network_and_restarts_end_in_the_same_file(void **context)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        net_teardown(context);
        net_setup(context);
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
                net_deliver_badly(net);
            if (net->count == 0 || net_draw(net, 4) == 0)
                net_tick(net);
            if (net_draw(net, 10) == 0)
                net_lagging(net, GIVER);
            if (net_draw(net, 20) == 0)
                net_restart(&net->nodes[net_draw(net, NODES)]);
            if (net->count > 1000)
                net_drop_frames(net);
        }
        net_drop_frames(net);
        assert_installed(net, GIVER);
    }
}

static void lost_range_is_asked_for_again(void **context)
{
    struct net *net = *context;

    write_checkpoint(net, GIVER);
    receive_some(net, GIVER, 1);
    net_drop_frames(net);
    size_t wants = net->sent_of_kind[FRAME_WANT];
    net_tick(net);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], wants);
    for (int i = 0; i < 3; i++)
        net_tick(net);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], wants + 1);
    net_run_to_end(net);
    assert_installed(net, GIVER);
}

static void restarted_peer_goes_on_where_its_file_ends(void **context)
{
    struct net *net = *context;

    write_checkpoint(net, GIVER);
    receive_some(net, GIVER, 2);
    net_drop_frames(net);
    net_restart(&net->nodes[TAKER]);
    net_restart(&net->nodes[GIVER]);
    assert_false(receiving(net));
    size_t ranges = net->sent_of_kind[FRAME_RANGE];
    net_lagging(net, GIVER);
    net_run_to_end(net);
    assert_installed(net, GIVER);
    assert_int_equal(net->sent_of_kind[FRAME_RANGE] - ranges, count_ranges(net) - 2);
}

static void waits_until_offers_are_taken_again(struct net *net)
{
    for (int i = 0; i < 100 && !receiving(net) && net->nodes[TAKER].installs == 0; i++) {
        net_tick(net);
        net_lagging(net, GIVER);
        net_deliver(net, 0);
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
    net_run_to_end(net);
    assert_int_equal(net->nodes[TAKER].installs, 0);
    assert_false(receiving(net));
    assert_false(disk_fake_exists(net->nodes[TAKER].disk, path));
    disk_fake_flip(giver->disk, path, 2 * TRANSFER_RANGE_BYTES + 100, 5);
    // Not at once, or a file that is damaged for good would be sent over and over.
    net_lagging(net, GIVER);
    net_run_to_end(net);
    assert_int_equal(net->nodes[TAKER].installs, 0);
    waits_until_offers_are_taken_again(net);
    assert_int_equal(received(net), 0);
    net_run_to_end(net);
    assert_installed(net, GIVER);
}

static void checkpoint_is_not_begun_without_room(void **context)
{
    struct net *net = *context;
    struct node *taker = &net->nodes[TAKER];
    uint64_t bytes, after;

    taker->reserve_bytes = 1000000;
    net_restart(taker);
    write_checkpoint(net, GIVER);
    struct checkpoint_file file;
    assert_int_equal(checkpoint_find(net->nodes[GIVER].disk, net->nodes[GIVER].newest, &file),
                     ERROR_OK);
    disk_fake_set_free(taker->disk, file.bytes + taker->reserve_bytes - 1);
    assert_int_equal(taker->disk->operations->free_bytes(taker->disk, &bytes), ERROR_OK);
    net_lagging(net, GIVER);
    net_run_to_end(net);
    assert_int_equal(net->sent_of_kind[FRAME_WANT], 0);
    disk_fake_set_free(taker->disk, file.bytes + taker->reserve_bytes);
    waits_until_offers_are_taken_again(net);
    net_run_to_end(net);
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
    net_run_to_end(net);
    assert_false(receiving(net));
    assert_int_equal(taker->disk->operations->sync_directory(taker->disk, "checkpoint"), ERROR_OK);
    assert_int_equal(taker->disk->operations->free_bytes(taker->disk, &bytes), ERROR_OK);
    assert_true(bytes >= 1000 + 2 * TRANSFER_RANGE_BYTES);
    disk_fake_set_free(taker->disk, UINT64_C(1) << 30);
    waits_until_offers_are_taken_again(net);
    net_run_to_end(net);
    assert_installed(net, GIVER);
}

static void second_offer_is_taken_only_when_the_first_giver_is_silent(void **context)
{
    struct net *net = *context;

    write_checkpoint(net, GIVER);
    write_checkpoint(net, OTHER_GIVER);
    assert_true(net->nodes[OTHER_GIVER].newest > net->nodes[GIVER].newest);
    receive_some(net, GIVER, 1);
    net_drop_frames(net);
    net_lagging(net, OTHER_GIVER);
    net_deliver(net, 0);
    assert_int_equal(received(net), TRANSFER_RANGE_BYTES);
    assert_int_equal(net->count, 0);
    for (int i = 0; receiving(net); i++) {
        assert_true(i < 100);
        net_tick(net);
        net_drop_frames(net);
    }
    net_lagging(net, OTHER_GIVER);
    net_run_to_end(net);
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
    net_drop_frames(net);
    net_lagging(net, GIVER);
    net_deliver(net, 0);
    assert_int_equal(received(net), TRANSFER_RANGE_BYTES);
    assert_int_equal(net->count, 0);
    checkpoint_path(older, path);
    assert_int_equal(giver->disk->operations->remove(giver->disk, path), ERROR_OK);
    for (int i = 0; i < 4; i++)
        net_tick(net);
    assert_true(net->count > 0);
    net_run_to_end(net);
    assert_true(receiving(net));
    net_lagging(net, GIVER);
    net_run_to_end(net);
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
        net_receive(net, &sent);
        assert_int_equal(received(net), TRANSFER_RANGE_BYTES);
    }
    // And the giving end gives nothing but what it has.
    struct transfer_frame want = {.kind = FRAME_WANT, .file = file, .length = 1000};
    net_drop_frames(net);
    for (int wrong = 0; wrong < 3; wrong++) {
        want.file.tag = file.tag + (wrong == 0);
        want.file.slot = file.slot + (wrong == 1);
        want.offset = wrong == 2 ? file.bytes : 0;
        transfer_frame_encode(&bytes, &want);
        net_receive(net, &(struct frame){.from = TAKER + 1,
                                         .to = GIVER + 1,
                                         .length = bytes.length,
                                         .data = bytes.data});
        assert_int_equal(net->count, 0);
    }
    buffer_deinit(&bytes);
    for (int i = 0; i < 4; i++)
        net_tick(net);
    net_run_to_end(net);
    assert_installed(net, GIVER);
}

// ---- Peers that do not keep to the rules -----------------------------------------------------------

static void send_rubbish(struct net *net, const struct buffer *valid)
{
    uint8_t bytes[200];
    struct buffer frame = {0};

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)net_draw(net, 256);
    bytes[0] = (uint8_t)net_draw(net, 8);
    buffer_append(&frame, bytes, (size_t)net_draw(net, sizeof bytes));
    if (net_draw(net, 2) == 0) {
        buffer_clear(&frame);
        buffer_append(&frame, valid->data, valid->length - 8);
        size_t at = (size_t)net_draw(net, frame.length < 64 ? frame.length : 64);
        frame.data[at] ^= (uint8_t)(1 << net_draw(net, 8));
    }
    // With a right checksum the bounds have to hold.
    if (net_draw(net, 4) != 0)
        buffer_u64(&frame, hash64(frame.data, frame.length, 0));
    for (size_t i = 0; i < NODES; i++)
        if (i != OTHER_GIVER)
            net_receive(net, &(struct frame){.from = OTHER_GIVER + 1,
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
    net_lagging(net, GIVER);
    net_deliver(net, 0);
    while (net->count > 0) {
        buffer_clear(&valid);
        buffer_append(&valid, net->frames[0].data, net->frames[0].length);
        size_t under_way = net->count;
        for (int i = 0; i < 300; i++)
            send_rubbish(net, &valid);
        while (net->count > under_way) // answers to OTHER_GIVER
            free(net->frames[--net->count].data);
        net_deliver(net, 0);
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
            net_receive(net, &(struct frame){.from = (uint16_t)(to % NODES + 1),
                                             .to = to,
                                             .length = frame.length,
                                             .data = frame.data});
        net_drop_frames(net);
    }
    buffer_deinit(&frame);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
    const struct CMUnitTest tests[] = {
        TEST(checkpoint_is_given_where_the_journal_does_not_reach),
        TEST(offer_that_is_not_above_executed_is_ignored),
        TEST(offer_of_what_is_here_installs_it_again),
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
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
