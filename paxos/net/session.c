// SPDX-License-Identifier: Apache-2.0
// One stream at a time on each connection: the conversation of two nodes, which lasts, or the
// question of somebody with an HTTP/2 tool. What is received without being data of a conversation has
// a budget, which data refill: it ends floods of every kind.
#include "paxos/net/session.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "paxos/net/frame.h"
#include "paxos/net/outbox.h"

enum {
    WINDOW_BYTES = 8 << 20,       // flow control: what may be under way to us
    FRAME_PAYLOAD_MAX = 64 << 10, // of one HTTP/2 frame
    HEADER_BYTES_MAX = 8 << 10,   // of one request or response
    BUDGET_BYTES = 16 << 10,      // received that are no data, beside what data allow
    TEXT_MAX = 512,               // of a small answer
};

static const char *const channel_paths[PEER_CHANNELS] = {
    [PEER_CONTROL] = "/paxos/control",
    [PEER_BULK] = "/paxos/bulk",
};

struct session {
    nghttp2_session *h2;
    const struct session_events *events;
    void *context;
    uint16_t node; // whom a listener answers for
    bool dialled;
    bool muted;
    bool speaks;    // HTTP/2 frames have come
    bool talking;   // the stream is a conversation of nodes
    bool met;       // the other node has introduced itself
    bool over;      // the conversation has ended
    bool farewell;  // the other side ends the connection in good order
    bool finish;    // the stream ends when the outbox is empty
    bool deferred;  // nghttp2 waits until it is told that the outbox holds something
    int32_t stream; // the one stream; -1: none
    int64_t budget; // bytes that may still come without being data
    enum peer_channel channel;
    struct outbox outbox;
    struct frame_reader frames;
    const char *problem;
    // The request or response that is being received.
    size_t header_bytes;
    char method[8];
    char path[32];
    int status;
    char sentence[SENTENCE_MAX]; // of a response that is not 200
    size_t sentence_length;
};

// ---- What the other side says ------------------------------------------------------------------

// Ends the session; for return from a callback of nghttp2.
static int give_up(struct session *session, const char *problem)
{
    session->problem = problem;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void keep_sentence(struct session *session, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length && session->sentence_length < SENTENCE_MAX - 1; i++) {
        bool printable = data[i] >= 0x20 && data[i] < 0x7f;
        session->sentence[session->sentence_length++] = printable ? (char)data[i] : '?';
    }
    session->sentence[session->sentence_length] = '\0';
}

static int take_hello(struct session *session, const struct frame *frame)
{
    struct introduction introduction;

    if (session->met)
        return give_up(session, "it introduced itself twice");
    if (!hello_decode(frame->body, frame->length, &introduction))
        return give_up(session, "its introduction is malformed");
    session->met = true;
    session->events->hello(session->context, session->channel, &introduction);
    return 0;
}

static int take_frame(struct session *session, const struct frame *frame)
{
    switch (frame->type) {
    case FRAME_HELLO:
        return take_hello(session, frame);
    case FRAME_DATA:
        session->events->frame(session->context, frame->body, frame->length);
        return 0;
    default:
        if (session->frames.data_max == 0)
            return give_up(session, "it refused what was not said");
        keep_sentence(session, frame->body, frame->length);
        session->muted = true;
        session->events->refused(session->context, session->sentence);
        return 0;
    }
}

static int take_bytes(struct session *session, const uint8_t *data, size_t length)
{
    struct frame frame;
    int wrong = 0;

    while (wrong == 0 && !session->muted) {
        switch (frame_next(&session->frames, &data, &length, &frame)) {
        case FRAME_READY:
            wrong = take_frame(session, &frame);
            break;
        case FRAME_MORE:
            return 0;
        case FRAME_BAD:
            return give_up(session, session->frames.problem);
        }
    }
    return wrong;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t length, void *context)
{
    struct session *session = context;

    (void)h2;
    (void)flags;
    if (session->muted || stream != session->stream)
        return 0;
    if (session->dialled && session->status != 200) {
        keep_sentence(session, data, length);
        return 0;
    }
    if (!session->talking)
        return 0;
    session->budget += 2 * (int64_t)length;
    return take_bytes(session, data, length);
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *context)
{
    struct session *session = context;

    (void)h2;
    session->header_bytes = 0;
    if (session->dialled || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    session->stream = frame->hd.stream_id;
    session->method[0] = session->path[0] = '\0';
    return 0;
}

// Longer values than fit equal none that matters.
static void keep_value(char *into, size_t size, const uint8_t *value, size_t length)
{
    if (length >= size)
        length = 0;
    memcpy(into, value, length);
    into[length] = '\0';
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *context)
{
    struct session *session = context;

    (void)h2;
    (void)frame;
    (void)flags;
    session->header_bytes += name_length + value_length + 32;
    if (session->header_bytes > HEADER_BYTES_MAX)
        return give_up(session, "the headers of a request are too long");
    if (name_length == 7 && memcmp(name, ":method", 7) == 0)
        keep_value(session->method, sizeof session->method, value, value_length);
    if (name_length == 5 && memcmp(name, ":path", 5) == 0)
        keep_value(session->path, sizeof session->path, value, value_length);
    if (name_length == 7 && memcmp(name, ":status", 7) == 0 && value_length == 3)
        session->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    return 0;
}

// ---- What this side says -----------------------------------------------------------------------

static ssize_t read_outbox(nghttp2_session *h2, int32_t stream, uint8_t *into, size_t length,
                           uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct session *session = context;
    size_t part = outbox_take(&session->outbox, into, length);

    (void)h2;
    (void)stream;
    (void)source;
    session->budget += (int64_t)part;
    if (session->finish && outbox_length(&session->outbox) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)part;
    }
    session->deferred = part == 0;
    return part > 0 ? (ssize_t)part : NGHTTP2_ERR_DEFERRED;
}

static ssize_t payload_limit(nghttp2_session *h2, uint8_t type, int32_t stream, int32_t window,
                             int32_t stream_window, uint32_t peer_limit, void *context)
{
    (void)h2;
    (void)type;
    (void)stream;
    (void)window;
    (void)stream_window;
    (void)peer_limit;
    (void)context;
    return FRAME_PAYLOAD_MAX;
}

static void wake_stream(struct session *session)
{
    if (session->deferred)
        nghttp2_session_resume_data(session->h2, session->stream);
    session->deferred = false;
}

static void put_frame(struct session *session, uint8_t type, const void *body, size_t length)
{
    uint8_t header[FRAME_HEADER_BYTES];

    frame_seal(header, type, body, length);
    outbox_append(&session->outbox, header, sizeof header);
    outbox_append(&session->outbox, body, length);
    wake_stream(session);
}

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

// Answers the stream with what the outbox holds and will hold.
static void respond(struct session *session, const char *status, const char *type)
{
    const nghttp2_nv headers[] = {header(":status", status), header("content-type", type),
                                  header("allow", "POST")};
    size_t header_count = strcmp(status, "405") == 0 ? 3 : 2;
    const nghttp2_data_provider provider = {.read_callback = read_outbox};
    bool bare = strcmp(session->method, "HEAD") == 0;

    if (nghttp2_submit_response(session->h2, session->stream, headers, header_count,
                                bare ? NULL : &provider) != 0)
        session->over = true;
}

static void respond_text(struct session *session, const char *status, const char *type,
                         const char *text)
{
    outbox_append(&session->outbox, text, strlen(text));
    session->finish = true;
    respond(session, status, type);
}

static void respond_problem(struct session *session, const char *status, const char *title,
                            const char *detail)
{
    char text[TEXT_MAX];

    snprintf(text, sizeof text,
             "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%s,\"detail\":\"%s\"}\n", title,
             status, detail);
    respond_text(session, status, "application/problem+json", text);
}

// ---- Requests ----------------------------------------------------------------------------------

static bool is_channel(const char *path, enum peer_channel *channel)
{
    for (int i = 0; i < PEER_CHANNELS; i++) {
        if (strcmp(path, channel_paths[i]) == 0) {
            *channel = (enum peer_channel)i;
            return true;
        }
    }
    return false;
}

static void tell_purpose(struct session *session)
{
    char text[TEXT_MAX];

    snprintf(
        text, sizeof text,
        "Curlew node %u: the nodes of a cluster talk to each other here. Clients use the other "
        "port, that of the HTTP API.\n",
        session->node);
    respond_text(session, "200", "text/plain; charset=utf-8", text);
}

static void answer_request(struct session *session, bool has_body)
{
    bool known = is_channel(session->path, &session->channel);
    bool reads = strcmp(session->method, "GET") == 0 || strcmp(session->method, "HEAD") == 0;

    if (known && has_body && strcmp(session->method, "POST") == 0)
        session->talking = true;
    else if (known)
        respond_problem(session, "405", "Method not allowed",
                        "Here the other nodes of the cluster POST frames.");
    else if (strcmp(session->path, "/") == 0 && reads)
        tell_purpose(session);
    else
        respond_problem(session, "404", "Not found",
                        "On this port the nodes of a cluster talk to each other; the HTTP API has "
                        "a port of its own.");
}

// What a node says has no end; somebody may try with a tool what this port does.
static void end_request(struct session *session)
{
    session->over = session->met;
    session->talking = false;
    if (!session->met)
        respond_problem(session, "400", "Bad request",
                        "The body is no conversation between nodes of a cluster.");
}

static void end_response(struct session *session)
{
    session->over = true;
    session->muted = true;
    if (session->status == 403)
        session->events->refused(session->context, session->sentence);
    else if (session->status != 200)
        session->problem = "it did not answer as a node of a cluster does";
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *context)
{
    struct session *session = context;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    (void)h2;
    session->speaks = true;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        session->farewell = frame->goaway.error_code == NGHTTP2_NO_ERROR;
    if (session->muted || frame->hd.stream_id != session->stream ||
        (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS))
        return 0;
    if (session->dialled) {
        session->talking = session->status == 200;
        if (ends)
            end_response(session);
    } else if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        answer_request(session, !ends);
    } else if (ends && session->talking) {
        end_request(session);
    }
    return 0;
}

static int on_invalid_frame(nghttp2_session *h2, const nghttp2_frame *frame, int error,
                            void *context)
{
    struct session *session = context;

    (void)h2;
    (void)frame;
    session->problem = nghttp2_strerror(error);
    return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t stream, uint32_t error, void *context)
{
    struct session *session = context;

    (void)h2;
    (void)error;
    if (stream != session->stream)
        return 0;
    session->stream = -1;
    session->over |= session->talking || session->dialled;
    session->finish = session->deferred = false;
    outbox_deinit(&session->outbox);
    return 0;
}

// ---- Life --------------------------------------------------------------------------------------

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;

    ASSERT(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, payload_limit);
    return callbacks;
}

static void start(struct session *session)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_PAYLOAD_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_BYTES_MAX},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *option;

    ASSERT(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_closed_streams(option, 1);
    int wrong = session->dialled
                    ? nghttp2_session_client_new2(&session->h2, callbacks, session, option)
                    : nghttp2_session_server_new2(&session->h2, callbacks, session, option);
    ASSERT(wrong == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    // Only a client may speak of push.
    wrong =
        nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings, session->dialled ? 5 : 4);
    ASSERT(wrong == 0);
    wrong = nghttp2_session_set_local_window_size(session->h2, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES);
    ASSERT(wrong == 0);
}

static struct session *session_new(bool dialled, const struct session_events *events, void *context)
{
    struct session *session = memory_zalloc(sizeof *session);

    session->dialled = dialled;
    session->events = events;
    session->context = context;
    session->stream = -1;
    session->budget = BUDGET_BYTES;
    start(session);
    return session;
}

struct session *session_accept(uint16_t node, const struct session_events *events, void *context)
{
    struct session *session = session_new(false, events, context);

    session->node = node;
    return session;
}

struct session *session_dial(enum peer_channel channel, const char *authority, bool tls,
                             const struct session_events *events, void *context)
{
    struct session *session = session_new(true, events, context);
    const nghttp2_nv headers[] = {
        header(":method", "POST"), header(":scheme", tls ? "https" : "http"),
        header(":authority", authority), header(":path", channel_paths[channel]),
        header("content-type", "application/octet-stream")};
    const nghttp2_data_provider provider = {.read_callback = read_outbox};

    session->channel = channel;
    session->stream = nghttp2_submit_request(session->h2, NULL, headers,
                                             sizeof headers / sizeof headers[0], &provider, NULL);
    ASSERT(session->stream > 0);
    return session;
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    nghttp2_session_del(session->h2);
    outbox_deinit(&session->outbox);
    frame_reader_deinit(&session->frames);
    free(session);
}

// ---- In and out --------------------------------------------------------------------------------

static bool of_use(struct session *session)
{
    if (session->over)
        return false;
    if (nghttp2_session_want_read(session->h2) || nghttp2_session_want_write(session->h2))
        return true;
    if (session->problem == NULL && !session->farewell)
        session->problem = "the other side ended the HTTP/2 session";
    return false;
}

bool session_receive(struct session *session, const void *data, size_t length)
{
    session->budget -= (int64_t)length;
    ssize_t done = nghttp2_session_mem_recv(session->h2, data, length);

    if (done < 0 && session->problem == NULL)
        session->problem = done == NGHTTP2_ERR_BAD_CLIENT_MAGIC
                               ? "it does not speak HTTP/2, or uses TLS where this node does not"
                               : nghttp2_strerror((int)done);
    if (done < 0)
        return false;
    if (session->budget < 0) {
        session->problem = "it sends too much HTTP/2 without data";
        return false;
    }
    if (session->budget > BUDGET_BYTES)
        session->budget = BUDGET_BYTES;
    return of_use(session);
}

bool session_pull(struct session *session, struct buffer *into, size_t limit)
{
    const uint8_t *data;
    ssize_t length = 0;

    while (into->length < limit) {
        length = nghttp2_session_mem_send(session->h2, &data);
        if (length <= 0)
            break;
        buffer_append(into, data, (size_t)length);
    }
    if (length < 0 && session->problem == NULL)
        session->problem = nghttp2_strerror((int)length);
    return length >= 0 && of_use(session);
}

const char *session_problem(const struct session *session)
{
    return session->problem;
}

bool session_farewell(const struct session *session)
{
    return session->farewell;
}

bool session_waits(const struct session *session)
{
    return session->dialled && session->speaks;
}

void session_introduce(struct session *session, const struct introduction *introduction)
{
    struct buffer body = {0};

    hello_encode(&body, introduction);
    put_frame(session, FRAME_HELLO, body.data, body.length);
    buffer_deinit(&body);
    if (session->dialled)
        return;
    session->frames.data_max = PEER_FRAME_MAX;
    respond(session, "200", "application/octet-stream");
}

void session_refuse(struct session *session, const char *sentence)
{
    session->finish = true;
    if (session->dialled)
        put_frame(session, FRAME_REFUSAL, sentence, strlen(sentence));
    else
        respond_text(session, "403", "text/plain; charset=utf-8", sentence);
}

void session_send(struct session *session, const void *data, size_t length)
{
    put_frame(session, FRAME_DATA, data, length);
}

size_t session_queued(const struct session *session)
{
    return outbox_length(&session->outbox);
}

void session_goodbye(struct session *session)
{
    nghttp2_submit_goaway(session->h2, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session->h2), NGHTTP2_NO_ERROR,
                          NULL, 0);
}

void session_mute(struct session *session)
{
    session->muted = true;
}
