// SPDX-License-Identifier: Apache-2.0
// Content negotiation, as far as it goes here: JSON unless the bytes themselves are wanted more.
#pragma once

#include <stdbool.h>

// Whether an Accept header (NULL allowed) names application/octet-stream with a greater weight than
// application/json (RFC 9110 section 12.5.1).
bool accept_prefers_bytes(const char *accept);
// Likewise application/x-ndjson, compared to text/event-stream.
bool accept_prefers_lines(const char *accept);
