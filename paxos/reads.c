// SPDX-License-Identifier: Apache-2.0
// Linearizable reads (ReadIndex): the leader notes how far the log is decided, makes sure in one round
// that it still leads, and answers with that slot; whoever has executed it may look. A round serves
// every read that came before it began. No clock is trusted.
//
// The first entry of the ballot must be part of it: only then does the leader know all that was
// decided before.
#include "base/assert.h"
#include "paxos/core.h"

static void answer_own(struct paxos *paxos, uint64_t number, paxos_slot slot)
{
    struct paxos_output *output = paxos->output;

    if (output->read_count == PAXOS_READS_OUT_MAX)
        return;
    output->reads[output->read_count++] =
        (struct paxos_read_answer){.read = number, .slot = slot, .failed = slot == 0};
}

static void answer(struct paxos *paxos, const struct read *read)
{
    if (read->node == paxos->config.node) {
        answer_own(paxos, read->number, read->slot);
        return;
    }
    struct paxos_message *message =
        paxos__message(paxos, read->node, MESSAGE_READ_REPLY, (struct ballot){0});
    if (message == NULL)
        return;
    message->round = read->number;
    message->slot = read->slot;
}

static void send_check(struct paxos *paxos)
{
    paxos->checked_us = paxos->now_us;
    for (size_t i = 0; i < paxos->peer_count; i++) {
        if (!paxos->peers[i].voter || (paxos->check_acks >> i & 1) != 0)
            continue;
        struct paxos_message *message =
            paxos__message(paxos, paxos->peers[i].node, MESSAGE_READ_CHECK, paxos->own);
        if (message != NULL)
            message->round = paxos->check_round;
    }
}

static void finish_check(struct paxos *paxos)
{
    for (size_t i = 0; i < paxos->check_count; i++)
        answer(paxos, &paxos->reads[i]);
    paxos->read_count -= paxos->check_count;
    for (size_t i = 0; i < paxos->read_count; i++)
        paxos->reads[i] = paxos->reads[paxos->check_count + i];
    paxos->check_count = 0;
    paxos->checking = false;
}

static bool check_complete(const struct paxos *paxos)
{
    return 1 + (size_t)__builtin_popcount(paxos->check_acks) >= paxos->quorum;
}

static void start_check(struct paxos *paxos)
{
    if (paxos->checking || paxos->read_count == 0)
        return;
    paxos->checking = true;
    paxos->check_round++;
    paxos->check_acks = 0;
    paxos->check_count =
        paxos->read_count < PAXOS_READS_OUT_MAX ? paxos->read_count : PAXOS_READS_OUT_MAX;
    if (check_complete(paxos))
        finish_check(paxos);
    else
        send_check(paxos);
}

static bool add(struct paxos *paxos, uint16_t node, uint64_t number)
{
    paxos_slot slot = paxos->decided > paxos->start_slot ? paxos->decided : paxos->start_slot;

    if (paxos->read_count == READS_MAX || paxos->start_slot == 0)
        return false;
    paxos->reads[paxos->read_count++] = (struct read){.node = node, .number = number, .slot = slot};
    start_check(paxos);
    return true;
}

void paxos__read(struct paxos *paxos)
{
    uint64_t number = paxos->read_number + 1;

    if (paxos->role == PAXOS_LEADER) {
        paxos->output->read = paxos->read_number = number;
        if (!add(paxos, paxos->config.node, number))
            answer_own(paxos, number, 0);
        return;
    }
    if (paxos->leader == 0 || paxos->leader == paxos->config.node)
        return;
    struct paxos_message *message =
        paxos__message(paxos, paxos->leader, MESSAGE_READ_REQUEST, (struct ballot){0});
    if (message == NULL)
        return;
    paxos->output->read = paxos->read_number = number;
    message->round = number;
}

void paxos__on_read_request(struct paxos *paxos, const struct paxos_message *message)
{
    if (paxos->role == PAXOS_LEADER)
        add(paxos, message->from, message->round);
}

void paxos__on_read_reply(struct paxos *paxos, const struct paxos_message *message)
{
    if (message->round <= paxos->read_number)
        answer_own(paxos, message->round, message->slot);
}

void paxos__on_read_check(struct paxos *paxos, const struct paxos_message *message)
{
    struct paxos_message *reply =
        paxos__message(paxos, message->from, MESSAGE_READ_ACK, message->ballot);

    if (reply == NULL)
        return;
    reply->round = message->round;
    reply->promised = paxos->promised;
}

void paxos__on_read_ack(struct paxos *paxos, const struct paxos_message *message)
{
    const struct peer *peer = paxos__peer(paxos, message->from);

    if (paxos->role != PAXOS_LEADER || !ballot_equal(message->ballot, paxos->own) ||
        !paxos->checking || message->round != paxos->check_round || !peer->voter)
        return;
    if (ballot_less(paxos->own, message->promised)) {
        paxos__preempted(paxos, message->promised);
        return;
    }
    paxos->check_acks |= 1u << (peer - paxos->peers);
    if (!check_complete(paxos))
        return;
    finish_check(paxos);
    start_check(paxos);
}

// Our own reads fail: they are asked again of the next leader, under new numbers. Those of others time
// out there.
void paxos__fail_reads(struct paxos *paxos)
{
    paxos->read_count = paxos->check_count = 0;
    paxos->checking = false;
    paxos->output->reads_failed = paxos->read_number;
}

void paxos__reads_tick(struct paxos *paxos)
{
    if (paxos->role == PAXOS_LEADER && paxos->checking &&
        paxos->now_us >= paxos->checked_us + paxos->config.retransmit_us)
        send_check(paxos);
}
