// SPDX-License-Identifier: Apache-2.0
// Fuzz target: decoding of consensus messages. What decodes is encoded again to the same bytes. The
// first byte says whether a right checksum is put behind the rest, so that the fuzzer gets past it.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "paxos/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct entry *entry_of(const void *context, paxos_slot slot)
{
    const struct paxos_message *message = context;

    return &message->entries[slot - message->slot - 1];
}

static void check_message(const uint8_t *data, size_t size)
{
    struct paxos_message message;
    struct buffer again = {0};

    if (paxos_message_decode(data, size, &message) != ERROR_OK)
        return;
    paxos_message_encode(&again, &message, entry_of, &message);
    ASSERT(again.length == size && memcmp(again.data, data, size) == 0);
    buffer_deinit(&again);
    paxos_message_release(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer sealed = {0};

    if (size == 0)
        return 0;
    if (data[0] % 2 == 0) {
        check_message(data + 1, size - 1);
        return 0;
    }
    buffer_append(&sealed, data + 1, size - 1);
    buffer_u64(&sealed, hash64(data + 1, size - 1, 0));
    check_message(sealed.data, sealed.length);
    buffer_deinit(&sealed);
    return 0;
}
