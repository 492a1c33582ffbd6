// SPDX-License-Identifier: Apache-2.0
// Phase 2 of this node's own ballot: propose, bring every follower to the same log, count durable
// votes, decide. Accepts are pipelined; acknowledgements are cumulative.
#include "base/assert.h"
#include "paxos/core.h"

enum { ACCEPT_BYTES = 1 << 20 }; // an ACCEPT ends behind the entry that passes this

// ---- Proposing -----------------------------------------------------------------------------------

// Time of the next entry: where the log's time stood when this node became leader, plus what has
// passed since. So the log's time stands still between leaders and never runs faster than a clock,
// but for entries of the same microsecond.
static void stamp(const struct paxos *paxos, struct entry *entry)
{
    uint64_t time_us = paxos->leading_since_log_us + (paxos->now_us - paxos->leading_since_us);

    ASSERT(paxos->now_us >= paxos->leading_since_us);
    entry->log_time_us = time_us > paxos->log_time_us ? time_us : paxos->log_time_us + 1;
    entry->wall_ms = paxos->input_wall_ms > paxos->wall_ms ? paxos->input_wall_ms : paxos->wall_ms;
}

void paxos__append_own(struct paxos *paxos, enum entry_type type, struct blob *value)
{
    struct entry entry = {.slot = paxos->log.last + 1,
                          .epoch = paxos->config.epoch,
                          .origin = paxos->own,
                          .type = (uint8_t)type,
                          .prev_hash = paxos->log.last_hash,
                          .value = value};

    ASSERT(paxos->role == PAXOS_LEADER && ballot_equal(paxos->own, paxos->log_ballot));
    ASSERT(ballot_equal(paxos->own, paxos->promised));
    stamp(paxos, &entry);
    entry.hash = entry_hash(&entry);
    paxos__append(paxos, &entry);
    paxos__note(paxos)->accepted = true;
}

bool paxos_can_propose(const struct paxos *paxos, size_t value_length)
{
    ASSERT(value_length <= PAXOS_VALUE_MAX);
    if (paxos->role != PAXOS_LEADER || paxos->start_slot == 0 || paxos->transferring ||
        paxos->log.last - paxos->log.applied >= paxos->config.window || !paxos__may_persist(paxos))
        return false;
    return paxos->log.open_bytes == 0 ||
           paxos->log.open_bytes + value_length <= PAXOS_WINDOW_BYTES_MAX;
}

void paxos__propose(struct paxos *paxos, struct blob *value)
{
    if (!paxos_can_propose(paxos, value->length)) {
        paxos->output->refused = true;
        return;
    }
    paxos__append_own(paxos, ENTRY_BATCH, value);
    paxos->output->proposed = paxos->log.last;
    paxos__send_to_synced(paxos);
}

// The newest entry goes to every follower that has been sent all before it.
void paxos__send_to_synced(struct paxos *paxos)
{
    for (size_t i = 0; i < paxos->peer_count; i++) {
        if (paxos->peers[i].synced && paxos->peers[i].next == paxos->log.last)
            paxos__send_entries(paxos, &paxos->peers[i]);
    }
}

// ---- Followers -----------------------------------------------------------------------------------

// Entries from `from` on that fit into one message.
static uint32_t count_entries(const struct paxos *paxos, paxos_slot from, paxos_slot to)
{
    size_t bytes = 0;
    uint32_t count = 0;

    while (from + count <= to && count < MESSAGE_ENTRIES_MAX && bytes < ACCEPT_BYTES) {
        bytes += paxos_log_entry(&paxos->log, from + count)->value->length;
        count++;
    }
    return count;
}

static void ask_driver(struct paxos *paxos, const struct peer *peer)
{
    struct paxos_output *output = paxos->output;

    for (size_t i = 0; i < output->lagging_count; i++) {
        if (output->lagging[i].node == peer->node)
            return;
    }
    output->lagging[output->lagging_count++] =
        (struct paxos_lagging){.node = peer->node, .from = peer->decided + 1};
}

// The follower is too far behind for our ballot: decided entries first, from memory or by the driver.
static void teach(struct paxos *paxos, struct peer *peer)
{
    struct paxos_message *message;

    peer->synced = false;
    if (!paxos_log_knows(&paxos->log, peer->decided) || peer->decided >= paxos->decided) {
        ask_driver(paxos, peer);
        return;
    }
    message = paxos__message(paxos, peer->node, MESSAGE_LEARN, paxos->own);
    if (message == NULL)
        return;
    message->slot = peer->decided;
    message->hash = paxos_log_hash(&paxos->log, peer->decided);
    message->entry_count = count_entries(paxos, peer->decided + 1, paxos->decided);
}

static paxos_slot shared_with(const struct paxos *paxos, const struct peer *peer)
{
    if (ballot_equal(peer->log_ballot, paxos->own))
        return peer->last;
    if (peer->log_ballot.round > 0 && ballot_equal(peer->log_ballot, paxos->adopted_ballot))
        return peer->last < paxos->adopted_last ? peer->last : paxos->adopted_last;
    return 0;
}

// What the follower may keep: what it knows decided, and its whole log if it is ours, or what it shares
// with the log that we adopted; and its vote, since what it said last may have been overtaken by it.
static paxos_slot may_keep(const struct paxos *paxos, const struct peer *peer)
{
    paxos_slot keep = shared_with(paxos, peer);

    if (keep < peer->decided)
        keep = peer->decided;
    if (keep < peer->match)
        keep = peer->match;
    return keep < paxos->log.last ? keep : paxos->log.last;
}

void paxos__sync_peer(struct paxos *paxos, struct peer *peer)
{
    paxos_slot keep = may_keep(paxos, peer);

    peer->heard_us = paxos->now_us;
    if (!paxos_log_knows(&paxos->log, keep) || paxos->log.last - keep > MESSAGE_ENTRIES_MAX ||
        paxos->log.last > peer->decided + PAXOS_WINDOW) {
        teach(paxos, peer);
        return;
    }
    struct paxos_message *message =
        paxos__message(paxos, peer->node, MESSAGE_ACCEPT_SYNC, paxos->own);
    if (message == NULL)
        return;
    message->slot = keep;
    message->hash = paxos_log_hash(&paxos->log, keep);
    message->entry_count = (uint32_t)(paxos->log.last - keep);
    message->decided = paxos->decided;
    peer->synced = true;
    peer->next = paxos->log.last + 1;
}

void paxos__send_entries(struct paxos *paxos, struct peer *peer)
{
    if (peer->next > paxos->log.last)
        return;
    if (!paxos_log_knows(&paxos->log, peer->next - 1)) {
        teach(paxos, peer);
        return;
    }
    struct paxos_message *message = paxos__message(paxos, peer->node, MESSAGE_ACCEPT, paxos->own);
    if (message == NULL)
        return;
    message->slot = peer->next - 1;
    message->hash = paxos_log_hash(&paxos->log, peer->next - 1);
    message->entry_count = count_entries(paxos, peer->next, paxos->log.last);
    message->decided = paxos->decided;
    peer->next += message->entry_count;
}

void paxos__on_prepare_request(struct paxos *paxos, const struct paxos_message *message)
{
    struct peer *peer = paxos__peer(paxos, message->from);

    if (paxos->role == PAXOS_FOLLOWER || ballot_less(paxos->durable_promise, paxos->own))
        return; // the ballot is not even ours to use before its promise is durable
    if (ballot_less(paxos->own, message->promised)) {
        paxos__preempted(paxos, message->promised);
        return;
    }
    if (paxos->role == PAXOS_LEADER && ballot_equal(message->promised, paxos->own) &&
        ballot_equal(message->log_ballot, paxos->own) && message->last <= paxos->log.last) {
        peer->promised = peer->synced = true;
        peer->decided = message->decided;
        peer->last = message->last;
        peer->log_ballot = message->log_ballot;
        peer->next = message->last + 1;
        paxos__send_entries(paxos, peer);
        return;
    }
    struct paxos_message *prepare = paxos__message(paxos, peer->node, MESSAGE_PREPARE, paxos->own);
    if (prepare == NULL)
        return;
    prepare->log_ballot = paxos->log_ballot;
    prepare->last = paxos->log.last;
    prepare->decided = paxos->decided;
}

// ---- Votes ---------------------------------------------------------------------------------------

// The highest slot that a quorum of voters holds durably in our ballot.
static paxos_slot quorum_match(const struct paxos *paxos)
{
    paxos_slot matches[PAXOS_VOTERS_MAX];
    size_t count = 0;

    matches[count++] = ballot_equal(paxos->durable_ballot, paxos->own) ? paxos->durable : 0;
    for (size_t i = 0; i < paxos->peer_count; i++) {
        if (!paxos->peers[i].voter)
            continue;
        size_t at = count++;
        for (; at > 0 && matches[at - 1] < paxos->peers[i].match; at--)
            matches[at] = matches[at - 1];
        matches[at] = paxos->peers[i].match;
    }
    ASSERT(count == paxos->config.voter_count);
    return matches[paxos->quorum - 1];
}

static void tell_decided(struct paxos *paxos)
{
    for (size_t i = 0; i < paxos->peer_count; i++) {
        const struct peer *peer = &paxos->peers[i];
        if (!peer->synced || peer->match == 0)
            continue;
        struct paxos_message *message =
            paxos__message(paxos, peer->node, MESSAGE_DECIDE, paxos->own);
        if (message == NULL)
            return;
        message->decided = paxos->decided;
        message->hash = paxos_log_hash(&paxos->log, paxos->decided);
    }
}

// No other rule decides. The first decision of a ballot covers the adopted log.
void paxos__decide(struct paxos *paxos)
{
    paxos_slot slot = quorum_match(paxos);

    if (paxos->role != PAXOS_LEADER || slot <= paxos->decided)
        return;
    paxos__learn_decided(paxos, slot);
    tell_decided(paxos);
}

void paxos__on_accepted(struct paxos *paxos, const struct paxos_message *message)
{
    struct peer *peer = paxos__peer(paxos, message->from);

    if (paxos->role != PAXOS_LEADER || !ballot_equal(message->ballot, paxos->own) ||
        message->last > paxos->log.last || message->last <= peer->match)
        return;
    if (paxos_log_knows(&paxos->log, message->last) &&
        !hash128_equal(message->hash, paxos_log_hash(&paxos->log, message->last))) {
        paxos__fault(paxos, PAXOS_HISTORY_DIFFERS);
        return;
    }
    peer->promised = peer->synced = true;
    peer->match = message->last;
    peer->heard_us = paxos->now_us;
    if (peer->next <= peer->match)
        peer->next = peer->match + 1;
    paxos__decide(paxos);
    paxos_slot settled = peer->match < paxos->decided ? peer->match : paxos->decided;
    if (peer->decided < settled)
        peer->decided = settled; // or it would be taught from where it once was, for ever
    if (peer->next <= paxos->log.last)
        paxos__send_entries(paxos, peer);
    if (paxos->transferring)
        paxos__transfer(paxos);
}

// ---- Handing over, sending again -------------------------------------------------------------------

// Proposals stop; the first voter that is level is told to campaign. Learners cannot be.
void paxos__transfer(struct paxos *paxos)
{
    if (paxos->role != PAXOS_LEADER || paxos->config.voter_count == 1)
        return;
    paxos->transferring = true;
    for (size_t i = 0; i < paxos->peer_count; i++) {
        const struct peer *peer = &paxos->peers[i];
        if (!peer->voter || peer->match != paxos->log.last)
            continue;
        struct paxos_message *message =
            paxos__message(paxos, peer->node, MESSAGE_TRANSFER, paxos->own);
        if (message != NULL)
            message->last = paxos->log.last;
        paxos->transferring = false;
        return;
    }
}

static bool behind(const struct paxos *paxos, const struct peer *peer)
{
    return peer->promised && (!peer->synced || peer->match < paxos->log.last);
}

uint64_t paxos__replication_deadline_us(const struct paxos *paxos)
{
    uint64_t deadline_us = UINT64_MAX;

    if (paxos->role != PAXOS_LEADER)
        return deadline_us;
    for (size_t i = 0; i < paxos->peer_count; i++) {
        uint64_t due_us = paxos->peers[i].heard_us + paxos->config.retransmit_us;
        if (behind(paxos, &paxos->peers[i]) && due_us < deadline_us)
            deadline_us = due_us;
    }
    return deadline_us;
}

void paxos__replication_tick(struct paxos *paxos)
{
    if (paxos->role != PAXOS_LEADER)
        return;
    for (size_t i = 0; i < paxos->peer_count; i++) {
        struct peer *peer = &paxos->peers[i];
        if (!behind(paxos, peer) || paxos->now_us < peer->heard_us + paxos->config.retransmit_us)
            continue;
        if (!peer->synced || peer->match == 0) {
            paxos__sync_peer(paxos, peer);
            continue;
        }
        peer->heard_us = paxos->now_us;
        peer->next = peer->match + 1;
        paxos__send_entries(paxos, peer);
    }
}
