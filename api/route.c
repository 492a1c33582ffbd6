// SPDX-License-Identifier: Apache-2.0
// A linear search: the table is short and its busiest rows stand first.
#include "api/route.h"

#include <stdio.h>
#include <string.h>

#include "api/routes.h"
#include "base/assert.h"

static const struct route routes[] = {
#define ROUTE_ROW(method_name_, pattern_, operation_, handler_, queries_, body_)                   \
    {.method = METHOD_##method_name_,                                                              \
     .pattern = pattern_,                                                                          \
     .operation = operation_,                                                                      \
     .queries = queries_,                                                                          \
     .body = body_},
    ROUTE_TABLE(ROUTE_ROW)
#undef ROUTE_ROW
};

static const char *const method_names[] = {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"};

size_t route_count(void)
{
    return sizeof routes / sizeof routes[0];
}

const struct route *route_at(size_t index)
{
    ASSERT(index < route_count());
    return &routes[index];
}

enum method method_parse(const char *text)
{
    for (unsigned i = 0; i < METHOD_OTHER; i++) {
        if (strcmp(text, method_names[i]) == 0)
            return (enum method)i;
    }
    return METHOD_OTHER;
}

const char *method_name(enum method method)
{
    return method < METHOD_OTHER ? method_names[method] : "?";
}

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t end_length = strlen(end);

    return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0;
}

static bool match_pattern(const char *pattern, const char *path, size_t length,
                          struct route_match *match)
{
    const char *variable = strchr(pattern, '{');
    size_t fixed = variable != NULL ? (size_t)(variable - pattern) : strlen(pattern);

    match->rest = path + length;
    match->rest_length = 0;
    if (length < fixed || memcmp(pattern, path, fixed) != 0)
        return false;
    if (variable == NULL)
        return length == fixed;
    match->rest = path + fixed;
    match->rest_length = length - fixed;
    if (strcmp(variable, "{path}") == 0) {
        match->rest--;
        match->rest_length++;
        return true;
    }
    const char *end = strchr(variable, '}') + 1;
    if (!ends_with(match->rest, match->rest_length, end))
        return false;
    match->rest_length -= strlen(end);
    return match->rest_length > 0 && memchr(match->rest, '/', match->rest_length) == NULL;
}

void route_find(enum method method, const char *path, size_t length, struct route_match *match)
{
    struct route_match found;

    *match = (struct route_match){0};
    for (size_t i = 0; i < route_count(); i++) {
        const struct route *route = &routes[i];
        if (!match_pattern(route->pattern, path, length, &found))
            continue;
        match->methods |= 1u << route->method;
        bool stands_in = method == METHOD_HEAD && route->method == METHOD_GET;
        if (route->method != method && !(stands_in && match->route == NULL))
            continue;
        match->route = route;
        match->rest = found.rest;
        match->rest_length = found.rest_length;
        match->znode = strncmp(route->pattern, "/v1/znodes", 10) == 0 ||
                       strncmp(route->pattern, "/v1/watch", 9) == 0;
        if (route->method == method)
            return;
    }
    if ((match->methods & 1u << METHOD_GET) != 0)
        match->methods |= 1u << METHOD_HEAD;
}

void route_allow(uint32_t methods, char into[ALLOW_MAX])
{
    size_t length = 0;

    for (unsigned i = 0; i < METHOD_OPTIONS; i++) {
        if ((methods >> i & 1) != 0)
            length += (size_t)snprintf(into + length, ALLOW_MAX - length, "%s, ", method_names[i]);
    }
    snprintf(into + length, ALLOW_MAX - length, "OPTIONS");
}
