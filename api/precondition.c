// SPDX-License-Identifier: Apache-2.0
// A tag that no znode can have is kept as an impossible zxid: the condition then fails, as it must.
#include "api/precondition.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/etag.h"

static bool is_star(const char *value)
{
    return strspn(value, " \t*") == strlen(value) && strchr(value, '*') == strrchr(value, '*') &&
           strchr(value, '*') != NULL;
}

static enum error parse_match(const char *value, struct op *op, struct problem *problem)
{
    struct etag_member member;
    unsigned members = 0;

    while (etag_next(&value, &member)) {
        members++;
        if (member.weak)
            continue;
        if (op->match_count == COMMAND_MATCH_MAX)
            return problem_set(problem, ERROR_BAD_HEADER, "If-Match has more than %d entity tags",
                               COMMAND_MATCH_MAX);
        op->match[op->match_count++] = etag_mzxid(&member);
    }
    if (*value != '\0' || members == 0)
        return problem_set(problem, ERROR_BAD_HEADER,
                           "If-Match must be * or a list of entity tags in double quotes, such as "
                           "\"41\"");
    if (op->match_count == 0)
        op->match[op->match_count++] = UINT64_MAX;
    return ERROR_OK;
}

enum error precondition_parse(const struct headers *headers, struct op *op, struct problem *problem)
{
    const char *match = headers->value[HEADER_IF_MATCH];
    const char *none_match = headers->value[HEADER_IF_NONE_MATCH];

    if (match != NULL && none_match != NULL)
        return problem_set(problem, ERROR_BAD_HEADER,
                           "If-Match and If-None-Match exclude each other");
    if (none_match != NULL) {
        if (!is_star(none_match))
            return problem_set(problem, ERROR_BAD_HEADER,
                               "If-None-Match on a write must be *: the znode must not exist");
        op->flags |= OP_MUST_NOT_EXIST;
    }
    if (match == NULL)
        return ERROR_OK;
    if (!is_star(match))
        return parse_match(match, op, problem);
    op->flags |= OP_MUST_EXIST;
    return ERROR_OK;
}

enum error precondition_refuse(const struct headers *headers, struct problem *problem)
{
    if (headers->value[HEADER_IF_MATCH] == NULL && headers->value[HEADER_IF_NONE_MATCH] == NULL)
        return ERROR_OK;
    return problem_set(problem, ERROR_BAD_HEADER,
                       "If-Match and If-None-Match are about one znode; in a multi, use check "
                       "operations");
}

enum error precondition_read(const struct headers *headers, const struct stat_fields *stat,
                             struct problem *problem)
{
    const char *value = headers->value[HEADER_IF_MATCH];
    struct op op = {0};

    if (value == NULL || is_star(value))
        return ERROR_OK;
    enum error error = parse_match(value, &op, problem);
    for (unsigned i = 0; error == ERROR_OK && i < op.match_count; i++) {
        if (op.match[i] == stat->mzxid)
            return ERROR_OK;
    }
    if (error != ERROR_OK)
        return error;
    problem->has_current = true;
    problem->current_version = stat->version;
    problem->current_mzxid = stat->mzxid;
    return problem_set(problem, ERROR_PRECONDITION_FAILED,
                       "the znode has none of the entity tags in If-Match");
}

enum error idempotency_key_parse(const struct headers *headers, const uint8_t **key, size_t *length,
                                 struct problem *problem)
{
    const char *value = headers->value[HEADER_IDEMPOTENCY_KEY];

    *key = NULL;
    *length = 0;
    if (value == NULL)
        return ERROR_OK;
    size_t size = strlen(value);
    if (size >= 2 && value[0] == '"' && value[size - 1] == '"') {
        value++;
        size -= 2;
    }
    if (size == 0 || size > COMMAND_KEY_MAX)
        return problem_set(problem, ERROR_BAD_HEADER,
                           "Idempotency-Key has %zu bytes; it must have 1 to %d", size,
                           COMMAND_KEY_MAX);
    for (size_t i = 0; i < size; i++) {
        if (value[i] <= ' ' || value[i] > '~' || value[i] == '"' || value[i] == '\\')
            return problem_set(problem, ERROR_BAD_HEADER,
                               "Idempotency-Key must consist of visible ASCII characters other "
                               "than \" and \\, bare or in double quotes");
    }
    *key = (const uint8_t *)value;
    *length = size;
    return ERROR_OK;
}

static bool is_preference(const char *at, const char *name)
{
    size_t length = strlen(name);

    return strncasecmp(at, name, length) == 0 && strchr("= \t;,", at[length]) != NULL;
}

enum error prefer_wait_parse(const struct headers *headers, uint64_t max_ms, uint64_t *wait_ms,
                             struct problem *problem)
{
    const char *at = headers->value[HEADER_PREFER];

    while (at != NULL && *at != '\0') {
        at += strspn(at, " \t,");
        if (is_preference(at, "wait")) {
            size_t digits = at[4] == '=' ? strspn(at + 5, "0123456789") : 0;
            if (digits == 0 || digits > 9 || strchr(" \t;,", at[5 + digits]) == NULL)
                return problem_set(problem, ERROR_BAD_HEADER,
                                   "Prefer: wait must be a number of seconds, such as wait=5");
            uint64_t wanted_ms = strtoull(at + 5, NULL, 10) * 1000;
            *wait_ms = wanted_ms < max_ms ? wanted_ms : max_ms;
            return ERROR_OK;
        }
        at = strchr(at, ',');
    }
    return ERROR_OK;
}
