// SPDX-License-Identifier: Apache-2.0
// Fuzz target: path rules. What is legal must be what the tree can hold, and a prefix is legal just
// when its final name is.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "storage/path.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_prefix(const char *path, size_t length)
{
    char *final = memory_alloc(length + 10);

    memcpy(final, path, length);
    memcpy(final + length, "0000000000", 10);
    ASSERT(path_validate_prefix(path, length, NULL) == path_validate(final, length + 10, NULL));
    free(final);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = (const char *)data;
    const char *reason = NULL;

    enum error error = path_validate(path, size, &reason);
    ASSERT((error == ERROR_OK) == (reason == NULL));
    if (size > 0)
        check_prefix(path, size);
    if (error != ERROR_OK)
        return 0;
    ASSERT(path[0] == '/' && utf8_valid(path, size) && memchr(path, 0, size) == NULL);
    size_t parent = path_parent_length(path, size);
    ASSERT(path_validate(path, parent, NULL) == ERROR_OK);
    ASSERT(!path_is_reserved(path, parent) || path_is_reserved(path, size));
    return 0;
}
