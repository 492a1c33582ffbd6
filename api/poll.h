// SPDX-License-Identifier: Apache-2.0
// Long polls: a GET with ?wait answers once the znode differs from what was true at ?since.
#pragma once

#include "api/request.h"

// What a poll looks at.
enum poll_subject {
    POLL_NODE,     // creation, value, deletion
    POLL_CHILDREN, // the list of children (pzxid), creation, deletion
};

// Makes the reply that the plain GET would make.
typedef void (*poll_answer)(struct request *request, struct view *view);

// Whether the request is one.
static inline bool poll_wanted(const struct request *request)
{
    return query_has(&request->query, QUERY_WAIT);
}

// Serves it: makes the reply, or parks the request, whose handler must come here again.
void poll_get(struct request *request, enum poll_subject subject, poll_answer answer);
