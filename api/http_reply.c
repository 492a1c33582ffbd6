// SPDX-License-Identifier: Apache-2.0
// Every header costs the library three allocations, so a reply has only those that it needs, and
// those that are the same in many replies are kept with a response (kept_replies.h).
#include "api/http_reply.h"

#include <string.h>

#include "api/decimal.h"

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    MHD_add_response_header(response, name, value);
}

static void add_number(struct MHD_Response *response, const char *name, uint64_t number)
{
    char text[DECIMAL_MAX + 1];

    *decimal_put(text, number) = '\0';
    add(response, name, text);
}

// Adds a header, or changes it where a kept response has another value.
static void set(struct MHD_Response *response, const char *name, const char *value)
{
    const char *before = MHD_get_response_header(response, name);

    if (before != NULL && strcmp(before, value) == 0)
        return;
    if (before != NULL)
        MHD_del_response_header(response, name, before);
    add(response, name, value);
}

static uint64_t current_position(const struct request *request)
{
    const struct api_backend *backend = &request->service->backend;
    struct node_status status = {0};

    backend->status(backend->context, &status);
    return status.zxid;
}

// An age that is not known is not told.
static void set_staleness(struct MHD_Response *response, uint64_t staleness_ms)
{
    const char *before = MHD_get_response_header(response, "X-Staleness-Ms");
    char text[DECIMAL_MAX + 1];

    if (staleness_ms != UINT64_MAX) {
        *decimal_put(text, staleness_ms) = '\0';
        set(response, "X-Staleness-Ms", text);
    } else if (before != NULL) {
        MHD_del_response_header(response, "X-Staleness-Ms", before);
    }
}

// Headers that differ between replies of one shape.
static void set_changing(struct MHD_Response *response, const struct request *request)
{
    const struct reply *reply = &request->reply;
    uint64_t position = reply->has_zxid ? reply->zxid : current_position(request);
    char zxid[DECIMAL_MAX + 1];
    char timing[TIMING_MAX];

    *decimal_put(zxid, position) = '\0';
    set(response, "X-Zxid", zxid);
    set(response, "X-Request-Id", request->id);
    if (reply->etag[0] != '\0')
        set(response, MHD_HTTP_HEADER_ETAG, reply->etag);
    if (reply->curlew_stat[0] != '\0')
        set(response, "Curlew-Stat", reply->curlew_stat);
    if (reply->local)
        set_staleness(response, reply->staleness_ms);
    if (timing_header(request, timing))
        set(response, "Server-Timing", timing);
}

// Whether the reply is about sessions, with a credential perhaps.
static bool is_private(const struct request *request)
{
    const struct target *parts = &request->parts;

    return parts->path_length >= 12 && memcmp(parts->path, "/v1/sessions", 12) == 0;
}

// Headers that all replies of one shape have in common.
static void add_common(struct MHD_Response *response, const struct reply_shape *shape,
                       const struct request *request)
{
    if (shape->content_type != NULL)
        add(response, MHD_HTTP_HEADER_CONTENT_TYPE, shape->content_type);
    add(response, "X-Node", request->service->node);
    if (shape->v1) {
        add(response, MHD_HTTP_HEADER_CACHE_CONTROL,
            request->reply.no_store || is_private(request) ? "no-store" : "no-cache");
        add(response, MHD_HTTP_HEADER_VARY, "Accept, Curlew-Session, Authorization, Origin");
    }
    if (!shape->v1 && request->service->rules.allowed_origins != NULL &&
        request->service->rules.allowed_origins[0] != NULL)
        add(response, MHD_HTTP_HEADER_VARY, "Origin");
    if (shape->raw) {
        add(response, "X-Content-Type-Options", "nosniff");
        add(response, "Content-Security-Policy", "sandbox");
    }
}

// The origin of the page that asks, when it is one that was named; else NULL.
static const char *named_origin(const struct request *request)
{
    const char *origin = request->headers.value[HEADER_ORIGIN];

    if (origin == NULL || request->headers.count[HEADER_ORIGIN] > 1)
        return NULL;
    return guard_allows_origin(&request->service->rules, origin) ? origin : NULL;
}

// What the browser must know to let the page have the reply (Fetch standard, section 3.2).
static void add_cors(struct MHD_Response *response, const struct request *request,
                     const char *origin)
{
    char methods[ALLOW_MAX];

    add(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    add(response, "Access-Control-Expose-Headers",
        "ETag, X-Zxid, X-Node, X-Request-Id, X-Staleness-Ms, Location, Retry-After, Curlew-Stat, "
        "Idempotency-Replayed, Server-Timing");
    if (request->method != METHOD_OPTIONS ||
        request->headers.value[HEADER_REQUEST_METHOD] == NULL || request->reply.allow == 0)
        return;
    route_allow(request->reply.allow, methods);
    add(response, "Access-Control-Allow-Methods", methods);
    add(response, "Access-Control-Allow-Headers",
        "Accept, Content-Type, If-Match, If-None-Match, Idempotency-Key, Prefer, Curlew-Session, "
        "Last-Event-ID, Authorization");
    add(response, "Access-Control-Max-Age", "600");
}

static bool is_draining(const struct request *request)
{
    return atomic_load_explicit(&request->service->draining, memory_order_relaxed);
}

static void add_rare(struct MHD_Response *response, const struct request *request)
{
    const struct reply *reply = &request->reply;
    const char *origin = named_origin(request);
    char allow[ALLOW_MAX];

    if (origin != NULL)
        add_cors(response, request, origin);
    if (reply->location.length > 0)
        add(response, MHD_HTTP_HEADER_LOCATION, (const char *)reply->location.data);
    if (reply->retry_after_s > 0)
        add_number(response, MHD_HTTP_HEADER_RETRY_AFTER, reply->retry_after_s);
    if (reply->allow != 0) {
        route_allow(reply->allow, allow);
        add(response, MHD_HTTP_HEADER_ALLOW, allow);
    }
    if (reply->replayed)
        add(response, "Idempotency-Replayed", "true");
    if (is_draining(request))
        add(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

static bool can_be_kept(const struct reply_shape *shape, const struct request *request)
{
    const struct reply *reply = &request->reply;

    return shape->length <= KEPT_REPLY_BYTES_MAX && reply->fixed == NULL &&
           reply->location.length == 0 && reply->retry_after_s == 0 && reply->allow == 0 &&
           !reply->replayed && !reply->no_store && !is_private(request) &&
           named_origin(request) == NULL && !is_draining(request);
}

static struct reply_shape shape_of(const struct request *request)
{
    const struct reply *reply = &request->reply;
    const struct target *parts = &request->parts;
    bool no_body = reply->content_type == NULL && reply->status != MHD_HTTP_NOT_MODIFIED;
    size_t length = reply->fixed != NULL ? reply->fixed_length : reply->body.length;

    return (struct reply_shape){
        .length = no_body ? 0 : length,
        .content_type = reply->content_type,
        .etag = reply->etag[0] != '\0',
        .curlew_stat = reply->curlew_stat[0] != '\0',
        .raw = reply->raw,
        .local = reply->local,
        .timed = request->timing.completed_ns != 0,
        .v1 = parts->path_length >= 4 && memcmp(parts->path, "/v1/", 4) == 0,
    };
}

static enum MHD_Result queue_kept(struct MHD_Connection *connection, const struct request *request,
                                  const struct reply_shape *shape, struct kept_replies *kept,
                                  struct kept_reply **used)
{
    bool fresh;
    struct kept_reply *reply = kept_replies_take(kept, shape, &fresh);

    if (reply == NULL)
        return MHD_NO;
    if (shape->length > 0)
        memcpy(reply->body, request->reply.body.data, shape->length);
    if (fresh)
        add_common(reply->response, shape, request);
    set_changing(reply->response, request);
    *used = reply;
    return MHD_queue_response(connection, (unsigned)request->reply.status, reply->response);
}

static enum MHD_Result queue_once(struct MHD_Connection *connection, const struct request *request,
                                  const struct reply_shape *shape)
{
    const struct reply *reply = &request->reply;
    void *body = reply->fixed != NULL ? (void *)(uintptr_t)reply->fixed : reply->body.data;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(shape->length, body, MHD_RESPMEM_PERSISTENT);

    if (response == NULL)
        return MHD_NO;
    add_common(response, shape, request);
    set_changing(response, request);
    add_rare(response, request);
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return queued;
}

enum MHD_Result http_reply_queue(struct MHD_Connection *connection, const struct request *request,
                                 struct kept_replies *kept, struct kept_reply **used)
{
    struct reply_shape shape = shape_of(request);

    *used = NULL;
    if (can_be_kept(&shape, request))
        return queue_kept(connection, request, &shape, kept, used);
    return queue_once(connection, request, &shape);
}

enum MHD_Result http_reply_queue_stream(struct MHD_Connection *connection,
                                        const struct request *request,
                                        struct MHD_Response *response)
{
    struct reply_shape shape = shape_of(request);

    add_common(response, &shape, request);
    add(response, "X-Accel-Buffering", "no");
    set_changing(response, request);
    add_rare(response, request);
    enum MHD_Result queued =
        MHD_queue_response(connection, (unsigned)request->reply.status, response);
    MHD_destroy_response(response);
    return queued;
}
