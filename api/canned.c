// SPDX-License-Identifier: Apache-2.0
// One snprintf for the head, the shared problem writer for the body.
#include "api/canned.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"

static const char *reason_phrase(int status)
{
    switch (status) {
    case 408:
        return "Request Timeout";
    case 429:
        return "Too Many Requests";
    default:
        return "Service Unavailable";
    }
}

size_t canned_reply(struct service *service, enum error error, const char *detail,
                    char into[CANNED_MAX])
{
    struct request request = {.service = service};
    struct problem problem = {0};
    struct node_status status = {0};
    struct buffer body = {0};
    struct json_writer json = {.into = &body};
    int code = error_entry(error)->status;

    service->backend.status(service->backend.context, &status);
    request_number(&request);
    problem_set(&problem, error, "%.200s", detail);
    json_open(&json, '{');
    problem_write(&json, &problem, status.zxid, request.id);
    json_close(&json, '}');
    json_end(&json);
    int length =
        snprintf(into, CANNED_MAX,
                 "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: "
                 "application/problem+json\r\nContent-Length: %zu\r\n%sX-Zxid: %" PRIu64
                 "\r\nX-Node: %s\r\nX-Request-Id: %s\r\n\r\n%.*s",
                 code, reason_phrase(code), body.length, code == 408 ? "" : "Retry-After: 1\r\n",
                 status.zxid, service->node, request.id, (int)body.length, (const char *)body.data);
    buffer_deinit(&body);
    ASSERT(length > 0 && length < CANNED_MAX);
    return (size_t)length;
}
