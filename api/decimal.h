// SPDX-License-Identifier: Apache-2.0
// Integers as text, on the paths where formatting would show in a profile.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { DECIMAL_MAX = 20 }; // digits of UINT64_MAX

// Writes the digits without a NUL and returns the place behind them. Needs DECIMAL_MAX bytes.
static inline char *decimal_put(char *at, uint64_t number)
{
    char digits[DECIMAL_MAX];
    size_t first = sizeof digits;

    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(at, digits + first, sizeof digits - first);
    return at + (sizeof digits - first);
}

// The same for a signed number; needs one byte more.
static inline char *decimal_put_signed(char *at, int64_t number)
{
    if (number >= 0)
        return decimal_put(at, (uint64_t)number);
    *at++ = '-';
    return decimal_put(at, 0 - (uint64_t)number);
}
