// SPDX-License-Identifier: Apache-2.0
// A version byte and the last name, in base64url without padding (RFC 4648 section 5).
#include "api/cursor.h"

#include <gnutls/gnutls.h>
#include <string.h>

#include "base/assert.h"

enum { CURSOR_VERSION = 1 };

void cursor_encode(struct buffer *into, const void *last, size_t length)
{
    struct buffer bytes = {0};
    gnutls_datum_t text = {0};

    buffer_u8(&bytes, CURSOR_VERSION);
    buffer_append(&bytes, last, length);
    gnutls_datum_t source = {.data = bytes.data, .size = (unsigned)bytes.length};
    ASSERT(gnutls_base64_encode2(&source, &text) == 0);
    for (unsigned i = 0; i < text.size && text.data[i] != '='; i++) {
        uint8_t byte = text.data[i];
        buffer_u8(into, byte == '+' ? '-' : byte == '/' ? '_' : byte);
    }
    gnutls_free(text.data);
    buffer_deinit(&bytes);
}

bool cursor_decode(struct buffer *into, const char *text, size_t length)
{
    struct buffer padded = {0};
    gnutls_datum_t bytes = {0};

    if (length == 0 || strspn(text,
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                              "0123456789-_") != length)
        return false;
    for (size_t i = 0; i < length; i++)
        buffer_u8(&padded, (uint8_t)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]));
    while (padded.length % 4 != 0)
        buffer_u8(&padded, '=');
    gnutls_datum_t source = {.data = padded.data, .size = (unsigned)padded.length};
    bool ok = gnutls_base64_decode2(&source, &bytes) == 0 && bytes.size > 0 &&
              bytes.data[0] == CURSOR_VERSION;
    if (ok)
        buffer_append(into, bytes.data + 1, bytes.size - 1);
    gnutls_free(bytes.data);
    buffer_deinit(&padded);
    return ok;
}
