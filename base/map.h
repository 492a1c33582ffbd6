// SPDX-License-Identifier: Apache-2.0
// A hash table from a number to a pointer, for what is looked up by id. Open addressing; grows as needed
// and never shrinks. Not for keys that a stranger chooses: they could all fall together.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint64_t key; // 0: free
    void *value;
};

// A zeroed struct map is an empty map.
struct map {
    struct map_slot *slots; // owned
    size_t capacity;        // a power of two
    size_t count;
};

void map_deinit(struct map *map);
// NULL when there is none. Requires key != 0, here and below.
void *map_get(const struct map *map, uint64_t key);
// Adds the key or replaces its value, which is not NULL.
void map_put(struct map *map, uint64_t key, void *value);
// Returns the value that was there, NULL if none.
void *map_remove(struct map *map, uint64_t key);
// Goes over all entries, in no particular order: start with *at = 0; false at the end. Nothing may be put
// or removed meanwhile.
bool map_next(const struct map *map, size_t *at, uint64_t *key, void **value);
