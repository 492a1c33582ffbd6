// SPDX-License-Identifier: Apache-2.0
// Runs of bytes that need no escape are copied as they are; only the others are looked at.
#include "api/json_writer.h"

#include <string.h>

#include "api/decimal.h"
#include "base/utf8.h"

static void put(struct json_writer *json, const char *text, size_t length)
{
    buffer_append(json->into, text, length);
}

static void put_byte(struct json_writer *json, char byte)
{
    *buffer_reserve(json->into, 1) = (uint8_t)byte;
    json->into->length++;
}

static void separate(struct json_writer *json)
{
    if (json->comma)
        put_byte(json, ',');
    json->comma = true;
}

void json_open(struct json_writer *json, char bracket)
{
    separate(json);
    put_byte(json, bracket);
    json->comma = false;
}

void json_close(struct json_writer *json, char bracket)
{
    put_byte(json, bracket);
    json->comma = true;
}

void json_key(struct json_writer *json, const char *name)
{
    size_t length = strlen(name);

    separate(json);
    uint8_t *at = buffer_reserve(json->into, length + 3);
    at[0] = '"';
    memcpy(at + 1, name, length);
    memcpy(at + 1 + length, "\":", 2);
    json->into->length += length + 3;
    json->comma = false;
}

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

// Whether eight bytes are plain: in each, no bit of `special` is set exactly when it is none of
// what needs an escape. The subtractions borrow only from a byte that is special itself.
static bool are_plain(const uint8_t *at)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word;

    memcpy(&word, at, sizeof word);
    uint64_t quote = word ^ ones * '"';
    uint64_t backslash = word ^ ones * '\\';
    uint64_t special = word | ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
                       ((backslash - ones) & ~backslash);
    return (special & ones * 0x80) == 0;
}

static const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 8 && are_plain(at))
        at += 8;
    while (at < end && is_plain(*at))
        at++;
    return at;
}

// Writes the escape of the byte or sequence at `at` and returns where the text goes on.
static const uint8_t *put_escape(struct json_writer *json, const uint8_t *at, const uint8_t *end)
{
    static const char short_escapes[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    const uint8_t *next = at;
    uint32_t code_point;

    if (*at >= 0x80) {
        if (utf8_next(&next, end, &code_point)) {
            put(json, (const char *)at, (size_t)(next - at));
            return next;
        }
        put(json, "\xef\xbf\xbd", 3);
        return at + 1;
    }
    for (const char *escape = short_escapes; *escape != '\0'; escape += 2) {
        if ((uint8_t)escape[0] == *at) {
            put(json, (const char[]){'\\', escape[1]}, 2);
            return at + 1;
        }
    }
    buffer_printf(json->into, "\\u%04x", *at);
    return at + 1;
}

void json_text(struct json_writer *json, const void *text, size_t length)
{
    const uint8_t *at = text;
    const uint8_t *end = length > 0 ? at + length : at;

    separate(json);
    buffer_reserve(json->into, length + 2);
    put_byte(json, '"');
    while (at < end) {
        const uint8_t *run = at;
        at = skip_plain(at, end);
        put(json, (const char *)run, (size_t)(at - run));
        if (at < end)
            at = put_escape(json, at, end);
    }
    put_byte(json, '"');
}

void json_string(struct json_writer *json, const char *text)
{
    json_text(json, text, strlen(text));
}

void json_number(struct json_writer *json, uint64_t number)
{
    separate(json);
    char *at = (char *)buffer_reserve(json->into, DECIMAL_MAX);
    json->into->length += (size_t)(decimal_put(at, number) - at);
}

void json_integer(struct json_writer *json, int64_t number)
{
    separate(json);
    char *at = (char *)buffer_reserve(json->into, DECIMAL_MAX + 1);
    json->into->length += (size_t)(decimal_put_signed(at, number) - at);
}

void json_boolean(struct json_writer *json, bool value)
{
    separate(json);
    buffer_text(json->into, value ? "true" : "false");
}

void json_null(struct json_writer *json)
{
    separate(json);
    put(json, "null", 4);
}

void json_end(struct json_writer *json)
{
    put_byte(json, '\n');
}
