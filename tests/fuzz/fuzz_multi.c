// SPDX-License-Identifier: Apache-2.0
// JSON bodies of a multi: every op that comes out is one that the state machine knows, and whatever
// is refused says why.
#include <stdint.h>

#include "api/multi_parse.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_op(const struct multi *multi, const struct multi_op *op)
{
    bool read = op->type == MULTI_GET || op->type == MULTI_CHILDREN;

    ASSERT(read == multi->reads);
    ASSERT(op->op.path != NULL);
    ASSERT((op->op.data == NULL) == (op->op.data_length == 0));
    if (!read)
        ASSERT(op->op.type >= OP_CHECK && op->op.type <= OP_DELETE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct multi_limits limits = {.json_depth = 8, .ops = 16};
    struct problem problem = {0};
    struct multi multi;

    enum error error = multi_parse(data, size, &limits, &multi, &problem);
    if (error != ERROR_OK)
        ASSERT(problem.error == error && problem.detail[0] != '\0');
    for (size_t i = 0; error == ERROR_OK && i < multi.count; i++)
        check_op(&multi, &multi.ops[i]);
    multi_free(&multi);
    return 0;
}
