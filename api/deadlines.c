// SPDX-License-Identifier: Apache-2.0
// The usual sifting: an item moves up while it is earlier than its parent, else down.
#include "api/deadlines.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

static void put(struct deadlines *heap, size_t index, struct deadline *item)
{
    heap->items[index] = item;
    item->place = index + 1;
}

static void sift(struct deadlines *heap, size_t index, struct deadline *item)
{
    while (index > 0 && heap->items[(index - 1) / 2]->at_ns > item->at_ns) {
        put(heap, index, heap->items[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < heap->count && heap->items[child + 1]->at_ns < heap->items[child]->at_ns)
            child++;
        if (child >= heap->count || heap->items[child]->at_ns >= item->at_ns)
            break;
        put(heap, index, heap->items[child]);
        index = child;
    }
    put(heap, index, item);
}

void deadlines_add(struct deadlines *heap, struct deadline *item)
{
    ASSERT(item->place == 0);
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity * 2 + 16;
        heap->items = memory_realloc(heap->items, heap->capacity * sizeof *heap->items);
    }
    heap->count++;
    put(heap, heap->count - 1, item);
    sift(heap, heap->count - 1, item);
}

void deadlines_remove(struct deadlines *heap, struct deadline *item)
{
    if (item->place == 0)
        return;
    size_t index = item->place - 1;
    struct deadline *last = heap->items[--heap->count];
    item->place = 0;
    if (last != item)
        sift(heap, index, last);
}

struct deadline *deadlines_first(const struct deadlines *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}

void deadlines_deinit(struct deadlines *heap)
{
    ASSERT(heap->count == 0);
    free(heap->items);
}
