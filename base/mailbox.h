// SPDX-License-Identifier: Apache-2.0
// A queue that one thread waits on and others push to. What may be pushed is bounded by the
// pushers.
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "base/fifo.h"

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t pushed;
    struct fifo items;
    bool closed;
};

void mailbox_init(struct mailbox *mailbox);
// Requires that it is empty and nobody waits.
void mailbox_deinit(struct mailbox *mailbox);
// Thread: any.
void mailbox_push(struct mailbox *mailbox, struct fifo_link *item);
// Waits until there is something and takes all of it; false when the mailbox is closed and empty.
bool mailbox_wait(struct mailbox *mailbox, struct fifo *items);
// Lets the waiting thread finish: what was pushed before is still taken.
void mailbox_close(struct mailbox *mailbox);
