// SPDX-License-Identifier: Apache-2.0
// The step function: one input in, one output out. Durability comes back as PERSISTED(sequence) and
// is matched by sequence, never by slot: a slot may be written again in a later ballot while an
// older write of it is still in flight. What a sequence makes true stands in its note.
#include "paxos/core.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

static void add_peers(struct paxos *paxos, const uint16_t *nodes, size_t count, bool voter)
{
    for (size_t i = 0; i < count; i++) {
        if (nodes[i] == paxos->config.node)
            continue;
        ASSERT(paxos->peer_count < PEERS_MAX);
        paxos->peers[paxos->peer_count++] = (struct peer){.node = nodes[i], .voter = voter};
    }
}

struct paxos *paxos_new(const struct paxos_config *config)
{
    struct paxos *paxos = memory_zalloc(sizeof *paxos);

    ASSERT(config->voter_count >= 1 && config->voter_count <= PAXOS_VOTERS_MAX);
    ASSERT(config->learner_count <= PAXOS_LEARNERS_MAX);
    ASSERT(config->epoch > 0);
    paxos->config = *config;
    if (config->window == 0 || config->window > PAXOS_WINDOW)
        paxos->config.window = PAXOS_WINDOW;
    if (config->voter_count + config->learner_count == 1)
        paxos->config.retain = 0;
    else if (config->retain == 0 || config->retain > LOG_RETAINED_MAX)
        paxos->config.retain = LOG_RETAINED_MAX;
    paxos->quorum = config->voter_count / 2 + 1;
    paxos->healthy = true;
    paxos->read_number = config->boot << 32; // no answer to an earlier run fits
    add_peers(paxos, config->voters, config->voter_count, true);
    add_peers(paxos, config->learners, config->learner_count, false);
    paxos_log_init(&paxos->log, 0, (struct hash128){0});
    return paxos;
}

void paxos_free(struct paxos *paxos)
{
    if (paxos == NULL)
        return;
    paxos_log_deinit(&paxos->log);
    free(paxos);
}

// ---- Output --------------------------------------------------------------------------------------

bool paxos__may_persist(const struct paxos *paxos)
{
    return paxos->persist_issued - paxos->persist_done < PERSISTS_MAX - 1;
}

struct paxos_record *paxos__record(struct paxos *paxos, enum record_type type)
{
    struct paxos_output *output = paxos->output;

    ASSERT(output->record_count < sizeof output->records / sizeof output->records[0]);
    if (output->record_count == 0) {
        ASSERT(paxos->persist_issued - paxos->persist_done < PERSISTS_MAX);
        output->persist_sequence = ++paxos->persist_issued;
        *paxos__note(paxos) = (struct persist_note){0};
    }
    struct paxos_record *record = &output->records[output->record_count++];
    *record = (struct paxos_record){.type = (uint8_t)type, .epoch = paxos->config.epoch};
    return record;
}

struct persist_note *paxos__note(struct paxos *paxos)
{
    ASSERT(paxos->output->persist_sequence > 0);
    return &paxos->notes[paxos->output->persist_sequence % PERSISTS_MAX];
}

struct paxos_message *paxos__message(struct paxos *paxos, uint16_t to, enum paxos_message_type type,
                                     struct ballot ballot)
{
    struct paxos_output *output = paxos->output;

    ASSERT(to != paxos->config.node);
    if (output->message_count == PAXOS_MESSAGES_OUT_MAX)
        return NULL;
    struct paxos_message *message = &output->messages[output->message_count++];
    *message = (struct paxos_message){.type = (uint8_t)type,
                                      .epoch = paxos->config.epoch,
                                      .from = paxos->config.node,
                                      .to = to,
                                      .boot = paxos->config.boot,
                                      .ballot = ballot};
    return message;
}

struct peer *paxos__peer(struct paxos *paxos, uint16_t node)
{
    for (size_t i = 0; i < paxos->peer_count; i++) {
        if (paxos->peers[i].node == node)
            return &paxos->peers[i];
    }
    return NULL;
}

size_t paxos__room(const struct paxos *paxos)
{
    uint64_t open = paxos->log.last - paxos->log.applied;

    return open < PAXOS_WINDOW ? (size_t)(PAXOS_WINDOW - open) : 0;
}

void paxos__fault(struct paxos *paxos, enum paxos_fault fault)
{
    if (paxos->output->fault == PAXOS_NO_FAULT)
        paxos->output->fault = fault;
}

// ---- The log -------------------------------------------------------------------------------------

void paxos__append(struct paxos *paxos, const struct entry *entry)
{
    paxos_log_append(&paxos->log, entry);
    paxos->log_time_us = entry->log_time_us;
    paxos->wall_ms = entry->wall_ms;
    paxos__record(paxos, RECORD_APPEND)->entry = *entry;
}

void paxos__truncate(struct paxos *paxos, paxos_slot slot)
{
    ASSERT(slot >= paxos->decided);
    paxos_log_truncate(&paxos->log, slot);
    if (paxos->durable > slot)
        paxos->durable = slot;
    for (uint64_t i = paxos->persist_done + 1; i <= paxos->persist_issued; i++) {
        struct persist_note *note = &paxos->notes[i % PERSISTS_MAX];
        if (note->last > slot)
            note->last = slot;
    }
}

void paxos__learn_decided(struct paxos *paxos, paxos_slot slot)
{
    if (slot > paxos->log.last)
        slot = paxos->log.last;
    if (slot > paxos->decided)
        paxos->decided = slot;
}

// The INSTALL is durable: the checkpoint takes the place of what was to be executed up to it.
static void hand_out_checkpoint(struct paxos *paxos)
{
    if (paxos->install_sequence == 0 || paxos->install_sequence > paxos->persist_done)
        return;
    paxos->install_sequence = 0;
    paxos->output->install = paxos->applying = paxos->checkpoint.slot;
}

// Hands out what is decided, durable and not yet handed out. What is executed may be in a checkpoint at
// once, so the promise of the ballot in which it is known must be durable before: see LEARN.
static void execute(struct paxos *paxos)
{
    paxos_slot to = paxos->decided < paxos->durable ? paxos->decided : paxos->durable;

    hand_out_checkpoint(paxos);
    if (to <= paxos->applying || paxos->install_sequence != 0 ||
        ballot_less(paxos->durable_promise, paxos->promised))
        return;
    paxos->output->apply_from = paxos->applying + 1;
    paxos->output->apply_to = to;
    paxos->applying = to;
}

// ---- Inputs --------------------------------------------------------------------------------------

// Completes one note; true when it accepted entries in the ballot that still stands.
static bool complete(struct paxos *paxos, const struct persist_note *note)
{
    paxos->durable = note->last;
    paxos->durable_ballot = note->log_ballot;
    paxos->durable_promise = note->highest_promise;
    if (note->promised && ballot_equal(note->promise.ballot, paxos->promised)) {
        if (note->promise.to == paxos->config.node)
            paxos__promise_durable(paxos);
        else if (paxos->output->message_count < PAXOS_MESSAGES_OUT_MAX)
            paxos->output->messages[paxos->output->message_count++] = note->promise;
    }
    return note->accepted && ballot_equal(note->log_ballot, paxos->promised);
}

static void on_persisted(struct paxos *paxos, uint64_t sequence)
{
    bool accepted = false;

    ASSERT(sequence > paxos->persist_done && sequence <= paxos->persist_issued);
    while (paxos->persist_done < sequence) {
        const struct persist_note *note = &paxos->notes[++paxos->persist_done % PERSISTS_MAX];
        accepted = complete(paxos, note) || accepted;
    }
    if (accepted)
        paxos__accepted_durable(paxos);
}

static void on_applied(struct paxos *paxos, paxos_slot slot)
{
    ASSERT(slot > paxos->executed && slot <= paxos->applying);
    paxos->executed = slot;
    if (slot <= paxos->log.applied)
        return; // what a checkpoint will replace, or the checkpoint
    paxos_log_advance(&paxos->log, slot, paxos->config.retain);
    paxos__start_ballot(paxos);
}

static void on_message(struct paxos *paxos, const struct paxos_message *message)
{
    static void (*const handlers[MESSAGE_TYPE_COUNT])(struct paxos *,
                                                      const struct paxos_message *) = {
        [MESSAGE_HEARTBEAT] = paxos__on_heartbeat,
        [MESSAGE_HEARTBEAT_REPLY] = paxos__on_heartbeat_reply,
        [MESSAGE_PREPARE] = paxos__on_prepare,
        [MESSAGE_PROMISE] = paxos__on_promise,
        [MESSAGE_REJECT] = paxos__on_reject,
        [MESSAGE_FETCH] = paxos__on_fetch,
        [MESSAGE_ENTRIES] = paxos__on_entries,
        [MESSAGE_ACCEPT_SYNC] = paxos__on_accept_sync,
        [MESSAGE_ACCEPT] = paxos__on_accept,
        [MESSAGE_ACCEPTED] = paxos__on_accepted,
        [MESSAGE_NACK] = paxos__on_nack,
        [MESSAGE_DECIDE] = paxos__on_decide,
        [MESSAGE_PREPARE_REQUEST] = paxos__on_prepare_request,
        [MESSAGE_LEARN] = paxos__on_learn,
        [MESSAGE_READ_REQUEST] = paxos__on_read_request,
        [MESSAGE_READ_REPLY] = paxos__on_read_reply,
        [MESSAGE_READ_CHECK] = paxos__on_read_check,
        [MESSAGE_READ_ACK] = paxos__on_read_ack,
        [MESSAGE_TRANSFER] = paxos__on_transfer,
    };

    if (message->epoch != paxos->config.epoch || message->to != paxos->config.node ||
        paxos__peer(paxos, message->from) == NULL || message->type >= MESSAGE_TYPE_COUNT ||
        handlers[message->type] == NULL)
        return;
    handlers[message->type](paxos, message);
}

static void dispatch(struct paxos *paxos, const struct paxos_input *input)
{
    switch (input->type) {
    case PAXOS_START:
        paxos__election_start(paxos);
        break;
    case PAXOS_TICK:
        paxos__election_tick(paxos);
        paxos__proposer_tick(paxos);
        paxos__replication_tick(paxos);
        paxos__reads_tick(paxos);
        break;
    case PAXOS_MESSAGE:
        on_message(paxos, input->message);
        break;
    case PAXOS_PERSISTED:
        on_persisted(paxos, input->persist_sequence);
        break;
    case PAXOS_APPLIED:
        on_applied(paxos, input->slot);
        break;
    case PAXOS_PROPOSE:
        paxos__propose(paxos, input->value);
        break;
    case PAXOS_READ:
        paxos__read(paxos);
        break;
    case PAXOS_PEER_DOWN:
        paxos__on_peer_down(paxos, input->node);
        paxos__proposer_peer_down(paxos, input->node);
        break;
    case PAXOS_TRANSFER:
        paxos__transfer(paxos);
        break;
    case PAXOS_INSTALL:
        paxos__install(paxos, input->install);
        break;
    case PAXOS_HEALTH:
        paxos->healthy = input->healthy;
        break;
    }
}

static void begin_output(const struct paxos *paxos, struct paxos_output *output)
{
    output->persist_sequence = 0;
    output->record_count = 0;
    output->message_count = 0;
    output->install = output->apply_from = output->apply_to = 0;
    output->refused = false;
    output->proposed = 0;
    output->read = 0;
    output->reads_failed = 0;
    output->read_count = 0;
    output->lagging_count = 0;
    output->fault = PAXOS_NO_FAULT;
    output->scalars = (struct paxos_scalars){.epoch = paxos->config.epoch,
                                             .promised = paxos->promised,
                                             .log_ballot = paxos->log_ballot,
                                             .last = paxos->log.last,
                                             .last_hash = paxos->log.last_hash,
                                             .decided = paxos->decided};
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void paxos_step(struct paxos *paxos, const struct paxos_input *input, struct paxos_output *output)
{
    enum paxos_role role = paxos->role;
    uint16_t leader = paxos->leader;
    struct ballot promised = paxos->promised;

    ASSERT(input->now_us >= paxos->now_us);
    begin_output(paxos, output);
    paxos->output = output;
    paxos->now_us = input->now_us;
    paxos->input_wall_ms = input->wall_ms;
    paxos->random = input->random;
    dispatch(paxos, input);
    execute(paxos);
    if (output->record_count > 0) {
        paxos__note(paxos)->last = paxos->log.last;
        paxos__note(paxos)->log_ballot = paxos->log_ballot;
        paxos__note(paxos)->highest_promise = paxos->promised;
    }
    output->role_changed =
        role != paxos->role || leader != paxos->leader || !ballot_equal(promised, paxos->promised);
    output->deadline_us =
        earlier(paxos__election_deadline_us(paxos), paxos__replication_deadline_us(paxos));
    paxos->output = NULL;
    paxos__check(paxos);
}

// ---- Looking in ----------------------------------------------------------------------------------

const struct entry *paxos_entry(const struct paxos *paxos, paxos_slot slot)
{
    return paxos_log_entry(&paxos->log, slot);
}

// A follower that hears nothing of its leader does not rely on it.
static uint16_t working_leader(const struct paxos *paxos)
{
    return paxos->role == PAXOS_FOLLOWER && !paxos->happy ? 0 : paxos->leader;
}

void paxos_status(const struct paxos *paxos, struct paxos_status *status)
{
    *status = (struct paxos_status){
        .role = paxos->role,
        .leader = working_leader(paxos),
        .ballot = paxos->promised,
        .epoch = paxos->config.epoch,
        .last = paxos->log.last,
        .decided = paxos->decided,
        .applied = paxos->executed,
        .confirmed_us = paxos->role == PAXOS_LEADER ? paxos->confirmed_us : 0,
        .confirmed_decided = paxos->confirmed_decided,
        .serving = paxos->role == PAXOS_LEADER && paxos->start_slot != 0 &&
                   paxos->executed >= paxos->start_slot,
    };
}

void paxos__check(const struct paxos *paxos)
{
    ASSERT(!ballot_less(paxos->promised, paxos->log_ballot));
    ASSERT(paxos->durable <= paxos->log.last);
    ASSERT(paxos->decided <= paxos->log.last);
    ASSERT(paxos->log.applied <= paxos->applying || paxos->install_sequence != 0);
    ASSERT(paxos->executed <= paxos->applying);
    ASSERT(paxos->applying <= paxos->decided);
    ASSERT(paxos->applying <= paxos->durable);
    ASSERT(paxos->log.first <= paxos->log.applied + 1);
    ASSERT(paxos->role != PAXOS_LEADER || ballot_equal(paxos->own, paxos->promised));
    ASSERT(paxos->role != PAXOS_LEADER || ballot_equal(paxos->own, paxos->log_ballot));
    ASSERT(paxos->role != PAXOS_CANDIDATE || ballot_equal(paxos->own, paxos->promised));
}
