// SPDX-License-Identifier: Apache-2.0
// One wake-up per burst: only a push into the empty queue signals.
#include "base/mailbox.h"

#include "base/assert.h"

void mailbox_init(struct mailbox *mailbox)
{
    *mailbox = (struct mailbox){0};
    pthread_mutex_init(&mailbox->lock, NULL);
    pthread_cond_init(&mailbox->pushed, NULL);
}

void mailbox_deinit(struct mailbox *mailbox)
{
    ASSERT(fifo_empty(&mailbox->items));
    pthread_cond_destroy(&mailbox->pushed);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_push(struct mailbox *mailbox, struct fifo_link *item)
{
    pthread_mutex_lock(&mailbox->lock);
    bool first = fifo_empty(&mailbox->items);
    fifo_push(&mailbox->items, item);
    pthread_mutex_unlock(&mailbox->lock);
    if (first)
        pthread_cond_signal(&mailbox->pushed);
}

bool mailbox_wait(struct mailbox *mailbox, struct fifo *items)
{
    pthread_mutex_lock(&mailbox->lock);
    while (fifo_empty(&mailbox->items) && !mailbox->closed)
        pthread_cond_wait(&mailbox->pushed, &mailbox->lock);
    *items = fifo_take(&mailbox->items);
    pthread_mutex_unlock(&mailbox->lock);
    return !fifo_empty(items);
}

void mailbox_close(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->closed = true;
    pthread_mutex_unlock(&mailbox->lock);
    pthread_cond_signal(&mailbox->pushed);
}
