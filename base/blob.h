// SPDX-License-Identifier: Apache-2.0
// An immutable, counted run of bytes: a slot's value, an encoded command, a result. It is shared
// between threads without copying; the count is atomic, the bytes are written before sharing.
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
    atomic_uint references; // freed when this reaches zero
    size_t length;          // bytes in data
    uint8_t data[];
};

// Return a blob with one reference, owned by the caller. blob_new leaves the bytes to be filled in
// before the blob is shared; blob_copy accepts NULL for length 0.
struct blob *blob_new(size_t length);
struct blob *blob_copy(const void *data, size_t length);
// Adds a reference and returns the same blob.
struct blob *blob_ref(struct blob *blob);
// Drops a reference; NULL is allowed. Thread: any.
void blob_unref(struct blob *blob);
