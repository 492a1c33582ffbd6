// SPDX-License-Identifier: Apache-2.0
// A binary heap of deadlines: the earliest one is known at once, and any one can be taken out. The
// items are the owner's, and each knows its place.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline {
    uint64_t at_ns;
    size_t place; // in the heap, counted from 1; 0: in none
};

// A zeroed struct deadlines is empty.
struct deadlines {
    struct deadline **items; // items[0] is the earliest
    size_t count;
    size_t capacity;
};

// Requires that it is in no heap and at_ns is set.
void deadlines_add(struct deadlines *heap, struct deadline *item);
// Takes it out; nothing happens when it is in no heap.
void deadlines_remove(struct deadlines *heap, struct deadline *item);
// The earliest; NULL when there is none.
struct deadline *deadlines_first(const struct deadlines *heap);
// Requires that it is empty.
void deadlines_deinit(struct deadlines *heap);
