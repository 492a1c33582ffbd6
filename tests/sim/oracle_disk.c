// SPDX-License-Identifier: Apache-2.0
// Nothing leaves a node that its disk does not say, and no crash takes back what left.
#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"
#include "tests/sim/oracle_internal.h"

void oracle_recovered(struct node *node)
{
    struct world *world = node->world;
    struct shadow found = {0};
    struct failure failure = {0};

    if (shadow_read(&found, node->disk, &node->identity, world->swarm.segment_bytes, &failure) !=
        ERROR_OK)
        world_fail(world, SIM_CORRECTNESS, "amnesia", "node %u: %s", node->id, failure.text);
    bool same = shadow_equal(&found, &node->shadow);
    bool torn = node->has_torn && shadow_equal(&found, &node->torn);
    if (!same && !torn)
        world_fail(world, SIM_CORRECTNESS, "amnesia",
                   "node %u comes back with promised %" PRIu64 ".%u log %" PRIu64
                   ".%u last %" PRIu64 ", its disk had %" PRIu64 ".%u, %" PRIu64 ".%u, %" PRIu64,
                   node->id, found.promised.round, found.promised.node, found.log_ballot.round,
                   found.log_ballot.node, found.last, node->shadow.promised.round,
                   node->shadow.promised.node, node->shadow.log_ballot.round,
                   node->shadow.log_ballot.node, node->shadow.last);
    if (ballot_compare(found.promised, node->sent_promise) < 0)
        world_fail(world, SIM_CORRECTNESS, "amnesia",
                   "node %u forgot its promise of %" PRIu64 ".%u", node->id,
                   node->sent_promise.round, node->sent_promise.node);
    shadow_copy(&node->shadow, &found);
    shadow_deinit(&found);
    shadow_deinit(&node->torn);
    node->has_torn = false;
}

// ---- Votes -------------------------------------------------------------------------------------

static void vote_fails(struct node *node, const struct paxos_message *message, const char *what)
{
    world_fail(node->world, SIM_CORRECTNESS, "vote",
               "node %u sends %s of ballot %" PRIu64 ".%u with log %" PRIu64 ".%u last %" PRIu64
               ": %s; its disk has promised %" PRIu64 ".%u log %" PRIu64 ".%u last %" PRIu64,
               node->id, paxos_message_name(message->type), message->ballot.round,
               message->ballot.node, message->log_ballot.round, message->log_ballot.node,
               message->last, what, node->shadow.promised.round, node->shadow.promised.node,
               node->shadow.log_ballot.round, node->shadow.log_ballot.node, node->shadow.last);
}

// The claim may have been overtaken by a later SYNC only if another ballot was promised since.
static void check_promise(struct node *node, const struct paxos_message *message)
{
    const struct shadow *shadow = &node->shadow;

    if (ballot_compare(shadow->promised, message->ballot) < 0)
        vote_fails(node, message, "the promise is not durable");
    if (ballot_compare(shadow->log_ballot, message->log_ballot) < 0)
        vote_fails(node, message, "the claimed log is not durable");
    if (ballot_compare(shadow->log_ballot, message->log_ballot) == 0 &&
        !shadow_holds(shadow, message->last, message->hash))
        vote_fails(node, message, "the claimed last slot is not durable");
    if (ballot_compare(message->ballot, node->sent_promise) > 0)
        node->sent_promise = message->ballot;
}

static void check_accepted(struct node *node, const struct paxos_message *message)
{
    const struct shadow *shadow = &node->shadow;

    if (ballot_compare(shadow->log_ballot, message->ballot) < 0)
        vote_fails(node, message, "the ballot's log is not durable");
    if (ballot_compare(shadow->log_ballot, message->ballot) == 0 &&
        !shadow_holds(shadow, message->last, message->hash))
        vote_fails(node, message, "the accepted slot is not durable");
}

static void check_own_ballot(struct node *node, const struct paxos_message *message)
{
    if (message->ballot.node != node->id)
        vote_fails(node, message, "the ballot is another node's");
    if (ballot_compare(node->shadow.promised, message->ballot) < 0)
        vote_fails(node, message, "the own promise is not durable");
    if (node->index >= node->world->swarm.voters)
        vote_fails(node, message, "a learner has no ballot");
}

void oracle_sent(struct node *node, const struct paxos_message *message)
{
    switch (message->type) {
    case MESSAGE_PROMISE:
        check_promise(node, message);
        break;
    case MESSAGE_ACCEPTED:
        check_accepted(node, message);
        break;
    case MESSAGE_PREPARE:
        world_count(node->world, COUNT_CAMPAIGNS);
        check_own_ballot(node, message);
        break;
    case MESSAGE_ACCEPT:
    case MESSAGE_ACCEPT_SYNC:
        check_own_ballot(node, message);
        break;
    default:
        break;
    }
}

#define QUIET_NS (2 * SECOND_NS) // until then a quiet cluster has found its leader

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
        promises += ballot_compare(world->nodes[i].shadow.promised, ballot) >= 0;
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
