// SPDX-License-Identifier: Apache-2.0
// Local reads that wait until this node has reached a zxid.
#pragma once

#include <pthread.h>

#include "api/api.h"

struct waiters {
    pthread_mutex_t lock;
    struct fifo waits;
    uint64_t zxid; // reached
};

void waiters_init(struct waiters *waiters);
// Completes what still waits with DRAINING.
void waiters_deinit(struct waiters *waiters);
// Thread: any.
void waiters_add(struct waiters *waiters, struct read_wait *wait);
// This zxid is visible. Thread: apply.
void waiters_advance(struct waiters *waiters, uint64_t zxid);
// Completes what has waited too long with BEHIND.
void waiters_expire(struct waiters *waiters, uint64_t now_ns);
