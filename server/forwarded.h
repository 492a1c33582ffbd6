// SPDX-License-Identifier: Apache-2.0
// Batches that other nodes have forwarded to this one, the leader, until they are proposed. Bounded: what
// finds no room is dropped, and its origin sends it again.
#pragma once

#include "base/bytes.h"
#include "base/fifo.h"

struct forwarded {
    struct fifo batches;
    size_t count;
    size_t bytes;
};

// Keeps a copy of the batch, which forward_open has checked, if there is room.
void forwarded_add(struct forwarded *forwarded, const struct reader *batch, size_t longest);
// Bytes of the oldest batch; 0 when there is none.
size_t forwarded_next(const struct forwarded *forwarded);
// Moves the parts of the oldest batches into `into` as long as it stays within `most` bytes.
void forwarded_move(struct forwarded *forwarded, struct buffer *into, size_t most);
void forwarded_drop(struct forwarded *forwarded);
