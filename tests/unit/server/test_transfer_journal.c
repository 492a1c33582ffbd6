// SPDX-License-Identifier: Apache-2.0
// Decided entries on their way to a peer that is behind: one LEARN per demand, from the journal.
#include "tests/unit/server/transfer_fixture.h"

#include <string.h>

#include "base/log.h"

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
    net_drop_frames(net);
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
        net_tick(net);
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
        net_drop_frames(net);
        if (i % 10 == 0)
            net_tick(net);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
    const struct CMUnitTest tests[] = {
        TEST(entries_are_given_from_the_journal),
        TEST(learn_messages_are_bounded_in_bytes),
        TEST(damaged_journal_stops_the_node),
        TEST(many_peers_are_served),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
