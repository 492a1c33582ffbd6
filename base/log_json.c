// SPDX-License-Identifier: Apache-2.0
// A line must stay valid whatever a value holds, so bytes that are not UTF-8 are written as the code
// points of Latin-1.
#include "base/log_json.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum { ESCAPE_MAX = 6 }; // \u00ff

struct text {
    const char *at;
    const char *end;
};

// Appends one byte of a string's contents. Returns 0 when it does not fit.
static size_t put_byte(char *into, size_t size, unsigned char byte, bool whole)
{
    char escaped[ESCAPE_MAX + 1] = {(char)byte};
    size_t length = 1;

    if (byte == '"' || byte == '\\')
        length = (size_t)snprintf(escaped, sizeof escaped, "\\%c", byte);
    else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !whole))
        length = (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", byte);
    if (length > size)
        return 0;
    memcpy(into, escaped, length);
    return length;
}

size_t log_json_string(char *into, size_t size, const char *text, size_t length)
{
    bool whole = utf8_valid(text, length);
    size_t used = 0;

    if (size < 2)
        return 0;
    into[used++] = '"';
    for (size_t i = 0; i < length; i++) {
        size_t more = put_byte(into + used, size - used - 1, (unsigned char)text[i], whole);
        if (more == 0)
            return 0;
        used += more;
    }
    into[used++] = '"';
    return used;
}

// JSON has no numbers with leading zeros.
static bool is_number(const char *text, size_t length)
{
    size_t digits = 0, points = 0;

    for (size_t i = 0; i < length; i++) {
        digits += isdigit((unsigned char)text[i]) != 0;
        points += text[i] == '.';
    }
    bool leading_zero = length > 1 && text[0] == '0' && text[1] != '.';
    return digits > 0 && points <= 1 && digits + points == length && !leading_zero &&
           text[0] != '.' && text[length - 1] != '.';
}

// The byte that an escape of log_quote stands for. `from` is behind the backslash.
static char unescape(struct text *from)
{
    unsigned code;

    if (*from->at == 'x' && from->end - from->at > 2 && sscanf(from->at + 1, "%2x", &code) == 1) {
        from->at += 3;
        return (char)code;
    }
    return *from->at++;
}

// Reads what log_quote wrote. `from` is behind the first quote, and then behind the last.
static size_t unquote(struct text *from, char *into, size_t size)
{
    size_t used = 0;

    while (from->at < from->end && *from->at != '"' && used < size) {
        bool escaped = *from->at == '\\' && from->at + 1 < from->end;
        from->at += escaped;
        into[used++] = escaped ? unescape(from) : *from->at++;
    }
    if (from->at < from->end)
        from->at++;
    return used;
}

static size_t put_value(struct text *from, char *into, size_t size)
{
    char plain[1024];

    if (from->at < from->end && *from->at == '"') {
        from->at++;
        size_t length = unquote(from, plain, sizeof plain);
        return log_json_string(into, size, plain, length);
    }
    const char *start = from->at;
    while (from->at < from->end && *from->at != ' ')
        from->at++;
    size_t length = (size_t)(from->at - start);
    if (!is_number(start, length))
        return log_json_string(into, size, start, length);
    if (length > size)
        return 0;
    memcpy(into, start, length);
    return length;
}

// Returns the length of one member, 0 when it does not fit or there is none.
static size_t put_pair(struct text *from, char *into, size_t size)
{
    const char *equals = memchr(from->at, '=', (size_t)(from->end - from->at));
    size_t used = 0;

    if (equals == NULL || size < 2)
        return 0;
    into[used++] = ',';
    size_t more = log_json_string(into + used, size - used, from->at, (size_t)(equals - from->at));
    if (more == 0 || used + more + 1 > size)
        return 0;
    used += more;
    into[used++] = ':';
    from->at = equals + 1;
    more = put_value(from, into + used, size - used);
    return more > 0 ? used + more : 0;
}

size_t log_json_pairs(char *into, size_t size, const char *pairs)
{
    struct text from = {.at = pairs, .end = pairs + strlen(pairs)};
    size_t used = 0, more;

    while (from.at < from.end) {
        if (*from.at == ' ') {
            from.at++;
            continue;
        }
        more = put_pair(&from, into + used, size - used);
        if (more == 0)
            break;
        used += more;
    }
    return used;
}
