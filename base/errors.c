// SPDX-License-Identifier: Apache-2.0
// The error table as data.
#include "base/errors.h"

#include <string.h>

#include "base/assert.h"

static const struct error_entry entries[ERROR_COUNT] = {
#define ERROR_ROW(name, zk_code, code_text, slug_text, http, result, retry, text)                  \
    [ERROR_##name] = {.code = code_text,                                                           \
                      .slug = slug_text,                                                           \
                      .title = text,                                                               \
                      .zk = zk_code,                                                               \
                      .status = http,                                                              \
                      .outcome = OUTCOME_##result,                                                 \
                      .retryable = retry},
    ERROR_TABLE(ERROR_ROW)
#undef ERROR_ROW
};

const struct error_entry *error_entry(enum error error)
{
    ASSERT(error < ERROR_COUNT);
    return &entries[error];
}

const char *outcome_name(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_NOT_APPLIED:
        return "not_applied";
    case OUTCOME_APPLIED:
        return "applied";
    case OUTCOME_UNKNOWN:
        return "unknown";
    }
    UNREACHABLE();
}

enum error error_by_slug(const char *slug)
{
    for (unsigned i = 0; i < ERROR_COUNT; i++) {
        if (strcmp(entries[i].slug, slug) == 0)
            return (enum error)i;
    }
    return ERROR_COUNT;
}
