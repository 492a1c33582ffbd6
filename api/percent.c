// SPDX-License-Identifier: Apache-2.0
// Every escape is decoded exactly once, and never anything that would change where a segment ends.
#include "api/percent.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static const char *decode_escape(const char *at, const char *end, enum percent_mode mode,
                                 struct buffer *into)
{
    int high = end - at > 2 ? hex_digit(at[1]) : -1;
    int low = end - at > 2 ? hex_digit(at[2]) : -1;

    if (high < 0 || low < 0)
        return "has a % without two hexadecimal digits behind it (a % itself is %25)";
    int byte = high * 16 + low;
    if (byte == 0)
        return "has an encoded NUL (%00)";
    if (byte == '/' && mode == PERCENT_SEGMENT)
        return "has an encoded slash (%2F) inside a component";
    buffer_u8(into, (uint8_t)byte);
    return NULL;
}

const char *percent_decode(const char *text, size_t length, enum percent_mode mode,
                           struct buffer *into)
{
    const char *end = text + length;
    size_t start = into->length;

    for (const char *at = text; at < end;) {
        const char *run = at;
        while (at < end && *at != '%' && (*at != '+' || mode != PERCENT_QUERY))
            at++;
        buffer_append(into, run, (size_t)(at - run));
        if (at == end)
            break;
        if (*at == '+') {
            buffer_u8(into, ' ');
            at++;
            continue;
        }
        const char *wrong = decode_escape(at, end, mode, into);
        if (wrong != NULL)
            return wrong;
        at += 3;
    }
    if (into->length > start && !utf8_valid(into->data + start, into->length - start))
        return "is not UTF-8 when decoded";
    return NULL;
}

void percent_encode_path(const char *path, size_t length, struct buffer *into)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)path[i];
        if (byte < 0x80 && (isalnum(byte) || (byte != 0 && strchr("/-._~", byte) != NULL)))
            buffer_u8(into, byte);
        else
            buffer_printf(into, "%%%02X", byte);
    }
}
