// SPDX-License-Identifier: Apache-2.0
// The public functions, and what is known of each other node as a whole.
#include "paxos/net/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "paxos/net/table.h"

// ---- Other nodes -------------------------------------------------------------------------------

uint64_t table_now(const struct peers *peers)
{
    return uv_now(peers->connections.loop);
}

struct peer *table_peer(const struct peers *peers, uint16_t node)
{
    for (size_t i = 0; i < peers->count; i++) {
        if (peers->others[i].node == node)
            return &peers->table[i];
    }
    return NULL;
}

struct introduction table_introduction(struct peers *peers, uint16_t to)
{
    struct introduction introduction = {.hello = peers->hello, .serial = ++peers->serials};

    introduction.hello.to = to;
    return introduction;
}

const char *channel_name(enum peer_channel channel)
{
    return channel == PEER_CONTROL ? "control" : "bulk";
}

void peer_changed(struct peer *peer)
{
    bool connected = peer->links[PEER_CONTROL].up && peer->guests[PEER_CONTROL] != NULL;

    if (connected == peer->connected)
        return;
    peer->connected = connected;
    peer->since_ms = table_now(peer->peers);
    if (connected)
        peer->refusals[0].sentence[0] = peer->refusals[1].sentence[0] = '\0';
}

void peer_established(struct peer *peer, enum peer_channel channel)
{
    if (channel == PEER_CONTROL)
        peer->loss_told = false;
    peer_changed(peer);
}

// A process that dies takes both connections with it; that is one loss.
void peer_gone(struct peer *peer)
{
    struct peers *peers = peer->peers;

    if (peer->loss_told)
        return;
    peer->loss_told = true;
    peers->ports.down(peers->ports.context, peer->address->node);
}

void peer_note_refusal(struct peer *peer, const char *sentence, bool ours)
{
    struct refusal *refusal = &peer->refusals[ours];
    char quoted[LOG_QUOTED_MAX];
    bool same = strncmp(refusal->sentence, sentence, SENTENCE_MAX - 1) == 0;

    snprintf(refusal->sentence, sizeof refusal->sentence, "%s", sentence);
    refusal->repeated_ms = table_now(peer->peers);
    if (same && refusal->repeated_ms < refusal->logged_ms + LOG_AGAIN_MS)
        return;
    refusal->logged_ms = refusal->repeated_ms;
    log_write(LOG_ERROR,
              ours ? "this node does not accept another one"
                   : "this node is not accepted by another one",
              "node=%u reason=%s", peer->address->node, log_quote(quoted, refusal->sentence));
}

// ---- Life --------------------------------------------------------------------------------------

static void on_arrived(void *context, int fd)
{
    guest_arrived(context, fd);
}

static void fill_table(struct peers *peers)
{
    peers->table = memory_zalloc(peers->count * sizeof *peers->table + 1);
    for (size_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->table[i];

        *peer = (struct peer){.peers = peers, .address = &peers->others[i]};
        peer->since_ms = table_now(peers);
        for (int channel = 0; channel < PEER_CHANNELS; channel++) {
            link_init(&peer->links[channel], peer, (enum peer_channel)channel);
            link_start(&peer->links[channel]);
        }
    }
}

enum error peers_open(uv_loop_t *loop, const struct peers_settings *settings,
                      const struct peers_ports *ports, struct peers **peers,
                      struct failure *failure)
{
    struct peers *made = memory_zalloc(sizeof *made);

    enum error error = tls_context_open(&settings->tls, &made->tls, failure);
    if (error == ERROR_OK)
        error = listener_open(&made->listener, loop, settings->self, on_arrived, made, failure);
    if (error != ERROR_OK) {
        tls_context_free(made->tls);
        free(made);
        return error;
    }
    made->ports = *ports;
    made->hello = settings->hello;
    made->others = settings->others;
    made->count = settings->other_count;
    made->silence_ms = settings->silence_ms;
    made->connections.loop = loop;
    made->connections.scratch = memory_alloc(CONNECTION_SCRATCH_BYTES);
    fill_table(made);
    *peers = made;
    return ERROR_OK;
}

uint16_t peers_port(const struct peers *peers)
{
    return peers->listener.port;
}

static struct link *link_of(const struct peers *peers, size_t i)
{
    return &peers->table[i / PEER_CHANNELS].links[i % PEER_CHANNELS];
}

static size_t link_count(const struct peers *peers)
{
    return peers->count * PEER_CHANNELS;
}

void peers_close(struct peers *peers, uint64_t linger_ms)
{
    listener_close(&peers->listener);
    guests_end(peers, false, 0);
    connections_close_ending(&peers->connections);
    for (size_t i = 0; i < link_count(peers); i++)
        link_close(link_of(peers, i), linger_ms);
}

void peers_free(struct peers *peers)
{
    if (peers == NULL)
        return;
    ASSERT(peers->connections.first == NULL);
    free(peers->connections.scratch);
    free(peers->table);
    tls_context_free(peers->tls);
    free(peers);
}

void peers_introduce(struct peers *peers, const struct hello *hello)
{
    peers->hello = *hello;
    guests_end(peers, true, LINGER_MS);
    for (size_t i = 0; i < link_count(peers); i++)
        link_restart(link_of(peers, i));
}

// ---- Verdicts ----------------------------------------------------------------------------------

static struct link *link_by_token(const struct peers *peers, uint64_t token)
{
    for (size_t i = 0; i < link_count(peers); i++) {
        if (token != 0 && link_of(peers, i)->token == token)
            return link_of(peers, i);
    }
    return NULL;
}

static struct guest *guest_by_token(const struct peers *peers, uint64_t token)
{
    struct guest *guest = peers->oldest;

    while (guest != NULL && (token == 0 || guest->token != token))
        guest = guest->next;
    return guest;
}

void peers_accept(struct peers *peers, uint64_t token)
{
    struct link *link = link_by_token(peers, token);
    struct guest *guest = guest_by_token(peers, token);

    if (link != NULL)
        link_accept(link);
    else if (guest != NULL)
        guest_accept(guest);
}

void peers_refuse(struct peers *peers, uint64_t token, const char *sentence)
{
    struct link *link = link_by_token(peers, token);
    struct guest *guest = guest_by_token(peers, token);
    char cut[SENTENCE_MAX];

    snprintf(cut, sizeof cut, "%s", sentence);
    if (link != NULL)
        link_refuse(link, cut);
    else if (guest != NULL)
        guest_refuse(guest, cut);
}

// ---- Frames ------------------------------------------------------------------------------------

void peers_send(struct peers *peers, uint16_t node, enum peer_channel channel, const void *data,
                size_t length)
{
    struct peer *peer = table_peer(peers, node);

    ASSERT(peer != NULL);
    ASSERT(length <= PEER_FRAME_MAX);
    link_send(&peer->links[channel], data, length);
}

size_t peers_queued(const struct peers *peers, uint16_t node, enum peer_channel channel)
{
    struct peer *peer = table_peer(peers, node);

    ASSERT(peer != NULL);
    return link_queued(&peer->links[channel]);
}

void peers_flush(struct peers *peers)
{
    for (size_t i = 0; i < peers->count; i++)
        link_flush(&peers->table[i].links[PEER_CONTROL]);
    for (size_t i = 0; i < peers->count; i++)
        link_flush(&peers->table[i].links[PEER_BULK]);
}

void peers_state(const struct peers *peers, uint16_t node, struct peer_state *state)
{
    const struct peer *peer = table_peer(peers, node);

    ASSERT(peer != NULL);
    *state = (struct peer_state){.connected = peer->connected, .since_ms = peer->since_ms};
    snprintf(state->address, sizeof state->address, "%s",
             peer->links[PEER_CONTROL].dialler.resolved);
    for (int i = 0; i < 2; i++) {
        const struct refusal *refusal = &peer->refusals[i];

        if (table_now(peers) < refusal->repeated_ms + REFUSED_FRESH_MS)
            snprintf(state->refused, sizeof state->refused, "%s", refusal->sentence);
    }
}
