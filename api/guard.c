// SPDX-License-Identifier: Apache-2.0
// Each rule is one function that either passes or names what is wrong.
#include "api/guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HOST_MAX_BYTES = 255 };

static enum error check_body_framing(const struct headers *headers, struct problem *problem)
{
    const char *coding = headers->value[HEADER_TRANSFER_ENCODING];
    const char *length = headers->value[HEADER_CONTENT_LENGTH];

    if (headers->count[HEADER_CONTENT_LENGTH] > 1)
        return problem_set(problem, ERROR_BAD_REQUEST, "Content-Length is given more than once");
    if (length != NULL && (length[0] == '\0' || strspn(length, "0123456789") != strlen(length)))
        return problem_set(problem, ERROR_BAD_REQUEST, "Content-Length is not a number");
    if (coding == NULL)
        return ERROR_OK;
    if (length != NULL)
        return problem_set(problem, ERROR_BAD_REQUEST,
                           "both Content-Length and Transfer-Encoding are given");
    if (headers->count[HEADER_TRANSFER_ENCODING] > 1 || strcasecmp(coding, "chunked") != 0)
        return problem_set(problem, ERROR_BAD_REQUEST,
                           "Transfer-Encoding is not exactly \"chunked\"");
    return ERROR_OK;
}

enum error guard_framing(const struct guard_rules *rules, const struct headers *headers,
                         const char *http_version, struct problem *problem)
{
    if (headers->bytes > rules->header_bytes)
        return problem_set(problem, ERROR_HEADERS_TOO_LARGE,
                           "the request's headers have %zu bytes, the limit is %zu", headers->bytes,
                           rules->header_bytes);
    if (headers->bad_name)
        return problem_set(problem, ERROR_BAD_REQUEST,
                           "a header's name has characters that names cannot have");
    if (headers->bad_value)
        return problem_set(problem, ERROR_BAD_REQUEST, "a header's value has control characters");
    if (headers->count[HEADER_HOST] > 1)
        return problem_set(problem, ERROR_BAD_REQUEST, "Host is given more than once");
    if (headers->count[HEADER_HOST] == 0 && strcmp(http_version, "HTTP/1.0") != 0)
        return problem_set(problem, ERROR_BAD_REQUEST, "the Host header is missing");
    return check_body_framing(headers, problem);
}

static enum error check_single(const struct headers *headers, struct problem *problem)
{
    for (unsigned i = 0; i < HEADER_COUNT; i++) {
        bool list = i == HEADER_ACCEPT || i == HEADER_PREFER;
        if (headers->count[i] > 1 && !list)
            return problem_set(problem, ERROR_BAD_HEADER, "%s is given more than once",
                               header_name(i));
    }
    return ERROR_OK;
}

// Copies the host without port and brackets. Returns false when it is malformed.
static bool host_of(const char *authority, size_t length, char host[HOST_MAX_BYTES + 1])
{
    const char *end = authority + length;
    const char *start = authority;
    const char *stop;
    const char *port;

    if (length > 0 && authority[0] == '[') {
        stop = memchr(authority, ']', length);
        if (stop == NULL)
            return false;
        start = authority + 1;
        port = stop + 1;
    } else {
        const char *colon = memchr(authority, ':', length);
        stop = port = colon != NULL ? colon : end;
    }
    if (port < end && (*port != ':' || strspn(port + 1, "0123456789") < (size_t)(end - port - 1)))
        return false;
    size_t host_length = (size_t)(stop - start);
    if (host_length == 0 || host_length > HOST_MAX_BYTES)
        return false;
    memcpy(host, start, host_length);
    host[host_length] = '\0';
    return true;
}

static bool is_listed(const char *const *list, const char *text)
{
    for (; list != NULL && *list != NULL; list++) {
        if (strcasecmp(*list, text) == 0)
            return true;
    }
    return false;
}

bool guard_allows_origin(const struct guard_rules *rules, const char *origin)
{
    return is_listed(rules->allowed_origins, origin);
}

static bool is_address(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static enum error check_host(const struct guard_rules *rules, const char *authority, size_t length,
                             struct problem *problem)
{
    char host[HOST_MAX_BYTES + 1];

    if (!host_of(authority, length, host))
        return problem_set(problem, ERROR_BAD_REQUEST, "the Host header is malformed");
    bool any =
        !rules->loopback && (rules->allowed_hosts == NULL || rules->allowed_hosts[0] == NULL);
    if (any || strcasecmp(host, "localhost") == 0 || is_address(host) ||
        is_listed(rules->allowed_hosts, host))
        return ERROR_OK;
    return problem_set(
        problem, ERROR_MISDIRECTED,
        "the server does not know the host \"%s\"; use an IP address or localhost, or "
        "start it with --allowed-host",
        host);
}

static enum error check_origin(const struct guard_rules *rules, const char *origin,
                               const char *authority, size_t length, struct problem *problem)
{
    const char *behind = strstr(origin, "://");

    if (is_listed(rules->allowed_origins, origin))
        return ERROR_OK;
    if (behind != NULL && strlen(behind + 3) == length &&
        strncasecmp(behind + 3, authority, length) == 0)
        return ERROR_OK;
    return problem_set(problem, ERROR_CROSS_ORIGIN,
                       "the page's origin is \"%.200s\" and the host is \"%.*s\"", origin,
                       (int)(length > 200 ? 200 : length), authority);
}

enum error guard_request(const struct guard_rules *rules, const struct headers *headers,
                         const struct target *target, bool mutation, struct problem *problem)
{
    const char *origin = headers->value[HEADER_ORIGIN];
    const char *coding = headers->value[HEADER_CONTENT_ENCODING];
    const char *authority = headers->value[HEADER_HOST];
    size_t length = authority != NULL ? strlen(authority) : 0;

    enum error error = check_single(headers, problem);
    if (error != ERROR_OK)
        return error;
    if (target->authority != NULL) {
        authority = target->authority;
        length = target->authority_length;
    }
    if (authority != NULL)
        error = check_host(rules, authority, length, problem);
    if (error == ERROR_OK && mutation && origin != NULL)
        error = check_origin(rules, origin, authority != NULL ? authority : "", length, problem);
    if (error == ERROR_OK && coding != NULL && strcasecmp(coding, "identity") != 0)
        error =
            problem_set(problem, ERROR_UNSUPPORTED_ENCODING,
                        "the body has the Content-Encoding \"%.100s\"; send it unencoded", coding);
    return error;
}
