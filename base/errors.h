// SPDX-License-Identifier: Apache-2.0
// The one table of errors. Functions return `enum error`, 0 is success; what an error means to a
// client (code, slug, HTTP status, outcome, whether a retry may help) stands here and nowhere else.
//
// ZooKeeper's numeric codes and names are those of KeeperException.Code; an error that ZooKeeper
// does not have has zk 0 and the slug in capitals as its code.
#pragma once

#include <stdbool.h>

// What is known about the effect of a request that ended with an error.
enum outcome {
    OUTCOME_NOT_APPLIED, // nothing happened and nothing will
    OUTCOME_APPLIED,     // it happened
    OUTCOME_UNKNOWN,     // it may have happened or may still happen
};

// X(name, zk code, code, slug, HTTP status, outcome, retryable, title)
#define ERROR_TABLE(X)                                                                             \
    X(OK, 0, "OK", "ok", 200, APPLIED, false, "Success")                                           \
    X(BAD_REQUEST, 0, "BAD-REQUEST", "bad-request", 400, NOT_APPLIED, false,                       \
      "The HTTP request is malformed or ambiguous")                                                \
    X(BAD_PATH, -8, "BADARGUMENTS", "bad-path", 400, NOT_APPLIED, false,                           \
      "The znode path is not valid")                                                               \
    X(BAD_QUERY, 0, "BAD-QUERY", "bad-query", 400, NOT_APPLIED, false,                             \
      "A query parameter is unknown, repeated or has a wrong value")                               \
    X(BAD_HEADER, 0, "BAD-HEADER", "bad-header", 400, NOT_APPLIED, false,                          \
      "A request header has a wrong value")                                                        \
    X(BAD_JSON, 0, "BAD-JSON", "bad-json", 400, NOT_APPLIED, false,                                \
      "The JSON body is malformed or has unknown, missing or wrong members")                       \
    X(BAD_ARGUMENTS, -8, "BADARGUMENTS", "bad-arguments", 400, NOT_APPLIED, false,                 \
      "The operation is not possible with these arguments")                                        \
    X(SESSION_REQUIRED, 0, "SESSION-REQUIRED", "session-required", 400, NOT_APPLIED, false,        \
      "The operation needs a session")                                                             \
    X(NO_AUTH, -102, "NOAUTH", "no-auth", 403, NOT_APPLIED, false,                                 \
      "The operation is not permitted")                                                            \
    X(SESSION_DENIED, 0, "SESSION-DENIED", "session-denied", 403, NOT_APPLIED, false,              \
      "The secret of the session is wrong")                                                        \
    X(CROSS_ORIGIN, 0, "CROSS-ORIGIN", "cross-origin", 403, NOT_APPLIED, false,                    \
      "A web page of another origin may not change anything here")                                 \
    X(NO_NODE, -101, "NONODE", "no-node", 404, NOT_APPLIED, false, "The znode does not exist")     \
    X(NOT_FOUND, 0, "NOT-FOUND", "not-found", 404, NOT_APPLIED, false,                             \
      "There is no such resource")                                                                 \
    X(METHOD_NOT_ALLOWED, 0, "METHOD-NOT-ALLOWED", "method-not-allowed", 405, NOT_APPLIED, false,  \
      "The resource does not have this method")                                                    \
    X(REQUEST_TIMEOUT, 0, "REQUEST-TIMEOUT", "request-timeout", 408, NOT_APPLIED, true,            \
      "The request did not arrive in time")                                                        \
    X(NODE_EXISTS, -110, "NODEEXISTS", "node-exists", 409, NOT_APPLIED, false,                     \
      "The znode exists already")                                                                  \
    X(NOT_EMPTY, -111, "NOTEMPTY", "not-empty", 409, NOT_APPLIED, false, "The znode has children") \
    X(NO_CHILDREN_FOR_EPHEMERALS, -108, "NOCHILDRENFOREPHEMERALS", "no-children-for-ephemerals",   \
      409, NOT_APPLIED, false, "An ephemeral znode cannot have children")                          \
    X(RUNTIME_INCONSISTENCY, -2, "RUNTIMEINCONSISTENCY", "runtime-inconsistency", 409,             \
      NOT_APPLIED, false, "Not reached: an earlier operation of the multi failed")                 \
    X(SESSION_EXPIRED, -112, "SESSIONEXPIRED", "session-expired", 410, NOT_APPLIED, false,         \
      "The session has ended")                                                                     \
    X(LENGTH_REQUIRED, 0, "LENGTH-REQUIRED", "length-required", 411, NOT_APPLIED, false,           \
      "A PUT needs a body, if only an empty one")                                                  \
    X(BAD_VERSION, -103, "BADVERSION", "bad-version", 412, NOT_APPLIED, false,                     \
      "The znode is at another version")                                                           \
    X(PRECONDITION_FAILED, 0, "PRECONDITION-FAILED", "precondition-failed", 412, NOT_APPLIED,      \
      false, "The precondition of the request does not hold")                                      \
    X(FUTURE_POSITION, 0, "FUTURE-POSITION", "future-position", 412, NOT_APPLIED, false,           \
      "The position lies beyond anything this cluster has reached")                                \
    X(BODY_TOO_LARGE, 0, "BODY-TOO-LARGE", "body-too-large", 413, NOT_APPLIED, false,              \
      "The request body is larger than the limit")                                                 \
    X(URI_TOO_LONG, 0, "URI-TOO-LONG", "uri-too-long", 414, NOT_APPLIED, false,                    \
      "The request target is longer than the limit")                                               \
    X(UNSUPPORTED_ENCODING, 0, "UNSUPPORTED-ENCODING", "unsupported-encoding", 415, NOT_APPLIED,   \
      false, "The Content-Encoding is not supported")                                              \
    X(MISDIRECTED, 0, "MISDIRECTED", "misdirected", 421, NOT_APPLIED, false,                       \
      "The Host header does not name this server")                                                 \
    X(TOO_MANY_NODES, 0, "TOO-MANY-NODES", "too-many-nodes", 422, NOT_APPLIED, false,              \
      "The subtree is too large for one transaction")                                              \
    X(KEY_REUSED, 0, "KEY-REUSED", "key-reused", 422, NOT_APPLIED, false,                          \
      "The Idempotency-Key was used for another request")                                          \
    X(KEYS_FULL, 0, "KEYS-FULL", "keys-full", 429, NOT_APPLIED, true,                              \
      "The table of idempotency keys is full")                                                     \
    X(SESSIONS_FULL, 0, "SESSIONS-FULL", "sessions-full", 429, NOT_APPLIED, true,                  \
      "There are as many sessions as there can be")                                                \
    X(TOO_MANY_REQUESTS, 0, "TOO-MANY-REQUESTS", "too-many-requests", 429, NOT_APPLIED, true,      \
      "This address has too many connections")                                                     \
    X(HEADERS_TOO_LARGE, 0, "HEADERS-TOO-LARGE", "headers-too-large", 431, NOT_APPLIED, false,     \
      "The request headers are larger than the limit")                                             \
    X(INTERNAL, -1, "SYSTEMERROR", "internal", 500, UNKNOWN, false,                                \
      "The server failed in a way that it should not")                                             \
    X(OVERLOADED, 0, "OVERLOADED", "overloaded", 503, NOT_APPLIED, true,                           \
      "The server has as much work queued as it accepts")                                          \
    X(STARTING, 0, "STARTING", "starting", 503, NOT_APPLIED, true, "The server is still starting") \
    X(DRAINING, 0, "DRAINING", "draining", 503, NOT_APPLIED, true, "The server is shutting down")  \
    X(NO_LEADER, 0, "NO-LEADER", "no-leader", 503, NOT_APPLIED, true,                              \
      "There is no leader at the moment")                                                          \
    X(BEHIND, 0, "BEHIND", "behind", 503, NOT_APPLIED, true,                                       \
      "This node has not reached the wanted position in time")                                     \
    X(OUTCOME_UNKNOWN, 0, "OUTCOME-UNKNOWN", "outcome-unknown", 504, UNKNOWN, true,                \
      "The request may or may not have been applied")                                              \
    X(DISK_FULL, 0, "DISK-FULL", "disk-full", 507, NOT_APPLIED, true,                              \
      "The disk is nearly full: only reads and deletes are served")                                \
    X(IO, 0, "IO", "io", 500, UNKNOWN, false, "An input or output operation failed")               \
    X(CORRUPT, 0, "CORRUPT", "corrupt", 500, UNKNOWN, false, "Stored data is damaged")             \
    X(FOREIGN, 0, "FOREIGN", "foreign", 500, UNKNOWN, false,                                       \
      "Stored data belongs to another node, cluster or version")                                   \
    X(LOCKED, 0, "LOCKED", "locked", 500, UNKNOWN, false,                                          \
      "The data directory is in use by another process")                                           \
    X(MISSING, 0, "MISSING", "missing", 500, UNKNOWN, false, "A stored file does not exist")       \
    X(USAGE, 0, "USAGE", "usage", 500, NOT_APPLIED, false, "An option is unknown or out of range")

enum error {
#define ERROR_ENUM(name, ...) ERROR_##name,
    ERROR_TABLE(ERROR_ENUM)
#undef ERROR_ENUM
        ERROR_COUNT
};

struct error_entry {
    const char *code;     // ZooKeeper's name, or the slug in capitals
    const char *slug;     // last part of the problem's type URI
    const char *title;    // one sentence without a full stop
    int zk;               // ZooKeeper's number, 0 where it has none
    int status;           // HTTP status
    enum outcome outcome; // what a client may conclude
    bool retryable;       // the same request may succeed later
};

// Returns the row of an error. Requires error < ERROR_COUNT.
const struct error_entry *error_entry(enum error error);
// "not_applied", "applied" or "unknown".
const char *outcome_name(enum outcome outcome);
// The error with this slug; ERROR_COUNT when there is none.
enum error error_by_slug(const char *slug);
