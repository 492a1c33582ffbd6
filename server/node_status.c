// SPDX-License-Identifier: Apache-2.0
// A reason is a sentence for the operator: what is missing, and how much.
#include "server/node_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

enum {
    SILENT_NS = 1000000000, // a peer that has said nothing for so long is not healthy
    LAG_SLOTS = 10000,      // a node that is further behind is not ready
    OLD_US = 5000000,       // nor is one whose state is older, however little is missing
};

static enum member_role role_of(enum paxos_role role)
{
    switch (role) {
    case PAXOS_FOLLOWER:
        return ROLE_FOLLOWER;
    case PAXOS_CANDIDATE:
        return ROLE_CANDIDATE;
    case PAXOS_LEADER:
        return ROLE_LEADER;
    }
    UNREACHABLE();
}

static const struct core_loop_peer *peer_of(const struct core_loop_status *loop, uint16_t node)
{
    for (size_t i = 0; i < loop->peer_count; i++) {
        if (loop->peers[i].node == node)
            return &loop->peers[i];
    }
    return NULL;
}

static bool heard_lately(const struct node_facts *facts, const struct core_loop_peer *peer)
{
    return peer != NULL && peer->heard_ns != 0 && facts->now_ns < peer->heard_ns + SILENT_NS;
}

// ---- Members -----------------------------------------------------------------------------------

static void fill_self(const struct node_facts *facts, const struct core_loop_status *loop,
                      struct member_status *member)
{
    member->role = role_of(loop->paxos.role);
    member->zxid = facts->zxid;
    member->disk_full = facts->disk_full;
    member->healthy = true;
}

static void fill_peer(const struct node_facts *facts, const struct core_loop_peer *peer,
                      struct member_status *member)
{
    member->role = ROLE_STARTING;
    member->healthy = heard_lately(facts, peer);
    if (peer == NULL || peer->heard_ns == 0)
        return;
    member->role = role_of(peer->report.role);
    member->zxid = peer->report.zxid;
    member->disk_full = peer->report.disk_full;
}

static void fill_lags(struct node_status *status)
{
    uint64_t highest = 0;

    for (size_t i = 0; i < status->member_count; i++) {
        if (status->members[i].zxid > highest)
            highest = status->members[i].zxid;
    }
    for (size_t i = 0; i < status->member_count; i++)
        status->members[i].lag_zxids = highest - status->members[i].zxid;
}

static void fill_members(const struct node_facts *facts, const struct core_loop_status *loop,
                         struct node_status *status)
{
    const struct identity *identity = facts->identity;

    status->member_count = identity->member_count;
    for (size_t i = 0; i < identity->member_count; i++) {
        struct member_status *member = &status->members[i];
        uint16_t node = identity->members[i].node;
        const struct peer_entry *entry = peer_list_find(facts->list, node);
        *member = (struct member_status){.id = node};
        if (entry != NULL)
            peer_entry_text(entry, member->peer);
        if (node == identity->node)
            fill_self(facts, loop, member);
        else
            fill_peer(facts, peer_of(loop, node), member);
    }
    fill_lags(status);
}

// ---- Whether it serves, and why not --------------------------------------------------------------

// How far this node is behind what the leader has executed.
static uint64_t lag_slots(const struct core_loop_status *loop, uint16_t leader)
{
    const struct core_loop_peer *peer = peer_of(loop, leader);

    if (peer == NULL || peer->report.applied <= loop->paxos.applied)
        return 0;
    return peer->report.applied - loop->paxos.applied;
}

static size_t count_reachable(const struct node_facts *facts, const struct core_loop_status *loop)
{
    size_t count = 1;

    for (size_t i = 0; i < loop->peer_count; i++)
        count += heard_lately(facts, &loop->peers[i]);
    return count;
}

static void explain_no_leader(const struct node_facts *facts, const struct core_loop_status *loop,
                              struct node_status *status)
{
    size_t members = facts->identity->member_count;
    size_t reachable = count_reachable(facts, loop);

    if (reachable < members / 2 + 1)
        snprintf(status->reason, sizeof status->reason,
                 "no quorum: this node reaches %zu of %zu members, itself included, and %zu are "
                 "needed",
                 reachable, members, members / 2 + 1);
    else
        snprintf(status->reason, sizeof status->reason, "no leader is known; one is being elected");
}

// A follower serves while its leader does, that is while it hears of it.
static bool follows_well(const struct node_facts *facts, const struct core_loop_status *loop)
{
    const struct core_loop_peer *leader = peer_of(loop, loop->paxos.leader);

    return heard_lately(facts, leader) && leader->report.serving;
}

// Few slots for long are behind as well: the node may be stuck, and it would not tell by their number.
static bool is_behind(const struct node_facts *facts, const struct core_loop_status *loop,
                      struct node_status *status)
{
    uint64_t lag = lag_slots(loop, loop->paxos.leader);

    if (loop->paxos.role == PAXOS_LEADER || (lag <= LAG_SLOTS && facts->age_us <= OLD_US))
        return false;
    if (facts->age_us <= OLD_US || facts->age_us == UINT64_MAX)
        snprintf(status->reason, sizeof status->reason,
                 "the node is catching up: %" PRIu64 " slots behind the leader", lag);
    else
        snprintf(status->reason, sizeof status->reason,
                 "the node is behind: what it holds is %" PRIu64 " s old, %" PRIu64
                 " slots behind the leader",
                 facts->age_us / 1000000, lag);
    return true;
}

static void fill_serving(const struct node_facts *facts, const struct core_loop_status *loop,
                         struct node_status *status)
{
    status->serving = false;
    if (facts->draining)
        snprintf(status->reason, sizeof status->reason, "the node is shutting down");
    else if (loop->paxos.leader == 0)
        explain_no_leader(facts, loop, status);
    else if (loop->paxos.role == PAXOS_LEADER && !loop->paxos.serving)
        snprintf(status->reason, sizeof status->reason, "the node has not become leader yet");
    else if (loop->paxos.role != PAXOS_LEADER && !follows_well(facts, loop))
        snprintf(status->reason, sizeof status->reason,
                 "the leader, node %u, does not answer or is not ready",
                 (unsigned)loop->paxos.leader);
    else
        status->serving = !is_behind(facts, loop, status);
}

void node_status_fill(const struct node_facts *facts, const struct core_loop_status *loop,
                      struct node_status *status)
{
    *status = (struct node_status){.node = facts->identity->node,
                                   .leader = loop->paxos.leader,
                                   .ballot = loop->paxos.ballot,
                                   .config_epoch = loop->paxos.epoch,
                                   .zxid = facts->zxid,
                                   .decided = loop->paxos.decided,
                                   .applied = loop->paxos.applied,
                                   .draining = facts->draining,
                                   .disk_full = facts->disk_full};
    memcpy(status->cluster, facts->identity->cluster, sizeof status->cluster);
    fill_members(facts, loop, status);
    fill_serving(facts, loop, status);
}
