// SPDX-License-Identifier: Apache-2.0
// Tags are on every read, so they are put together by hand.
#include "api/etag.h"

#include <string.h>

#include "api/decimal.h"

static void end_tag(char *at)
{
    at[0] = '"';
    at[1] = '\0';
}

void etag_raw(char into[ETAG_MAX], uint64_t mzxid)
{
    into[0] = '"';
    end_tag(decimal_put(into + 1, mzxid));
}

void etag_node(char into[ETAG_MAX], const struct stat_fields *stat)
{
    into[0] = '"';
    char *at = decimal_put(into + 1, stat->mzxid);
    *at++ = '.';
    at = decimal_put(at, stat->pzxid);
    *at++ = '.';
    end_tag(decimal_put_signed(at, stat->aversion));
}

void etag_children(char into[ETAG_MAX], const struct stat_fields *stat)
{
    into[0] = '"';
    into[1] = 'c';
    end_tag(decimal_put(into + 2, stat->pzxid));
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

bool etag_next(const char **at, struct etag_member *member)
{
    const char *next = *at;

    next += strspn(next, " \t,");
    *at = next;
    if (*next == '\0')
        return false;
    member->weak = strncmp(next, "W/", 2) == 0;
    if (member->weak)
        next += 2;
    if (*next != '"')
        return false;
    const char *end = strchr(next + 1, '"');
    if (end == NULL)
        return false;
    member->opaque = next + 1;
    member->length = (size_t)(end - next - 1);
    next = skip_blanks(end + 1);
    if (*next != ',' && *next != '\0')
        return false;
    *at = next;
    return true;
}

bool etag_list_has(const char *list, const char *etag)
{
    struct etag_member member;
    size_t length = strlen(etag);

    list = skip_blanks(list);
    if (list[0] == '*' && *skip_blanks(list + 1) == '\0')
        return true;
    while (etag_next(&list, &member)) {
        if (member.length + 2 == length && memcmp(member.opaque, etag + 1, member.length) == 0)
            return true;
    }
    return false;
}

uint64_t etag_mzxid(const struct etag_member *member)
{
    uint64_t zxid = 0;
    size_t digits = 0;

    while (digits < member->length && digits < 19) {
        char c = member->opaque[digits];
        if (c < '0' || c > '9')
            break;
        zxid = zxid * 10 + (uint64_t)(c - '0');
        digits++;
    }
    bool ended = digits == member->length || member->opaque[digits] == '.';
    return digits > 0 && ended ? zxid : UINT64_MAX;
}
