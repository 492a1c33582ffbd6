// SPDX-License-Identifier: Apache-2.0
// One block of memory: bytes are taken at its start and what is left moves there when at least half
// of it has left, so each byte moves once or so.
#include "paxos/net/outbox.h"

#include <string.h>

enum { MEMORY_KEPT_BYTES = 1 << 20 }; // while empty

void outbox_deinit(struct outbox *outbox)
{
    buffer_deinit(&outbox->bytes);
    outbox->head = 0;
}

size_t outbox_length(const struct outbox *outbox)
{
    return outbox->bytes.length - outbox->head;
}

static void close_gap(struct outbox *outbox)
{
    size_t left = outbox_length(outbox);

    if (outbox->head == 0 || outbox->head < left)
        return;
    memmove(outbox->bytes.data, outbox->bytes.data + outbox->head, left);
    outbox->bytes.length = left;
    outbox->head = 0;
}

void outbox_append(struct outbox *outbox, const void *data, size_t length)
{
    close_gap(outbox);
    buffer_append(&outbox->bytes, data, length);
}

size_t outbox_take(struct outbox *outbox, void *into, size_t length)
{
    size_t left = outbox_length(outbox);
    size_t part = length < left ? length : left;

    if (part == 0)
        return 0;
    memcpy(into, outbox->bytes.data + outbox->head, part);
    outbox->head += part;
    if (part == left && outbox->bytes.capacity > MEMORY_KEPT_BYTES)
        outbox_deinit(outbox);
    return part;
}
