// SPDX-License-Identifier: Apache-2.0
// The JSON body of a multi, checked and turned into ops.
#pragma once

#include "api/problem.h"
#include "base/bytes.h"
#include "storage/command.h"

enum multi_op_type {
    MULTI_CHECK,
    MULTI_CREATE,
    MULTI_SET,
    MULTI_DELETE,
    MULTI_GET,
    MULTI_CHILDREN
};

struct multi_op {
    enum multi_op_type type;
    struct op op; // for writes all of it, for reads the path; strings point into the document
};

struct multi {
    struct json_document *document; // keeps the strings
    struct multi_op *ops;           // owned
    size_t count;
    struct buffer *decoded; // data of the ops that came as base64, owned; one per op or NULL
    bool reads;             // all ops read; else all write
};

struct multi_limits {
    uint32_t json_depth;
    uint32_t ops;
};

// Errors: BAD_JSON, BAD_ARGUMENTS; multi_free in every case.
enum error multi_parse(const void *text, size_t length, const struct multi_limits *limits,
                       struct multi *multi, struct problem *problem);
void multi_free(struct multi *multi);
const char *multi_op_name(enum multi_op_type type);
