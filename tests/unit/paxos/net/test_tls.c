// SPDX-License-Identifier: Apache-2.0
// Connections between nodes under TLS: who gets in, who does not, and how certificates are replaced.
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/unit/cmocka_test.h"
#include "tests/unit/paxos/net/certificates.h"
#include "tests/unit/paxos/net/stranger.h"

static struct certificates certificates;

// All nodes are known by the name that their certificates bear.
static int setup(void **state)
{
    party_setup(state);
    struct party *party = *state;
    certificates_init(&certificates);
    certificates_make(&certificates, "localhost");
    party->host = "localhost";
    for (uint16_t node = 1; node <= PARTY_MAX; node++)
        party->members[node].tls = certificates_of(&certificates, node);
    return 0;
}

static int teardown(void **state)
{
    certificates_deinit(&certificates);
    return party_teardown(state);
}

static void frames_arrive_under_tls(void **state)
{
    struct party *party = *state;
    const struct member *two = &party->members[2];

    party_gather(party, 2);
    for (uint32_t number = 1; number <= 500; number++) {
        party_send(party, 1, 2, PEER_CONTROL, number, 4 + number * 97 % 40000);
        party_send(party, 2, 1, PEER_CONTROL, number, 200);
    }
    party_send(party, 1, 2, PEER_BULK, 1, PEER_FRAME_MAX);
    WAIT_FOR(party, two->received[1][PEER_CONTROL] == 500 && two->received[1][PEER_BULK] == 1 &&
                        party->members[1].received[2][PEER_CONTROL] == 500);
    assert_false(two->out_of_order);
    assert_false(party->members[1].out_of_order);
    WAIT_FOR(party, party->members[1].drained[2] == 1);
}

static void a_lost_node_is_noticed_under_tls(void **state)
{
    struct party *party = *state;

    party_gather(party, 2);
    party_kill(party, 2);
    uint64_t before = uv_hrtime();
    WAIT_FOR(party, party->members[1].downs[2] > 0);
    assert_true(uv_hrtime() - before < 2000000000ull);
    party_start(party, 2);
    WAIT_FOR(party, party_connected(party, 1, 2) && party_connected(party, 2, 1));
}

// Runs for a while in which the nodes would have connected many times.
static void assert_apart(struct party *party)
{
    party_run_for(party, 500);
    for (uint16_t node = 1; node <= 2; node++) {
        const struct member *member = &party->members[node];
        assert_int_equal(member->ups[3 - node][PEER_CONTROL], 0);
        assert_int_equal(member->ups[3 - node][PEER_BULK], 0);
        assert_int_equal(member->token_count, 0);
    }
}

static void start_two(struct party *party)
{
    party->count = 2;
    party->members[1].verdict = party->members[2].verdict = LATER;
    party_start(party, 1);
    party_start(party, 2);
}

static void a_certificate_of_another_authority_does_not_get_in(void **state)
{
    struct party *party = *state;

    certificates_make_stray(&certificates, 2, "localhost");
    start_two(party);
    assert_apart(party);
}

static void a_certificate_for_another_name_is_not_believed(void **state)
{
    struct party *party = *state;

    certificates_make(&certificates, "elsewhere.example");
    start_two(party);
    assert_apart(party);
}

static void plain_and_tls_do_not_mix(void **state)
{
    struct party *party = *state;

    party->members[2].tls = (struct peer_tls){0};
    start_two(party);
    assert_apart(party);
}

static void plain_strangers_are_hung_up_on(void **state)
{
    struct party *party = *state;

    party->count = 2;
    party_start(party, 1);
    struct stranger *stranger = stranger_new(party, 1);
    buffer_text(&stranger->out, "GET / HTTP/1.1\r\nHost: node\r\n\r\n");
    stranger_send(stranger);
    stranger_await_end(stranger);
    stranger_free(stranger);
    stranger = stranger_new(party, 1);
    stranger_await_end(stranger);
    stranger_free(stranger);
}

static ssize_t pull(gnutls_transport_ptr_t transport, void *into, size_t size)
{
    struct stranger *stranger = transport;

    return recv(stranger->fd, into, size, MSG_DONTWAIT);
}

static ssize_t push(gnutls_transport_ptr_t transport, const void *data, size_t length)
{
    struct stranger *stranger = transport;

    return send(stranger->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// Lets the loop run until a call of GnuTLS need not be repeated.
#define REPEAT(party, result, call) WAIT_FOR(party, ((result) = (int)(call)) != GNUTLS_E_AGAIN)

// Its side of the handshake may succeed, as TLS 1.3 has it; it hears nothing of HTTP/2 nevertheless.
static void who_shows_no_certificate_does_not_get_in(void **state)
{
    struct party *party = *state;
    const gnutls_datum_t h2 = {.data = (unsigned char *)(uintptr_t) "h2", .size = 2};
    gnutls_certificate_credentials_t nothing;
    gnutls_session_t session;
    char answer[1000];
    int result = 0;

    party->count = 2;
    party_start(party, 1);
    struct stranger *stranger = stranger_new(party, 1);
    gnutls_certificate_allocate_credentials(&nothing);
    gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
    gnutls_set_default_priority(session);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, nothing);
    gnutls_alpn_set_protocols(session, &h2, 1, 0);
    gnutls_transport_set_ptr(session, stranger);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_push_function(session, push);
    REPEAT(party, result, gnutls_handshake(session));
    if (result == 0) {
        stranger_preface(stranger);
        stranger_request(stranger, 1, "GET", "/", true);
        gnutls_record_send(session, stranger->out.data, stranger->out.length);
        REPEAT(party, result, gnutls_record_recv(session, answer, sizeof answer));
    }
    assert_true(result < 0);
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(nothing);
    stranger_free(stranger);
}

static void certificates_are_replaced_while_nodes_run(void **state)
{
    struct party *party = *state;

    party_gather(party, 2);
    certificates_make(&certificates, "localhost");
    party_kill(party, 2);
    WAIT_FOR(party, !party_connected(party, 1, 2));
    party_start(party, 2);
    WAIT_FOR(party, party_connected(party, 1, 2) && party_connected(party, 2, 1));
}

static void certificates_that_cannot_be_used_replace_nothing(void **state)
{
    struct party *party = *state;

    party_gather(party, 2);
    FILE *file = fopen(certificates_of(&certificates, 1).certificate, "w");
    fputs("not a certificate\n", file);
    fclose(file);
    party_kill(party, 2);
    WAIT_FOR(party, !party_connected(party, 1, 2));
    party_start(party, 2);
    WAIT_FOR(party, party_connected(party, 1, 2) && party_connected(party, 2, 1));
}

static void assert_unusable(struct party *party, const struct peer_tls *tls, const char *part)
{
    struct peers_settings settings = {.self = &party->members[1].self, .tls = *tls};
    struct peers_ports ports = {0};
    struct failure failure = {{0}};
    struct peers *peers = NULL;

    assert_int_equal(peers_open(&party->loop, &settings, &ports, &peers, &failure), ERROR_IO);
    assert_non_null(strstr(failure.text, part));
    assert_null(peers);
}

static void unusable_files_are_named(void **state)
{
    struct party *party = *state;
    struct peer_tls tls = certificates_of(&certificates, 1);

    tls.key = "/nonexistent/key.pem";
    assert_unusable(party, &tls, "/nonexistent/key.pem");
    tls = certificates_of(&certificates, 1);
    tls.authority = "/nonexistent/authority.pem";
    assert_unusable(party, &tls, "/nonexistent/authority.pem");
    tls.authority = certificates_of(&certificates, 1).key;
    assert_unusable(party, &tls, "authority's certificates");
    tls.authority = NULL;
    assert_unusable(party, &tls, "all three");
    tls = certificates_of(&certificates, 1);
    tls.key = certificates_of(&certificates, 2).key;
    assert_unusable(party, &tls, "key");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_arrive_under_tls),
        TEST(a_lost_node_is_noticed_under_tls),
        TEST(a_certificate_of_another_authority_does_not_get_in),
        TEST(a_certificate_for_another_name_is_not_believed),
        TEST(plain_and_tls_do_not_mix),
        TEST(plain_strangers_are_hung_up_on),
        TEST(who_shows_no_certificate_does_not_get_in),
        TEST(certificates_are_replaced_while_nodes_run),
        TEST(certificates_that_cannot_be_used_replace_nothing),
        TEST(unusable_files_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
