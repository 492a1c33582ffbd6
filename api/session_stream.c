// SPDX-License-Identifier: Apache-2.0
// GET /v1/sessions/{id}/stream: a session that lasts as long as a connection. Which stream it hangs on is
// part of the state, so a connection that ends late ends nothing once another stream has taken its place.
//
// Only a client that leaves ends its session: it closes or resets the connection, or the kernel does when
// its process dies. When the service ends the stream, or the network is silent, the timeout runs. The
// session is renewed while the client's host acknowledges what it is sent.
#include "storage/session.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/event.h"
#include "api/handlers.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/result.h"
#include "api/session.h"
#include "api/submit.h"
#include "base/clock.h"
#include "base/fifo.h"
#include "base/memory.h"
#include "base/random.h"

enum {
    BEATS = 3,            // per timeout
    RETRY_LEAST_MS = 250, // as of other streams
    RETRY_SPREAD_MS = 1750,
};

static const uint64_t ns_per_ms = 1000000;

struct bound {
    struct request *request; // that the stream answers, and that outlives it
    struct session_info session;
    uint8_t proof[SESSION_PROOF_BYTES];
    uint64_t zxid; // of the binding
    struct hub_key key;
    struct hub_wait wait;
    bool waiting;        // `wait` was added
    atomic_uint reasons; // why the hub woke it
    struct event_writer writer;
    struct stream *stream;
};

// ---- Events --------------------------------------------------------------------------------------

static void open_event(struct bound *bound, const char *kind, uint64_t zxid)
{
    char name[SESSION_ID_MAX];

    session_id_write(name, bound->session.id);
    event_open(&bound->writer, kind, NULL, 0, zxid);
    event_text(&bound->writer, "session", name);
}

static void write_number(struct bound *bound, const char *key, uint64_t number)
{
    json_key(&bound->writer.json, key);
    json_number(&bound->writer.json, number);
}

static void write_bound(struct bound *bound)
{
    event_retry(&bound->writer, RETRY_LEAST_MS + (unsigned)(random_u64() % RETRY_SPREAD_MS));
    open_event(bound, "bound", bound->zxid);
    write_number(bound, "timeout_ms", bound->session.timeout_ms);
    write_number(bound, "grace_ms", bound->session.grace_ms);
    event_close(&bound->writer, false);
}

static void write_end(struct bound *bound, const char *kind, uint64_t zxid)
{
    open_event(bound, kind, zxid);
    event_close(&bound->writer, false);
}

// ---- The stream ----------------------------------------------------------------------------------

static bool is_same(const struct session_binding *a, const struct session_binding *b)
{
    return a->node == b->node && a->boot == b->boot && a->counter == b->counter;
}

static enum stream_step look(struct bound *bound)
{
    struct live *live = bound->request->service->live;
    struct session_info now;
    struct live_view view;
    uint64_t zxid = bound->zxid;

    enum error error = live_acquire(live, &view);
    if (error == ERROR_OK) {
        zxid = view_position(view.view)->zxid;
        error = view_session(view.view, bound->session.id, &now);
        live_release(live, &view);
    }
    if (error == ERROR_OK && is_same(&now.binding, &bound->session.binding))
        return STREAM_IDLE;
    if (error == ERROR_OK)
        write_end(bound, "replaced", zxid);
    else if (error == ERROR_SESSION_EXPIRED)
        write_end(bound, "expired", zxid);
    else
        event_problem(&bound->writer, error, "the session could not be read", zxid,
                      bound->request->id);
    return STREAM_END;
}

static void wake(struct hub_wait *wait, unsigned reasons)
{
    struct bound *bound = CONTAINER_OF(wait, struct bound, wait);

    atomic_fetch_or(&bound->reasons, reasons);
    stream_wake(bound->stream);
}

static bool begin(struct bound *bound)
{
    uint64_t period_ns = bound->session.timeout_ms * ns_per_ms / BEATS;

    bound->key = (struct hub_key){.path = (const char *)&bound->session.id,
                                  .length = sizeof bound->session.id,
                                  .kind = HUB_SESSION};
    bound->wait = (struct hub_wait){.keys = &bound->key,
                                    .key_count = 1,
                                    .lasting = true,
                                    .deadline_ns = clock_monotonic_ns() + period_ns,
                                    .period_ns = period_ns,
                                    .wake = wake};
    bound->waiting = hub_add_lasting(bound->request->service->hub, &bound->wait);
    if (bound->waiting)
        write_bound(bound);
    return bound->waiting;
}

// What was written a beat ago must have arrived by now, else the network may be down.
static void beat(struct bound *bound)
{
    struct service *service = bound->request->service;

    if (service->all_received(bound->request))
        service->backend.touch(service->backend.context, bound->session.id, bound->proof);
    event_comment(&bound->writer);
}

static enum stream_step fill(void *context, struct buffer *into)
{
    struct bound *bound = context;
    unsigned reasons = atomic_exchange(&bound->reasons, 0);
    struct hub_range range;
    uint64_t looked = 0;

    bound->writer.into = into;
    if ((reasons & HUB_DRAINING) != 0 || (!bound->waiting && !begin(bound)))
        return STREAM_END;
    while (hub_take(bound->request->service->hub, &bound->wait, &looked, &range))
        continue;
    enum stream_step step = look(bound);
    if (step == STREAM_IDLE && (reasons & HUB_DEADLINE) != 0)
        beat(bound);
    return step;
}

// A reset that is noticed only because a write fails ends the stream without this: then the timeout runs.
static void gone(void *context, bool left)
{
    struct bound *bound = context;
    struct service *service = bound->request->service;
    const struct session_info *session = &bound->session;

    if (!left || atomic_load(&service->draining))
        return;
    if (session->grace_ms > 0)
        service->backend.touch(service->backend.context, session->id, bound->proof);
    service->backend.depart(service->backend.context, session->id, &session->binding,
                            session->grace_ms);
}

static void close_bound(void *context)
{
    struct bound *bound = context;

    if (bound->waiting)
        hub_remove(bound->request->service->hub, &bound->wait);
    free(bound);
}

static const struct stream_source event_stream = {
    .content_type = "text/event-stream", .fill = fill, .gone = gone, .close = close_bound};
static const struct stream_source line_stream = {
    .content_type = "application/x-ndjson", .fill = fill, .gone = gone, .close = close_bound};

// ---- The request ---------------------------------------------------------------------------------

static const struct stream_source *source_of(const struct request *request)
{
    bool lines = accept_prefers_lines(request->headers.value[HEADER_ACCEPT]);

    return lines ? &line_stream : &event_stream;
}

// The binding that was submitted.
static void take_binding(const struct request *request, struct session_info *session)
{
    const struct blob *blob = request->submission.command;
    struct command command;
    struct op op;

    command_decode(blob->data, blob->length, &command);
    command_next_op(&command, &op);
    session->binding = op.session.binding;
    session->grace_ms = op.session.grace_ms;
}

static enum error find_session(const struct request *request, struct session_info *session)
{
    struct live *live = request->service->live;
    struct live_view view;

    enum error error = live_acquire(live, &view);
    if (error != ERROR_OK)
        return error;
    error = view_session(view.view, request->session.id, session);
    live_release(live, &view);
    return error;
}

static void open_stream(struct request *request, const struct session_info *session, uint64_t zxid)
{
    const struct stream_source *source = source_of(request);
    struct bound *bound = memory_zalloc(sizeof *bound);

    bound->request = request;
    bound->session = *session;
    take_binding(request, &bound->session);
    memcpy(bound->proof, request->session.proof, sizeof bound->proof);
    bound->zxid = zxid;
    bound->writer.lines = source == &line_stream;
    request->service->set_patience(request, session->timeout_ms);
    request->reply.status = 200;
    request->reply.content_type = source->content_type;
    bound->stream = stream_new(source, bound);
    request->reply.stream = bound->stream;
}

static void finish_bind(struct request *request)
{
    struct problem problem = {0};
    struct session_info session;
    struct result result;

    if (!result_open(request, &result))
        return;
    problem.error = result.error;
    if (problem.error == ERROR_OK)
        problem.error = find_session(request, &session);
    if (problem.error == ERROR_OK)
        open_stream(request, &session, result.zxid);
    else
        reply_problem(request, &problem);
}

// A binding that was opened again is another one, so no key can make it the same.
static void bind_session(struct request *request)
{
    const struct api_backend *backend = &request->service->backend;
    struct command command = {
        .op_count = 1, .actor = request->session.id, .proof = request->session.proof};
    struct op op = {.type = OP_SESSION_BIND,
                    .session = {.id = request->session.id,
                                .grace_ms = (uint32_t)request->query.value[QUERY_GRACE]}};
    struct buffer encoded = {0};

    backend->name_stream(backend->context, &op.session.binding);
    command_encode_begin(&encoded, &command);
    command_encode_op(&encoded, &op);
    submit_command(request, &encoded, false, finish_bind);
    buffer_deinit(&encoded);
}

static void describe(struct request *request)
{
    struct live_view view;

    if (!read_begin(request, &view))
        return;
    read_end(request, &view);
    request->reply.status = 200;
    request->reply.content_type = source_of(request)->content_type;
}

void session_stream_get(struct request *request)
{
    if (!session_is_holder(request))
        return;
    if (request->method == METHOD_HEAD)
        describe(request);
    else
        bind_session(request);
}
