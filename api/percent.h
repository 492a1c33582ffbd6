// SPDX-License-Identifier: Apache-2.0
// Percent-encoding (RFC 3986 section 2.1).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

enum percent_mode {
    PERCENT_SEGMENT, // one path segment: an encoded '/' is refused, '+' is itself
    PERCENT_QUERY,   // a name or value of the query: '+' is a space
};

// Appends the decoded text. Returns NULL, or what is wrong as a sentence about "it": bad escapes,
// an encoded NUL, and bytes that are not UTF-8 when decoded.
const char *percent_decode(const char *text, size_t length, enum percent_mode mode,
                           struct buffer *into);
// Appends a path with everything but '/' and unreserved characters encoded.
void percent_encode_path(const char *path, size_t length, struct buffer *into);
