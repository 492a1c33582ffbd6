// SPDX-License-Identifier: Apache-2.0
// Order of ballots and the hash chain of entries.
#include "paxos/types.h"

#include "base/bytes.h"

enum { ENTRY_HASHED_BYTES = 8 + 8 + 8 + 2 + 1 + 8 + 8 + 16 + 16 };

int ballot_compare(struct ballot a, struct ballot b)
{
    if (a.round != b.round)
        return a.round < b.round ? -1 : 1;
    return (a.node > b.node) - (a.node < b.node);
}

struct hash128 entry_hash(const struct entry *entry)
{
    uint8_t bytes[ENTRY_HASHED_BYTES];
    struct hash128 value = hash128(entry->value->data, entry->value->length, 0);

    bytes_put_u64(bytes, entry->slot);
    bytes_put_u64(bytes + 8, entry->epoch);
    bytes_put_u64(bytes + 16, entry->origin.round);
    bytes_put_u16(bytes + 24, entry->origin.node);
    bytes[26] = entry->type;
    bytes_put_u64(bytes + 27, entry->log_time_us);
    bytes_put_u64(bytes + 35, entry->wall_ms);
    bytes_put_u64(bytes + 43, entry->prev_hash.low);
    bytes_put_u64(bytes + 51, entry->prev_hash.high);
    bytes_put_u64(bytes + 59, value.low);
    bytes_put_u64(bytes + 67, value.high);
    return hash128(bytes, sizeof bytes, 0);
}
