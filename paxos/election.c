// SPDX-License-Identifier: Apache-2.0
// Who leads: ballot leader election as in OmniPaxos (Ng, Haridi, Carbone, EuroSys '23), so that one
// node with a quorum of links is enough for progress, and a leader that works is not disturbed.
//
// In each round a node asks all others; those that answer within the round are its neighbours. A node
// is happy when its leader answers and is happy itself; a leader is happy while a quorum follows it.
// An unhappy node whose neighbours are all unhappy, and which has a quorum of them, takes over with a
// higher ballot. A leader that is not healthy (its disk or its loop is stuck) is not happy.
#include "base/assert.h"
#include "paxos/core.h"

enum {
    URGENT_ROUND_US = 10000, // after the loss of the leader's connection
    URGENT_ROUNDS = 5,
    RANK_DELAY_US = 5000,   // between candidates of different claims
    MISSES_MAX = 2,         // rounds in a row that end an agreement: one reply may be late
    UNHAPPY_ROUNDS_MAX = 2, // of a leader without a quorum
    BACK_OFF_MAX = 3,       // doublings
};

static bool elects(const struct paxos *paxos)
{
    for (size_t i = 0; i < paxos->config.voter_count; i++) {
        if (paxos->config.voters[i] == paxos->config.node)
            return true;
    }
    return false;
}

static void see_ballot(struct paxos *paxos, struct ballot ballot)
{
    if (ballot.round > paxos->round_seen)
        paxos->round_seen = ballot.round;
}

// ---- Rounds --------------------------------------------------------------------------------------

static uint64_t round_length_us(const struct paxos *paxos)
{
    uint64_t length = paxos->config.heartbeat_us;

    if (paxos->urgent_rounds > 0)
        return URGENT_ROUND_US < length ? URGENT_ROUND_US : length;
    return length - length / 5 + paxos->random % (length * 2 / 5 + 1);
}

static void fill_heartbeat(const struct paxos *paxos, struct paxos_message *message, uint64_t round)
{
    message->round = round;
    message->leader = paxos->leader_ballot;
    message->happy = paxos->happy;
    message->promised = paxos->promised;
    message->log_ballot = paxos->log_ballot;
    message->last = paxos->log.last;
    message->decided = paxos->decided;
}

static void start_round(struct paxos *paxos)
{
    paxos->round++;
    paxos->round_ends_us = paxos->now_us + round_length_us(paxos);
    paxos->round_began_us = paxos->now_us;
    paxos->round_decided = paxos->decided;
    for (size_t i = 0; i < paxos->peer_count; i++) {
        paxos->peers[i].replied = false;
        struct paxos_message *message =
            paxos__message(paxos, paxos->peers[i].node, MESSAGE_HEARTBEAT, paxos->own);
        if (message != NULL)
            fill_heartbeat(paxos, message, paxos->round);
    }
}

static bool leads_ballot(const struct paxos *paxos)
{
    return paxos->role != PAXOS_FOLLOWER && ballot_equal(paxos->own, paxos->leader_ballot);
}

static bool leader_is_happy(struct paxos *paxos)
{
    size_t followers = 1;
    bool better = false;

    for (size_t i = 0; i < paxos->peer_count; i++) {
        const struct peer *peer = &paxos->peers[i];
        if (!peer->voter || !peer->replied)
            continue;
        followers += !ballot_less(paxos->own, peer->leader);
        better = better || (ballot_less(paxos->own, peer->leader) && peer->happy);
    }
    if (paxos->role == PAXOS_LEADER && followers >= paxos->quorum) {
        paxos->confirmed_us = paxos->round_began_us;
        paxos->confirmed_decided = paxos->round_decided;
    }
    return paxos->healthy && (followers >= paxos->quorum || better);
}

static bool follower_is_happy(const struct paxos *paxos, bool heard)
{
    if (paxos->leader_ballot.round == 0)
        return false; // nobody leads, so nobody agrees with anybody
    if (heard)
        return true;
    for (size_t i = 0; i < paxos->peer_count; i++) {
        const struct peer *peer = &paxos->peers[i];
        if (peer->replied && peer->happy && ballot_equal(peer->ballot, paxos->leader_ballot))
            return true;
    }
    return false;
}

// Whether this node may take over: it is healthy, all neighbours are unhappy and they are a quorum.
static bool may_take_over(const struct paxos *paxos)
{
    size_t voters = 1;

    for (size_t i = 0; i < paxos->peer_count; i++) {
        const struct peer *peer = &paxos->peers[i];
        if (!peer->voter || !peer->replied)
            continue;
        if (peer->happy)
            return false;
        voters++;
    }
    return voters >= paxos->quorum && paxos->healthy && elects(paxos);
}

// How many neighbours have a better claim to lead, so that the best one asks first.
static unsigned rank(const struct paxos *paxos)
{
    unsigned better = 0;

    for (size_t i = 0; i < paxos->peer_count; i++) {
        const struct peer *peer = &paxos->peers[i];
        if (!peer->voter || !peer->replied)
            continue;
        int order = ballot_compare(peer->seen_log_ballot, paxos->log_ballot);
        if (order == 0)
            order = (peer->seen_last > paxos->log.last) - (peer->seen_last < paxos->log.last);
        if (order == 0)
            order = peer->node < paxos->config.node ? 1 : -1;
        better += order > 0;
    }
    return better;
}

static void plan_campaign(struct paxos *paxos, bool urgent)
{
    uint64_t delay_us = rank(paxos) * (uint64_t)RANK_DELAY_US;

    if (paxos->preempted > 0 || !urgent)
        delay_us += paxos->random %
                    ((paxos->config.heartbeat_us << paxos->preempted) / (urgent ? 1 : 2) + 1);
    paxos->campaign_us = paxos->now_us + delay_us;
}

static void count_unhappy_leadership(struct paxos *paxos)
{
    if (paxos->role != PAXOS_LEADER || paxos->happy) {
        paxos->unhappy_rounds = 0;
        return;
    }
    if (++paxos->unhappy_rounds > UNHAPPY_ROUNDS_MAX && paxos->healthy)
        paxos__step_down(paxos);
}

// A claim that was heard of, and for which nobody asked a promise or stands any more, is forgotten, as a
// restart would: a node that waited for its claimant would not follow the leader whom all others have.
static void forget_claim(struct paxos *paxos)
{
    if (!leads_ballot(paxos) && ballot_less(paxos->promised, paxos->leader_ballot))
        paxos->leader_ballot = paxos->promised;
}

static void end_round(struct paxos *paxos)
{
    bool urgent = paxos->urgent_rounds > 0;
    bool heard = paxos->heard_leader_us + paxos->config.heartbeat_us > paxos->now_us && !urgent;

    for (size_t i = 0; i < paxos->peer_count; i++) {
        const struct peer *peer = &paxos->peers[i];
        if (peer->replied && ballot_less(paxos->leader_ballot, peer->ballot))
            paxos->leader_ballot = peer->ballot;
    }
    bool content = leads_ballot(paxos) ? leader_is_happy(paxos) : follower_is_happy(paxos, heard);
    paxos->misses = content ? 0 : paxos->misses + 1;
    bool certain = urgent || paxos->leader_unhappy || !paxos->healthy;
    paxos->happy = content || (paxos->happy && !certain && paxos->misses < MISSES_MAX);
    if (!paxos->happy)
        forget_claim(paxos);
    count_unhappy_leadership(paxos);
    if (urgent)
        paxos->urgent_rounds--;
    if (paxos->happy)
        paxos->urgent_rounds = 0;
    if (!paxos->happy && may_take_over(paxos)) {
        if (paxos->campaign_us == 0)
            plan_campaign(paxos, urgent);
    } else {
        paxos->campaign_us = 0;
    }
    start_round(paxos);
}

// All that the leader has left behind have replied, and none is content any more: there is nothing to wait
// for. One that is may not have noticed yet; the round then takes its time.
static bool all_agree_that_it_is_gone(const struct paxos *paxos)
{
    for (size_t i = 0; i < paxos->peer_count; i++) {
        const struct peer *peer = &paxos->peers[i];
        if (peer->voter && peer->node != paxos->leader_ballot.node &&
            (!peer->replied || peer->happy))
            return false;
    }
    return true;
}

static void end_urgent_round(struct paxos *paxos)
{
    if (paxos->urgent_rounds > 0 && all_agree_that_it_is_gone(paxos))
        end_round(paxos);
}

// ---- Events --------------------------------------------------------------------------------------

void paxos__election_start(struct paxos *paxos)
{
    see_ballot(paxos, paxos->promised);
    paxos->leader_ballot = paxos->promised;
    if (paxos->peer_count == 0) {
        paxos__campaign(paxos);
        return;
    }
    paxos->urgent_rounds = URGENT_ROUNDS;
    start_round(paxos);
}

void paxos__election_tick(struct paxos *paxos)
{
    if (paxos->round_ends_us == 0)
        return;
    if (paxos->campaign_us != 0 && paxos->now_us >= paxos->campaign_us) {
        paxos->campaign_us = 0;
        paxos->urgent_rounds = 0;
        paxos__campaign(paxos);
    }
    if (paxos->now_us >= paxos->round_ends_us)
        end_round(paxos);
}

void paxos__on_heartbeat(struct paxos *paxos, const struct paxos_message *message)
{
    bool leads = message->ballot.round > 0 && ballot_equal(message->ballot, message->leader);
    struct paxos_message *reply =
        paxos__message(paxos, message->from, MESSAGE_HEARTBEAT_REPLY, paxos->own);

    if (reply != NULL)
        fill_heartbeat(paxos, reply, message->round);
    see_ballot(paxos, message->ballot);
    see_ballot(paxos, message->leader);
    paxos__peer(paxos, message->from)->happy = message->happy; // newer than its last reply
    if (!leads || ballot_less(message->ballot, paxos->promised)) {
        end_urgent_round(paxos);
        return;
    }
    paxos->leader_unhappy = !message->happy;
    paxos__follow(paxos, message->ballot);
    if (!ballot_equal(message->ballot, paxos->log_ballot) ||
        !ballot_equal(message->ballot, paxos->promised)) {
        paxos__request_prepare(paxos, message->from);
        return;
    }
    if (paxos->role == PAXOS_FOLLOWER)
        paxos->leader = message->from; // also after a restart, when nothing else comes from it
    paxos__learn_decided(paxos, message->decided);
}

void paxos__on_heartbeat_reply(struct paxos *paxos, const struct paxos_message *message)
{
    struct peer *peer = paxos__peer(paxos, message->from);

    see_ballot(paxos, message->promised);
    see_ballot(paxos, message->leader);
    if (paxos->role == PAXOS_LEADER && paxos->happy && ballot_less(paxos->own, message->promised)) {
        paxos__campaign(paxos); // it can only join a ballot above its promise
        return;
    }
    if (message->round != paxos->round)
        return;
    peer->replied = true;
    peer->happy = message->happy;
    peer->ballot = message->ballot;
    peer->leader = message->leader;
    peer->seen_log_ballot = message->log_ballot;
    peer->seen_last = message->last;
    end_urgent_round(paxos);
}

void paxos__on_peer_down(struct paxos *paxos, uint16_t node)
{
    if (paxos->round_ends_us == 0 || leads_ballot(paxos) || node != paxos->leader_ballot.node)
        return;
    paxos->happy = false;
    paxos->heard_leader_us = 0;
    paxos->urgent_rounds = URGENT_ROUNDS;
    start_round(paxos);
}

void paxos__give_way(struct paxos *paxos, struct ballot ballot)
{
    see_ballot(paxos, ballot);
    if (!ballot_less(paxos->leader_ballot, ballot))
        return;
    paxos->leader_unhappy = false;
    paxos->leader_ballot = ballot;
}

void paxos__follow(struct paxos *paxos, struct ballot ballot)
{
    paxos__give_way(paxos, ballot);
    if (!ballot_equal(ballot, paxos->leader_ballot) || paxos->leader_unhappy)
        return;
    paxos->heard_leader_us = paxos->now_us;
    paxos->happy = true;
    paxos->campaign_us = 0;
    if (!ballot_equal(ballot, paxos->own))
        paxos->preempted = 0;
}

void paxos__preempted(struct paxos *paxos, struct ballot ballot)
{
    see_ballot(paxos, ballot);
    if (paxos->preempted < BACK_OFF_MAX)
        paxos->preempted++;
    paxos->happy = false;
    paxos__step_down(paxos);
}

uint64_t paxos__election_deadline_us(const struct paxos *paxos)
{
    if (paxos->round_ends_us == 0)
        return UINT64_MAX;
    if (paxos->campaign_us != 0 && paxos->campaign_us < paxos->round_ends_us)
        return paxos->campaign_us;
    return paxos->round_ends_us;
}
