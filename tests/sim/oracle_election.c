// SPDX-License-Identifier: Apache-2.0
// Who may lead, and with which log: phase 1 as seen from outside, from the promises that a candidate was
// given and the log that it then leads with.
#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"
#include "server/forward.h"
#include "tests/sim/oracle_internal.h"

#define QUIET_NS (2 * SECOND_NS) // until then a quiet cluster has found its leader

// ---- Phase 1 -----------------------------------------------------------------------------------

static int compare_claims(const struct claim *a, const struct claim *b)
{
    int order = ballot_compare(a->log_ballot, b->log_ballot);

    return order != 0 ? order : (a->last > b->last) - (a->last < b->last);
}

// The same voter may state more than one, all true; the lowest asks for the least.
static void keep_claim(struct node *node, const struct paxos_message *promise)
{
    struct campaign *campaign = &node->world->oracle->campaigns[node->index];
    struct claim claim = {
        .log_ballot = promise->log_ballot, .last = promise->last, .hash = promise->hash};

    if (promise->from == 0 || promise->from > node->world->swarm.voters ||
        ballot_compare(promise->ballot, campaign->ballot) < 0)
        return;
    if (ballot_compare(campaign->ballot, promise->ballot) != 0)
        *campaign = (struct campaign){.ballot = promise->ballot};
    uint16_t from = (uint16_t)(promise->from - 1);
    if ((campaign->from >> from & 1) == 0 || compare_claims(&claim, &campaign->claims[from]) < 0)
        campaign->claims[from] = claim;
    campaign->from |= 1u << from;
}

void oracle_delivered(struct node *node, const uint8_t *data, size_t length)
{
    struct paxos_message message;

    if (length < 2 || data[0] != FRAME_PAXOS || data[1] != MESSAGE_PROMISE ||
        paxos_message_decode(data + 1, length - 1, &message) != ERROR_OK)
        return;
    if (message.ballot.node == node->id)
        keep_claim(node, &message);
    paxos_message_release(&message);
}

// Where the log that it adopted ends: before the first entry of its ballot, if there was room for one.
static struct claim adopted(const struct node *node)
{
    struct claim claim = {.last = node->status.last};

    for (paxos_slot slot = claim.last; slot > node->status.applied; slot--) {
        const struct entry *entry = paxos_entry(node->paxos, slot);
        if (slot == claim.last)
            claim.hash = entry->hash;
        if (ballot_compare(entry->origin, node->status.ballot) != 0)
            break;
        claim.last = slot - 1;
        claim.hash = entry->prev_hash;
    }
    return claim;
}

// 3: the log is the best claim of a quorum of voters, itself among them.
static void check_adopted(struct node *node, paxos_slot own_last)
{
    struct world *world = node->world;
    const struct campaign *campaign = &world->oracle->campaigns[node->index];
    struct claim own = {.log_ballot = node->shadow.log_ballot, .last = own_last};
    struct claim chosen = adopted(node);
    uint32_t from = campaign->from;
    bool named = false;
    size_t below = 0;

    if (ballot_compare(campaign->ballot, node->status.ballot) != 0)
        from = 0;
    if (chosen.last == own_last && (chosen.last > node->shadow.last ||
                                    shadow_holds(&node->shadow, chosen.last, chosen.hash))) {
        named = true;
        chosen.log_ballot = own.log_ballot;
    }
    for (size_t i = 0; i < world->swarm.voters; i++) {
        const struct claim *claim = &campaign->claims[i];
        if ((from >> i & 1) == 0 || claim->last != chosen.last ||
            !hash128_equal(claim->hash, chosen.hash))
            continue;
        named = true;
        if (ballot_compare(claim->log_ballot, chosen.log_ballot) > 0)
            chosen.log_ballot = claim->log_ballot;
    }
    below = compare_claims(&own, &chosen) <= 0;
    for (size_t i = 0; i < world->swarm.voters; i++)
        below += (from >> i & 1) != 0 && compare_claims(&campaign->claims[i], &chosen) <= 0;
    if (!named || below < world_quorum(world))
        world_fail(world, SIM_CORRECTNESS, "phase-1",
                   "node %u leads in ballot %" PRIu64 ".%u with the log %" PRIu64
                   ".%u up to slot %" PRIu64 ", %s of %zu voters' claims, itself included",
                   node->id, node->status.ballot.round, node->status.ballot.node,
                   chosen.log_ballot.round, chosen.log_ballot.node, chosen.last,
                   named ? "which is not the best" : "which is none", below);
}

// ---- Leaders -----------------------------------------------------------------------------------

static struct leadership *find_leadership(struct oracle *oracle, struct ballot ballot)
{
    for (size_t i = oracle->leader_count; i-- > 0;) {
        if (ballot_compare(oracle->leaders[i].ballot, ballot) == 0)
            return &oracle->leaders[i];
    }
    return NULL;
}

// 9: a new leader of the highest ballot has everything that was decided below it.
static void check_complete(struct node *node)
{
    const struct oracle *oracle = node->world->oracle;
    const struct paxos_status *status = &node->status;

    for (size_t i = 0; i < oracle->leader_count; i++) {
        if (ballot_compare(oracle->leaders[i].ballot, status->ballot) > 0)
            return;
    }
    if (status->last < oracle->count)
        world_fail(node->world, SIM_CORRECTNESS, "completeness",
                   "node %u leads in ballot %" PRIu64 ".%u with a log up to slot %" PRIu64
                   ", but slot %zu is decided",
                   node->id, status->ballot.round, status->ballot.node, status->last,
                   oracle->count);
}

// 4: who leads has durable promises of a quorum of voters, and votes itself.
static void check_elected(struct node *node)
{
    struct world *world = node->world;
    struct ballot ballot = node->status.ballot;
    size_t promises = 0;

    for (size_t i = 0; i < world->swarm.voters; i++)
        promises += ballot_compare(oracle_disk(&world->nodes[i])->promised, ballot) >= 0;
    if (promises < world_quorum(world) || node->index >= world->swarm.voters)
        world_fail(world, SIM_CORRECTNESS, "one-leader",
                   "node %u leads in ballot %" PRIu64 ".%u, which %zu of %zu voters have promised",
                   node->id, ballot.round, ballot.node, promises, world->swarm.voters);
}

void oracle_stepped(struct node *node)
{
    struct oracle *oracle = node->world->oracle;
    const struct paxos_status *status = &node->status;

    if (status->role != PAXOS_LEADER)
        return;
    struct leadership *known = find_leadership(oracle, status->ballot);
    if (known != NULL && known->run == node->run && status->ballot.node == node->id)
        return;
    if (known != NULL || status->ballot.node != node->id)
        world_fail(node->world, SIM_CORRECTNESS, "one-leader",
                   "node %u leads in ballot %" PRIu64 ".%u, which is not its own to lead in",
                   node->id, status->ballot.round, status->ballot.node);
    check_elected(node);
    check_adopted(node, node->candidate_last);
    check_complete(node);
    if (oracle->leader_count == oracle->leader_capacity) {
        oracle->leader_capacity = oracle->leader_capacity * 2 + 64;
        oracle->leaders =
            memory_realloc(oracle->leaders, oracle->leader_capacity * sizeof *oracle->leaders);
    }
    oracle->leaders[oracle->leader_count++] =
        (struct leadership){.ballot = status->ballot, .run = node->run};
    world_count(node->world, COUNT_LEADERS);
    if (node->world->mode == MODE_QUIET && node->world->now_ns > QUIET_NS)
        world_fail(node->world, SIM_CORRECTNESS, "quiet",
                   "node %u leads although nothing happened to the leader before", node->id);
}
