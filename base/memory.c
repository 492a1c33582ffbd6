// SPDX-License-Identifier: Apache-2.0
// Heap memory that cannot fail: see the header for why.
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void *memory_alloc(size_t size)
{
    void *block = malloc(size > 0 ? size : 1);

    ASSERT(block != NULL);
    return block;
}

void *memory_zalloc(size_t size)
{
    void *block = calloc(1, size > 0 ? size : 1);

    ASSERT(block != NULL);
    return block;
}

void *memory_realloc(void *block, size_t size)
{
    void *larger = realloc(block, size > 0 ? size : 1);

    ASSERT(larger != NULL);
    return larger;
}

void *memory_copy(const void *block, size_t size)
{
    void *copy = memory_alloc(size);

    if (size > 0)
        memcpy(copy, block, size);
    return copy;
}

char *memory_string(const char *text)
{
    return memory_copy(text, strlen(text) + 1);
}
