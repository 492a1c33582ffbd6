// SPDX-License-Identifier: Apache-2.0
// The request target as it came over the wire, taken apart (RFC 9112 section 3.2). The HTTP library
// decodes targets in place and loses what %00 and %2F were, so the raw form is read here.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/problem.h"
#include "base/bytes.h"

struct target {
    const char *authority; // of an absolute-form target; NULL for the usual form
    size_t authority_length;
    const char *path; // encoded, begins with '/', or is "*"
    size_t path_length;
    const char *query; // encoded, without '?'; empty when there is none
    size_t query_length;
};

// Splits a target; the parts point into raw. Errors: BAD_REQUEST.
enum error target_split(const char *raw, size_t length, struct target *target,
                        struct problem *problem);

// Decodes what follows the resource's prefix ("" or "/a/b%20c") into a znode path ("/", "/a/b c"),
// component by component. A slash at the end stays and is reported. Errors: BAD_PATH.
enum error target_decode_path(const char *rest, size_t length, struct buffer *path,
                              bool *trailing_slash, struct problem *problem);
