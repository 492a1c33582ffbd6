// SPDX-License-Identifier: Apache-2.0
// The HTTP/2 side of one connection, without the socket: bytes received go in, bytes to send come
// out, events tell what the other node said. The only part that knows nghttp2.
//
// The dialler's session makes one request, POST /paxos/control or /paxos/bulk. Its body and, after a
// status of 200, the response's are frames. Anybody else who asks something gets a small answer.
#pragma once

#include "paxos/net/hello.h"

struct session;

// Called from session_receive. Functions of this header but session_free, session_receive and
// session_pull may be called inside.
struct session_events {
    // The other node has introduced itself; comes once, before everything else.
    void (*hello)(void *context, enum peer_channel channel,
                  const struct introduction *introduction);
    void (*frame)(void *context, const void *data, size_t length);
    // The other node does not accept us; nothing follows.
    void (*refused)(void *context, const char *sentence);
};

// For a connection that was dialled. `authority`: host and port, for the request.
struct session *session_dial(enum peer_channel channel, const char *authority, bool tls,
                             const struct session_events *events, void *context);
// For one that was accepted. `node`: who answers.
struct session *session_accept(uint16_t node, const struct session_events *events, void *context);
// NULL is fine.
void session_free(struct session *session);

// Both return whether the connection is still of use; if not, session_problem says why.
bool session_receive(struct session *session, const void *data, size_t length);
// Appends bytes to send until there are none or `into` holds `limit` or more.
bool session_pull(struct session *session, struct buffer *into, size_t limit);
// A sentence without a full stop; NULL when the other side ended the conversation in good order.
const char *session_problem(const struct session *session);
// Whether the other side has said that it goes on living and only ends this connection.
bool session_farewell(const struct session *session);
// Whether a listener that was dialled has shown itself to speak HTTP/2: then it may take its time.
bool session_waits(const struct session *session);

// Introduces this node. A listener's thereby accepts the dialler: data frames may come.
void session_introduce(struct session *session, const struct introduction *introduction);
// Tells the other node why it is not accepted.
void session_refuse(struct session *session, const char *sentence);
void session_send(struct session *session, const void *data, size_t length);
// Bytes of frames that were not pulled yet.
size_t session_queued(const struct session *session);
// Says that only this connection ends, not the node.
void session_goodbye(struct session *session);
// No event is called any more.
void session_mute(struct session *session);
