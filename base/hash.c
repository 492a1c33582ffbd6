// SPDX-License-Identifier: Apache-2.0
// The one place that knows which hash function is used.
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(const void *data, size_t length, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, length, seed);
}

struct hash128 hash128(const void *data, size_t length, uint64_t seed)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(data, length, seed);

    return (struct hash128){.low = hash.low64, .high = hash.high64};
}

bool hash128_equal(struct hash128 a, struct hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

struct hash128 hash128_add(struct hash128 sum, struct hash128 term)
{
    struct hash128 result = {.low = sum.low + term.low, .high = sum.high + term.high};

    result.high += result.low < sum.low;
    return result;
}

struct hash128 hash128_subtract(struct hash128 sum, struct hash128 term)
{
    struct hash128 result = {.low = sum.low - term.low, .high = sum.high - term.high};

    result.high -= sum.low < term.low;
    return result;
}
