// SPDX-License-Identifier: Apache-2.0
// One question to the leader serves all reads that came before it was asked.
#include "server/read_queue.h"

static struct replica_read *read_of(struct fifo_link *link)
{
    return CONTAINER_OF(link, struct replica_read, link);
}

void read_queue_add(struct read_queue *queue, struct replica_read *read)
{
    fifo_push(&queue->fresh, &read->link);
}

bool read_queue_wants(const struct read_queue *queue)
{
    return queue->number == 0 && !fifo_empty(&queue->fresh);
}

void read_queue_ask(struct read_queue *queue, uint64_t now_ns)
{
    queue->asked = fifo_take(&queue->fresh);
    queue->number = UINT64_MAX; // matches no answer until the step has given the number
    queue->asked_ns = now_ns;
}

void read_queue_asked(struct read_queue *queue, uint64_t number)
{
    queue->number = number;
    if (number == 0)
        read_queue_give_up(queue);
}

void read_queue_give_up(struct read_queue *queue)
{
    struct fifo_link *link;

    while ((link = fifo_pop(&queue->asked)) != NULL)
        fifo_push(&queue->fresh, link);
    queue->number = 0;
}

static void take_answer(struct read_queue *queue, const struct paxos_read_answer *answer)
{
    struct fifo_link *link;

    if (queue->number == 0 || answer->read != queue->number)
        return;
    if (answer->failed) {
        read_queue_give_up(queue);
        return;
    }
    queue->number = 0;
    while ((link = fifo_pop(&queue->asked)) != NULL) {
        read_of(link)->slot = answer->slot;
        fifo_push(&queue->ready, link);
    }
}

void read_queue_answer(struct read_queue *queue, const struct paxos_output *output)
{
    for (size_t i = 0; i < output->read_count; i++)
        take_answer(queue, &output->reads[i]);
    if (queue->number != 0 && output->reads_failed >= queue->number)
        read_queue_give_up(queue);
}

void read_queue_complete(struct read_queue *queue, paxos_slot applied)
{
    struct fifo ready = fifo_take(&queue->ready);
    struct fifo_link *link;

    while ((link = fifo_pop(&ready)) != NULL) {
        if (read_of(link)->slot <= applied)
            read_of(link)->complete(read_of(link), ERROR_OK);
        else
            fifo_push(&queue->ready, link);
    }
}

static void expire(struct fifo *reads, uint64_t now_ns)
{
    struct fifo all = fifo_take(reads);
    struct fifo_link *link;

    while ((link = fifo_pop(&all)) != NULL) {
        if (read_of(link)->deadline_ns <= now_ns)
            read_of(link)->complete(read_of(link), ERROR_NO_LEADER);
        else
            fifo_push(reads, link);
    }
}

void read_queue_expire(struct read_queue *queue, uint64_t now_ns)
{
    expire(&queue->fresh, now_ns);
    expire(&queue->asked, now_ns);
    expire(&queue->ready, now_ns);
}

static void end(struct fifo *reads)
{
    struct fifo_link *link;

    while ((link = fifo_pop(reads)) != NULL)
        read_of(link)->complete(read_of(link), ERROR_DRAINING);
}

void read_queue_end(struct read_queue *queue)
{
    end(&queue->fresh);
    end(&queue->asked);
    end(&queue->ready);
}
