// SPDX-License-Identifier: Apache-2.0
// The other end of a connection, played by hand: HTTP/2 frames and frames of nodes made byte by byte,
// right or wrong.
#pragma once

#include "paxos/net/hello.h"
#include "tests/unit/paxos/net/party.h"

struct stranger {
    struct party *party;
    int fd;
    struct buffer out; // put together, not sent yet
    struct buffer in;  // received
    bool ended;        // the node has closed the connection
    bool reset;        // and not in good order
};

// Connects to a node.
struct stranger *stranger_new(struct party *party, uint16_t node);
// Takes what was accepted at a socket of one's own.
struct stranger *stranger_of(struct party *party, int fd);
void stranger_free(struct stranger *stranger);

// These add to what is to be sent.
void stranger_preface(struct stranger *stranger);
void stranger_http2(struct stranger *stranger, uint8_t type, uint8_t flags, uint32_t stream,
                    const void *payload, size_t length);
void stranger_request(struct stranger *stranger, uint32_t stream, const char *method,
                      const char *path, bool ends);
// A DATA frame of stream 1 that holds a frame of nodes, whose byte `damaged` is not what it should
// be; -1: all are.
void stranger_frame(struct stranger *stranger, uint8_t type, const void *body, size_t length,
                    int damaged);
void stranger_hello(struct stranger *stranger, const struct introduction *introduction);

// Sends it.
void stranger_send(struct stranger *stranger);
// Takes in what has come.
void stranger_listen(struct stranger *stranger);
// Waits until the node has closed the connection.
void stranger_await_end(struct stranger *stranger);
// Waits until the text is among what was received.
void stranger_await_text(struct stranger *stranger, const char *text);
