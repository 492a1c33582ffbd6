// SPDX-License-Identifier: Apache-2.0
// What went wrong with a request, until it becomes a reply: the row of the error table and what is
// particular to this case. RFC 9457.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/json_writer.h"
#include "base/errors.h"

enum { PROBLEM_DETAIL_MAX = 512 };

struct problem {
    enum error error;
    char detail[PROBLEM_DETAIL_MAX]; // a sentence without a full stop; empty: the title says it all
    const char *path;                // znode concerned, borrowed; NULL when there is none
    size_t path_length;
    bool has_current; // a precondition failed; what the znode has:
    int32_t current_version;
    uint64_t current_mzxid;
};

// Fills in error and detail and returns error, so that a check can say `return problem_set(...)`.
// What does not fit in the detail is cut.
enum error problem_set(struct problem *problem, enum error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Writes the members that every problem has, into an object that the caller has opened; members of
// particular resources may follow.
void problem_write(struct json_writer *json, const struct problem *problem, uint64_t zxid,
                   const char *request_id);
// Writes type, title, status, code, outcome and retryable of a row of the error table, into an
// object that the caller has opened.
void problem_write_kind(struct json_writer *json, enum error error);
