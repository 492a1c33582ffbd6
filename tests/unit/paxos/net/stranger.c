// SPDX-License-Identifier: Apache-2.0
// The other end of a connection, played by hand: see the header.
#include "tests/unit/paxos/net/stranger.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "paxos/net/frame.h"
#include "tests/unit/cmocka_test.h"

enum { DATA = 0, HEADERS = 1, SETTINGS = 4, END_STREAM = 1, END_HEADERS = 4 };

struct stranger *stranger_of(struct party *party, int fd)
{
    struct stranger *stranger = memory_zalloc(sizeof *stranger);

    stranger->party = party;
    stranger->fd = fd;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return stranger;
}

struct stranger *stranger_new(struct party *party, uint16_t node)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(party->members[node].self.port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return stranger_of(party, fd);
}

void stranger_free(struct stranger *stranger)
{
    close(stranger->fd);
    buffer_deinit(&stranger->out);
    buffer_deinit(&stranger->in);
    free(stranger);
}

void stranger_http2(struct stranger *stranger, uint8_t type, uint8_t flags, uint32_t stream,
                    const void *payload, size_t length)
{
    struct buffer *out = &stranger->out;

    buffer_u8(out, (uint8_t)(length >> 16));
    buffer_u8(out, (uint8_t)(length >> 8));
    buffer_u8(out, (uint8_t)length);
    buffer_u8(out, type);
    buffer_u8(out, flags);
    buffer_u32(out, htonl(stream));
    buffer_append(out, payload, length);
}

void stranger_preface(struct stranger *stranger)
{
    buffer_text(&stranger->out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    stranger_http2(stranger, SETTINGS, 0, 0, NULL, 0);
}

// HPACK: a literal that is not indexed, whose name is in the static table.
static void put_literal(struct buffer *block, uint8_t name, const char *value)
{
    buffer_u8(block, name);
    buffer_u8(block, (uint8_t)strlen(value));
    buffer_text(block, value);
}

void stranger_request(struct stranger *stranger, uint32_t stream, const char *method,
                      const char *path, bool ends)
{
    struct buffer block = {0};

    put_literal(&block, 1, "node");
    put_literal(&block, 2, method);
    put_literal(&block, 4, path);
    buffer_u8(&block, 0x86); // scheme http
    stranger_http2(stranger, HEADERS, END_HEADERS | (ends ? END_STREAM : 0), stream, block.data,
                   block.length);
    buffer_deinit(&block);
}

void stranger_frame(struct stranger *stranger, uint8_t type, const void *body, size_t length,
                    int damaged)
{
    struct buffer frame = {0};

    frame_seal(buffer_reserve(&frame, FRAME_HEADER_BYTES), type, body, length);
    frame.length += FRAME_HEADER_BYTES;
    buffer_append(&frame, body, length);
    if (damaged >= 0)
        frame.data[damaged] ^= 0x10;
    stranger_http2(stranger, DATA, 0, 1, frame.data, frame.length);
    buffer_deinit(&frame);
}

void stranger_hello(struct stranger *stranger, const struct introduction *introduction)
{
    struct buffer body = {0};

    hello_encode(&body, introduction);
    stranger_frame(stranger, FRAME_HELLO, body.data, body.length, -1);
    buffer_deinit(&body);
}

static void send_some(struct stranger *stranger)
{
    ssize_t done =
        send(stranger->fd, stranger->out.data, stranger->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (done < 0 && errno != EAGAIN)
        stranger->ended = true;
    if (done <= 0)
        return;
    stranger->out.length -= (size_t)done;
    memmove(stranger->out.data, stranger->out.data + done, stranger->out.length);
}

void stranger_listen(struct stranger *stranger)
{
    uint8_t piece[4096];
    ssize_t got;

    if (stranger->ended)
        return;
    while ((got = recv(stranger->fd, piece, sizeof piece, MSG_DONTWAIT)) > 0)
        buffer_append(&stranger->in, piece, (size_t)got);
    if (got == 0 || errno != EAGAIN) {
        stranger->ended = true;
        stranger->reset = got != 0;
    }
}

void stranger_send(struct stranger *stranger)
{
    while (stranger->out.length > 0 && !stranger->ended) {
        send_some(stranger);
        stranger_listen(stranger);
        party_turn(stranger->party);
    }
    buffer_clear(&stranger->out);
}

static bool has_ended(struct stranger *stranger)
{
    stranger_listen(stranger);
    return stranger->ended;
}

void stranger_await_end(struct stranger *stranger)
{
    WAIT_FOR(stranger->party, has_ended(stranger));
}

static bool has_text(struct stranger *stranger, const char *text)
{
    stranger_listen(stranger);
    return stranger->in.length > 0 &&
           memmem(stranger->in.data, stranger->in.length, text, strlen(text)) != NULL;
}

void stranger_await_text(struct stranger *stranger, const char *text)
{
    WAIT_FOR(stranger->party, has_text(stranger, text));
}
