// SPDX-License-Identifier: Apache-2.0
// Counted bytes in one allocation.
#include "base/blob.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

struct blob *blob_new(size_t length)
{
    ASSERT(length <= SIZE_MAX - sizeof(struct blob));
    struct blob *blob = memory_alloc(sizeof *blob + length);

    atomic_init(&blob->references, 1);
    blob->length = length;
    return blob;
}

struct blob *blob_copy(const void *data, size_t length)
{
    struct blob *blob = blob_new(length);

    if (length > 0)
        memcpy(blob->data, data, length);
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    unsigned before = atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);

    ASSERT(before > 0);
    return blob;
}

void blob_unref(struct blob *blob)
{
    if (blob == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before == 1)
        free(blob);
}
