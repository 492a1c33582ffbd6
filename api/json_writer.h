// SPDX-License-Identifier: Apache-2.0
// Writes JSON straight into a buffer. Replies are written with it because building a tree first
// costs several times as much.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

// A zeroed writer with `into` set is ready. Commas are the writer's business; that opens and closes
// pair up and that members have keys is the caller's.
struct json_writer {
    struct buffer *into; // borrowed
    bool comma;          // a value stands before
};

void json_open(struct json_writer *json, char bracket);  // '{' or '['
void json_close(struct json_writer *json, char bracket); // '}' or ']'
// Writes a member's name, which must need no escapes.
void json_key(struct json_writer *json, const char *name);
// Writes a string; bytes that are not UTF-8 become U+FFFD.
void json_text(struct json_writer *json, const void *text, size_t length);
void json_string(struct json_writer *json, const char *text);
void json_number(struct json_writer *json, uint64_t number);
void json_integer(struct json_writer *json, int64_t number);
void json_boolean(struct json_writer *json, bool value);
void json_null(struct json_writer *json);
// Ends the document with a newline, so that a terminal stays readable.
void json_end(struct json_writer *json);
