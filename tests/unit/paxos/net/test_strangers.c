// SPDX-License-Identifier: Apache-2.0
// Who else may be at the other end of a connection: people with tools, other programs, attackers, and
// nodes that break the rules. Whatever they do ends their connection and nothing else.
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "paxos/net/frame.h"
#include "tests/unit/cmocka_test.h"
#include "tests/unit/paxos/net/stranger.h"

enum {
    HTTP2_DATA = 0,
    HTTP2_HEADERS = 1,
    HTTP2_RST_STREAM = 3,
    HTTP2_SETTINGS = 4,
    HTTP2_PING = 6,
    HTTP2_WINDOW_UPDATE = 8,
    HTTP2_CONTINUATION = 9,
    BOUND = 64, // connections that were not introduced
};

// Node 1 runs, and knows a node 2 that does not.
static struct party *alone(void **state)
{
    struct party *party = *state;

    party->count = 2;
    party_start(party, 1);
    return party;
}

static struct introduction as_node_2(uint64_t serial)
{
    struct introduction introduction = {.serial = serial};

    introduction.hello = (struct hello){.protocol = PEER_PROTOCOL, .node = 2, .to = 1, .run = 2000};
    return introduction;
}

// A stranger that has said that it is node 2, on the channel of this path.
static struct stranger *introduced(struct party *party, const char *path, uint64_t serial)
{
    struct stranger *stranger = stranger_new(party, 1);
    struct introduction introduction = as_node_2(serial);

    stranger_preface(stranger);
    stranger_request(stranger, 1, "POST", path, false);
    stranger_hello(stranger, &introduction);
    stranger_send(stranger);
    return stranger;
}

static void put_number(struct stranger *stranger, uint32_t number)
{
    uint8_t body[4];

    bytes_put_u32(body, number);
    stranger_frame(stranger, FRAME_DATA, body, sizeof body, -1);
}

// The node still does what it is for.
static void assert_well(struct party *party)
{
    party_start(party, 2);
    WAIT_FOR(party, party_connected(party, 1, 2) && party_connected(party, 2, 1));
}

// ---- People and other programs -----------------------------------------------------------------

static void garbage_ends_its_connection(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = stranger_new(party, 1);

    for (unsigned i = 0; i < 3000; i++)
        buffer_u8(&stranger->out, (uint8_t)(i * i * 31 >> 3));
    stranger_send(stranger);
    stranger_await_end(stranger);
    stranger_free(stranger);
    assert_well(party);
}

static void an_http1_client_is_hung_up_on(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = stranger_new(party, 1);

    buffer_text(&stranger->out, "GET / HTTP/1.1\r\nHost: node\r\n\r\n");
    stranger_send(stranger);
    stranger_await_end(stranger);
    assert_false(stranger->reset);
    assert_int_equal(stranger->in.length, 0);
    stranger_free(stranger);
}

static void a_tool_gets_an_answer(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = stranger_new(party, 1);

    stranger_preface(stranger);
    stranger_request(stranger, 1, "GET", "/", true);
    stranger_send(stranger);
    stranger_await_text(stranger, "Curlew node 1: ");
    stranger_request(stranger, 3, "GET", "/v1/znodes", true);
    stranger_send(stranger);
    stranger_await_text(stranger, "\"status\":404");
    stranger_request(stranger, 5, "GET", "/paxos/bulk", true);
    stranger_send(stranger);
    stranger_await_text(stranger, "\"status\":405");
    stranger_request(stranger, 7, "POST", "/", true);
    stranger_send(stranger);
    stranger_await_end(stranger);
    stranger_free(stranger);
}

static void a_port_scanner_goes_unnoticed(void **state)
{
    struct party *party = alone(state);

    for (unsigned i = 0; i < 200; i++)
        stranger_free(stranger_new(party, 1));
    assert_well(party);
}

// ---- Slow and many -----------------------------------------------------------------------------

static void silence_ends_in_time(void **state)
{
    struct party *party = alone(state);
    struct stranger *silent = stranger_new(party, 1), *half = stranger_new(party, 1);

    stranger_preface(half);
    stranger_request(half, 1, "POST", "/paxos/control", false);
    stranger_http2(half, HTTP2_DATA, 0, 1, "\1\2\3", 3);
    stranger_send(half);
    stranger_await_end(half);
    stranger_await_end(silent);
    stranger_free(half);
    stranger_free(silent);
}

static void a_trickle_ends_in_time(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = stranger_new(party, 1);
    uint64_t started = uv_hrtime();

    stranger_preface(stranger);
    stranger_request(stranger, 1, "POST", "/paxos/control", false);
    while (!stranger->ended && uv_hrtime() < started + WAIT_MS * 1000000ull) {
        stranger_http2(stranger, HTTP2_PING, 0, 0, "12345678", 8);
        stranger_send(stranger);
        party_run_for(party, 50);
        stranger_listen(stranger);
    }
    assert_true(stranger->ended);
    stranger_free(stranger);
}

static unsigned count_open(struct stranger **crowd, unsigned size)
{
    unsigned open = 0;

    for (unsigned i = 0; i < size; i++) {
        stranger_listen(crowd[i]);
        open += !crowd[i]->ended;
    }
    return open;
}

static void a_crowd_is_bounded_and_the_oldest_go(void **state)
{
    enum { CROWD = 3 * BOUND };
    struct party *party = alone(state);
    struct stranger *crowd[CROWD];

    for (unsigned i = 0; i < CROWD; i++)
        crowd[i] = stranger_new(party, 1);
    WAIT_FOR(party, count_open(crowd, CROWD) == BOUND);
    assert_int_equal(count_open(crowd + CROWD - BOUND, BOUND), BOUND);
    assert_well(party);
    for (unsigned i = 0; i < CROWD; i++)
        stranger_free(crowd[i]);
}

// ---- Abuse of HTTP/2 ---------------------------------------------------------------------------

// On a connection that was accepted, which has no other end in sight.
static void flood(void **state, uint8_t type, uint32_t stream, const void *payload, size_t length)
{
    struct party *party = alone(state);
    struct stranger *stranger = introduced(party, "/paxos/control", 1);

    for (unsigned i = 0; i < 10000; i++)
        stranger_http2(stranger, type, 0, stream, payload, length);
    stranger_send(stranger);
    stranger_await_end(stranger);
    stranger_free(stranger);
    assert_well(party);
}

static void a_flood_of_pings_ends_its_connection(void **state)
{
    flood(state, HTTP2_PING, 0, "12345678", 8);
}

static void a_flood_of_settings_ends_its_connection(void **state)
{
    flood(state, HTTP2_SETTINGS, 0, NULL, 0);
}

static void a_flood_of_empty_data_ends_its_connection(void **state)
{
    flood(state, HTTP2_DATA, 1, NULL, 0);
}

static void a_flood_of_window_updates_ends_its_connection(void **state)
{
    flood(state, HTTP2_WINDOW_UPDATE, 0, "\0\0\0\1", 4);
}

static void a_flood_of_unknown_frames_ends_its_connection(void **state)
{
    flood(state, 0xbb, 0, "x", 1);
}

static void rapid_resets_end_the_connection(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = stranger_new(party, 1);

    stranger_preface(stranger);
    for (uint32_t stream = 1; stream < 10000; stream += 2) {
        stranger_request(stranger, stream, "GET", "/", true);
        stranger_http2(stranger, HTTP2_RST_STREAM, 0, stream, "\0\0\0\10", 4);
    }
    stranger_send(stranger);
    stranger_await_end(stranger);
    stranger_free(stranger);
}

static void endless_headers_end_the_connection(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = stranger_new(party, 1);
    char block[16000];

    memset(block, 0x83, sizeof block); // ":method: POST", again and again
    stranger_preface(stranger);
    stranger_http2(stranger, HTTP2_HEADERS, 0, 1, block, 1000);
    for (unsigned i = 0; i < 100; i++)
        stranger_http2(stranger, HTTP2_CONTINUATION, 0, 1, block, sizeof block);
    stranger_send(stranger);
    stranger_await_end(stranger);
    stranger_free(stranger);
    assert_well(party);
}

static void long_headers_end_the_connection(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = stranger_new(party, 1);
    struct buffer block = {0};
    char value[100] = {0};

    memset(value, 'v', sizeof value - 1);
    buffer_append(&block, "\x82\x84\x86\1\4node", 9); // GET / of http://node
    for (unsigned i = 0; i < 100; i++)
        buffer_printf(&block, "%c%c%s%c%s", 0x10, 6, "x-long", 99, value);
    stranger_preface(stranger);
    stranger_http2(stranger, HTTP2_HEADERS, 5, 1, block.data, block.length);
    stranger_send(stranger);
    stranger_await_end(stranger);
    assert_true(stranger->in.length == 0 ||
                memmem(stranger->in.data, stranger->in.length, "Curlew node", 11) == NULL);
    buffer_deinit(&block);
    stranger_free(stranger);
}

static void a_reader_that_grants_no_window_holds_nothing_up(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = stranger_new(party, 1);

    buffer_text(&stranger->out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    stranger_http2(stranger, HTTP2_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    stranger_request(stranger, 1, "GET", "/", true);
    stranger_send(stranger);
    stranger_await_end(stranger);
    stranger_free(stranger);
}

// ---- Nodes that break the rules ----------------------------------------------------------------

static void a_damaged_introduction_ends_the_connection(void **state)
{
    struct party *party = alone(state);

    for (int damaged = 0; damaged < FRAME_HEADER_BYTES + 4; damaged++) {
        struct stranger *stranger = stranger_new(party, 1);
        stranger_preface(stranger);
        stranger_request(stranger, 1, "POST", "/paxos/control", false);
        stranger_frame(stranger, FRAME_HELLO, "0123456789", 10, damaged);
        stranger_send(stranger);
        stranger_await_end(stranger);
        stranger_free(stranger);
    }
    assert_well(party);
}

static void data_before_the_introduction_ends_the_connection(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = stranger_new(party, 1);

    stranger_preface(stranger);
    stranger_request(stranger, 1, "POST", "/paxos/control", false);
    put_number(stranger, 1);
    stranger_send(stranger);
    stranger_await_end(stranger);
    assert_int_equal(party->members[1].received[2][PEER_CONTROL], 0);
    stranger_free(stranger);
}

static void data_before_the_answer_ends_the_connection(void **state)
{
    struct party *party = alone(state);

    party->members[1].verdict = LATER;
    struct stranger *stranger = introduced(party, "/paxos/control", 1);
    WAIT_FOR(party, party->members[1].token_count == 1);
    put_number(stranger, 1);
    stranger_send(stranger);
    stranger_await_end(stranger);
    // The answer comes too late, whatever it is.
    peers_accept(party->members[1].peers, party->members[1].tokens[0]);
    peers_refuse(party->members[1].peers, party->members[1].tokens[0], "no");
    assert_int_equal(party->members[1].received[2][PEER_CONTROL], 0);
    assert_string_equal(party_refusal(party, 1, 2), "");
    stranger_free(stranger);
}

static void damage_in_the_middle_ends_the_connection(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = introduced(party, "/paxos/bulk", 1);
    const struct member *one = &party->members[1];

    put_number(stranger, 1);
    stranger_frame(stranger, FRAME_DATA, "\2\0\0\0", 4, FRAME_HEADER_BYTES + 1);
    put_number(stranger, 3);
    stranger_send(stranger);
    stranger_await_end(stranger);
    assert_int_equal(one->received[2][PEER_BULK], 1);
    assert_int_equal(one->downs[2], 0);
    stranger_free(stranger);
}

static void a_second_introduction_ends_the_connection(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = introduced(party, "/paxos/control", 1);
    struct introduction introduction = as_node_2(1);

    stranger_hello(stranger, &introduction);
    stranger_send(stranger);
    stranger_await_end(stranger);
    stranger_free(stranger);
}

static void a_wrong_introduction_is_answered_with_the_reason(void **state)
{
    struct party *party = alone(state);
    struct stranger *stranger = stranger_new(party, 1);
    struct introduction introduction = as_node_2(1);

    introduction.hello.to = 3;
    stranger_preface(stranger);
    stranger_request(stranger, 1, "POST", "/paxos/control", false);
    stranger_hello(stranger, &introduction);
    stranger_send(stranger);
    stranger_await_text(stranger, "node 2 has node 1's address for node 3");
    stranger_await_end(stranger);
    assert_false(stranger->reset);
    stranger_free(stranger);
}

static void the_newer_connection_replaces_the_older(void **state)
{
    struct party *party = alone(state);
    const struct member *one = &party->members[1];
    struct stranger *older = introduced(party, "/paxos/control", 7);

    put_number(older, 1);
    stranger_send(older);
    WAIT_FOR(party, one->received[2][PEER_CONTROL] == 1);
    struct stranger *newer = introduced(party, "/paxos/control", 8);
    stranger_await_end(older);
    put_number(newer, 2);
    stranger_send(newer);
    WAIT_FOR(party, one->received[2][PEER_CONTROL] == 2);
    // One that was dialled before and arrives late.
    struct stranger *late = introduced(party, "/paxos/control", 6);
    stranger_await_end(late);
    put_number(newer, 3);
    stranger_send(newer);
    WAIT_FOR(party, one->received[2][PEER_CONTROL] == 3);
    assert_int_equal(one->downs[2], 0);
    stranger_free(newer);
    WAIT_FOR(party, one->downs[2] == 1);
    stranger_free(older);
    stranger_free(late);
}

// ---- Listeners that are none -------------------------------------------------------------------

// A socket at node 2's address, in place of node 2.
static int impostor(struct party *party)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 16), 0);
    getsockname(fd, (struct sockaddr *)&address, &length);
    party->members[1].others[0].port = ntohs(address.sin_port);
    return fd;
}

static struct stranger *await_caller(struct party *party, int listening)
{
    int fd = -1;

    WAIT_FOR(party, fd >= 0 || (fd = accept(listening, NULL, NULL)) >= 0);
    return stranger_of(party, fd);
}

static void a_listener_that_is_no_node_is_tried_again(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "", "\0\0\0\0\0"};
    struct party *party = alone(state);
    int listening = impostor(party);

    for (unsigned i = 0; i < 4; i++) {
        struct stranger *listener = await_caller(party, listening);
        stranger_await_text(listener, "PRI * HTTP/2.0");
        buffer_text(&listener->out, answers[i % 3]);
        stranger_send(listener);
        stranger_await_end(listener);
        stranger_free(listener);
    }
    assert_int_equal(party->members[1].ups[2][PEER_CONTROL], 0);
    assert_int_equal(party->members[1].downs[2], 0);
    close(listening);
    assert_well(party);
}

// A response without END_STREAM, whose status is in HPACK's static table.
static void put_response(struct stranger *listener, uint8_t status)
{
    stranger_http2(listener, HTTP2_SETTINGS, 0, 0, NULL, 0);
    stranger_http2(listener, HTTP2_HEADERS, 4, 1, &status, 1);
}

static void a_status_that_no_node_gives_is_a_failure(void **state)
{
    struct party *party = alone(state);
    int listening = impostor(party);
    struct stranger *listener = await_caller(party, listening);

    put_response(listener, 0x8d); // 404
    stranger_http2(listener, HTTP2_DATA, 1, 1, "no such thing", 13);
    stranger_send(listener);
    stranger_await_end(listener);
    assert_string_equal(party_refusal(party, 1, 2), "");
    stranger_free(listener);
    close(listening);
}

static void a_listener_may_send_no_data(void **state)
{
    struct party *party = alone(state);
    int listening = impostor(party);
    struct stranger *listener = await_caller(party, listening);
    struct introduction introduction = as_node_2(1);

    put_response(listener, 0x88); // 200
    stranger_hello(listener, &introduction);
    stranger_send(listener);
    WAIT_FOR(party,
             party->members[1].ups[2][PEER_CONTROL] + party->members[1].ups[2][PEER_BULK] > 0);
    put_number(listener, 1);
    stranger_send(listener);
    stranger_await_end(listener);
    assert_int_equal(party->members[1].received[2][PEER_CONTROL], 0);
    stranger_free(listener);
    close(listening);
}

// Accepts the call of both channels and introduces itself; gives which of them is up thereby.
static struct stranger *befriend(struct party *party, int listening, enum peer_channel *channel)
{
    const unsigned *ups = party->members[1].ups[2];
    unsigned control = ups[PEER_CONTROL], bulk = ups[PEER_BULK];
    struct stranger *listener = await_caller(party, listening);
    struct introduction introduction = as_node_2(1);

    put_response(listener, 0x88); // 200
    stranger_hello(listener, &introduction);
    stranger_send(listener);
    WAIT_FOR(party, ups[PEER_CONTROL] + ups[PEER_BULK] > control + bulk);
    *channel = ups[PEER_CONTROL] > control ? PEER_CONTROL : PEER_BULK;
    return listener;
}

static void only_control_counts_as_the_node(void **state)
{
    struct party *party = alone(state);
    const unsigned *downs = party->members[1].downs;
    struct stranger *listeners[PEER_CHANNELS];
    int listening = impostor(party);
    enum peer_channel channel;

    for (int i = 0; i < PEER_CHANNELS; i++) {
        struct stranger *listener = befriend(party, listening, &channel);
        listeners[channel] = listener;
    }
    stranger_free(listeners[PEER_BULK]);
    struct stranger *again = befriend(party, listening, &channel);
    assert_int_equal(channel, PEER_BULK);
    struct stranger *guest = introduced(party, "/paxos/bulk", 1);
    put_number(guest, 1);
    stranger_send(guest);
    WAIT_FOR(party, party->members[1].received[2][PEER_BULK] == 1);
    stranger_free(guest);
    party_run_for(party, 50);
    assert_int_equal(downs[2], 0);
    stranger_free(listeners[PEER_CONTROL]);
    WAIT_FOR(party, downs[2] == 1);
    stranger_free(again);
    close(listening);
}

static void a_listener_that_is_another_node_is_refused(void **state)
{
    struct party *party = *state;
    struct introduction introduction = as_node_2(1);

    party_start(party, 1);
    int listening = impostor(party);
    struct stranger *listener = await_caller(party, listening);
    introduction.hello.node = 3;
    put_response(listener, 0x88); // 200
    stranger_hello(listener, &introduction);
    stranger_send(listener);
    WAIT_FOR(party,
             strstr(party_refusal(party, 1, 2), "node 1 has node 3's address for node 2") != NULL);
    // It is told.
    stranger_await_text(listener, "node 1 has node 3's address for node 2");
    stranger_await_end(listener);
    stranger_free(listener);
    close(listening);
}

static void a_refusal_is_made_harmless(void **state)
{
    struct party *party = alone(state);
    int listening = impostor(party);
    struct stranger *listener = await_caller(party, listening);
    uint8_t status[] = {0x08, 3, '4', '0', '3'}; // literal, not indexed
    char text[600];

    memset(text, 'x', sizeof text);
    memcpy(text, "no\n\"\x80\x1b[2J", 9);
    stranger_http2(listener, HTTP2_SETTINGS, 0, 0, NULL, 0);
    stranger_http2(listener, HTTP2_HEADERS, 4, 1, status, sizeof status);
    stranger_http2(listener, HTTP2_DATA, 1, 1, text, sizeof text);
    stranger_send(listener);
    WAIT_FOR(party, strncmp(party_refusal(party, 1, 2), "no?\"??[2Jxxx", 12) == 0);
    assert_true(strlen(party_refusal(party, 1, 2)) < sizeof(((struct peer_state *)NULL)->refused));
    stranger_free(listener);
    close(listening);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, party_setup, party_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(garbage_ends_its_connection),
        TEST(an_http1_client_is_hung_up_on),
        TEST(a_tool_gets_an_answer),
        TEST(a_port_scanner_goes_unnoticed),
        TEST(silence_ends_in_time),
        TEST(a_trickle_ends_in_time),
        TEST(a_crowd_is_bounded_and_the_oldest_go),
        TEST(a_flood_of_pings_ends_its_connection),
        TEST(a_flood_of_settings_ends_its_connection),
        TEST(a_flood_of_window_updates_ends_its_connection),
        TEST(a_flood_of_empty_data_ends_its_connection),
        TEST(a_flood_of_unknown_frames_ends_its_connection),
        TEST(rapid_resets_end_the_connection),
        TEST(endless_headers_end_the_connection),
        TEST(long_headers_end_the_connection),
        TEST(a_reader_that_grants_no_window_holds_nothing_up),
        TEST(a_damaged_introduction_ends_the_connection),
        TEST(data_before_the_introduction_ends_the_connection),
        TEST(data_before_the_answer_ends_the_connection),
        TEST(damage_in_the_middle_ends_the_connection),
        TEST(a_second_introduction_ends_the_connection),
        TEST(a_wrong_introduction_is_answered_with_the_reason),
        TEST(the_newer_connection_replaces_the_older),
        TEST(a_listener_that_is_no_node_is_tried_again),
        TEST(a_status_that_no_node_gives_is_a_failure),
        TEST(a_listener_may_send_no_data),
        TEST(only_control_counts_as_the_node),
        TEST(a_listener_that_is_another_node_is_refused),
        TEST(a_refusal_is_made_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
