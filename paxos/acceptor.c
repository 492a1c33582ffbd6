// SPDX-License-Identifier: Apache-2.0
// Promises and votes. An acceptor's claim is (log_ballot, last): it holds the whole log of the leader
// of log_ballot, up to last.
//
// The rules of ACCEPT_SYNC are the most dangerous spot of the protocol:
// a. log_ballot becomes durable only together with the complete adopted log: one unit of records;
// b. so the replacement is atomic at recovery;
// c. in the ballot that the log already has nothing is ever truncated;
// d. what is decided is only compared, never rewritten;
// e. it comes as a whole or not at all;
// f. it is a promise as well, for a ballot that is not lower than the promised one.
#include "base/assert.h"
#include "paxos/core.h"

void paxos__request_prepare(struct paxos *paxos, uint16_t node)
{
    struct paxos_message *message =
        paxos__message(paxos, node, MESSAGE_PREPARE_REQUEST, (struct ballot){0});

    if (message == NULL)
        return;
    message->promised = paxos->promised;
    message->log_ballot = paxos->log_ballot;
    message->last = paxos->log.last;
    message->decided = paxos->decided;
}

static void reject(struct paxos *paxos, const struct paxos_message *message)
{
    struct paxos_message *reply =
        paxos__message(paxos, message->from, MESSAGE_REJECT, message->ballot);

    if (reply != NULL)
        reply->promised = paxos->promised;
}

static void nack(struct paxos *paxos, const struct paxos_message *message)
{
    struct paxos_message *reply =
        paxos__message(paxos, message->from, MESSAGE_NACK, message->ballot);

    if (reply == NULL)
        return;
    reply->last = paxos->log.last;
    reply->decided = paxos->decided;
}

// The owner of a ballot is heard: any work of our own in a lower one is over.
static void yield_to(struct paxos *paxos, const struct paxos_message *message, uint16_t leader)
{
    if (paxos->role != PAXOS_FOLLOWER && !ballot_equal(message->ballot, paxos->own))
        paxos__step_down(paxos);
    if (paxos->leader != leader) {
        paxos->leader = leader;
        paxos__fail_reads(paxos);
    }
    paxos__follow(paxos, message->ballot);
}

// ---- Phase 1 -------------------------------------------------------------------------------------

static void fill_claim(const struct paxos *paxos, struct paxos_message *promise)
{
    promise->log_ballot = paxos->log_ballot;
    promise->last = paxos->log.last;
    promise->hash = paxos->log.last_hash;
    promise->decided = paxos->decided;
}

// The same PREPARE again: the promise is repeated if everything that it states is durable.
static void repeat_promise(struct paxos *paxos, const struct paxos_message *message)
{
    if (paxos->persist_done != paxos->persist_issued ||
        !ballot_equal(paxos->durable_promise, paxos->promised))
        return;
    struct paxos_message *promise =
        paxos__message(paxos, message->from, MESSAGE_PROMISE, message->ballot);
    if (promise != NULL)
        fill_claim(paxos, promise);
}

void paxos__on_prepare(struct paxos *paxos, const struct paxos_message *message)
{
    if (ballot_less(message->ballot, paxos->promised) || message->ballot.node != message->from) {
        reject(paxos, message);
        return;
    }
    if (ballot_equal(message->ballot, paxos->promised)) {
        repeat_promise(paxos, message);
        return;
    }
    if (!paxos__may_persist(paxos))
        return;
    paxos->promised = message->ballot;
    yield_to(paxos, message, 0);
    paxos__record(paxos, RECORD_PROMISE)->ballot = message->ballot;
    struct persist_note *note = paxos__note(paxos);
    note->promised = true;
    note->promise = (struct paxos_message){.type = MESSAGE_PROMISE,
                                           .epoch = paxos->config.epoch,
                                           .from = paxos->config.node,
                                           .to = message->from,
                                           .boot = paxos->config.boot,
                                           .ballot = message->ballot};
    fill_claim(paxos, &note->promise);
}

void paxos__on_fetch(struct paxos *paxos, const struct paxos_message *message)
{
    paxos_slot keep = message->slot - 1;
    paxos_slot last = message->last < paxos->log.last ? message->last : paxos->log.last;

    if (!ballot_equal(message->ballot, paxos->promised) || message->slot == 0)
        return;
    if (!paxos_log_knows(&paxos->log, keep) || last < keep || last - keep > MESSAGE_ENTRIES_MAX) {
        nack(paxos, message);
        return;
    }
    struct paxos_message *reply =
        paxos__message(paxos, message->from, MESSAGE_ENTRIES, message->ballot);
    if (reply == NULL)
        return;
    reply->slot = keep;
    reply->hash = paxos_log_hash(&paxos->log, keep);
    reply->entry_count = (uint32_t)(last - keep);
}

// ---- Phase 2 -------------------------------------------------------------------------------------

// What was durable before an INSTALL that is not is told with the INSTALL.
static void send_accepted(struct paxos *paxos)
{
    if (!paxos_log_knows(&paxos->log, paxos->durable))
        return;
    struct paxos_message *message =
        paxos__message(paxos, paxos->promised.node, MESSAGE_ACCEPTED, paxos->promised);

    if (message == NULL)
        return;
    message->last = paxos->durable;
    message->hash = paxos_log_hash(&paxos->log, paxos->durable);
}

void paxos__accepted_durable(struct paxos *paxos)
{
    if (!ballot_equal(paxos->durable_ballot, paxos->promised))
        return;
    if (paxos->role == PAXOS_LEADER)
        paxos__decide(paxos);
    else if (paxos->promised.node != paxos->config.node)
        send_accepted(paxos);
}

// Compares the entries with what the log holds. Returns how many of them it holds already; *differs
// tells that the next one contradicts the log.
static uint32_t compare(const struct paxos *paxos, const struct paxos_message *message,
                        bool *differs)
{
    uint32_t same = 0;

    *differs = false;
    for (; same < message->entry_count; same++) {
        const struct entry *entry = &message->entries[same];
        if (entry->slot > paxos->log.last)
            break;
        if (!paxos_log_knows(&paxos->log, entry->slot))
            continue;
        if (!hash128_equal(entry->hash, paxos_log_hash(&paxos->log, entry->slot))) {
            *differs = true;
            break;
        }
    }
    return same;
}

// Appends the entries from index on, as far as there is room.
static void append_from(struct paxos *paxos, const struct paxos_message *message, uint32_t index)
{
    for (; index < message->entry_count && paxos__room(paxos) > 0; index++)
        paxos__append(paxos, &message->entries[index]);
}

// Whether the message's first entry follows our log at message->slot.
static bool follows(const struct paxos *paxos, const struct paxos_message *message)
{
    return message->slot <= paxos->log.last &&
           (!paxos_log_knows(&paxos->log, message->slot) ||
            hash128_equal(message->hash, paxos_log_hash(&paxos->log, message->slot)));
}

// Rule c: in the ballot of our log, entries that we have must be the same; the rest is appended.
static void accept_more(struct paxos *paxos, const struct paxos_message *message)
{
    bool differs;

    if (!follows(paxos, message)) {
        if (message->slot <= paxos->log.last)
            paxos__fault(paxos, PAXOS_HISTORY_DIFFERS);
        else
            nack(paxos, message);
        return;
    }
    uint32_t same = compare(paxos, message, &differs);
    if (differs) {
        paxos__fault(paxos, PAXOS_HISTORY_DIFFERS);
        return;
    }
    if (same < message->entry_count && paxos__room(paxos) > 0 && paxos__may_persist(paxos)) {
        append_from(paxos, message, same);
        paxos__note(paxos)->accepted = true;
    } else if (ballot_equal(paxos->durable_ballot, paxos->promised)) {
        send_accepted(paxos);
    }
    paxos__learn_decided(paxos, message->decided);
}

static void replace_tail(struct paxos *paxos, const struct paxos_message *message, uint32_t same)
{
    paxos_slot keep = message->slot + same;

    if (keep < paxos->decided)
        keep = paxos->decided;
    uint32_t index = (uint32_t)(keep - message->slot);
    struct hash128 hash = paxos_log_hash(&paxos->log, keep);
    paxos__truncate(paxos, keep);
    struct paxos_record *sync = paxos__record(paxos, RECORD_SYNC);
    sync->ballot = message->ballot;
    sync->slot = keep;
    sync->hash = hash;
    sync->count = message->entry_count > index ? message->entry_count - index : 0;
    paxos->promised = paxos->log_ballot = message->ballot;
    append_from(paxos, message, index);
    paxos__note(paxos)->accepted = true;
    paxos__learn_decided(paxos, message->decided);
}

void paxos__on_accept_sync(struct paxos *paxos, const struct paxos_message *message)
{
    paxos_slot end = message->slot + message->entry_count;
    bool differs;

    if (ballot_less(message->ballot, paxos->promised) || message->ballot.node != message->from) {
        reject(paxos, message);
        return;
    }
    if (ballot_equal(message->ballot, paxos->log_ballot) &&
        ballot_equal(message->ballot, paxos->promised)) {
        yield_to(paxos, message, message->from);
        accept_more(paxos, message);
        return;
    }
    if (!follows(paxos, message) || end < paxos->decided) {
        nack(paxos, message);
        return;
    }
    uint32_t same = compare(paxos, message, &differs);
    if (differs && message->slot + same < paxos->decided) {
        paxos__fault(paxos, PAXOS_HISTORY_DIFFERS); // rule d
        return;
    }
    if (end > paxos->log.applied + PAXOS_WINDOW || !paxos__may_persist(paxos))
        return; // rule e: it is sent again when there is room
    yield_to(paxos, message, message->from);
    replace_tail(paxos, message, same);
}

void paxos__on_accept(struct paxos *paxos, const struct paxos_message *message)
{
    if (message->ballot.node != message->from)
        return;
    if (ballot_less(message->ballot, paxos->promised)) {
        reject(paxos, message);
        return;
    }
    if (!ballot_equal(message->ballot, paxos->promised) ||
        !ballot_equal(message->ballot, paxos->log_ballot)) {
        paxos__request_prepare(paxos, message->from);
        return;
    }
    yield_to(paxos, message, message->from);
    accept_more(paxos, message);
}

void paxos__on_decide(struct paxos *paxos, const struct paxos_message *message)
{
    if (message->ballot.node != message->from || !ballot_equal(message->ballot, paxos->promised) ||
        !ballot_equal(message->ballot, paxos->log_ballot))
        return;
    yield_to(paxos, message, message->from);
    if (message->decided > paxos->log.last) {
        nack(paxos, message);
        return;
    }
    if (paxos_log_knows(&paxos->log, message->decided) &&
        !hash128_equal(message->hash, paxos_log_hash(&paxos->log, message->decided))) {
        paxos__fault(paxos, PAXOS_HISTORY_DIFFERS);
        return;
    }
    paxos__learn_decided(paxos, message->decided);
}

// ---- Learning what was decided without us ----------------------------------------------------------

// Who learns what is decided promises the ballot in which the sender knows it: else a stale candidate
// could still collect promises from nodes that know later decisions. Nor does it say any more that its own
// ballot leads: what it knows decided now may differ from the log of that ballot. False if it was promised
// before.
static bool promise_what_is_learned(struct paxos *paxos, struct ballot ballot)
{
    if (!ballot_less(paxos->promised, ballot))
        return false;
    paxos__step_down(paxos);
    paxos->promised = ballot;
    paxos->leader = 0;
    paxos__give_way(paxos, ballot);
    return true;
}

// Appends decided entries from index on; what contradicts them was never decided and goes in the same
// unit. log_ballot stays.
static void learn_from(struct paxos *paxos, const struct paxos_message *message, uint32_t index)
{
    paxos_slot keep = message->slot + index;
    struct hash128 hash = paxos_log_hash(&paxos->log, keep);
    size_t count = message->entry_count - index;

    if (count > paxos__room(paxos) + (size_t)(paxos->log.last - keep))
        count = paxos__room(paxos) + (size_t)(paxos->log.last - keep);
    paxos__truncate(paxos, keep);
    promise_what_is_learned(paxos, message->ballot);
    struct paxos_record *learn = paxos__record(paxos, RECORD_LEARN);
    learn->ballot = message->ballot;
    learn->slot = keep;
    learn->hash = hash;
    learn->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++)
        paxos__append(paxos, &message->entries[index + i]);
    paxos__note(paxos)->accepted = ballot_equal(paxos->log_ballot, paxos->promised);
    paxos__learn_decided(paxos, paxos->log.last);
}

void paxos__on_learn(struct paxos *paxos, const struct paxos_message *message)
{
    paxos_slot end = message->slot + message->entry_count;
    bool differs;

    if (paxos->role == PAXOS_LEADER)
        return;
    if (end <= paxos->decided) {
        paxos__request_prepare(paxos, message->from); // the sender's picture of us is old
        return;
    }
    if (!follows(paxos, message)) {
        if (message->slot <= paxos->decided)
            paxos__fault(paxos, PAXOS_HISTORY_DIFFERS);
        else
            paxos__request_prepare(paxos, message->from); // we know less than it thinks
        return;
    }
    uint32_t same = compare(paxos, message, &differs);
    if (differs && message->slot + same < paxos->decided) {
        paxos__fault(paxos, PAXOS_HISTORY_DIFFERS);
        return;
    }
    if (!paxos__may_persist(paxos))
        return;
    paxos__learn_decided(paxos, message->slot + same);
    if (same < message->entry_count && (differs || paxos__room(paxos) > 0))
        learn_from(paxos, message, same);
    else if (promise_what_is_learned(paxos, message->ballot))
        paxos__record(paxos, RECORD_PROMISE)->ballot = message->ballot;
    paxos__request_prepare(paxos, message->from);
}

static void replace_log(struct paxos *paxos, const struct paxos_position *position)
{
    paxos__truncate(paxos, paxos->decided);
    paxos_log_deinit(&paxos->log);
    paxos_log_init(&paxos->log, position->slot, position->hash);
    paxos->decided = position->slot;
    paxos->log_time_us = position->log_time_us;
    paxos->wall_ms = position->wall_ms;
    paxos->checkpoint = *position;
}

// A checkpoint is LEARN for everything up to its slot. A log that agrees with it there is kept, what
// hangs on another value goes; and what is in flight to the disk then counts no further than what was
// known decided.
void paxos__install(struct paxos *paxos, const struct paxos_install *install)
{
    const struct paxos_position *position = &install->position;
    bool held = paxos_log_knows(&paxos->log, position->slot) &&
                hash128_equal(position->hash, paxos_log_hash(&paxos->log, position->slot));

    paxos->output->refused = true;
    if (position->slot <= paxos->decided || paxos->log.applied > paxos->executed ||
        paxos->role == PAXOS_LEADER || !paxos__may_persist(paxos))
        return;
    if (held) {
        paxos__learn_decided(paxos, position->slot);
        if (promise_what_is_learned(paxos, install->ballot))
            paxos__record(paxos, RECORD_PROMISE)->ballot = install->ballot;
        return;
    }
    paxos->output->refused = false;
    paxos__step_down(paxos);
    replace_log(paxos, position);
    promise_what_is_learned(paxos, install->ballot);
    struct paxos_record *record = paxos__record(paxos, RECORD_INSTALL);
    record->ballot = install->ballot;
    record->slot = position->slot;
    record->hash = position->hash;
    paxos->install_sequence = paxos->persist_issued;
    paxos__note(paxos)->accepted = ballot_equal(paxos->log_ballot, paxos->promised);
}
