// SPDX-License-Identifier: Apache-2.0
// Intrusive singly linked FIFO queue, for hand-over between threads under the owner's lock.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct fifo_link {
    struct fifo_link *next; // NULL at the tail and outside a queue
};

struct fifo {
    struct fifo_link *head; // oldest, NULL when empty
    struct fifo_link *tail; // newest
};

static inline void fifo_push(struct fifo *fifo, struct fifo_link *link)
{
    link->next = NULL;
    if (fifo->head == NULL)
        fifo->head = link;
    else
        fifo->tail->next = link;
    fifo->tail = link;
}

// Returns the oldest link, NULL when empty.
static inline struct fifo_link *fifo_pop(struct fifo *fifo)
{
    struct fifo_link *link = fifo->head;

    if (link != NULL) {
        fifo->head = link->next;
        link->next = NULL;
    }
    return link;
}

// Moves everything out and leaves the queue empty.
static inline struct fifo fifo_take(struct fifo *fifo)
{
    struct fifo all = *fifo;

    fifo->head = fifo->tail = NULL;
    return all;
}

static inline bool fifo_empty(const struct fifo *fifo)
{
    return fifo->head == NULL;
}

// The structure that embeds a link.
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
