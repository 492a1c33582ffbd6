// SPDX-License-Identifier: Apache-2.0
// Strict JSON (RFC 8259) over json-c, which by itself lets a good deal pass: single quotes, NaN,
// "1.", duplicate names, overlong UTF-8, lone surrogates, numbers out of range, numbers as strings.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/problem.h"

struct json_document;
struct json_object; // json-c's; opaque here

// Parses a whole text with at most `depth` nested containers. Every error is BAD_JSON with a
// detail.
enum error json_parse(const void *text, size_t length, uint32_t depth,
                      struct json_document **document, struct problem *problem);
void json_free(struct json_document *document); // NULL is allowed
struct json_object *json_root(struct json_document *document);

// `where` says in details what is looked at: "ops[3]" or "the body".
// Fails unless value is an object whose members are all in `allowed` (NULL-terminated).
enum error json_check_object(struct json_object *value, const char *const *allowed,
                             const char *where, struct problem *problem);
// Fails unless the member exists and is an array. Borrowed.
enum error json_get_array(struct json_object *object, const char *name, const char *where,
                          struct json_object **array, struct problem *problem);
size_t json_array_count(struct json_object *array);
struct json_object *json_array_at(struct json_object *array, size_t index);

enum json_presence { JSON_ABSENT, JSON_NULL, JSON_VALUE };
// Optional members: *presence tells what there is; without the member the value stays as it is. A
// member of another type fails. `nullable`: whether null is allowed.
struct json_string_value {
    const char *text; // may hold NUL
    size_t length;
};
enum error json_get_string(struct json_object *object, const char *name, bool nullable,
                           const char *where, struct json_string_value *value,
                           enum json_presence *presence, struct problem *problem);
enum error json_get_int32(struct json_object *object, const char *name, const char *where,
                          int32_t *value, struct problem *problem);
enum error json_get_int64(struct json_object *object, const char *name, const char *where,
                          int64_t *value, enum json_presence *presence, struct problem *problem);
enum error json_get_bool(struct json_object *object, const char *name, const char *where,
                         bool *value, struct problem *problem);
