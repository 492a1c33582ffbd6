// SPDX-License-Identifier: Apache-2.0
// Linearizable reads on their way: not asked yet, asked of the leader with one number for all of them,
// or waiting until the slot that the leader named is executed here. What fails is asked again, with a
// new number, until its deadline.
#pragma once

#include "paxos/paxos.h"
#include "server/replica.h"

struct read_queue {
    struct fifo fresh;
    struct fifo asked;
    struct fifo ready;
    uint64_t number; // that was asked; 0: none
    uint64_t asked_ns;
};

void read_queue_add(struct read_queue *queue, struct replica_read *read);
// Whether there is something to ask, and nothing asked.
bool read_queue_wants(const struct read_queue *queue);
// All that wait are asked now; read_queue_asked tells the number, 0 when there was nobody to ask.
void read_queue_ask(struct read_queue *queue, uint64_t now_ns);
void read_queue_asked(struct read_queue *queue, uint64_t number);
// Takes the core's answers.
void read_queue_answer(struct read_queue *queue, const struct paxos_output *output);
// Completes what is executed up to this slot.
void read_queue_complete(struct read_queue *queue, paxos_slot applied);
// Gives up an answer that does not come, to ask again.
void read_queue_give_up(struct read_queue *queue);
// Completes what has waited too long.
void read_queue_expire(struct read_queue *queue, uint64_t now_ns);
// Completes everything with DRAINING.
void read_queue_end(struct read_queue *queue);
