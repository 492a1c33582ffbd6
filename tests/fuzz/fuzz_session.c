// SPDX-License-Identifier: Apache-2.0
// Fuzz target: everything that may come over a connection between nodes, at both ends. The first byte
// says which end, what the owner answers to an introduction, and how much is there already: nothing,
// so that the rest is HTTP/2, or a conversation, so that the rest is frames of nodes (type, length
// u16, bytes), which are put into right ones.
#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "paxos/net/frame.h"
#include "paxos/net/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DIALLED = 1, REFUSES = 2, SILENT = 4, TALKING = 8, IN_PIECES = 16 };

struct owner {
    struct session *session;
    uint8_t choice;
    unsigned hellos, frames, refusals;
};

static void on_hello(void *context, enum peer_channel channel,
                     const struct introduction *introduction)
{
    struct owner *owner = context;

    ASSERT(channel < PEER_CHANNELS);
    ASSERT(++owner->hellos == 1 && owner->frames == 0);
    if (owner->choice & REFUSES) {
        session_refuse(owner->session, "no");
        session_mute(owner->session);
    } else if (!(owner->choice & SILENT) && !(owner->choice & DIALLED)) {
        session_introduce(owner->session, introduction);
    }
}

static void on_frame(void *context, const void *data, size_t length)
{
    struct owner *owner = context;

    (void)data;
    ASSERT(owner->hellos == 1 && !(owner->choice & (REFUSES | SILENT | DIALLED)));
    ASSERT(length <= PEER_FRAME_MAX);
    owner->frames++;
}

static void on_refused(void *context, const char *sentence)
{
    struct owner *owner = context;

    ASSERT(strlen(sentence) < SENTENCE_MAX);
    ASSERT(++owner->refusals == 1);
}

static void put_http2(struct buffer *into, uint8_t type, uint8_t flags, uint32_t stream,
                      const void *payload, size_t length)
{
    buffer_u8(into, (uint8_t)(length >> 16));
    buffer_u8(into, (uint8_t)(length >> 8));
    buffer_u8(into, (uint8_t)length);
    buffer_u8(into, type);
    buffer_u8(into, flags);
    buffer_u32(into, htonl(stream));
    buffer_append(into, payload, length);
}

// Gets as far as the first frame of nodes.
static void put_start(struct buffer *into, bool dialled)
{
    static const char request[] = "\x83\x86\x01\x01n\x04\x0e/paxos/control";
    static const char response[] = "\x88";

    if (!dialled)
        buffer_text(into, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    put_http2(into, 4, 0, 0, NULL, 0);
    if (dialled)
        put_http2(into, 1, 4, 1, response, sizeof response - 1);
    else
        put_http2(into, 1, 4, 1, request, sizeof request - 1);
}

static void put_frames(struct buffer *into, const uint8_t *data, size_t size)
{
    struct reader reader;

    reader_init(&reader, data, size);
    while (reader_left(&reader) >= 3) {
        struct buffer frame = {0};
        uint8_t type = reader_u8(&reader);
        size_t length = reader_u16(&reader);
        length = length < reader_left(&reader) ? length : reader_left(&reader);
        const uint8_t *body = reader_bytes(&reader, length);
        frame_seal(buffer_reserve(&frame, FRAME_HEADER_BYTES), type, body, length);
        frame.length += FRAME_HEADER_BYTES;
        buffer_append(&frame, body, length);
        put_http2(into, 0, 0, 1, frame.data, frame.length);
        buffer_deinit(&frame);
    }
}

static void run(struct session *session, const struct buffer *input, size_t piece)
{
    struct buffer out = {0};
    bool useful = session_pull(session, &out, 1 << 20);

    for (size_t at = 0; useful && at < input->length; at += piece) {
        size_t length = input->length - at < piece ? input->length - at : piece;
        useful = session_receive(session, input->data + at, length) &&
                 session_pull(session, &out, 1 << 20);
        // What is answered is bounded by what is asked.
        ASSERT(out.length < 4096 + 40 * input->length);
    }
    buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct session_events events = {
        .hello = on_hello,
        .frame = on_frame,
        .refused = on_refused,
    };
    struct owner owner = {0};
    struct buffer input = {0};

    if (size == 0)
        return 0;
    owner.choice = data[0];
    owner.session = data[0] & DIALLED ? session_dial(PEER_BULK, "node:1", false, &events, &owner)
                                      : session_accept(1, &events, &owner);
    if (data[0] & DIALLED)
        session_introduce(owner.session, &(struct introduction){0});
    if (data[0] & TALKING) {
        put_start(&input, data[0] & DIALLED);
        put_frames(&input, data + 1, size - 1);
    } else {
        buffer_append(&input, data + 1, size - 1);
    }
    run(owner.session, &input, data[0] & IN_PIECES ? 7 : input.length + 1);
    session_free(owner.session);
    buffer_deinit(&input);
    return 0;
}
