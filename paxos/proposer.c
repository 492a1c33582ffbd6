// SPDX-License-Identifier: Apache-2.0
// Phase 1 of this node's own ballot: promise, prepare, adopt the best log of a quorum, lead.
//
// The promise to itself counts only when its record is durable; it comes back through
// PAXOS_PERSISTED like everybody else's.
#include "base/assert.h"
#include "paxos/core.h"

enum { FETCH_HEARTBEATS = 3 }; // after which the entries of another node are asked for

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void paxos__step_down(struct paxos *paxos)
{
    if (paxos->role == PAXOS_FOLLOWER)
        return;
    paxos->role = PAXOS_FOLLOWER;
    if (paxos->leader == paxos->config.node)
        paxos->leader = 0;
    paxos->transferring = false;
    paxos->fetching_from = 0;
    paxos->unhappy_rounds = 0;
    paxos__fail_reads(paxos);
}

// A node never leads a ballot that it may have promised before: the round is above every one that it
// has seen, and the promise is durable before anything else happens in the ballot.
void paxos__campaign(struct paxos *paxos)
{
    uint64_t round =
        larger(larger(paxos->round_seen, paxos->promised.round), paxos->leader_ballot.round) + 1;
    struct ballot ballot = {.round = round, .node = paxos->config.node};

    if (!paxos__may_persist(paxos))
        return;
    ASSERT(ballot_less(paxos->promised, ballot));
    paxos__step_down(paxos);
    paxos->role = PAXOS_CANDIDATE;
    paxos->leader = 0;
    paxos->own = paxos->promised = paxos->leader_ballot = ballot;
    paxos->round_seen = round;
    paxos->happy = true;
    paxos->leader_unhappy = false;
    for (size_t i = 0; i < paxos->peer_count; i++)
        paxos->peers[i].promised = paxos->peers[i].synced = false;
    paxos__record(paxos, RECORD_PROMISE)->ballot = ballot;
    struct persist_note *note = paxos__note(paxos);
    note->promised = true;
    note->promise = (struct paxos_message){.to = paxos->config.node, .ballot = ballot};
}

static void send_prepare(struct paxos *paxos, uint16_t node)
{
    struct paxos_message *message = paxos__message(paxos, node, MESSAGE_PREPARE, paxos->own);

    if (message == NULL)
        return;
    message->log_ballot = paxos->log_ballot;
    message->last = paxos->log.last;
    message->decided = paxos->decided;
}

static void ask_for_promises(struct paxos *paxos)
{
    paxos->sent_us = paxos->now_us;
    for (size_t i = 0; i < paxos->peer_count; i++) {
        if (!paxos->peers[i].promised)
            send_prepare(paxos, paxos->peers[i].node);
    }
}

// ---- Adoption ------------------------------------------------------------------------------------

// The first entry of the ballot. When the adopted log fills the window it has to wait until some of it
// is decided and executed; until then the ballot proposes and serves nothing.
void paxos__start_ballot(struct paxos *paxos)
{
    if (paxos->role != PAXOS_LEADER || paxos->start_slot != 0 || paxos__room(paxos) == 0 ||
        !paxos__may_persist(paxos))
        return;
    struct blob *empty = blob_new(0);
    paxos__append_own(paxos, ENTRY_LEADER_START, empty);
    blob_unref(empty);
    paxos->start_slot = paxos->log.last;
    paxos__send_to_synced(paxos);
}

static void become_leader(struct paxos *paxos, struct ballot from_ballot)
{
    paxos->adopted_ballot = from_ballot;
    paxos->adopted_last = paxos->log.last;
    paxos->role = PAXOS_LEADER;
    paxos->leader = paxos->config.node;
    paxos->fetching_from = 0;
    paxos->preempted = 0;
    paxos->start_slot = 0;
    paxos->leading_since_us = paxos->now_us;
    paxos->leading_since_log_us = paxos->log_time_us;
    paxos__start_ballot(paxos);
    for (size_t i = 0; i < paxos->peer_count; i++) {
        paxos->peers[i].match = 0;
        if (paxos->peers[i].promised)
            paxos__sync_peer(paxos, &paxos->peers[i]);
    }
}

// The ballot's log is what the best claim of a quorum holds, and then the first entry of its own. SYNC
// and all entries are one unit, so log_ballot never names a ballot whose adopted log is not wholly
// here. entries: what is to follow keep.
static void adopt(struct paxos *paxos, struct ballot from_ballot, paxos_slot keep,
                  const struct entry *entries, uint32_t count)
{
    struct hash128 hash = paxos_log_hash(&paxos->log, keep);

    paxos__truncate(paxos, keep);
    struct paxos_record *sync = paxos__record(paxos, RECORD_SYNC);
    sync->ballot = paxos->own;
    sync->slot = keep;
    sync->hash = hash;
    sync->count = count;
    paxos->log_ballot = paxos->own;
    for (uint32_t i = 0; i < count; i++)
        paxos__append(paxos, &entries[i]);
    paxos__note(paxos)->accepted = true;
    become_leader(paxos, from_ballot);
}

static void fetch(struct paxos *paxos)
{
    struct paxos_message *message =
        paxos__message(paxos, paxos->fetching_from, MESSAGE_FETCH, paxos->own);

    if (message == NULL)
        return;
    const struct peer *winner = paxos__peer(paxos, paxos->fetching_from);
    bool same_leader = ballot_equal(winner->log_ballot, paxos->log_ballot);
    message->slot = (same_leader ? paxos->log.last : paxos->decided) + 1;
    message->last = paxos->fetching_to;
}

static const struct peer *best_promise(const struct paxos *paxos)
{
    const struct peer *best = NULL;
    struct ballot log_ballot = paxos->log_ballot;
    paxos_slot last = paxos->log.last;

    for (size_t i = 0; i < paxos->peer_count; i++) {
        const struct peer *peer = &paxos->peers[i];
        if (!peer->voter || !peer->promised)
            continue;
        int order = ballot_compare(peer->log_ballot, log_ballot);
        if (order > 0 || (order == 0 && peer->last > last)) {
            best = peer;
            log_ballot = peer->log_ballot;
            last = peer->last;
        }
    }
    return best;
}

// How many voters have promised our ballot; *decided gets the highest slot that one of them knows.
static size_t count_promises(const struct paxos *paxos, paxos_slot *decided)
{
    size_t count = 1;

    *decided = paxos->decided;
    for (size_t i = 0; i < paxos->peer_count; i++) {
        const struct peer *peer = &paxos->peers[i];
        if (!peer->voter || !peer->promised)
            continue;
        count++;
        if (peer->decided > *decided)
            *decided = peer->decided;
    }
    return count;
}

// The winner is too far ahead to be caught up with: it has to lead, we learn from it.
static void forfeit(struct paxos *paxos)
{
    struct paxos_message *message =
        paxos__message(paxos, paxos->fetching_from, MESSAGE_TRANSFER, paxos->own);

    if (message != NULL)
        message->last = paxos->log.last;
    paxos__step_down(paxos);
    paxos->happy = false;
}

static void try_to_lead(struct paxos *paxos)
{
    paxos_slot decided;

    if (!ballot_equal(paxos->durable_promise, paxos->own) ||
        count_promises(paxos, &decided) < paxos->quorum || paxos->fetching_from != 0)
        return;
    const struct peer *winner = best_promise(paxos);
    if (decided > (winner != NULL ? winner->last : paxos->log.last)) {
        paxos__fault(paxos, PAXOS_DECIDED_MISSING);
        return;
    }
    if (winner == NULL) {
        if (paxos__may_persist(paxos))
            adopt(paxos, paxos->log_ballot, paxos->log.last, NULL, 0);
        return;
    }
    paxos->fetching_from = winner->node;
    paxos->fetching_since_us = paxos->now_us;
    paxos->fetching_to = winner->last;
    paxos->fetching_hash = winner->last_hash;
    if (winner->last > paxos->log.applied + PAXOS_WINDOW)
        forfeit(paxos);
    else
        fetch(paxos);
}

void paxos__promise_durable(struct paxos *paxos)
{
    if (paxos->role != PAXOS_CANDIDATE)
        return;
    ask_for_promises(paxos);
    try_to_lead(paxos);
}

void paxos__on_promise(struct paxos *paxos, const struct paxos_message *message)
{
    struct peer *peer = paxos__peer(paxos, message->from);

    if (paxos->role == PAXOS_FOLLOWER || !ballot_equal(message->ballot, paxos->own))
        return;
    if (paxos->role == PAXOS_CANDIDATE && peer->promised)
        return; // what it promised first is true, and chosen from already
    bool same = peer->promised && ballot_equal(peer->log_ballot, message->log_ballot) &&
                peer->last == message->last && peer->decided == message->decided;
    peer->promised = true;
    peer->log_ballot = message->log_ballot;
    peer->last = message->last;
    peer->last_hash = message->hash;
    peer->decided = message->decided;
    if (paxos->role == PAXOS_CANDIDATE)
        try_to_lead(paxos);
    else if (!same || paxos->now_us >= peer->heard_us + paxos->config.retransmit_us)
        paxos__sync_peer(paxos, peer); // the same again would only go in a circle: the tick does it
}

// Whether the winner's entries lead from our log to exactly what it promised; *same gets how many of
// them we have.
static bool completes(const struct paxos *paxos, const struct paxos_message *message,
                      uint32_t *same)
{
    paxos_slot end = message->slot + message->entry_count;

    if (!paxos_log_knows(&paxos->log, message->slot) || end != paxos->fetching_to ||
        !hash128_equal(message->hash, paxos_log_hash(&paxos->log, message->slot)))
        return false;
    struct hash128 hash =
        message->entry_count > 0 ? message->entries[message->entry_count - 1].hash : message->hash;
    if (!hash128_equal(hash, paxos->fetching_hash))
        return false;
    for (*same = 0; *same < message->entry_count; ++*same) {
        const struct entry *entry = &message->entries[*same];
        if (entry->slot > paxos->log.last ||
            !hash128_equal(entry->hash, paxos_log_hash(&paxos->log, entry->slot)))
            break;
    }
    return true;
}

void paxos__on_entries(struct paxos *paxos, const struct paxos_message *message)
{
    const struct peer *winner = paxos__peer(paxos, message->from);
    uint32_t same;

    if (paxos->role != PAXOS_CANDIDATE || message->from != paxos->fetching_from ||
        !ballot_equal(message->ballot, paxos->own) || !completes(paxos, message, &same))
        return;
    paxos_slot keep = message->slot + same;
    if (keep < paxos->decided) {
        paxos__fault(paxos, PAXOS_HISTORY_DIFFERS);
        return;
    }
    if (paxos->fetching_to > paxos->log.applied + PAXOS_WINDOW || !paxos__may_persist(paxos))
        return; // asked for again when there is room
    uint32_t missing = message->entry_count - same;
    adopt(paxos, winner->log_ballot, keep, missing > 0 ? &message->entries[same] : NULL, missing);
}

// ---- Being overtaken, giving way -------------------------------------------------------------------

void paxos__on_reject(struct paxos *paxos, const struct paxos_message *message)
{
    if (paxos->role == PAXOS_FOLLOWER || !ballot_equal(message->ballot, paxos->own) ||
        !ballot_less(paxos->own, message->promised))
        return;
    paxos__preempted(paxos, message->promised);
}

void paxos__on_transfer(struct paxos *paxos, const struct paxos_message *message)
{
    if (message->ballot.round == 0 || ballot_less(message->ballot, paxos->promised) ||
        paxos->role != PAXOS_FOLLOWER)
        return;
    paxos->campaign_us = 0;
    paxos__campaign(paxos);
}

void paxos__on_nack(struct paxos *paxos, const struct paxos_message *message)
{
    struct peer *peer = paxos__peer(paxos, message->from);

    if (!ballot_equal(message->ballot, paxos->own))
        return;
    if (paxos->role == PAXOS_CANDIDATE && message->from == paxos->fetching_from) {
        forfeit(paxos);
        return;
    }
    if (paxos->role != PAXOS_LEADER || !peer->promised)
        return;
    peer->decided = message->decided;
    peer->last = message->last;
    peer->log_ballot = (struct ballot){0};
    paxos__sync_peer(paxos, peer);
}

// Who does not give what it promised may be dead: another quorum will do.
static void give_up_fetching(struct paxos *paxos)
{
    paxos__peer(paxos, paxos->fetching_from)->promised = false;
    paxos->fetching_from = 0;
}

void paxos__proposer_peer_down(struct paxos *paxos, uint16_t node)
{
    if (paxos->role != PAXOS_CANDIDATE || node != paxos->fetching_from)
        return;
    give_up_fetching(paxos);
    ask_for_promises(paxos);
    try_to_lead(paxos);
}

void paxos__proposer_tick(struct paxos *paxos)
{
    if (paxos->role != PAXOS_CANDIDATE || !ballot_equal(paxos->durable_promise, paxos->own) ||
        paxos->now_us < paxos->sent_us + paxos->config.heartbeat_us / 2)
        return;
    if (paxos->fetching_from != 0 &&
        paxos->now_us > paxos->fetching_since_us + FETCH_HEARTBEATS * paxos->config.heartbeat_us)
        give_up_fetching(paxos);
    ask_for_promises(paxos);
    if (paxos->fetching_from != 0)
        fetch(paxos);
    else
        try_to_lead(paxos);
}
