// SPDX-License-Identifier: Apache-2.0
// The request's headers that mean something here, collected in one pass over all of them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum header_name {
    HEADER_HOST,
    HEADER_ORIGIN,
    HEADER_ACCEPT,
    HEADER_IF_MATCH,
    HEADER_IF_NONE_MATCH,
    HEADER_IDEMPOTENCY_KEY,
    HEADER_PREFER,
    HEADER_CURLEW_SESSION,
    HEADER_CONTENT_LENGTH,
    HEADER_TRANSFER_ENCODING,
    HEADER_CONTENT_ENCODING,
    HEADER_EXPECT,
    HEADER_LAST_EVENT_ID,
    HEADER_REQUEST_METHOD, // Access-Control-Request-Method
    HEADER_COUNT
};

// A zeroed struct headers is ready for headers_add.
struct headers {
    const char *value[HEADER_COUNT]; // first occurrence, borrowed; NULL when absent
    uint8_t count[HEADER_COUNT];     // occurrences, stops at 255
    size_t bytes;                    // of all names, values and their separators
    bool bad_name;                   // some name is not a token (RFC 9110 section 5.6.2)
    bool bad_value;                  // some value has a control character
};

// Takes note of one header. value may be NULL for an empty one.
void headers_add(struct headers *headers, const char *name, size_t name_length, const char *value,
                 size_t value_length);
const char *header_name(enum header_name name);
