// SPDX-License-Identifier: Apache-2.0
// What this node dials: see the header.
#include "paxos/net/link.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "paxos/net/table.h"

enum { WORKED_MS = 1000 }; // a link that was up for so long is dialled again at once

static const size_t queue_limits[PEER_CHANNELS] = {
    [PEER_CONTROL] = PEER_CONTROL_QUEUE_MAX,
    [PEER_BULK] = PEER_BULK_QUEUE_MAX,
};

static uint64_t now(const struct link *link)
{
    return table_now(link->peer->peers);
}

// ---- Loss and refusal --------------------------------------------------------------------------

// Forgets the connection, which is closed or ending; returns whether it had been up.
static bool forget(struct link *link)
{
    bool was_up = link->up;

    link->connection = NULL;
    link->token = 0;
    link->accepted = link->up = false;
    if (was_up)
        peer_changed(link->peer);
    return was_up;
}

// The first time, and then once in a while; only for control, as bulk suffers the same.
static void complain(struct link *link, const char *why)
{
    const struct peer_address *address = link->peer->address;
    char quoted[LOG_QUOTED_MAX];

    if (link->channel != PEER_CONTROL ||
        (link->complained_ms != 0 && now(link) < link->complained_ms + LOG_AGAIN_MS))
        return;
    link->complained_ms = now(link);
    log_write(LOG_WARNING, "another node cannot be reached",
              "node=%u host=%s port=%u address=%s reason=%s", address->node, address->host,
              address->port, link->dialler.resolved, log_quote(quoted, why));
}

static void on_lost(void *context, enum loss how, const char *why)
{
    struct link *link = context;
    char quoted[LOG_QUOTED_MAX];
    bool worked = link->up && now(link) >= link->up_since_ms + WORKED_MS;

    bool was_up = forget(link);
    if (was_up)
        log_write(LOG_INFO, "connection to another node lost", "node=%u channel=%s reason=%s",
                  link->peer->address->node, channel_name(link->channel), log_quote(quoted, why));
    else
        complain(link, how == LOSS_GONE
                           ? "it closed the connection before saying who it is (do both use TLS?)"
                           : why);
    if (worked)
        dialler_start(&link->dialler);
    else
        dialler_retry(&link->dialler);
    if (was_up && link->channel == PEER_CONTROL && how == LOSS_GONE)
        peer_gone(link->peer);
}

static void on_refused(void *context, const char *sentence)
{
    struct link *link = context;

    connection_end(link->connection, LINGER_MS);
    forget(link);
    dialler_wait(&link->dialler, REFUSED_RETRY_MS);
    peer_note_refusal(link->peer, sentence, false);
}

void link_refuse(struct link *link, const char *sentence)
{
    session_refuse(connection_session(link->connection), sentence);
    session_goodbye(connection_session(link->connection));
    connection_end(link->connection, LINGER_MS);
    forget(link);
    dialler_wait(&link->dialler, REFUSED_RETRY_MS);
    peer_note_refusal(link->peer, sentence, true);
}

// ---- Introduction ------------------------------------------------------------------------------

static void on_hello(void *context, enum peer_channel channel,
                     const struct introduction *introduction)
{
    struct link *link = context;
    struct peers *peers = link->peer->peers;
    char sentence[SENTENCE_MAX];

    (void)channel;
    if (!hello_suits(&peers->hello, &introduction->hello, link->peer->address->node, peers->others,
                     peers->count, sentence)) {
        link_refuse(link, sentence);
        return;
    }
    link->token = ++peers->tokens;
    peers->ports.hello(peers->ports.context, link->token, &introduction->hello);
}

// A listener has nothing to say after its introduction: the session lets no data through.
static void on_frame(void *context, const void *data, size_t length)
{
    (void)context;
    (void)data;
    (void)length;
}

void link_accept(struct link *link)
{
    link->token = 0;
    link->accepted = true;
    connection_wake(link->connection);
}

static void on_turn(void *context)
{
    struct link *link = context;
    struct peers *peers = link->peer->peers;

    if (!link->accepted || link->up)
        return;
    link->up = true;
    link->up_since_ms = now(link);
    link->complained_ms = 0;
    log_write(LOG_INFO, "connected to another node", "node=%u channel=%s address=%s",
              link->peer->address->node, channel_name(link->channel), link->dialler.resolved);
    peer_established(link->peer, link->channel);
    peers->ports.up(peers->ports.context, link->peer->address->node, link->channel);
}

static void on_drained(void *context)
{
    struct link *link = context;
    struct peers *peers = link->peer->peers;

    peers->ports.drained(peers->ports.context, link->peer->address->node);
}

static const struct session_events session_events = {
    .hello = on_hello,
    .frame = on_frame,
    .refused = on_refused,
};

static const struct connection_events connection_events = {
    .turn = on_turn,
    .drained = on_drained,
    .lost = on_lost,
};

static void on_connected(void *context, int fd)
{
    struct link *link = context;
    struct peers *peers = link->peer->peers;
    const struct peer_address *address = link->peer->address;
    bool v6 = strchr(address->host, ':') != NULL;
    char authority[300];

    address_tune(fd, peers->silence_ms);
    if (link->channel == PEER_BULK)
        address_tune_bulk(fd);
    snprintf(authority, sizeof authority, v6 ? "[%.255s]:%u" : "%.255s:%u", address->host,
             address->port);
    struct session *session =
        session_dial(link->channel, authority, peers->tls != NULL, &session_events, link);
    struct introduction introduction = table_introduction(peers, address->node);
    session_introduce(session, &introduction);
    link->connection =
        connection_new(&peers->connections, fd, tls_new(peers->tls, fd, address->host), session,
                       &connection_events, link);
    if (link->channel == PEER_BULK)
        connection_set_bulk(link->connection);
    connection_set_deadline(link->connection, INTRODUCE_MS);
    connection_flush(link->connection);
}

static void on_failed(void *context, const char *why)
{
    complain(context, why);
}

static const struct dialler_events dialler_events = {
    .connected = on_connected,
    .failed = on_failed,
};

// ---- Life --------------------------------------------------------------------------------------

void link_init(struct link *link, struct peer *peer, enum peer_channel channel)
{
    link->peer = peer;
    link->channel = channel;
    dialler_init(&link->dialler, peer->peers->connections.loop, peer->address, &dialler_events,
                 link);
}

void link_start(struct link *link)
{
    dialler_start(&link->dialler);
}

void link_restart(struct link *link)
{
    if (link->connection != NULL) {
        session_goodbye(connection_session(link->connection));
        connection_end(link->connection, LINGER_MS);
        forget(link);
    }
    dialler_start(&link->dialler);
}

void link_close(struct link *link, uint64_t linger_ms)
{
    dialler_close(&link->dialler);
    if (link->connection == NULL)
        return;
    connection_end(link->connection, link->up && link->channel == PEER_CONTROL ? linger_ms : 0);
    forget(link);
}

// ---- Sending -----------------------------------------------------------------------------------

static void drop(struct link *link)
{
    link->dropped++;
    if (link->dropped_logged_ms != 0 && now(link) < link->dropped_logged_ms + LOG_AGAIN_MS)
        return;
    log_write(LOG_WARNING, "messages to another node are dropped: too many wait",
              "node=%u channel=%s dropped=%" PRIu64, link->peer->address->node,
              channel_name(link->channel), link->dropped);
    link->dropped = 0;
    link->dropped_logged_ms = now(link);
}

void link_send(struct link *link, const void *data, size_t length)
{
    if (!link->up)
        return;
    if (link_queued(link) + length > queue_limits[link->channel])
        drop(link);
    else
        connection_send(link->connection, data, length);
}

void link_flush(struct link *link)
{
    if (link->up)
        connection_flush(link->connection);
}

size_t link_queued(const struct link *link)
{
    return link->up ? connection_queued(link->connection) : 0;
}
