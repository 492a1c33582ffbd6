// SPDX-License-Identifier: Apache-2.0
// Refuses requests that are ambiguous (RFC 9112 sections 6 and 11.2: framing on which a proxy and
// we could differ) or that a web page could make a browser send (RFC 6454, DNS rebinding).
#pragma once

#include <stdbool.h>

#include "api/headers.h"
#include "api/problem.h"
#include "api/target.h"

struct guard_rules {
    bool loopback;                    // listening on a loopback address
    const char *const *allowed_hosts; // NULL-terminated; none, and not loopback: any Host is taken
    const char *const *allowed_origins; // NULL-terminated
    size_t header_bytes;                // limit of the whole head
};

// Whether the pages of this origin were named: they may write, and read what is answered (CORS).
bool guard_allows_origin(const struct guard_rules *rules, const char *origin);
// What must be right before the body can be read: the reply closes the connection, because nobody
// knows where the next request would begin. Errors: BAD_REQUEST, HEADERS_TOO_LARGE.
enum error guard_framing(const struct guard_rules *rules, const struct headers *headers,
                         const char *http_version, struct problem *problem);
// Who may ask: Host, Origin, Content-Encoding, headers given twice. Errors: BAD_REQUEST,
// BAD_HEADER, MISDIRECTED, CROSS_ORIGIN, UNSUPPORTED_ENCODING.
enum error guard_request(const struct guard_rules *rules, const struct headers *headers,
                         const struct target *target, bool mutation, struct problem *problem);
