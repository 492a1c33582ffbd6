// SPDX-License-Identifier: Apache-2.0
// Every header costs the library three allocations, so a reply has only those that it needs.
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

static void add_position(struct MHD_Response *response, const struct request *request)
{
    const struct reply *reply = &request->reply;
    struct service *service = request->service;
    struct node_status status = {0};

    if (reply->has_zxid) {
        add_number(response, "X-Zxid", reply->zxid);
    } else {
        service->backend.status(service->backend.context, &status);
        add_number(response, "X-Zxid", status.zxid);
    }
    add(response, "X-Node", service->node);
    add(response, "X-Request-Id", request->id);
}

static void add_rare(struct MHD_Response *response, const struct reply *reply)
{
    char allow[ALLOW_MAX];

    if (reply->location.length > 0)
        add(response, MHD_HTTP_HEADER_LOCATION, (const char *)reply->location.data);
    if (reply->curlew_stat[0] != '\0')
        add(response, "Curlew-Stat", reply->curlew_stat);
    if (reply->retry_after_s > 0)
        add_number(response, MHD_HTTP_HEADER_RETRY_AFTER, reply->retry_after_s);
    if (reply->raw) {
        add(response, "X-Content-Type-Options", "nosniff");
        add(response, "Content-Security-Policy", "sandbox");
    }
    if (reply->allow != 0) {
        route_allow(reply->allow, allow);
        add(response, MHD_HTTP_HEADER_ALLOW, allow);
    }
    if (reply->replayed)
        add(response, "Idempotency-Replayed", "true");
    if (reply->local)
        add(response, "X-Staleness-Ms", "0");
}

static void add_headers(struct MHD_Response *response, const struct request *request)
{
    const struct reply *reply = &request->reply;
    const struct target *parts = &request->parts;

    if (reply->content_type != NULL)
        add(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
    if (reply->etag[0] != '\0')
        add(response, MHD_HTTP_HEADER_ETAG, reply->etag);
    add_position(response, request);
    if (parts->path_length >= 4 && memcmp(parts->path, "/v1/", 4) == 0) {
        add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
        add(response, MHD_HTTP_HEADER_VARY, "Accept, Curlew-Session, Authorization, Origin");
    }
    add_rare(response, reply);
    if (atomic_load_explicit(&request->service->draining, memory_order_relaxed))
        add(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

enum MHD_Result http_reply_queue(struct MHD_Connection *connection, const struct request *request)
{
    const struct reply *reply = &request->reply;
    void *body = reply->fixed != NULL ? (void *)(uintptr_t)reply->fixed : reply->body.data;
    size_t length = reply->fixed != NULL ? reply->fixed_length : reply->body.length;

    if (reply->content_type == NULL && reply->status != MHD_HTTP_NOT_MODIFIED)
        length = 0;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, body, MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    add_headers(response, request);
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return queued;
}
