// SPDX-License-Identifier: Apache-2.0
// One check for a query and for an operation of a multi.
#include "api/lifetime.h"

enum error lifetime_apply(const struct lifetime *lifetime, enum error refusal, const char *where,
                          struct op *op, struct problem *problem)
{
    if (lifetime->ephemeral + lifetime->container + lifetime->has_ttl > 1)
        return problem_set(problem, refusal,
                           "%s has more than one of ephemeral, container and a time to live",
                           where);
    if (lifetime->container && (op->flags & OP_SEQUENTIAL) != 0)
        return problem_set(problem, refusal, "%s asks for a container that is sequential", where);
    if (lifetime->has_ttl && (lifetime->ttl_ms < 1 || lifetime->ttl_ms > (int64_t)TTL_MAX_MS))
        return problem_set(problem, refusal, "%s has a time to live that is not from 1 to %llu ms",
                           where, TTL_MAX_MS);
    if (lifetime->ephemeral)
        op->kind = ZNODE_EPHEMERAL;
    if (lifetime->container)
        op->kind = ZNODE_CONTAINER;
    if (lifetime->has_ttl) {
        op->kind = ZNODE_TTL;
        op->ttl_ms = (uint64_t)lifetime->ttl_ms;
    }
    return ERROR_OK;
}
