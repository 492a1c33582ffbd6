// SPDX-License-Identifier: Apache-2.0
// The life of a request's memory. Buffers that one large request made are not kept for the next.
#include "api/request.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/decimal.h"

enum { KEPT_CAPACITY = 2048 };

static void recycle(struct buffer *buffer)
{
    if (buffer->capacity > KEPT_CAPACITY)
        buffer_deinit(buffer);
    else
        buffer_clear(buffer);
}

static void release_submission(struct request *request)
{
    blob_unref(request->submission.command);
    request->submission.command = NULL;
    request->submission.received_ns = request->submission.proposed_ns = 0;
    request->submission.committed_ns = 0;
    blob_unref(request->result);
    request->result = NULL;
}

static void reset_reply(struct reply *reply)
{
    struct buffer body = reply->body;
    struct buffer location = reply->location;

    recycle(&body);
    recycle(&location);
    reply->status = STATUS_NONE;
    reply->content_type = NULL;
    reply->body = body;
    reply->fixed = NULL;
    reply->has_zxid = false;
    reply->etag[0] = '\0';
    reply->curlew_stat[0] = '\0';
    reply->location = location;
    reply->allow = 0;
    reply->retry_after_s = 0;
    stream_unref(reply->stream);
    reply->stream = NULL;
    reply->raw = reply->replayed = reply->local = reply->hang_up = reply->no_store = false;
}

void request_reset(struct request *request)
{
    struct service *service = request->service;

    if (request->body_reserved > 0)
        atomic_fetch_sub_explicit(&service->bodies, request->body_reserved, memory_order_relaxed);
    request->body_reserved = 0;
    request->route = NULL;
    request->parts = (struct target){0}; // it points into the target
    request->query.given = 0;
    request->path_length = 0;
    request->trailing_slash = false;
    request->has_body = false;
    request->finish = request->gone = NULL;
    request->read_waited = false;
    request->session.id = 0;
    request->session_heard = request->session_known = request->for_event_source = false;
    request->hold_until_ns = 0;
    free(request->poll);
    request->poll = NULL;
    memset(&request->headers, 0, sizeof request->headers);
    recycle(&request->target);
    recycle(&request->path);
    recycle(&request->query.text);
    recycle(&request->query.paths);
    recycle(&request->query.scratch);
    recycle(&request->body);
    reset_reply(&request->reply);
    request->timing = (struct timing){0};
    release_submission(request);
}

void request_deinit(struct request *request)
{
    request_reset(request);
    buffer_deinit(&request->target);
    buffer_deinit(&request->path);
    query_deinit(&request->query);
    buffer_deinit(&request->body);
    buffer_deinit(&request->reply.body);
    buffer_deinit(&request->reply.location);
}

void request_number(struct request *request)
{
    struct service *service = request->service;
    uint64_t number = atomic_fetch_add_explicit(&service->requests, 1, memory_order_relaxed);
    size_t prefix = strlen(service->request_prefix);

    memcpy(request->id, service->request_prefix, prefix);
    request->id[prefix] = '-';
    *decimal_put(request->id + prefix + 1, number) = '\0';
}

// Takes `more` bytes out of what all bodies together may hold.
static bool reserve(struct request *request, uint64_t more)
{
    struct service *service = request->service;
    uint64_t before = atomic_fetch_add_explicit(&service->bodies, more, memory_order_relaxed);

    if (before + more > service->limits.bodies_bytes) {
        atomic_fetch_sub_explicit(&service->bodies, more, memory_order_relaxed);
        return false;
    }
    request->body_reserved += more;
    return true;
}

enum error request_append_body(struct request *request, const void *data, size_t length,
                               struct problem *problem)
{
    const struct api_limits *limits = &request->service->limits;

    if (length > limits->body_bytes - request->body.length)
        return problem_set(problem, ERROR_BODY_TOO_LARGE,
                           "the body has more than %u bytes, which is the limit",
                           limits->body_bytes);
    if (!reserve(request, length))
        return problem_set(problem, ERROR_OVERLOADED,
                           "the server holds %" PRIu64
                           " bytes of request bodies, which is its limit",
                           limits->bodies_bytes);
    buffer_append(&request->body, data, length);
    return ERROR_OK;
}
