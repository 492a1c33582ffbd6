// SPDX-License-Identifier: Apache-2.0
// How a znode that is to be created ends, as clients say it: not by itself, with its session, when it
// has lost its last child, or after a time.
#pragma once

#include "api/problem.h"
#include "storage/command.h"

struct lifetime {
    bool ephemeral;
    bool container;
    bool has_ttl;
    int64_t ttl_ms;
};

// Sets the kind of a create. What contradicts itself is refused with `refusal`; `where` begins the
// sentence ("the query", "ops[3]").
enum error lifetime_apply(const struct lifetime *lifetime, enum error refusal, const char *where,
                          struct op *op, struct problem *problem);
