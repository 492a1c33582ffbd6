// SPDX-License-Identifier: Apache-2.0
// A plain bounded queue: order within a node is the order of its frames.
#include "server/forwarded.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "server/forward.h"

enum {
    BATCHES_MAX = 256,
    BYTES_MAX = 32 << 20,
};

struct batch {
    struct fifo_link link;
    size_t length;
    uint8_t data[];
};

void forwarded_add(struct forwarded *forwarded, const struct reader *batch, size_t longest)
{
    size_t length = reader_left(batch);

    if (forwarded->count == BATCHES_MAX || forwarded->bytes + length > BYTES_MAX ||
        length > longest)
        return;
    struct batch *kept = memory_alloc(sizeof *kept + length);
    kept->length = length;
    memcpy(kept->data, batch->at, length);
    fifo_push(&forwarded->batches, &kept->link);
    forwarded->count++;
    forwarded->bytes += length;
}

size_t forwarded_next(const struct forwarded *forwarded)
{
    if (fifo_empty(&forwarded->batches))
        return 0;
    return CONTAINER_OF(forwarded->batches.head, struct batch, link)->length;
}

static struct batch *take(struct forwarded *forwarded)
{
    struct fifo_link *link = fifo_pop(&forwarded->batches);

    if (link == NULL)
        return NULL;
    struct batch *batch = CONTAINER_OF(link, struct batch, link);
    forwarded->count--;
    forwarded->bytes -= batch->length;
    return batch;
}

void forwarded_move(struct forwarded *forwarded, struct buffer *into, size_t most)
{
    while (forwarded_next(forwarded) > 0 && into->length + forwarded_next(forwarded) <= most) {
        struct batch *batch = take(forwarded);
        struct reader reader;
        reader_init(&reader, batch->data, batch->length);
        forward_copy_parts(reader, into);
        free(batch);
    }
}

void forwarded_drop(struct forwarded *forwarded)
{
    struct batch *batch;

    while ((batch = take(forwarded)) != NULL)
        free(batch);
}
