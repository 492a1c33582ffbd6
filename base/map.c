// SPDX-License-Identifier: Apache-2.0
// Linear probing; a removal moves the entries behind it up, so there are no tombstones.
#include "base/map.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

enum { FIRST_CAPACITY = 16 };

static size_t home_of(const struct map *map, uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (map->capacity - 1);
}

// The slot of the key, or the free one where it would go.
static size_t find(const struct map *map, uint64_t key)
{
    size_t at = home_of(map, key);

    ASSERT(key != 0);
    while (map->slots[at].key != 0 && map->slots[at].key != key)
        at = (at + 1) & (map->capacity - 1);
    return at;
}

void map_deinit(struct map *map)
{
    free(map->slots);
    *map = (struct map){0};
}

void *map_get(const struct map *map, uint64_t key)
{
    return map->capacity == 0 ? NULL : map->slots[find(map, key)].value;
}

static void grow(struct map *map)
{
    struct map larger = {.capacity = map->capacity > 0 ? map->capacity * 2 : FIRST_CAPACITY};

    larger.slots = memory_zalloc(larger.capacity * sizeof *larger.slots);
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].key != 0)
            larger.slots[find(&larger, map->slots[i].key)] = map->slots[i];
    }
    larger.count = map->count;
    map_deinit(map);
    *map = larger;
}

void map_put(struct map *map, uint64_t key, void *value)
{
    ASSERT(value != NULL);
    if (map->count * 4 >= map->capacity * 3)
        grow(map);
    struct map_slot *slot = &map->slots[find(map, key)];
    map->count += slot->key == 0;
    *slot = (struct map_slot){.key = key, .value = value};
}

// Whether an entry at `at` whose home is `home` may move to `hole`, which lies before it in its run.
static bool may_move(size_t home, size_t hole, size_t at)
{
    return hole <= at ? home <= hole || home > at : home <= hole && home > at;
}

static void close_hole(struct map *map, size_t hole)
{
    size_t mask = map->capacity - 1;

    for (size_t at = (hole + 1) & mask; map->slots[at].key != 0; at = (at + 1) & mask) {
        if (!may_move(home_of(map, map->slots[at].key), hole, at))
            continue;
        map->slots[hole] = map->slots[at];
        hole = at;
    }
    map->slots[hole] = (struct map_slot){0};
}

void *map_remove(struct map *map, uint64_t key)
{
    if (map->capacity == 0)
        return NULL;
    size_t at = find(map, key);
    void *value = map->slots[at].value;
    if (map->slots[at].key == 0)
        return NULL;
    map->count--;
    close_hole(map, at);
    return value;
}

bool map_next(const struct map *map, size_t *at, uint64_t *key, void **value)
{
    while (*at < map->capacity && map->slots[*at].key == 0)
        (*at)++;
    if (*at >= map->capacity)
        return false;
    *key = map->slots[*at].key;
    *value = map->slots[(*at)++].value;
    return true;
}
