// SPDX-License-Identifier: Apache-2.0
// This node's own ballot: prepare, adopt, accept, decide.
//
// The promise to itself and the vote for its own entries count only when their records are durable;
// both come back through PAXOS_PERSISTED like everybody else's.
#include "base/assert.h"
#include "paxos/core.h"

// Phase 1a. A node never leads a ballot that it may have promised before: the round is above every
// one it has seen, and the promise is durable before anything else happens in the ballot.
void paxos__campaign(struct paxos *paxos, struct paxos_output *output)
{
    struct ballot ballot = {.round = paxos->promised.round + 1, .node = paxos->config.node};

    ASSERT(ballot_compare(ballot, paxos->promised) > 0);
    paxos->role = PAXOS_CANDIDATE;
    paxos->leader = 0;
    paxos->promised = ballot;
    paxos__record(paxos, output, RECORD_PROMISE)->ballot = ballot;
    paxos->promise_persist = output->persist_sequence;
}

// Time of the next entry: where the log's time stood when this node became leader, plus what has
// passed since. So the log's time stands still between leaders and never runs faster than a clock,
// but for entries of the same microsecond.
static void stamp(struct paxos *paxos, const struct paxos_input *input, struct entry *entry)
{
    ASSERT(input->now_us >= paxos->leading_since_us);
    uint64_t time_us = paxos->leading_since_log_us + (input->now_us - paxos->leading_since_us);

    paxos->log_time_us = time_us > paxos->log_time_us ? time_us : paxos->log_time_us + 1;
    if (input->wall_ms > paxos->wall_ms)
        paxos->wall_ms = input->wall_ms;
    entry->log_time_us = paxos->log_time_us;
    entry->wall_ms = paxos->wall_ms;
}

static void append(struct paxos *paxos, enum entry_type type, struct blob *value,
                   const struct paxos_input *input, struct paxos_output *output)
{
    struct entry entry = {.slot = paxos->log.last + 1,
                          .epoch = paxos->config.epoch,
                          .origin = paxos->promised,
                          .type = (uint8_t)type,
                          .prev_hash = paxos->log.last_hash,
                          .value = value};

    ASSERT(ballot_compare(paxos->promised, paxos->log_ballot) == 0);
    stamp(paxos, input, &entry);
    entry.hash = entry_hash(&entry);
    paxos_log_append(&paxos->log, &entry);
    paxos__record(paxos, output, RECORD_APPEND)->entry = entry;
}

// Phase 1b is complete with this node's own promise: its log is the adopted one. The SYNC record
// and the first entry of the ballot are one unit, so log_ballot never names a ballot whose adopted
// log is not wholly here.
void paxos__promise_durable(struct paxos *paxos, const struct paxos_input *input,
                            struct paxos_output *output)
{
    struct paxos_record *sync = paxos__record(paxos, output, RECORD_SYNC);
    struct blob *empty = blob_new(0);

    sync->ballot = paxos->promised;
    sync->slot = paxos->log.last;
    sync->hash = paxos->log.last_hash;
    sync->count = 1;
    paxos->log_ballot = paxos->promised;
    paxos->role = PAXOS_LEADER;
    paxos->leader = paxos->config.node;
    paxos->leading_since_us = input->now_us;
    paxos->leading_since_log_us = paxos->log_time_us;
    append(paxos, ENTRY_LEADER_START, empty, input, output);
    paxos->start_slot = paxos->log.last;
    blob_unref(empty);
}

bool paxos_can_propose(const struct paxos *paxos, size_t value_length)
{
    ASSERT(value_length <= PAXOS_VALUE_MAX);
    if (paxos->role != PAXOS_LEADER || paxos_log_full(&paxos->log))
        return false;
    if (paxos->persist_issued - paxos->persist_done >= PAXOS_WINDOW - 1)
        return false;
    return paxos->log.value_bytes == 0 ||
           paxos->log.value_bytes + value_length <= PAXOS_WINDOW_BYTES_MAX;
}

void paxos__propose(struct paxos *paxos, const struct paxos_input *input,
                    struct paxos_output *output)
{
    if (!paxos_can_propose(paxos, input->value->length)) {
        output->refused = true;
        return;
    }
    append(paxos, ENTRY_BATCH, input->value, input, output);
    output->proposed = paxos->log.last;
}

// The quorum of a single voter is its own vote: accepted up to what is durable, in a ballot whose
// first entry is among it. The first decision covers the adopted log.
void paxos__decide(struct paxos *paxos)
{
    if (paxos->durable >= paxos->start_slot && paxos->durable > paxos->decided)
        paxos->decided = paxos->durable;
}
