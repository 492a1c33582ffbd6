// SPDX-License-Identifier: Apache-2.0
// getrandom() gives up to 256 bytes whole once the kernel's pool is ready, and waits until it is.
#include "base/random.h"

#include <sys/random.h>

#include "base/assert.h"

enum { GETRANDOM_WHOLE_MAX = 256 };

void random_bytes(void *into, size_t length)
{
    uint8_t *at = into;

    while (length > 0) {
        size_t part = length < GETRANDOM_WHOLE_MAX ? length : GETRANDOM_WHOLE_MAX;
        ssize_t got = getrandom(at, part, 0);
        ASSERT(got > 0);
        at += got;
        length -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t value;

    random_bytes(&value, sizeof value);
    return value;
}
