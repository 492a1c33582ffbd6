// SPDX-License-Identifier: Apache-2.0
// Names are told apart by length first, so that most headers cost one comparison of numbers.
#include "api/headers.h"

#include <strings.h>

struct known {
    const char *name;
    size_t length;
};

#define KNOWN(text)                                                                                \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }
static const struct known known[HEADER_COUNT] = {
    [HEADER_HOST] = KNOWN("Host"),
    [HEADER_ORIGIN] = KNOWN("Origin"),
    [HEADER_ACCEPT] = KNOWN("Accept"),
    [HEADER_IF_MATCH] = KNOWN("If-Match"),
    [HEADER_IF_NONE_MATCH] = KNOWN("If-None-Match"),
    [HEADER_IDEMPOTENCY_KEY] = KNOWN("Idempotency-Key"),
    [HEADER_PREFER] = KNOWN("Prefer"),
    [HEADER_CURLEW_SESSION] = KNOWN("Curlew-Session"),
    [HEADER_CONTENT_LENGTH] = KNOWN("Content-Length"),
    [HEADER_TRANSFER_ENCODING] = KNOWN("Transfer-Encoding"),
    [HEADER_CONTENT_ENCODING] = KNOWN("Content-Encoding"),
    [HEADER_EXPECT] = KNOWN("Expect"),
    [HEADER_LAST_EVENT_ID] = KNOWN("Last-Event-ID"),
    [HEADER_REQUEST_METHOD] = KNOWN("Access-Control-Request-Method"),
};

// Bytes of RFC 9110 tokens.
static const bool token[256] = {
    ['!'] = true,         ['#'] = true,         ['$'] = true,         ['%'] = true, ['&'] = true,
    ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true, ['.'] = true,
    ['^'] = true,         ['_'] = true,         ['`'] = true,         ['|'] = true, ['~'] = true,
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

const char *header_name(enum header_name name)
{
    return known[name].name;
}

static bool is_token(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!token[(unsigned char)name[i]])
            return false;
    }
    return length > 0;
}

static bool is_clean(const char *value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)value[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return false;
    }
    return true;
}

void headers_add(struct headers *headers, const char *name, size_t name_length, const char *value,
                 size_t value_length)
{
    headers->bytes += name_length + value_length + 4;
    headers->bad_name |= !is_token(name, name_length);
    headers->bad_value |= !is_clean(value, value_length);
    for (unsigned i = 0; i < HEADER_COUNT; i++) {
        if (known[i].length != name_length || strncasecmp(known[i].name, name, name_length) != 0)
            continue;
        if (headers->count[i] == 0)
            headers->value[i] = value != NULL ? value : "";
        if (headers->count[i] < UINT8_MAX)
            headers->count[i]++;
        return;
    }
}
