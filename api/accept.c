// SPDX-License-Identifier: Apache-2.0
// Weights are read as thousandths; wildcards mean JSON, because every client sends them.
#include "api/accept.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static int weight_of(const char *parameters, const char *end)
{
    int weight = 1000;

    for (const char *at = parameters; at + 3 <= end; at++) {
        if (strncasecmp(at, "q=", 2) != 0 || strchr("; \t", at[-1]) == NULL)
            continue;
        int scale = 1000;
        weight = 0;
        for (at += 2; at < end && ((*at >= '0' && *at <= '9') || *at == '.'); at++) {
            if (*at == '.')
                continue;
            weight += (*at - '0') * scale;
            scale /= 10;
        }
    }
    return weight;
}

static int range_weight(const char *accept, const char *type)
{
    size_t length = strlen(type);
    int weight = 0;

    while (*accept != '\0') {
        accept += strspn(accept, " \t,");
        const char *end = accept + strcspn(accept, ",");
        bool named = (size_t)(end - accept) >= length && strncasecmp(accept, type, length) == 0 &&
                     strchr("; \t,", accept[length]) != NULL;
        if (named)
            weight = weight_of(accept + length, end);
        accept = end;
    }
    return weight;
}

static bool prefers(const char *accept, const char *type, const char *usual)
{
    if (accept == NULL || strcasestr(accept, type) == NULL)
        return false;
    return range_weight(accept, type) > range_weight(accept, usual);
}

bool accept_prefers_bytes(const char *accept)
{
    return prefers(accept, "application/octet-stream", "application/json");
}

bool accept_prefers_lines(const char *accept)
{
    return prefers(accept, "application/x-ndjson", "text/event-stream");
}
