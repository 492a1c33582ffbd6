// SPDX-License-Identifier: Apache-2.0
// Fuzz target: decoding of commands, results and batches. What decodes is encoded again to the same
// bytes, so no input means two things. The first byte chooses the decoder.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "storage/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(struct buffer *again, const uint8_t *data, size_t size)
{
    ASSERT(again->length == size && memcmp(again->data, data, size) == 0);
    buffer_deinit(again);
}

static void fuzz_command(const uint8_t *data, size_t size)
{
    struct buffer again = {0};
    struct command command;
    struct op op;

    if (command_decode(data, size, &command) != ERROR_OK)
        return;
    command_encode_begin(&again, &command);
    for (uint32_t i = 0; i < command.op_count; i++) {
        command_next_op(&command, &op);
        command_encode_op(&again, &op);
    }
    check_same(&again, data, size);
}

static void fuzz_result(const uint8_t *data, size_t size)
{
    struct buffer again = {0};
    struct result result;
    struct op_result op;

    if (result_decode(data, size, &result) != ERROR_OK)
        return;
    result_encode_begin(&again, &result);
    for (uint32_t i = 0; i < result.op_count; i++) {
        result_next_op(&result, &op);
        result_encode_op(&again, &op);
    }
    check_same(&again, data, size);
}

static enum error copy_part(struct buffer *again, struct batch_part *part)
{
    const uint8_t *command;
    enum error error;
    size_t length;

    batch_begin_part(again, &part->origin, part->count);
    while ((error = batch_next_command(part, &command, &length)) == ERROR_OK)
        batch_add_command(again, command, length);
    return error;
}

static void fuzz_batch(const uint8_t *data, size_t size)
{
    struct buffer again = {0};
    struct batch_part part;
    struct reader parts;
    enum error error;

    if (batch_open(data, size, &parts) != ERROR_OK)
        return;
    batch_begin(&again);
    while ((error = batch_next_part(&parts, &part)) == ERROR_OK)
        ASSERT(copy_part(&again, &part) == ERROR_MISSING);
    if (error == ERROR_MISSING)
        check_same(&again, data, size);
    else
        buffer_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0] % 3) {
    case 0:
        fuzz_command(data + 1, size - 1);
        break;
    case 1:
        fuzz_result(data + 1, size - 1);
        break;
    default:
        fuzz_batch(data + 1, size - 1);
        break;
    }
    return 0;
}
