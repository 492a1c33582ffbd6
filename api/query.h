// SPDX-License-Identifier: Apache-2.0
// Query parameters, typed by one table. What is unknown, repeated or malformed is refused: a typo
// never passes silently.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/event_id.h"
#include "api/problem.h"
#include "base/bytes.h"

enum query_name {
    QUERY_RAW,
    QUERY_VIEW,
    QUERY_DETAIL,
    QUERY_ENCODING,
    QUERY_DEPTH,
    QUERY_LIMIT,
    QUERY_CURSOR,
    QUERY_CONSISTENCY,
    QUERY_MIN_ZXID,
    QUERY_PARENTS,
    QUERY_SEQUENTIAL,
    QUERY_VERSION,
    QUERY_RECURSIVE,
    QUERY_VERBOSE,
    QUERY_WAIT,
    QUERY_SINCE,
    QUERY_PATH,
    QUERY_INITIAL,
    QUERY_DATA,
    QUERY_EPHEMERAL,
    QUERY_CONTAINER,
    QUERY_TTL,
    QUERY_GRACE,
    QUERY_COUNT
};

#define QUERY_BIT(name) (1u << QUERY_##name)

// Values of the parameters that are a choice; 0 is the default.
enum view_kind { VIEW_DATA, VIEW_STAT, VIEW_CHILDREN, VIEW_TREE };
enum detail_kind { DETAIL_NONE, DETAIL_STAT, DETAIL_DATA };
enum encoding_kind { ENCODING_AUTO, ENCODING_BASE64 };
enum consistency_kind { CONSISTENCY_LINEARIZABLE, CONSISTENCY_LOCAL };

struct query {
    uint32_t given;             // QUERY_BITs
    int64_t value[QUERY_COUNT]; // flag 0/1, number, or choice; 0 when not given
    struct event_id since;      // value of `since`
    struct buffer text;         // decoded value of `cursor`, owned
    struct buffer paths;        // decoded values of `path`, a NUL behind each; owned
    struct buffer scratch;      // while parsing; owned
};

// Parses what stands behind the '?'. `allowed` are the QUERY_BITs of the resource. query is empty
// but for the memory in its buffers. Errors: BAD_QUERY with a detail that names the parameter.
enum error query_parse(struct query *query, const char *text, size_t length, uint32_t allowed,
                       struct problem *problem);
// Frees the memory in the buffers.
void query_deinit(struct query *query);
static inline bool query_has(const struct query *query, enum query_name name)
{
    return (query->given >> name & 1) != 0;
}
