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

// The claim may have been overtaken by a later SYNC only if another ballot was promised since; or by a
// LEARN in the same flush, of something else that is decided, so that nobody will adopt what it names.
static void check_promise(struct node *node, const struct paxos_message *message)
{
    const struct shadow *shadow = &node->shadow;

    if (ballot_compare(shadow->promised, message->ballot) < 0)
        vote_fails(node, message, "the promise is not durable");
    if (ballot_compare(shadow->log_ballot, message->log_ballot) < 0)
        vote_fails(node, message, "the claimed log is not durable");
    if (ballot_compare(shadow->log_ballot, message->log_ballot) == 0 &&
        !shadow_held(shadow, message->last, message->hash))
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
