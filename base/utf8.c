// SPDX-License-Identifier: Apache-2.0
// A decoder that knows, per lead byte, how long the sequence is and what the smallest code point of
// that length is.
#include "base/utf8.h"

#include <string.h>

static bool lead_byte(uint8_t lead, int *more, uint32_t *bits, uint32_t *smallest)
{
    if (lead >= 0xc2 && lead <= 0xdf) {
        *more = 1;
        *bits = lead & 0x1fu;
        *smallest = 0x80;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        *more = 2;
        *bits = lead & 0x0fu;
        *smallest = 0x800;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        *more = 3;
        *bits = lead & 0x07u;
        *smallest = 0x10000;
    } else {
        return false;
    }
    return true;
}

bool utf8_next(const uint8_t **at, const uint8_t *end, uint32_t *code_point)
{
    const uint8_t *next = *at;
    uint8_t lead = *next++;
    uint32_t bits, smallest;
    int more;

    if (lead < 0x80) {
        *at = next;
        *code_point = lead;
        return true;
    }
    if (!lead_byte(lead, &more, &bits, &smallest) || end - next < more)
        return false;
    for (; more > 0; more--, next++) {
        if ((*next & 0xc0) != 0x80)
            return false;
        bits = bits << 6 | (*next & 0x3fu);
    }
    if (bits < smallest || bits > 0x10ffff || (bits >= 0xd800 && bits <= 0xdfff))
        return false;
    *at = next;
    *code_point = bits;
    return true;
}

bool utf8_valid(const void *text, size_t length)
{
    const uint8_t *at = text;
    const uint8_t *end = length > 0 ? at + length : at;
    uint32_t code_point;

    while (at != end) {
        uint64_t eight;
        if (end - at >= 8 && (memcpy(&eight, at, 8), (eight & 0x8080808080808080u) == 0)) {
            at += 8;
            continue;
        }
        if (!utf8_next(&at, end, &code_point))
            return false;
    }
    return true;
}
