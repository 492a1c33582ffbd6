// SPDX-License-Identifier: Apache-2.0
// CLOCK_BOOTTIME rather than CLOCK_MONOTONIC: a machine that slept has let time pass.
#include "base/clock.h"

#include <time.h>

#include "base/assert.h"

uint64_t clock_monotonic_ns(void)
{
    struct timespec now;

    int failed = clock_gettime(CLOCK_BOOTTIME, &now);
    ASSERT(failed == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_wall_ms(void)
{
    struct timespec now;

    int failed = clock_gettime(CLOCK_REALTIME, &now);
    ASSERT(failed == 0);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}
