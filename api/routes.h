// SPDX-License-Identifier: Apache-2.0
// The table of resources. Everything that depends on which resource a request is for is derived
// from it: routing, Allow, known query parameters, and the check against openapi.yaml.
#pragma once

#include "api/query.h"

#define QUERIES_NONE 0u
#define QUERIES_READ                                                                               \
    (QUERY_BIT(RAW) | QUERY_BIT(VIEW) | QUERY_BIT(DETAIL) | QUERY_BIT(ENCODING) |                  \
     QUERY_BIT(DEPTH) | QUERY_BIT(LIMIT) | QUERY_BIT(CURSOR) | QUERY_BIT(CONSISTENCY) |            \
     QUERY_BIT(MIN_ZXID))
#define QUERIES_POLL (QUERIES_READ | QUERY_BIT(WAIT) | QUERY_BIT(SINCE))
#define QUERIES_WATCH                                                                              \
    (QUERY_BIT(RECURSIVE) | QUERY_BIT(INITIAL) | QUERY_BIT(DATA) | QUERY_BIT(SINCE))
#define QUERIES_PUT (QUERY_BIT(PARENTS) | QUERY_BIT(VERSION))
#define QUERIES_POST                                                                               \
    (QUERY_BIT(SEQUENTIAL) | QUERY_BIT(EPHEMERAL) | QUERY_BIT(CONTAINER) | QUERY_BIT(TTL) |        \
     QUERY_BIT(PARENTS))
#define QUERIES_LIST                                                                               \
    (QUERY_BIT(LIMIT) | QUERY_BIT(CURSOR) | QUERY_BIT(CONSISTENCY) | QUERY_BIT(MIN_ZXID))
#define QUERIES_DELETE (QUERY_BIT(VERSION) | QUERY_BIT(RECURSIVE) | QUERY_BIT(LIMIT))

// X(method, pattern, operation id, handler, query parameters, takes a body)
// A pattern can have a variable: {path}, at its end, takes the rest of the target, slashes included;
// any other takes one segment.
#define ROUTE_TABLE(X)                                                                             \
    X(GET, "/v1/znodes/{path}", "znode_get", znode_get, QUERIES_POLL, false)                       \
    X(HEAD, "/v1/znodes/{path}", "znode_head", znode_get, QUERIES_READ, false)                     \
    X(PUT, "/v1/znodes/{path}", "znode_put", znode_put, QUERIES_PUT, true)                         \
    X(POST, "/v1/znodes/{path}", "znode_post", znode_post, QUERIES_POST, true)                     \
    X(DELETE, "/v1/znodes/{path}", "znode_delete", znode_delete, QUERIES_DELETE, false)            \
    X(GET, "/v1/znodes", "root_znode_get", znode_get, QUERIES_POLL, false)                         \
    X(HEAD, "/v1/znodes", "root_znode_head", znode_get, QUERIES_READ, false)                       \
    X(PUT, "/v1/znodes", "root_znode_put", znode_put, QUERIES_PUT, true)                           \
    X(POST, "/v1/znodes", "root_znode_post", znode_post, QUERIES_POST, true)                       \
    X(DELETE, "/v1/znodes", "root_znode_delete", znode_delete, QUERIES_DELETE, false)              \
    X(POST, "/v1/multi", "multi_post", multi_post, QUERIES_NONE, true)                             \
    X(GET, "/v1/watch/{path}", "watch_get", watch_get, QUERIES_WATCH, false)                       \
    X(GET, "/v1/watch", "watch_paths_get", watch_get, QUERIES_WATCH | QUERY_BIT(PATH), false)      \
    X(GET, "/v1/sessions", "sessions_get", sessions_get, QUERIES_LIST, false)                      \
    X(POST, "/v1/sessions", "sessions_post", sessions_post, QUERIES_NONE, true)                    \
    X(GET, "/v1/sessions/{id}", "session_get", session_get, QUERY_BIT(LIMIT) | QUERY_BIT(CURSOR),  \
      false)                                                                                       \
    X(PUT, "/v1/sessions/{id}", "session_put", session_put, QUERIES_NONE, false)                   \
    X(DELETE, "/v1/sessions/{id}", "session_delete", session_delete, QUERIES_NONE, false)          \
    X(GET, "/v1/sessions/{id}/stream", "session_stream_get", session_stream_get, QUERY_BIT(GRACE), \
      false)                                                                                       \
    X(GET, "/v1/cluster", "cluster_get", cluster_get, QUERIES_NONE, false)                         \
    X(GET, "/livez", "livez_get", livez_get, QUERIES_NONE, false)                                  \
    X(GET, "/readyz", "readyz_get", readyz_get, QUERY_BIT(VERBOSE), false)                         \
    X(GET, "/metrics", "metrics_get", metrics_get, QUERIES_NONE, false)                            \
    X(GET, "/openapi.yaml", "openapi_get", openapi_get, QUERIES_NONE, false)                       \
    X(GET, "/problems/{slug}", "problem_get", problem_get, QUERIES_NONE, false)                    \
    X(GET, "/", "root_get", root_get, QUERIES_NONE, false)
