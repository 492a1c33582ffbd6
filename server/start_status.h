// SPDX-License-Identifier: Apache-2.0
// What a node tells of itself between the moment when its client port listens and the moment when it
// serves: that it lives, and what it waits for.
#pragma once

#include <pthread.h>

#include "api/api.h"
#include "server/peer_list.h"

struct start_status {
    uint16_t node;
    const struct peer_list *list;
    pthread_mutex_t lock;
    char reason[NODE_REASON_MAX]; // guarded by lock
};

// The list must outlive it.
void start_status_init(struct start_status *start, uint16_t node, const struct peer_list *list);
// What the start is busy with, as a sentence. Thread: any.
void start_status_say(struct start_status *start, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Thread: any.
void start_status_fill(struct start_status *start, struct node_status *status);
