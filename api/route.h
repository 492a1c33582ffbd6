// SPDX-License-Identifier: Apache-2.0
// Finds the row of the route table for a request.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_PUT,
    METHOD_POST,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER // any that we do not have
};

struct route {
    enum method method;
    const char *pattern;
    const char *operation; // operationId in openapi.yaml
    uint32_t queries;      // QUERY_BITs
    bool body;             // a request body has a meaning
};

struct route_match {
    const struct route *route; // NULL: no such resource, or it lacks the method
    const char *rest;          // what the variable stands for, with its leading '/' for {path}
    size_t rest_length;
    bool znode;       // the variable is a znode's path
    uint32_t methods; // 1 << enum method of every method there, 0 when there is no such resource;
                      // complete only when route is NULL
};

// Rows in the order of routes.h.
size_t route_count(void);
const struct route *route_at(size_t index);

// Matches an encoded path. HEAD is served by the row of GET where it has none of its own. The rest
// points into path.
void route_find(enum method method, const char *path, size_t length, struct route_match *match);

enum method method_parse(const char *text);
const char *method_name(enum method method);
enum { ALLOW_MAX = 64 };
// Writes the value of Allow; OPTIONS is always in it.
void route_allow(uint32_t methods, char into[ALLOW_MAX]);
