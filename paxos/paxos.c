// SPDX-License-Identifier: Apache-2.0
// The step function: one input in, one output out. Durability comes back as PERSISTED(sequence) and
// is matched by sequence, never by slot: a slot may be written again in a later ballot while an
// older write of it is still in flight.
#include "paxos/core.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

struct paxos *paxos_new(const struct paxos_config *config)
{
    struct paxos *paxos = memory_zalloc(sizeof *paxos);

    ASSERT(config->voter_count == 1 && config->voters[0] == config->node);
    ASSERT(config->epoch > 0);
    paxos->config = *config;
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

static void read_scalars(const struct paxos *paxos, struct paxos_scalars *scalars)
{
    *scalars = (struct paxos_scalars){.epoch = paxos->config.epoch,
                                      .promised = paxos->promised,
                                      .log_ballot = paxos->log_ballot,
                                      .last = paxos->log.last,
                                      .last_hash = paxos->log.last_hash,
                                      .decided = paxos->decided};
}

struct paxos_record *paxos__record(struct paxos *paxos, struct paxos_output *output,
                                   enum record_type type)
{
    ASSERT(output->record_count < sizeof output->records / sizeof output->records[0]);
    if (output->record_count == 0)
        output->persist_sequence = ++paxos->persist_issued;
    struct paxos_record *record = &output->records[output->record_count++];
    *record = (struct paxos_record){.type = (uint8_t)type, .epoch = paxos->config.epoch};
    return record;
}

void paxos__note_persist(struct paxos *paxos, const struct paxos_output *output)
{
    if (output->record_count == 0)
        return;
    ASSERT(paxos->persist_issued - paxos->persist_done <= PAXOS_WINDOW);
    paxos->persist_last[output->persist_sequence % PAXOS_WINDOW] = paxos->log.last;
}

void paxos__execute(struct paxos *paxos, struct paxos_output *output)
{
    paxos_slot to = paxos->decided < paxos->durable ? paxos->decided : paxos->durable;

    if (to <= paxos->applying)
        return;
    output->apply_from = paxos->applying + 1;
    output->apply_to = to;
    paxos->applying = to;
}

static void on_persisted(struct paxos *paxos, const struct paxos_input *input,
                         struct paxos_output *output)
{
    uint64_t sequence = input->persist_sequence;

    ASSERT(sequence > paxos->persist_done && sequence <= paxos->persist_issued);
    paxos->persist_done = sequence;
    paxos->durable = paxos->persist_last[sequence % PAXOS_WINDOW];
    if (paxos->role == PAXOS_CANDIDATE && sequence >= paxos->promise_persist)
        paxos__promise_durable(paxos, input, output);
    else if (paxos->role == PAXOS_LEADER)
        paxos__decide(paxos);
    paxos__execute(paxos, output);
}

static void on_applied(struct paxos *paxos, const struct paxos_input *input)
{
    ASSERT(input->slot > paxos->applied && input->slot <= paxos->applying);
    paxos->applied = input->slot;
    paxos_log_release(&paxos->log, input->slot);
}

void paxos_step(struct paxos *paxos, const struct paxos_input *input, struct paxos_output *output)
{
    output->persist_sequence = 0;
    output->record_count = 0;
    output->apply_from = output->apply_to = 0;
    output->refused = false;
    output->proposed = 0;
    read_scalars(paxos, &output->scalars);

    switch (input->type) {
    case PAXOS_START:
        paxos__campaign(paxos, output);
        break;
    case PAXOS_PERSISTED:
        on_persisted(paxos, input, output);
        break;
    case PAXOS_APPLIED:
        on_applied(paxos, input);
        break;
    case PAXOS_PROPOSE:
        paxos__propose(paxos, input, output);
        break;
    }
    paxos__note_persist(paxos, output);
    paxos__check(paxos);
}

const struct entry *paxos_entry(const struct paxos *paxos, paxos_slot slot)
{
    return paxos_log_entry(&paxos->log, slot);
}

void paxos_status(const struct paxos *paxos, struct paxos_status *status)
{
    *status = (struct paxos_status){
        .role = paxos->role,
        .leader = paxos->leader,
        .ballot = paxos->promised,
        .epoch = paxos->config.epoch,
        .last = paxos->log.last,
        .decided = paxos->decided,
        .applied = paxos->applied,
        .serving = paxos->role == PAXOS_LEADER && paxos->applied >= paxos->start_slot,
    };
}

void paxos__check(const struct paxos *paxos)
{
    ASSERT(ballot_compare(paxos->log_ballot, paxos->promised) <= 0);
    ASSERT(paxos->durable <= paxos->log.last);
    ASSERT(paxos->decided <= paxos->log.last);
    ASSERT(paxos->applied <= paxos->applying);
    ASSERT(paxos->applying <= paxos->decided);
    ASSERT(paxos->applying <= paxos->durable);
    ASSERT(paxos->log.first == paxos->applied + 1);
}
