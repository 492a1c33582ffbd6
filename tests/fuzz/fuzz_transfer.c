// SPDX-License-Identifier: Apache-2.0
// Fuzz target: decoding of the frames of a checkpoint's transfer. What decodes is within its bounds and is
// encoded again to the same bytes. The first byte says whether a right checksum is put behind the rest.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "server/transfer_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frame(const uint8_t *data, size_t size)
{
    struct transfer_frame frame;
    struct buffer again = {0};

    if (transfer_frame_decode(data, size, &frame) != ERROR_OK)
        return;
    ASSERT(frame.file.slot > 0 && frame.file.bytes <= TRANSFER_CHECKPOINT_BYTES_MAX);
    ASSERT(frame.length <= TRANSFER_RANGE_BYTES && frame.offset < TRANSFER_CHECKPOINT_BYTES_MAX);
    transfer_frame_encode(&again, &frame);
    ASSERT(again.length == size && memcmp(again.data, data, size) == 0);
    buffer_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer sealed = {0};

    if (size == 0)
        return 0;
    if (data[0] % 2 == 0) {
        check_frame(data + 1, size - 1);
        return 0;
    }
    buffer_append(&sealed, data + 1, size - 1);
    buffer_u64(&sealed, hash64(data + 1, size - 1, 0));
    check_frame(sealed.data, sealed.length);
    buffer_deinit(&sealed);
    return 0;
}
