// SPDX-License-Identifier: Apache-2.0
// The log as the whole cluster agreed on it: a slot gets its value when the first node knows it
// decided, and keeps it for ever, over every restart.
#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"
#include "storage/position.h"
#include "tests/sim/oracle_internal.h"

void oracle_make(struct world *world)
{
    world->oracle = memory_zalloc(sizeof *world->oracle);
}

void oracle_free(struct world *world)
{
    struct oracle *oracle = world->oracle;

    for (size_t i = 0; i < oracle->count; i++)
        blob_unref(oracle->slots[i].entry.value);
    free(oracle->slots);
    free(oracle->leaders);
    map_deinit(&oracle->proposed);
    free(oracle);
}

static struct decided_slot *slot_of(const struct world *world, paxos_slot slot)
{
    return &world->oracle->slots[slot - 1];
}

static void add(struct world *world, const struct entry *entry)
{
    struct oracle *oracle = world->oracle;

    if (oracle->count == oracle->capacity) {
        oracle->capacity = oracle->capacity * 2 + 256;
        oracle->slots = memory_realloc(oracle->slots, oracle->capacity * sizeof *oracle->slots);
    }
    oracle->slots[oracle->count++] =
        (struct decided_slot){.entry = *entry, .decided_ns = world->now_ns};
    blob_ref(entry->value);
    world_count(world, COUNT_SLOTS);
    world_note(world, &entry->hash, sizeof entry->hash);
}

// 8: at the instant of the decision a quorum of voters' disks holds the entry; when a leader counts
// the votes, in the leader's ballot or, where a later leader has adopted it, in a higher one.
static void check_durable(struct node *node, const struct entry *entry)
{
    struct world *world = node->world;
    bool leads = node->status.role == PAXOS_LEADER;
    size_t holders = 0;

    for (size_t i = 0; i < world->swarm.voters; i++) {
        const struct shadow *shadow = oracle_disk(&world->nodes[i]);
        if (leads && ballot_compare(shadow->log_ballot, node->status.ballot) < 0)
            continue;
        holders += shadow_holds(shadow, entry->slot, entry->hash);
    }
    if (holders < world_quorum(world))
        world_fail(world, SIM_CORRECTNESS, "durability",
                   "node %u takes slot %" PRIu64 " for decided, which %zu of %zu disks hold%s",
                   node->id, entry->slot, holders, world->swarm.voters,
                   leads ? " in its ballot" : "");
}

// 5: who knows what was decided in a ballot has promised that ballot: else it could let a stale
// candidate win that knows less.
static void check_promised(struct node *node, struct decided_slot *decided)
{
    const struct paxos_status *status = &node->status;

    if (status->role == PAXOS_LEADER &&
        (decided->ballot.round == 0 || ballot_compare(status->ballot, decided->ballot) < 0))
        decided->ballot = status->ballot;
    if (ballot_compare(status->ballot, decided->ballot) < 0)
        world_fail(node->world, SIM_CORRECTNESS, "promise",
                   "node %u knows slot %" PRIu64 " that ballot %" PRIu64
                   ".%u decided, but has promised only %" PRIu64 ".%u",
                   node->id, decided->entry.slot, decided->ballot.round, decided->ballot.node,
                   status->ballot.round, status->ballot.node);
}

void oracle_executing(struct node *node, const struct entry *entry)
{
    struct world *world = node->world;

    if (!shadow_holds(&node->shadow, entry->slot, entry->hash))
        world_fail(world, SIM_CORRECTNESS, "durability",
                   "node %u executes slot %" PRIu64 ", which its own disk does not hold", node->id,
                   entry->slot);
    if (entry->slot > world->oracle->count ||
        !hash128_equal(slot_of(world, entry->slot)->entry.hash, entry->hash))
        world_fail(world, SIM_CORRECTNESS, "agreement",
                   "node %u executes slot %" PRIu64 ", which was not decided so", node->id,
                   entry->slot);
    if (ballot_compare(node->shadow.promised, slot_of(world, entry->slot)->ballot) < 0)
        world_fail(world, SIM_CORRECTNESS, "promise",
                   "node %u executes slot %" PRIu64
                   " before its promise of the ballot that decided it is durable",
                   node->id, entry->slot);
}

void oracle_decided(struct node *node, const struct entry *entry)
{
    struct world *world = node->world;

    check_durable(node, entry);
    if (entry->slot > world->oracle->count + 1)
        world_fail(world, SIM_CORRECTNESS, "agreement",
                   "node %u takes slot %" PRIu64 " for decided, but not the one before", node->id,
                   entry->slot);
    if (entry->slot == world->oracle->count + 1)
        add(world, entry);
    struct decided_slot *known = slot_of(world, entry->slot);
    if (!hash128_equal(known->entry.hash, entry->hash))
        world_fail(world, SIM_CORRECTNESS, "agreement",
                   "node %u takes slot %" PRIu64 " for decided with the value of ballot %" PRIu64
                   ".%u, decided was that of %" PRIu64 ".%u",
                   node->id, entry->slot, entry->origin.round, entry->origin.node,
                   known->entry.origin.round, known->entry.origin.node);
    check_promised(node, known);
}

// Everything that is not in the digest: counts, and how far back the history reaches.
static uint64_t position_hash(const struct state_position *position)
{
    struct buffer encoded = {0};

    position_write(&encoded, position);
    uint64_t hash = hash64(encoded.data, encoded.length, 0);
    buffer_deinit(&encoded);
    return hash;
}

void oracle_executed(struct node *node, paxos_slot slot, const struct state_position *position,
                     uint64_t results)
{
    struct decided_slot *decided = slot_of(node->world, slot);
    uint64_t hash = position_hash(position);

    if (!decided->executed) {
        decided->executed = true;
        decided->digest = position->digest;
        decided->position = hash;
        decided->results = results;
    }
    if (!hash128_equal(decided->digest, position->digest))
        world_fail(node->world, SIM_CORRECTNESS, "digest",
                   "node %u has another state than others after slot %" PRIu64, node->id, slot);
    if (decided->position != hash)
        world_fail(node->world, SIM_CORRECTNESS, "position",
                   "node %u counts otherwise than others after slot %" PRIu64, node->id, slot);
    if (decided->results != results)
        world_fail(node->world, SIM_CORRECTNESS, "results",
                   "node %u computed other results than others in slot %" PRIu64, node->id, slot);
}

void oracle_position(struct node *node, const struct state_position *position)
{
    struct world *world = node->world;

    if (position->applied == 0)
        return;
    if (position->applied > world->oracle->count)
        world_fail(world, SIM_CORRECTNESS, "agreement",
                   "node %u recovered slot %" PRIu64 ", which was never decided", node->id,
                   position->applied);
    struct decided_slot *decided = slot_of(world, position->applied);
    check_promised(node, decided);
    if (!hash128_equal(decided->entry.hash, position->hash))
        world_fail(world, SIM_CORRECTNESS, "agreement",
                   "node %u recovered another slot %" PRIu64 " than was decided", node->id,
                   position->applied);
    if (decided->executed && !hash128_equal(decided->digest, position->digest))
        world_fail(world, SIM_CORRECTNESS, "digest",
                   "node %u recovered another state than others at slot %" PRIu64, node->id,
                   position->applied);
    if (decided->executed && decided->position != position_hash(position))
        world_fail(world, SIM_CORRECTNESS, "position",
                   "node %u counts otherwise than others at slot %" PRIu64, node->id,
                   position->applied);
}

paxos_slot oracle_last(const struct world *world)
{
    return world->oracle->count;
}

const struct entry *oracle_entry(const struct world *world, paxos_slot slot)
{
    return &slot_of(world, slot)->entry;
}

struct hash128 oracle_digest(const struct world *world, paxos_slot slot, bool *known)
{
    *known = slot_of(world, slot)->executed;
    return slot_of(world, slot)->digest;
}

bool oracle_contradicts(const struct node *node)
{
    paxos_slot next = node->status.decided + 1;

    return node->up && next <= node->status.last && next <= oracle_last(node->world) &&
           !hash128_equal(paxos_entry(node->paxos, next)->hash,
                          slot_of(node->world, next)->entry.hash);
}
