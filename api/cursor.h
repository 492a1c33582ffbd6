// SPDX-License-Identifier: Apache-2.0
// Where the next page of a list begins. Opaque to clients, so that its form may change.
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

// Appends the cursor of the page behind `last` (a name or a path), as base64url.
void cursor_encode(struct buffer *into, const void *last, size_t length);
// Appends `last` of a cursor. Returns false for text that is none.
bool cursor_decode(struct buffer *into, const char *text, size_t length);
