// SPDX-License-Identifier: Apache-2.0
// The tag is the beginning of the cluster's id, in hexadecimal.
#include "api/event_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_DIGITS = 8, ZXID_DIGITS_MAX = 16 };

uint32_t event_id_tag(const uint8_t cluster[16])
{
    return (uint32_t)cluster[0] << 24 | (uint32_t)cluster[1] << 16 | (uint32_t)cluster[2] << 8 |
           cluster[3];
}

void event_id_write(char into[EVENT_ID_MAX], uint32_t tag, uint64_t zxid)
{
    snprintf(into, EVENT_ID_MAX, "%08" PRIx32 ".%" PRIu64, tag, zxid);
}

bool event_id_parse(const char *text, struct event_id *id)
{
    struct event_id parsed = {0};

    if (strspn(text, "0123456789abcdef") == TAG_DIGITS && text[TAG_DIGITS] == '.') {
        parsed.has_tag = true;
        parsed.tag = (uint32_t)strtoul(text, NULL, 16);
        text += TAG_DIGITS + 1;
    }
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > ZXID_DIGITS_MAX || text[digits] != '\0')
        return false;
    parsed.zxid = strtoull(text, NULL, 10);
    if (parsed.zxid >> 53 != 0)
        return false;
    *id = parsed;
    return true;
}
