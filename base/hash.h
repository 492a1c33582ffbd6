// SPDX-License-Identifier: Apache-2.0
// Checksums and digests over XXH3. They find damage and divergence, not malice.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash128 {
    uint64_t low;
    uint64_t high;
};

uint64_t hash64(const void *data, size_t length, uint64_t seed);
struct hash128 hash128(const void *data, size_t length, uint64_t seed);
bool hash128_equal(struct hash128 a, struct hash128 b);
// The digest of a set: addition modulo 2^128, so the order of changes does not matter and a change
// can be taken back.
struct hash128 hash128_add(struct hash128 sum, struct hash128 term);
struct hash128 hash128_subtract(struct hash128 sum, struct hash128 term);
