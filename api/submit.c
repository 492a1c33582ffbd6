// SPDX-License-Identifier: Apache-2.0
// The order matters: park first, publish second; after submit the request belongs to whoever
// completes it.
#include "api/submit.h"

#include <string.h>

#include "api/precondition.h"
#include "api/reply.h"
#include "base/assert.h"
#include "base/clock.h"

enum { NS_PER_MS = 1000000 };

static void add_text(struct buffer *into, const char *text)
{
    buffer_string(into, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
    buffer_u8(into, text != NULL);
}

// Two requests are the same when all of this is: what they would do, not how it was spelled.
static struct hash128 identify(const struct request *request)
{
    struct buffer all = {0};

    buffer_u8(&all, (uint8_t)request->method);
    buffer_string(&all, request->path.data, request->path_length);
    add_text(&all, request->route->pattern);
    buffer_u32(&all, request->query.given);
    for (unsigned i = 0; i < QUERY_COUNT; i++)
        buffer_u64(&all, (uint64_t)request->query.value[i]);
    add_text(&all, request->headers.value[HEADER_IF_MATCH]);
    add_text(&all, request->headers.value[HEADER_IF_NONE_MATCH]);
    buffer_u64(&all, request->session.id);
    buffer_string(&all, request->body.data, request->body.length);
    struct hash128 identity = hash128(all.data, all.length, 0);
    buffer_deinit(&all);
    return identity;
}

enum error submit_prepare(struct request *request, struct command *command, struct problem *problem)
{
    const struct api_limits *limits = &request->service->limits;

    if (request->session.id != 0) {
        command->actor = request->session.id;
        command->proof = request->session.proof;
    }
    enum error error =
        idempotency_key_parse(&request->headers, &command->key, &command->key_length, problem);
    if (error != ERROR_OK || command->key == NULL)
        return error;
    command->identity = identify(request);
    command->key_retention_us = limits->key_retention_ms * 1000;
    command->key_capacity = limits->key_capacity;
    return ERROR_OK;
}

static void complete(struct submission *submission, enum error error, struct blob *result)
{
    struct request *request = CONTAINER_OF(submission, struct request, submission);

    ASSERT((error == ERROR_OK) == (result != NULL));
    request->timing.completed_ns = clock_monotonic_ns();
    if (error != ERROR_OK)
        counter_add(&request->service->metrics.submissions_failed[error], 1);
    request->outcome = error;
    request->result = result;
    request->service->unpark(request);
}

static bool fill_submission(struct request *request, const struct buffer *encoded, bool shrinks,
                            struct problem *problem)
{
    struct submission *submission = &request->submission;
    const struct api_limits *limits = &request->service->limits;
    uint64_t wait_ms = limits->wait_default_ms;

    if (encoded->length > COMMAND_BYTES_MAX) {
        problem_set(problem, ERROR_BODY_TOO_LARGE,
                    "the operation has %zu bytes when encoded, the limit is %d", encoded->length,
                    COMMAND_BYTES_MAX);
        return false;
    }
    if (prefer_wait_parse(&request->headers, limits->wait_max_ms, &wait_ms, problem) != ERROR_OK)
        return false;
    submission->received_ns = clock_monotonic_ns();
    submission->deadline_ns = submission->received_ns + wait_ms * NS_PER_MS;
    submission->shrinks = shrinks;
    submission->complete = complete;
    submission->command = blob_copy(encoded->data, encoded->length);
    return true;
}

void submit_command(struct request *request, const struct buffer *encoded, bool shrinks,
                    void (*finish)(struct request *request))
{
    struct service *service = request->service;
    struct problem problem = {0};

    if (!fill_submission(request, encoded, shrinks, &problem)) {
        reply_problem(request, &problem);
        return;
    }
    request->finish = finish;
    if (service->park(request)) {
        service->backend.submit(service->backend.context, &request->submission);
        return;
    }
    problem_set(&problem, ERROR_DRAINING, "the server is shutting down and takes no more writes");
    reply_problem(request, &problem);
}
