// SPDX-License-Identifier: Apache-2.0
// A few nodes' connections on one loop: see the header. All listen on ports that the kernel picks, and
// learn each other's while they try, as a name may lead elsewhere from one attempt to the next.
#include "tests/unit/paxos/net/party.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "tests/unit/cmocka_test.h"

enum { TICK_MS = 5 };

static void on_hello(void *context, uint64_t token, const struct hello *hello)
{
    struct member *member = context;

    member->questions++;
    if (member->verdict == ACCEPT) {
        peers_accept(member->peers, token);
    } else if (member->verdict == REFUSE) {
        peers_refuse(member->peers, token, "this cluster is full: go elsewhere");
    } else {
        assert_true(member->token_count < TOKENS_MAX);
        member->asked[member->token_count] = *hello;
        member->tokens[member->token_count++] = token;
    }
}

static void on_receive(void *context, uint16_t from, enum peer_channel channel, const void *data,
                       size_t length)
{
    struct member *member = context;
    unsigned number = ++member->received[from][channel];

    member->received_bytes[from][channel] += length;
    if (length >= 4 && bytes_get_u32(data) != number)
        member->out_of_order = true;
    buffer_clear(&member->last);
    buffer_append(&member->last, data, length);
    if (member->on_receive != NULL)
        member->on_receive(member, from, channel, data, length);
}

static void on_up(void *context, uint16_t node, enum peer_channel channel)
{
    struct member *member = context;

    member->ups[node][channel]++;
}

static void on_down(void *context, uint16_t node)
{
    struct member *member = context;

    member->downs[node]++;
}

static void on_drained(void *context, uint16_t node)
{
    struct member *member = context;

    member->drained[node]++;
    member->drained_early |= peers_queued(member->peers, node, PEER_BULK) > 0;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct party *party = prepare->data;

    for (size_t i = 1; i <= party->count; i++) {
        if (party->members[i].peers != NULL)
            peers_flush(party->members[i].peers);
    }
}

int party_setup(void **state)
{
    struct party *party = memory_zalloc(sizeof *party);

    log_set_level(getenv("PARTY_LOG") != NULL ? LOG_DEBUG : (enum log_level)(LOG_ERROR + 1));
    uv_loop_init(&party->loop);
    uv_timer_init(&party->loop, &party->tick);
    uv_timer_start(&party->tick, on_tick, TICK_MS, TICK_MS);
    uv_prepare_init(&party->loop, &party->flush);
    party->flush.data = party;
    uv_prepare_start(&party->flush, on_prepare);
    party->count = PARTY_MAX;
    party->host = "127.0.0.1";
    for (uint16_t node = 1; node <= PARTY_MAX; node++) {
        struct member *member = &party->members[node];

        *member = (struct member){.party = party, .node = node};
        member->self = (struct peer_address){.node = node, .host = "127.0.0.1"};
        member->hello = (struct hello){.protocol = PEER_PROTOCOL, .node = node, .boot = 1};
        member->hello.run = node * 1000u;
    }
    *state = party;
    return 0;
}

static void tell_others(struct party *party, uint16_t about, uint16_t port)
{
    for (uint16_t node = 1; node <= PARTY_MAX; node++) {
        for (size_t i = 0; i < PARTY_MAX; i++) {
            struct peer_address *address = &party->members[node].others[i];
            if (address->node == about)
                address->port = port;
        }
    }
}

void party_start(struct party *party, uint16_t node)
{
    struct member *member = &party->members[node];
    const struct peers_ports ports = {.context = member,
                                      .hello = on_hello,
                                      .receive = on_receive,
                                      .up = on_up,
                                      .down = on_down,
                                      .drained = on_drained};
    struct peers_settings settings = {.hello = member->hello,
                                      .self = &member->self,
                                      .others = member->others,
                                      .tls = member->tls,
                                      .silence_ms = 3000};
    struct failure failure = {{0}};

    for (uint16_t other = 1; other <= party->count; other++) {
        uint16_t port = party->members[other].self.port;
        if (other != node)
            member->others[settings.other_count++] =
                (struct peer_address){.node = other, .host = party->host, .port = port};
    }
    enum error error = peers_open(&party->loop, &settings, &ports, &member->peers, &failure);
    assert_string_equal(failure.text, "");
    assert_int_equal(error, ERROR_OK);
    member->self.port = peers_port(member->peers);
    tell_others(party, node, member->self.port);
}

void party_kill(struct party *party, uint16_t node)
{
    struct member *member = &party->members[node];

    peers_close(member->peers, 0);
    party_turn(party);
    peers_free(member->peers);
    member->peers = NULL;
    memset(member->received, 0, sizeof member->received);
    member->hello.boot++;
    member->hello.run++;
    for (uint16_t other = 1; other <= party->count; other++)
        memset(party->members[other].received[node], 0, sizeof member->received[0]);
}

static bool all_up(const struct party *party)
{
    for (uint16_t a = 1; a <= party->count; a++) {
        for (uint16_t b = 1; b <= party->count; b++) {
            if (a != b &&
                (!party_connected(party, a, b) || party->members[a].ups[b][PEER_BULK] == 0))
                return false;
        }
    }
    return true;
}

void party_gather(struct party *party, size_t count)
{
    party->count = count;
    for (uint16_t node = 1; node <= count; node++)
        party_start(party, node);
    WAIT_FOR(party, all_up(party));
}

void party_turn(struct party *party)
{
    uv_run(&party->loop, UV_RUN_ONCE);
}

void party_run_for(struct party *party, uint64_t time_ms)
{
    uint64_t until = uv_hrtime() + time_ms * 1000000;

    while (uv_hrtime() < until)
        party_turn(party);
}

bool party_connected(const struct party *party, uint16_t a, uint16_t b)
{
    struct peer_state state;

    if (party->members[a].peers == NULL)
        return false;
    peers_state(party->members[a].peers, b, &state);
    return state.connected;
}

const char *party_refusal(const struct party *party, uint16_t node, uint16_t other)
{
    static struct peer_state state;

    peers_state(party->members[node].peers, other, &state);
    return state.refused;
}

void party_send(struct party *party, uint16_t from, uint16_t to, enum peer_channel channel,
                uint32_t number, size_t length)
{
    uint8_t *data = memory_zalloc(length);

    bytes_put_u32(data, number);
    peers_send(party->members[from].peers, to, channel, data, length);
    free(data);
}

int party_teardown(void **state)
{
    struct party *party = *state;

    for (uint16_t node = 1; node <= PARTY_MAX; node++) {
        if (party->members[node].peers != NULL)
            peers_close(party->members[node].peers, 0);
    }
    uv_close((uv_handle_t *)&party->tick, NULL);
    uv_close((uv_handle_t *)&party->flush, NULL);
    uv_run(&party->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&party->loop), 0);
    for (uint16_t node = 1; node <= PARTY_MAX; node++) {
        peers_free(party->members[node].peers);
        buffer_deinit(&party->members[node].last);
    }
    free(party);
    return 0;
}
