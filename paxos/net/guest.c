// SPDX-License-Identifier: Apache-2.0
// Who has dialled this node: see the header. A guest's memory goes with its connection; none is
// touched after a port was called, which may end it.
#include "paxos/net/guest.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "paxos/net/table.h"

// ---- Strangers ---------------------------------------------------------------------------------

static void add_stranger(struct guest *guest)
{
    struct peers *peers = guest->peers;

    guest->stranger = true;
    guest->previous = peers->newest;
    if (peers->newest != NULL)
        peers->newest->next = guest;
    else
        peers->oldest = guest;
    peers->newest = guest;
    peers->strangers++;
}

static void remove_stranger(struct guest *guest)
{
    struct peers *peers = guest->peers;

    if (guest->previous != NULL)
        guest->previous->next = guest->next;
    else
        peers->oldest = guest->next;
    if (guest->next != NULL)
        guest->next->previous = guest->previous;
    else
        peers->newest = guest->previous;
    guest->next = guest->previous = NULL;
    guest->stranger = false;
    peers->strangers--;
}

// Strangers are anybody: at most one line in a while.
static void log_trouble(const struct guest *guest, const char *why)
{
    struct peers *peers = guest->peers;
    char quoted[LOG_QUOTED_MAX];

    peers->trouble++;
    if (peers->trouble_logged_ms != 0 &&
        table_now(peers) < peers->trouble_logged_ms + LOG_AGAIN_MS / 10)
        return;
    log_write(LOG_WARNING, "a connection to the port of the nodes was closed",
              "address=%s reason=%s count=%u", guest->address, log_quote(quoted, why),
              peers->trouble);
    peers->trouble = 0;
    peers->trouble_logged_ms = table_now(peers);
}

// ---- The end -----------------------------------------------------------------------------------

// Forgets a guest whose connection is closed or ending. Returns whether the control connection of
// another node is lost with it.
static bool forget(struct guest *guest)
{
    struct peer *peer = guest->peer;
    bool settled = peer != NULL && peer->guests[guest->channel] == guest;
    bool control = settled && guest->channel == PEER_CONTROL;

    if (settled)
        peer->guests[guest->channel] = NULL;
    if (guest->stranger)
        remove_stranger(guest);
    free(guest);
    if (control)
        peer_changed(peer);
    return control;
}

static void end(struct guest *guest, uint64_t linger_ms)
{
    connection_end(guest->connection, linger_ms);
    forget(guest);
}

static void on_lost(void *context, enum loss how, const char *why)
{
    struct guest *guest = context;
    struct peer *peer = guest->peer;

    if (how == LOSS_BROKEN || how == LOSS_LATE)
        log_trouble(guest, why);
    if (forget(guest) && how == LOSS_GONE)
        peer_gone(peer);
}

static void on_refused(void *context, const char *sentence)
{
    struct guest *guest = context;
    struct peer *peer = guest->peer;

    end(guest, LINGER_MS);
    peer_note_refusal(peer, sentence, false);
}

void guest_refuse(struct guest *guest, const char *sentence)
{
    struct peer *peer = guest->peer;

    if (peer == NULL)
        log_trouble(guest, sentence);
    session_refuse(connection_session(guest->connection), sentence);
    end(guest, LINGER_MS);
    if (peer != NULL)
        peer_note_refusal(peer, sentence, true);
}

static void end_all(struct guest *guest, bool goodbye, uint64_t linger_ms)
{
    if (guest == NULL)
        return;
    if (goodbye)
        session_goodbye(connection_session(guest->connection));
    end(guest, linger_ms);
}

void guests_end(struct peers *peers, bool goodbye, uint64_t linger_ms)
{
    while (peers->oldest != NULL)
        end_all(peers->oldest, goodbye, linger_ms);
    for (size_t i = 0; i < peers->count; i++) {
        for (int channel = 0; channel < PEER_CHANNELS; channel++)
            end_all(peers->table[i].guests[channel], goodbye, linger_ms);
    }
}

// ---- Introduction ------------------------------------------------------------------------------

static void on_hello(void *context, enum peer_channel channel,
                     const struct introduction *introduction)
{
    struct guest *guest = context;
    struct peers *peers = guest->peers;
    const struct hello *hello = &introduction->hello;
    char sentence[SENTENCE_MAX];

    guest->peer = table_peer(peers, hello->node);
    guest->channel = channel;
    guest->run = hello->run;
    guest->serial = introduction->serial;
    if (!hello_suits(&peers->hello, hello, 0, peers->others, peers->count, sentence)) {
        guest_refuse(guest, sentence);
        return;
    }
    connection_set_deadline(guest->connection, 0);
    if (channel == PEER_BULK)
        connection_set_bulk(guest->connection);
    guest->token = ++peers->tokens;
    peers->ports.hello(peers->ports.context, guest->token, hello);
}

// Whether `guest` was dialled before `other`, as far as that can be told.
static bool is_older(const struct guest *guest, const struct guest *other)
{
    if (guest->run == other->run)
        return guest->serial < other->serial;
    return guest->number < other->number;
}

void guest_accept(struct guest *guest)
{
    struct peer *peer = guest->peer;
    struct guest **place = &peer->guests[guest->channel];

    guest->token = 0;
    if (*place != NULL && is_older(guest, *place)) {
        end(guest, LINGER_MS);
        return;
    }
    if (*place != NULL) {
        session_goodbye(connection_session((*place)->connection));
        end(*place, LINGER_MS);
    }
    remove_stranger(guest);
    *place = guest;
    struct introduction introduction = table_introduction(guest->peers, peer->address->node);
    session_introduce(connection_session(guest->connection), &introduction);
    connection_wake(guest->connection);
    peer_established(peer, guest->channel);
    for (int channel = 0; channel < PEER_CHANNELS; channel++)
        dialler_hurry(&peer->links[channel].dialler);
}

static void on_frame(void *context, const void *data, size_t length)
{
    struct guest *guest = context;
    struct peers *peers = guest->peers;

    peers->ports.receive(peers->ports.context, guest->peer->address->node, guest->channel, data,
                         length);
}

static void on_nothing(void *context)
{
    (void)context;
}

static const struct session_events session_events = {
    .hello = on_hello,
    .frame = on_frame,
    .refused = on_refused,
};

static const struct connection_events connection_events = {
    .turn = on_nothing,
    .drained = on_nothing,
    .lost = on_lost,
};

void guest_arrived(struct peers *peers, int fd)
{
    struct guest *guest = memory_zalloc(sizeof *guest);

    address_tune(fd, peers->silence_ms);
    address_of_peer(fd, guest->address);
    guest->peers = peers;
    guest->number = ++peers->guests;
    struct session *session = session_accept(peers->hello.node, &session_events, guest);
    guest->connection = connection_new(&peers->connections, fd, tls_new(peers->tls, fd, NULL),
                                       session, &connection_events, guest);
    connection_set_deadline(guest->connection, INTRODUCE_MS);
    add_stranger(guest);
    if (peers->strangers > STRANGERS_MAX) {
        log_trouble(peers->oldest, "too many connections wait to be introduced");
        end(peers->oldest, 0);
    }
}
