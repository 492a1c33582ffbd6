// SPDX-License-Identifier: Apache-2.0
// Nodes that connect to each other over the loopback interface: introductions, frames, losses.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "paxos/net/address.h"
#include "tests/unit/cmocka_test.h"
#include "tests/unit/paxos/net/party.h"

static void frames_arrive_in_order_in_both_directions(void **state)
{
    struct party *party = *state;
    const struct member *one = &party->members[1], *three = &party->members[3];

    party_gather(party, 3);
    for (uint32_t number = 1; number <= 1000; number++) {
        party_send(party, 1, 3, PEER_CONTROL, number, 4 + number % 300);
        party_send(party, 3, 1, PEER_CONTROL, number, 4 + number * 7 % 3000);
        party_send(party, 1, 3, PEER_BULK, number, 40);
    }
    WAIT_FOR(party, three->received[1][PEER_CONTROL] == 1000 &&
                        one->received[3][PEER_CONTROL] == 1000 &&
                        three->received[1][PEER_BULK] == 1000);
    assert_false(one->out_of_order);
    assert_false(three->out_of_order);
    assert_int_equal(one->downs[3], 0);
    assert_int_equal(party->members[2].received[1][PEER_CONTROL], 0);
}

static void a_frame_may_be_empty(void **state)
{
    struct party *party = *state;
    const struct member *two = &party->members[2];

    party_gather(party, 2);
    peers_send(party->members[1].peers, 2, PEER_CONTROL, NULL, 0);
    WAIT_FOR(party, two->received[1][PEER_CONTROL] == 1);
    assert_int_equal(two->last.length, 0);
}

static void the_largest_frames_arrive_whole(void **state)
{
    struct party *party = *state;
    const struct member *two = &party->members[2];
    uint8_t *data = memory_alloc(PEER_FRAME_MAX);

    party_gather(party, 2);
    for (size_t i = 0; i < PEER_FRAME_MAX; i++)
        data[i] = (uint8_t)(i * 31 + i / 4096);
    bytes_put_u32(data, 1);
    peers_send(party->members[1].peers, 2, PEER_CONTROL, data, PEER_FRAME_MAX);
    peers_send(party->members[1].peers, 2, PEER_BULK, data, PEER_FRAME_MAX);
    WAIT_FOR(party, two->received[1][PEER_CONTROL] == 1 && two->received[1][PEER_BULK] == 1);
    assert_int_equal(two->received_bytes[1][PEER_CONTROL], PEER_FRAME_MAX);
    assert_int_equal(two->last.length, PEER_FRAME_MAX);
    assert_memory_equal(two->last.data, data, PEER_FRAME_MAX);
    free(data);
}

static void what_is_sent_inside_a_port_goes_out(struct member *member, uint16_t from,
                                                enum peer_channel channel, const void *data,
                                                size_t length)
{
    uint32_t number = bytes_get_u32(data);

    if (member->node == 1)
        number++;
    if (number <= 200)
        party_send(member->party, member->node, from, channel, number, length);
    peers_flush(member->peers);
}

static void frames_are_answered_inside_the_port(void **state)
{
    struct party *party = *state;

    party_gather(party, 2);
    party->members[1].on_receive = what_is_sent_inside_a_port_goes_out;
    party->members[2].on_receive = what_is_sent_inside_a_port_goes_out;
    party_send(party, 1, 2, PEER_CONTROL, 1, 200);
    WAIT_FOR(party, party->members[1].received[2][PEER_CONTROL] == 200);
    assert_false(party->members[1].out_of_order);
}

static void a_refusal_is_known_at_both_ends(void **state)
{
    struct party *party = *state;

    party->count = 2;
    party->members[2].verdict = REFUSE;
    party_start(party, 1);
    party_start(party, 2);
    WAIT_FOR(party, strstr(party_refusal(party, 1, 2), "go elsewhere") != NULL);
    WAIT_FOR(party, strstr(party_refusal(party, 2, 1), "go elsewhere") != NULL);
    assert_int_equal(party->members[1].ups[2][PEER_CONTROL], 0);
    assert_int_equal(party->members[2].ups[1][PEER_CONTROL], 0);

    // Both nodes try again once a second, on two channels.
    unsigned questions = party->members[2].questions;
    party_run_for(party, 1500);
    assert_in_range(party->members[2].questions - questions, 2, 12);

    party->members[2].verdict = ACCEPT;
    WAIT_FOR(party, party_connected(party, 1, 2) && party_connected(party, 2, 1));
    assert_string_equal(party_refusal(party, 1, 2), "");
    assert_string_equal(party_refusal(party, 2, 1), "");
    assert_int_equal(party->members[1].downs[2], 0);
    assert_int_equal(party->members[2].downs[1], 0);
}

static void an_owner_may_answer_late(void **state)
{
    struct party *party = *state;
    struct member *two = &party->members[2];

    party->count = 2;
    two->verdict = LATER;
    party_start(party, 1);
    party_start(party, 2);
    // Node 1 is asked about node 2 by nobody before node 2 has answered it.
    WAIT_FOR(party, two->token_count == 4);
    party_run_for(party, 2500);
    assert_int_equal(two->token_count, 4);
    assert_int_equal(party->members[1].ups[2][PEER_CONTROL], 0);
    assert_int_equal(two->ups[1][PEER_CONTROL], 0);
    for (size_t i = 0; i < two->token_count; i++) {
        assert_int_equal(two->asked[i].node, 1);
        assert_int_equal(two->asked[i].to, 2);
        assert_int_equal(two->asked[i].run, 1000);
        peers_accept(two->peers, two->tokens[i]);
    }
    WAIT_FOR(party, party_connected(party, 1, 2) && party_connected(party, 2, 1));
    // Answered already, or never given out.
    peers_accept(two->peers, two->tokens[0]);
    peers_refuse(two->peers, two->tokens[1], "no");
    peers_refuse(two->peers, 0, "no");
    assert_string_equal(party_refusal(party, 2, 1), "");
    party_send(party, 1, 2, PEER_CONTROL, 1, 100);
    WAIT_FOR(party, two->received[1][PEER_CONTROL] == 1);
}

static void no_frame_leaves_before_the_channel_is_up(void **state)
{
    struct party *party = *state;

    party->count = 2;
    party->members[2].verdict = LATER;
    party_start(party, 1);
    party_start(party, 2);
    WAIT_FOR(party, party->members[2].token_count == 4);
    party_send(party, 1, 2, PEER_CONTROL, 1, 100);
    assert_int_equal(peers_queued(party->members[1].peers, 2, PEER_CONTROL), 0);
    for (size_t i = 0; i < 4; i++)
        peers_accept(party->members[2].peers, party->members[2].tokens[i]);
    WAIT_FOR(party, party_connected(party, 1, 2));
    party_send(party, 1, 2, PEER_CONTROL, 1, 5);
    WAIT_FOR(party, party->members[2].received[1][PEER_CONTROL] > 0);
    party_run_for(party, 20);
    assert_int_equal(party->members[2].received_bytes[1][PEER_CONTROL], 5);
    // It was a connection of the first try.
    assert_int_equal(party->members[2].questions, 4);
}

static void swapped_addresses_are_named(void **state)
{
    struct party *party = *state;
    struct peer_address *others = party->members[1].others;

    for (uint16_t node = 1; node <= 3; node++)
        party_start(party, node);
    uint16_t port = others[0].port;
    others[0].port = others[1].port;
    others[1].port = port;
    WAIT_FOR(party, strstr(party_refusal(party, 1, 2),
                           "node 1 has node 3's address for node 2: correct") != NULL);
    WAIT_FOR(party, strstr(party_refusal(party, 2, 1),
                           "node 1 has node 2's address for node 3: correct") != NULL);
    WAIT_FOR(party, party_connected(party, 2, 3));
    assert_false(party_connected(party, 1, 2));
}

static void a_node_that_dials_itself_is_told(void **state)
{
    struct party *party = *state;

    party->count = 2;
    party_start(party, 1);
    party->members[1].others[0].port = party->members[1].self.port;
    WAIT_FOR(party, strstr(party_refusal(party, 1, 2), "both have the id 1") != NULL);
}

static void an_unknown_node_is_refused(void **state)
{
    struct party *party = *state;

    party->count = 2;
    party_start(party, 1);
    party->count = 3;
    party_start(party, 3);
    WAIT_FOR(party, strstr(party_refusal(party, 3, 1), "node 3 is not among the members") != NULL);
}

static void another_protocol_is_refused(void **state)
{
    struct party *party = *state;

    party->count = 2;
    party->members[2].hello.protocol = PEER_PROTOCOL + 1;
    party_start(party, 1);
    party_start(party, 2);
    WAIT_FOR(party, strstr(party_refusal(party, 2, 1), "run the same release") != NULL);
    assert_false(party_connected(party, 1, 2));
}

static void a_lost_node_is_noticed_at_once_and_found_again(void **state)
{
    struct party *party = *state;
    struct member *one = &party->members[1];

    party_gather(party, 3);
    party_run_for(party, 1100);
    party_kill(party, 2);
    uint64_t before = uv_hrtime();
    WAIT_FOR(party, one->downs[2] > 0 && party->members[3].downs[2] > 0);
    assert_true(uv_hrtime() - before < 2000000000ull);
    WAIT_FOR(party, !party_connected(party, 1, 2));
    party_run_for(party, 300);
    assert_int_equal(one->downs[2], 1);
    assert_int_equal(one->downs[3], 0);

    party_start(party, 2);
    WAIT_FOR(party, party_connected(party, 1, 2) && party_connected(party, 2, 1) &&
                        party_connected(party, 2, 3));
    party_send(party, 1, 2, PEER_CONTROL, 1, 100);
    party_send(party, 2, 1, PEER_CONTROL, 1, 100);
    WAIT_FOR(party, one->received[2][PEER_CONTROL] == 1 &&
                        party->members[2].received[1][PEER_CONTROL] == 1);
    party_kill(party, 2);
    WAIT_FOR(party, one->downs[2] == 2);
}

static void a_node_is_found_without_the_name_service(void **state)
{
    struct party *party = *state;

    party_gather(party, 2);
    party->members[1].others[0].host = "no..name";
    party_kill(party, 2);
    WAIT_FOR(party, party->members[1].downs[2] == 1);
    party_start(party, 2);
    WAIT_FOR(party, party_connected(party, 1, 2) && party_connected(party, 2, 1));
}

static void a_new_introduction_makes_all_connections_anew(void **state)
{
    struct party *party = *state;
    struct member *one = &party->members[1], *two = &party->members[2];

    party_gather(party, 2);
    unsigned ups = two->ups[1][PEER_CONTROL];
    two->verdict = LATER;
    one->hello.epoch = 7;
    peers_introduce(one->peers, &one->hello);
    assert_false(party_connected(party, 1, 2));
    WAIT_FOR(party, two->token_count >= 4);
    for (size_t i = 0; i < two->token_count; i++) {
        assert_int_equal(two->asked[i].epoch, 7);
        peers_accept(two->peers, two->tokens[i]);
    }
    two->verdict = ACCEPT;
    WAIT_FOR(party, party_connected(party, 1, 2) && party_connected(party, 2, 1));
    WAIT_FOR(party, two->ups[1][PEER_CONTROL] == ups + 1);
    assert_int_equal(one->downs[2], 0);
    assert_int_equal(two->downs[1], 0);
}

static void a_full_queue_drops(void **state)
{
    struct party *party = *state;
    struct peers *peers;
    const size_t each = 1 << 20;
    uint8_t *data = memory_zalloc(each);

    party_gather(party, 2);
    peers = party->members[1].peers;
    for (unsigned i = 0; i < 200; i++)
        peers_send(peers, 2, PEER_CONTROL, data, each);
    size_t queued = peers_queued(peers, 2, PEER_CONTROL);
    assert_true(queued > PEER_CONTROL_QUEUE_MAX - 2 * each);
    assert_true(queued <= PEER_CONTROL_QUEUE_MAX + 4096);
    for (unsigned i = 0; i < 200; i++)
        peers_send(peers, 2, PEER_BULK, data, each);
    assert_true(peers_queued(peers, 2, PEER_BULK) <= PEER_BULK_QUEUE_MAX + 4096);
    unsigned control = PEER_CONTROL_QUEUE_MAX / (1 << 20) - 1;
    WAIT_FOR(party,
             peers_queued(peers, 2, PEER_CONTROL) == 0 && peers_queued(peers, 2, PEER_BULK) == 0);
    WAIT_FOR(party, party->members[2].received[1][PEER_CONTROL] == control);
    WAIT_FOR(party, party->members[1].drained[2] == 1);
    assert_false(party->members[1].drained_early);
    free(data);
}

static void an_orderly_end_delivers_what_was_queued(void **state)
{
    struct party *party = *state;
    struct member *one = &party->members[1], *two = &party->members[2];

    party_gather(party, 2);
    for (uint32_t number = 1; number <= 40; number++)
        party_send(party, 1, 2, PEER_CONTROL, number, 1 << 20);
    peers_close(one->peers, 5000);
    WAIT_FOR(party, two->received[1][PEER_CONTROL] == 40);
    assert_false(two->out_of_order);
    WAIT_FOR(party, two->downs[1] == 1);
    party_turn(party);
    party_turn(party);
    peers_free(one->peers);
    one->peers = NULL;
}

enum { ROUND_TRIPS = 200 };

static void play(struct member *member, uint16_t from, enum peer_channel channel, const void *data,
                 size_t length)
{
    if (channel == PEER_BULK)
        return;
    if (member->node == 2 || bytes_get_u32(data) < ROUND_TRIPS)
        party_send(member->party, member->node, from, PEER_CONTROL,
                   bytes_get_u32(data) + (member->node == 1), length);
}

// 64 MiB of bulk and many round trips of control at the same time: control is done first.
static void bulk_does_not_delay_control(void **state)
{
    struct party *party = *state;
    struct member *one = &party->members[1], *two = &party->members[2];
    const size_t each = 4 << 20;
    unsigned sent = 0;

    party_gather(party, 2);
    one->on_receive = two->on_receive = play;
    party_send(party, 1, 2, PEER_CONTROL, 1, 200);
    while (one->received[2][PEER_CONTROL] < ROUND_TRIPS) {
        if (sent < 16 && peers_queued(one->peers, 2, PEER_BULK) == 0)
            party_send(party, 1, 2, PEER_BULK, ++sent, each);
        party_turn(party);
    }
    unsigned at_end = two->received[1][PEER_BULK];
    while (sent < 16) {
        WAIT_FOR(party, peers_queued(one->peers, 2, PEER_BULK) == 0);
        party_send(party, 1, 2, PEER_BULK, ++sent, each);
    }
    WAIT_FOR(party, two->received[1][PEER_BULK] == 16);
    assert_false(two->out_of_order);
    assert_true(at_end < 16);
}

static int option_of(int fd, int option)
{
    int value = 0;
    socklen_t length = sizeof value;

    assert_int_equal(getsockopt(fd, IPPROTO_TCP, option, &value, &length), 0);
    return value;
}

static void sockets_neither_wait_nor_hang(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    address_tune(fd, 1234);
    assert_int_equal(option_of(fd, TCP_NODELAY), 1);
    assert_int_equal(option_of(fd, TCP_USER_TIMEOUT), 1234);
    address_tune_bulk(fd);
    assert_in_range(option_of(fd, TCP_NOTSENT_LOWAT), 1, 1 << 20);
    close(fd);
}

static void a_taken_address_is_named(void **state)
{
    struct party *party = *state;
    struct member *one = &party->members[1];
    struct peers_settings settings = {.self = &one->self};
    struct peers_ports ports = {0};
    struct failure failure = {{0}};
    struct peers *peers = NULL;

    party->count = 1;
    party_start(party, 1);
    assert_int_equal(peers_open(&party->loop, &settings, &ports, &peers, &failure), ERROR_IO);
    assert_non_null(strstr(failure.text, "127.0.0.1 port"));
    assert_null(peers);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, party_setup, party_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_arrive_in_order_in_both_directions),
        TEST(a_frame_may_be_empty),
        TEST(the_largest_frames_arrive_whole),
        TEST(frames_are_answered_inside_the_port),
        TEST(a_refusal_is_known_at_both_ends),
        TEST(an_owner_may_answer_late),
        TEST(no_frame_leaves_before_the_channel_is_up),
        TEST(swapped_addresses_are_named),
        TEST(a_node_that_dials_itself_is_told),
        TEST(an_unknown_node_is_refused),
        TEST(another_protocol_is_refused),
        TEST(a_lost_node_is_noticed_at_once_and_found_again),
        TEST(a_node_is_found_without_the_name_service),
        TEST(a_new_introduction_makes_all_connections_anew),
        TEST(a_full_queue_drops),
        TEST(an_orderly_end_delivers_what_was_queued),
        TEST(bulk_does_not_delay_control),
        cmocka_unit_test(sockets_neither_wait_nor_hang),
        TEST(a_taken_address_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
