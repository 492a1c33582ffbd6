// SPDX-License-Identifier: Apache-2.0
// No session ends early: whoever was told that its session is alive has its whole timeout from the moment
// at which it asked, by the fastest clock that a node may have.
#include <inttypes.h>

#include "base/memory.h"
#include "tests/sim/oracle_internal.h"
#include "tests/sim/workload.h"

#define SETTLED_NS (2 * SECOND_NS)        // until then a quiet cluster has found its leader
#define KNOWN_NS   (300 * MILLISECOND_NS) // a tick, and a message

static uint64_t hash_of(const struct blob *command)
{
    return hash64(command->data, command->length, 0) | 1;
}

void oracle_proposed(struct world *world, const struct blob *command)
{
    map_put(&world->oracle->proposed, hash_of(command), world);
}

bool oracle_was_proposed(const struct world *world, uint64_t command_hash)
{
    return map_get(&world->oracle->proposed, command_hash | 1) != NULL;
}

// Whether its answer said that the session lives on.
static bool promises_time(const struct operation *operation)
{
    if (operation->status != OPERATION_OK)
        return false;
    return operation->asks == ASKS_RENEWAL
               ? !operation->gone
               : (operation->asks == ASKS_OPEN || operation->asks == ASKS_BIND) &&
                     operation->changed;
}

// Where nothing fails, a request that has the session's credential keeps it alive, too, once it was answered
// and has had the time to become known. A node that is slow may have to learn of the session first.
static bool keeps_alive(const struct world *world, const struct operation *operation,
                        uint64_t at_ns)
{
    return world->mode == MODE_QUIET && operation->status == OPERATION_OK && !operation->gone &&
           operation->invoked_ns > SETTLED_NS && operation->completed_ns + KNOWN_NS < at_ns;
}

void oracle_expired(struct world *world, uint64_t session, uint32_t timeout_ms, paxos_slot slot)
{
    enum { FASTEST_TENTHS = 11 };
    const struct history *history = workload_history(world);
    uint64_t at_ns = world->oracle->slots[slot - 1].decided_ns;

    world_count(world, COUNT_EXPIRED);
    for (size_t i = 0; i < history->count; i++) {
        const struct operation *operation = &history->operations[i];
        if (operation->session != session ||
            (!promises_time(operation) && !keeps_alive(world, operation, at_ns)))
            continue;
        uint64_t least_ns = timeout_ms * MILLISECOND_NS * 10 / FASTEST_TENTHS;
        if (at_ns < operation->invoked_ns + least_ns)
            world_fail(world, SIM_CORRECTNESS, "early-expiry",
                       "session %" PRIu64 " of %u ms expired at %" PRIu64 " ms (slot %" PRIu64
                       "), but was told that it lives when it asked at %" PRIu64 " ms",
                       session, timeout_ms, at_ns / MILLISECOND_NS, slot,
                       operation->invoked_ns / MILLISECOND_NS);
    }
}
