// SPDX-License-Identifier: Apache-2.0
// Linearizability once more, without believing a zxid: each znode is a register whose values are all
// different, and the search of Wing and Gong looks for an order of its operations that real time
// allows. A write whose outcome is unknown may come at any time after it was asked for, or never.
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "tests/sim/oracle.h"
#include "tests/sim/workload.h"

enum {
    WIDTH = 64,           // operations beyond the first open one that are looked at
    STATES_MAX = 1 << 18, // after which the search is given up: nothing is claimed then
};

// Everything that happened to one znode.
struct events {
    const struct operation **known; // answered, by the time of asking
    size_t known_count;
    const struct operation **unknown;
    size_t unknown_count;
};

// Where a search stands: known[0, first) are done, and of those behind it `done`; of the unknown
// writes `used`.
struct stand {
    uint64_t first;
    uint64_t done;
    uint64_t used;
    uint64_t value;
};

struct search {
    const struct events *events;
    uint64_t *seen; // hashes of stands, open addressing
    size_t seen_count;
    bool gave_up;
};

static bool seen_before(struct search *search, const struct stand *stand)
{
    uint64_t hash = hash64(stand, sizeof *stand, 0) | 1;
    size_t at = hash % (2 * STATES_MAX);

    while (search->seen[at] != 0) {
        if (search->seen[at] == hash)
            return true;
        at = (at + 1) % (2 * STATES_MAX);
    }
    search->seen[at] = hash;
    search->gave_up = ++search->seen_count >= STATES_MAX;
    return false;
}

static bool is_done(const struct stand *stand, size_t index)
{
    return index < stand->first || (stand->done >> (index - stand->first) & 1) != 0;
}

// Nothing may come before an operation that was already over when it was asked for.
static uint64_t earliest_end(const struct events *events, const struct stand *stand)
{
    uint64_t end_ns = UINT64_MAX;

    for (size_t i = stand->first; i < events->known_count && i < stand->first + WIDTH; i++) {
        if (!is_done(stand, i) && events->known[i]->completed_ns < end_ns)
            end_ns = events->known[i]->completed_ns;
    }
    return end_ns;
}

static struct stand after_known(const struct stand *stand, size_t index, uint64_t value)
{
    struct stand next = *stand;

    next.value = value;
    next.done |= (uint64_t)1 << (index - next.first);
    while (next.done & 1) {
        next.done >>= 1;
        next.first++;
    }
    return next;
}

static bool find_order(struct search *search, struct stand stand);

static bool try_known(struct search *search, const struct stand *stand, uint64_t end_ns)
{
    const struct events *events = search->events;

    for (size_t i = stand->first; i < events->known_count; i++) {
        const struct operation *operation = events->known[i];
        if (operation->invoked_ns > end_ns)
            break;
        if (i >= stand->first + WIDTH) {
            search->gave_up = true; // one operation was open during more than can be looked at
            return true;
        }
        if (is_done(stand, i) || (operation->read && operation->value != stand->value))
            continue;
        if (find_order(search, after_known(stand, i, operation->value)))
            return true;
    }
    return false;
}

static bool try_unknown(struct search *search, const struct stand *stand, uint64_t end_ns)
{
    const struct events *events = search->events;

    for (size_t i = 0; i < events->unknown_count; i++) {
        if ((stand->used >> i & 1) != 0 || events->unknown[i]->invoked_ns > end_ns)
            continue;
        struct stand next = *stand;
        next.used |= (uint64_t)1 << i;
        next.value = events->unknown[i]->value;
        if (find_order(search, next))
            return true;
    }
    return false;
}

static bool find_order(struct search *search, struct stand stand)
{
    if (stand.first == search->events->known_count || search->gave_up)
        return true;
    if (seen_before(search, &stand))
        return false;
    uint64_t end_ns = earliest_end(search->events, &stand);
    return try_known(search, &stand, end_ns) || try_unknown(search, &stand, end_ns);
}

static bool touches(const struct operation *operation, uint32_t key)
{
    if (operation->key != key || operation->status == OPERATION_REFUSED)
        return false;
    if (operation->read)
        return operation->status == OPERATION_OK;
    return operation->writes && (operation->status != OPERATION_OK || operation->changed);
}

static void collect(const struct history *history, uint32_t key, struct events *events)
{
    for (size_t i = 0; i < history->count; i++) {
        const struct operation *operation = &history->operations[i];
        if (!touches(operation, key))
            continue;
        if (operation->status == OPERATION_OK)
            events->known[events->known_count++] = operation;
        else
            events->unknown[events->unknown_count++] = operation;
    }
}

void oracle_check_registers(struct world *world)
{
    const struct history *history = workload_history(world);
    size_t bytes = (history->count + 1) * sizeof(struct operation *);
    struct events events = {.known = memory_alloc(bytes), .unknown = memory_alloc(bytes)};
    struct search search = {.events = &events,
                            .seen = memory_alloc(2 * STATES_MAX * sizeof(uint64_t))};

    for (uint32_t key = 0; key < world->swarm.keys; key++) {
        events.known_count = events.unknown_count = 0;
        collect(history, key, &events);
        if (events.unknown_count > WIDTH)
            continue;
        memset(search.seen, 0, 2 * STATES_MAX * sizeof(uint64_t));
        search.seen_count = 0;
        search.gave_up = false;
        if (!find_order(&search, (struct stand){0}))
            world_fail(world, SIM_CORRECTNESS, "register",
                       "no order of the %zu operations on /k%u explains what they were told",
                       events.known_count, key);
    }
    free(events.known);
    free(events.unknown);
    free(search.seen);
}
