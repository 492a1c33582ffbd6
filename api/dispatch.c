// SPDX-License-Identifier: Apache-2.0
// Checks go from what makes the connection unusable to what only this request got wrong.
#include "api/dispatch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/reply.h"
#include "api/routes.h"

typedef void (*handler)(struct request *request);

static const struct {
    const char *operation;
    handler handler;
} handlers[] = {
#define HANDLER_ROW(method_, pattern_, operation_, handler_, queries_, body_)                      \
    {.operation = operation_, .handler = handler_},
    ROUTE_TABLE(HANDLER_ROW)
#undef HANDLER_ROW
};

static bool is_mutation(enum method method)
{
    return method != METHOD_GET && method != METHOD_HEAD && method != METHOD_OPTIONS;
}

static enum error refuse_route(struct request *request, const struct route_match *match,
                               const char *method, struct problem *problem)
{
    const struct target *parts = &request->parts;
    char allow[ALLOW_MAX];

    if (match->methods == 0)
        return problem_set(problem, ERROR_NOT_FOUND,
                           "there is no resource \"%.*s\"; GET / tells what there is",
                           (int)(parts->path_length > 200 ? 200 : parts->path_length), parts->path);
    request->reply.allow = match->methods;
    route_allow(match->methods, allow);
    return problem_set(problem, ERROR_METHOD_NOT_ALLOWED, "the method is %.32s; there are: %s",
                       method, allow);
}

static enum error decode_variable(struct request *request, const struct route_match *match,
                                  struct problem *problem)
{
    enum error error = ERROR_OK;

    if (match->znode)
        error = target_decode_path(match->rest, match->rest_length, &request->path,
                                   &request->trailing_slash, problem);
    else
        buffer_append(&request->path, match->rest, match->rest_length);
    if (error != ERROR_OK) {
        buffer_clear(&request->path);
        return error;
    }
    request->path_length = request->path.length;
    buffer_u8(&request->path, '\0');
    return ERROR_OK;
}

static enum error find_resource(struct request *request, const char *method,
                                struct problem *problem)
{
    const struct target *parts = &request->parts;
    struct route_match match;

    route_find(request->method, parts->path, parts->path_length, &match);
    bool options = request->method == METHOD_OPTIONS;
    bool server = parts->path[0] == '*';
    if (options && (match.methods != 0 || server)) {
        request->reply.status = 204;
        request->reply.allow = server ? (1u << METHOD_OPTIONS) - 1 : match.methods;
        return ERROR_OK;
    }
    if (match.route == NULL)
        return refuse_route(request, &match, method, problem);
    request->route = match.route;
    request->for_event_source = strncmp(match.route->pattern, "/v1/watch", 9) == 0;
    enum error error = decode_variable(request, &match, problem);
    if (error == ERROR_OK)
        error = query_parse(&request->query, parts->query, parts->query_length,
                            match.route->queries, problem);
    return error;
}

static enum error check_body(const struct request *request, const char *method,
                             struct problem *problem)
{
    const char *text = request->headers.value[HEADER_CONTENT_LENGTH];
    uint32_t most = request->service->limits.body_bytes;
    uint64_t length = text != NULL ? strtoull(text, NULL, 10) : 0;
    bool chunked = request->has_body && text == NULL;

    if (!request->route->body && (chunked || length > 0))
        return problem_set(problem, ERROR_BAD_REQUEST, "a %s here takes no body", method);
    if (length > most)
        return problem_set(problem, ERROR_BODY_TOO_LARGE,
                           "the body has %" PRIu64 " bytes, the limit is %" PRIu32, length, most);
    if (request->route->body && !request->has_body && request->method == METHOD_PUT)
        return problem_set(problem, ERROR_LENGTH_REQUIRED,
                           "the PUT has neither Content-Length nor Transfer-Encoding; send an "
                           "empty body on purpose with Content-Length: 0");
    return ERROR_OK;
}

// Before the node serves there is no state to look at or to change.
static enum error check_open(const struct request *request, struct problem *problem)
{
    const struct service *service = request->service;
    bool state = strncmp(request->route->pattern, "/v1/", 4) == 0 &&
                 strcmp(request->route->pattern, "/v1/cluster") != 0;
    struct node_status status = {0};

    if (!state || atomic_load(&service->open))
        return ERROR_OK;
    service->backend.status(service->backend.context, &status);
    return problem_set(problem, ERROR_STARTING, "%s", status.reason);
}

// What is wrong with the head although the connection can go on.
static enum error check_head(struct request *request, const char *method, struct problem *problem)
{
    enum error error = guard_request(&request->service->rules, &request->headers, &request->parts,
                                     is_mutation(request->method), problem);
    if (error == ERROR_OK)
        error = find_resource(request, method, problem);
    if (error == ERROR_OK)
        error = credential_take(&request->headers, &request->session, problem);
    if (error != ERROR_OK || request->route == NULL)
        return error;
    error = check_body(request, method, problem);
    return error == ERROR_OK ? check_open(request, problem) : error;
}

static enum error check_connection(struct request *request, const char *http_version,
                                   struct problem *problem)
{
    const struct service *service = request->service;
    size_t length = request->target.length - 1;

    if (length > service->limits.url_bytes)
        return problem_set(problem, ERROR_URI_TOO_LONG,
                           "the request target has %zu bytes, the limit is %u", length,
                           service->limits.url_bytes);
    enum error error = guard_framing(&service->rules, &request->headers, http_version, problem);
    if (error != ERROR_OK)
        return error;
    return target_split((const char *)request->target.data, length, &request->parts, problem);
}

bool dispatch_head(struct request *request, const char *method, const char *http_version)
{
    struct problem problem = {0};

    request_number(request);
    request->method = method_parse(method);
    request->has_body = request->headers.count[HEADER_CONTENT_LENGTH] > 0 ||
                        request->headers.count[HEADER_TRANSFER_ENCODING] > 0;
    if (check_connection(request, http_version, &problem) != ERROR_OK) {
        reply_problem(request, &problem);
        return false;
    }
    if (check_head(request, method, &problem) != ERROR_OK)
        reply_problem(request, &problem);
    return true;
}

// Once per request: one that waits proves nothing about its client later.
static void hear_session(struct request *request)
{
    const struct api_backend *backend = &request->service->backend;
    const struct credential *session = &request->session;

    if (session->id == 0 || request->session_heard || !atomic_load(&request->service->open))
        return;
    request->session_heard = true;
    request->session_known = backend->touch(backend->context, session->id, session->proof);
}

void dispatch_run(struct request *request)
{
    if (request->reply.status != STATUS_NONE)
        return;
    hear_session(request);
    size_t row = (size_t)(request->route - route_at(0));
    handlers[row].handler(request);
}
