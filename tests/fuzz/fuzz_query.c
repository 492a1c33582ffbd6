// SPDX-License-Identifier: Apache-2.0
// Query strings. The first byte chooses which parameters the resource has. What parses must have
// values inside the table's bounds, and what does not must say why.
#include <stdint.h>
#include <string.h>

#include "api/query.h"
#include "base/assert.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t all = (1u << QUERY_COUNT) - 1;
    struct query query = {0};
    struct problem problem = {0};

    if (size == 0)
        return 0;
    uint32_t allowed = all & (uint32_t)(data[0] * 0x01010101u);
    enum error error = query_parse(&query, (const char *)data + 1, size - 1, allowed, &problem);
    if (error != ERROR_OK) {
        ASSERT(error == ERROR_BAD_QUERY && problem.detail[0] != '\0');
    } else {
        ASSERT((query.given & ~allowed) == 0);
        ASSERT(query.value[QUERY_RAW] == 0 || query.value[QUERY_RAW] == 1);
        ASSERT(query.value[QUERY_LIMIT] >= 0 && query.value[QUERY_LIMIT] <= UINT32_MAX);
        ASSERT(utf8_valid(query.text.data, query.text.length));
    }
    query_deinit(&query);
    return 0;
}
