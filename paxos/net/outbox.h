// SPDX-License-Identifier: Apache-2.0
// Bytes that wait for their turn on a connection, in order.
#pragma once

#include "base/bytes.h"

// Zeroed: empty.
struct outbox {
    struct buffer bytes;
    size_t head; // bytes at the start of `bytes` that have left
};

void outbox_deinit(struct outbox *outbox);
void outbox_append(struct outbox *outbox, const void *data, size_t length);
// Moves up to `length` of the oldest bytes to `into`; returns how many.
size_t outbox_take(struct outbox *outbox, void *into, size_t length);
size_t outbox_length(const struct outbox *outbox);
