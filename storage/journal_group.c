// SPDX-License-Identifier: Apache-2.0
// The payload of a flush group: HEAD, BODY and TAIL of journal_format.h.
#include "storage/journal_format.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    GROUP_BODY_AT = 8,
    GROUP_EPOCH_AT = 16,
    GROUP_PROMISED_ROUND_AT = 24,
    GROUP_LOG_ROUND_AT = 32,
    GROUP_PROMISED_NODE_AT = 40,
    GROUP_LOG_NODE_AT = 42,
    GROUP_ZERO_AT = 44,
    GROUP_LAST_AT = 48,
    GROUP_HASH_AT = 56,
    GROUP_DECIDED_AT = 72,

    RECORD_ENTRY_TYPE_AT = 1,
    RECORD_NODE_AT = 2,
    RECORD_COUNT_AT = 4,
    RECORD_EPOCH_AT = 8,
    RECORD_ROUND_AT = 16,
    RECORD_SLOT_AT = 24,
    RECORD_HASH_AT = 32,
    RECORD_PREV_AT = 48,
    RECORD_LOG_TIME_AT = 64,
    RECORD_WALL_AT = 72,
};

static void put_hash(uint8_t *at, struct hash128 hash)
{
    bytes_put_u64(at, hash.low);
    bytes_put_u64(at + 8, hash.high);
}

static struct hash128 get_hash(const uint8_t *at)
{
    return (struct hash128){.low = bytes_get_u64(at), .high = bytes_get_u64(at + 8)};
}

static uint64_t head_bytes(size_t records)
{
    return JOURNAL_GROUP_HEADER_BYTES + (uint64_t)records * JOURNAL_RECORD_HEADER_BYTES;
}

static uint64_t payload_bytes(uint64_t sectors)
{
    return sectors * JOURNAL_PAYLOAD_BYTES;
}

// The bytes alone decide: that TAIL touches no sector of HEAD follows from the sizes. Where two
// heads and the footer fit, a head, being a multiple of 80, is at least 80 shorter than half the
// payload; half the payload is a whole number of sectors, so HEAD ends in the first half and TAIL,
// with the footer, fits into the second.
_Static_assert(JOURNAL_GROUP_HEADER_BYTES == 80 && JOURNAL_RECORD_HEADER_BYTES == 80 &&
                   JOURNAL_PAYLOAD_BYTES % 80 == 0 && JOURNAL_FOOTER_BYTES <= 80 &&
                   JOURNAL_BLOCK_SECTORS % 2 == 0,
               "the two heads lie in different sectors");

uint64_t journal_group_sectors(size_t records, uint64_t body_bytes)
{
    const uint64_t block = payload_bytes(JOURNAL_BLOCK_SECTORS);
    uint64_t bytes = 2 * head_bytes(records) + body_bytes + JOURNAL_FOOTER_BYTES;

    return (bytes + block - 1) / block * JOURNAL_BLOCK_SECTORS;
}

uint64_t journal_group_body(const struct paxos_record *records, size_t count)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        if (records[i].type == RECORD_APPEND)
            bytes += records[i].entry.value->length;
    return bytes;
}

// ---- Encoding ----------------------------------------------------------------------------------

static void encode_group_header(uint8_t *at, size_t count, uint64_t body,
                                const struct paxos_scalars *scalars)
{
    bytes_put_u32(at, (uint32_t)count);
    bytes_put_u64(at + GROUP_BODY_AT, body);
    bytes_put_u64(at + GROUP_EPOCH_AT, scalars->epoch);
    bytes_put_u64(at + GROUP_PROMISED_ROUND_AT, scalars->promised.round);
    bytes_put_u64(at + GROUP_LOG_ROUND_AT, scalars->log_ballot.round);
    bytes_put_u16(at + GROUP_PROMISED_NODE_AT, scalars->promised.node);
    bytes_put_u16(at + GROUP_LOG_NODE_AT, scalars->log_ballot.node);
    bytes_put_u64(at + GROUP_LAST_AT, scalars->last);
    put_hash(at + GROUP_HASH_AT, scalars->last_hash);
    bytes_put_u64(at + GROUP_DECIDED_AT, scalars->decided);
}

static void encode_append(uint8_t *at, const struct entry *entry)
{
    at[RECORD_ENTRY_TYPE_AT] = entry->type;
    bytes_put_u16(at + RECORD_NODE_AT, entry->origin.node);
    bytes_put_u32(at + RECORD_COUNT_AT, (uint32_t)entry->value->length);
    bytes_put_u64(at + RECORD_EPOCH_AT, entry->epoch);
    bytes_put_u64(at + RECORD_ROUND_AT, entry->origin.round);
    bytes_put_u64(at + RECORD_SLOT_AT, entry->slot);
    put_hash(at + RECORD_HASH_AT, entry->hash);
    put_hash(at + RECORD_PREV_AT, entry->prev_hash);
    bytes_put_u64(at + RECORD_LOG_TIME_AT, entry->log_time_us);
    bytes_put_u64(at + RECORD_WALL_AT, entry->wall_ms);
}

// Whether the record keeps the log up to a slot and entries follow it.
static bool cuts(const struct paxos_record *record)
{
    return record->type == RECORD_SYNC || record->type == RECORD_LEARN;
}

static void encode_record(uint8_t *at, const struct paxos_record *record)
{
    at[0] = record->type;
    bytes_put_u64(at + RECORD_EPOCH_AT, record->epoch);
    if (record->type == RECORD_APPEND)
        encode_append(at, &record->entry);
    if (record->type != RECORD_APPEND) {
        bytes_put_u16(at + RECORD_NODE_AT, record->ballot.node);
        bytes_put_u64(at + RECORD_ROUND_AT, record->ballot.round);
    }
    if (cuts(record))
        bytes_put_u32(at + RECORD_COUNT_AT, record->count);
    if (cuts(record) || record->type == RECORD_INSTALL) {
        bytes_put_u64(at + RECORD_SLOT_AT, record->slot);
        put_hash(at + RECORD_HASH_AT, record->hash);
    }
}

static void encode_head(struct buffer *head, const struct paxos_record *records, size_t count,
                        uint64_t body, const struct paxos_scalars *scalars)
{
    buffer_clear(head);
    buffer_zero(head, head_bytes(count));
    encode_group_header(head->data, count, body, scalars);
    uint8_t *at = head->data + JOURNAL_GROUP_HEADER_BYTES;
    for (size_t i = 0; i < count; i++, at += JOURNAL_RECORD_HEADER_BYTES)
        encode_record(at, &records[i]);
}

static void put_zeros(uint8_t *sectors, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[JOURNAL_PAYLOAD_BYTES];

    while (from < to) {
        uint64_t part = to - from < sizeof zeros ? to - from : sizeof zeros;
        journal_payload_put(sectors, from, zeros, (size_t)part);
        from += part;
    }
}

void journal_group_encode(uint8_t *sectors, uint64_t sector_count,
                          const struct paxos_record *records, size_t count,
                          const struct paxos_scalars *scalars, struct buffer *head)
{
    uint64_t end = payload_bytes(sector_count) - JOURNAL_FOOTER_BYTES;
    uint8_t footer[JOURNAL_FOOTER_BYTES];

    encode_head(head, records, count, journal_group_body(records, count), scalars);
    journal_payload_put(sectors, 0, head->data, head->length);
    uint64_t at = head->length;
    for (size_t i = 0; i < count; i++) {
        if (records[i].type != RECORD_APPEND)
            continue;
        const struct blob *value = records[i].entry.value;
        journal_payload_put(sectors, at, value->data, value->length);
        at += value->length;
    }
    put_zeros(sectors, at, end - head->length);
    journal_payload_put(sectors, end - head->length, head->data, head->length);
    bytes_put_u32(footer, (uint32_t)head->length);
    journal_payload_put(sectors, end, footer, sizeof footer);
}

// ---- Decoding ----------------------------------------------------------------------------------

static void decode_scalars(const uint8_t *at, struct paxos_scalars *scalars)
{
    *scalars = (struct paxos_scalars){
        .epoch = bytes_get_u64(at + GROUP_EPOCH_AT),
        .promised = {.round = bytes_get_u64(at + GROUP_PROMISED_ROUND_AT),
                     .node = bytes_get_u16(at + GROUP_PROMISED_NODE_AT)},
        .log_ballot = {.round = bytes_get_u64(at + GROUP_LOG_ROUND_AT),
                       .node = bytes_get_u16(at + GROUP_LOG_NODE_AT)},
        .last = bytes_get_u64(at + GROUP_LAST_AT),
        .last_hash = get_hash(at + GROUP_HASH_AT),
        .decided = bytes_get_u64(at + GROUP_DECIDED_AT),
    };
}

static void decode_append(const uint8_t *at, struct paxos_record *record)
{
    record->entry = (struct entry){
        .slot = bytes_get_u64(at + RECORD_SLOT_AT),
        .epoch = record->epoch,
        .origin = {.round = bytes_get_u64(at + RECORD_ROUND_AT),
                   .node = bytes_get_u16(at + RECORD_NODE_AT)},
        .type = at[RECORD_ENTRY_TYPE_AT],
        .log_time_us = bytes_get_u64(at + RECORD_LOG_TIME_AT),
        .wall_ms = bytes_get_u64(at + RECORD_WALL_AT),
        .prev_hash = get_hash(at + RECORD_PREV_AT),
        .hash = get_hash(at + RECORD_HASH_AT),
    };
}

void journal_group_record(const struct journal_group *group, uint32_t index,
                          struct paxos_record *record, uint32_t *value_length)
{
    const uint8_t *at = group->head + (size_t)index * JOURNAL_RECORD_HEADER_BYTES;

    *record = (struct paxos_record){.type = at[0], .epoch = bytes_get_u64(at + RECORD_EPOCH_AT)};
    *value_length = 0;
    if (record->type == RECORD_APPEND) {
        decode_append(at, record);
        *value_length = bytes_get_u32(at + RECORD_COUNT_AT);
        return;
    }
    record->ballot.round = bytes_get_u64(at + RECORD_ROUND_AT);
    record->ballot.node = bytes_get_u16(at + RECORD_NODE_AT);
    record->slot = bytes_get_u64(at + RECORD_SLOT_AT);
    record->hash = get_hash(at + RECORD_HASH_AT);
    record->count = bytes_get_u32(at + RECORD_COUNT_AT);
}

// A record header is understood if encoding what was decoded gives the same bytes again: so no
// byte without a meaning is set.
static bool record_header_is_exact(const struct journal_group *group, uint32_t index,
                                   uint32_t *value_length)
{
    const uint8_t *at = group->head + (size_t)index * JOURNAL_RECORD_HEADER_BYTES;
    uint8_t again[JOURNAL_RECORD_HEADER_BYTES] = {0};
    struct blob empty = {.length = 0};
    struct paxos_record record;

    journal_group_record(group, index, &record, value_length);
    if (record.type < RECORD_PROMISE || record.type > RECORD_LEARN)
        return false;
    record.entry.value = &empty;
    encode_record(again, &record);
    if (record.type == RECORD_APPEND)
        bytes_put_u32(again + RECORD_COUNT_AT, *value_length);
    return memcmp(again, at, sizeof again) == 0;
}

static const char *check_records(const struct journal_group *group)
{
    uint64_t body = 0;

    for (uint32_t i = 0; i < group->count; i++) {
        uint32_t value_length;
        if (!record_header_is_exact(group, i, &value_length))
            return "it holds a record that this version does not know";
        if (value_length > PAXOS_VALUE_MAX)
            return "a value is longer than the limit";
        body += value_length;
    }
    return body == group->body_bytes ? NULL : "the lengths of its values do not add up";
}

// Takes the head at payload offset `at`. The group header lies within the payload; what follows it
// is not yet known to.
static const char *open_head(const uint8_t *sectors, uint64_t sector_count, uint64_t at,
                             struct journal_group *group)
{
    uint8_t header[JOURNAL_GROUP_HEADER_BYTES];

    *group = (struct journal_group){0};
    journal_payload_get(sectors, at, header, sizeof header);
    group->count = bytes_get_u32(header);
    group->body_bytes = bytes_get_u64(header + GROUP_BODY_AT);
    decode_scalars(header, &group->scalars);
    if (group->count > JOURNAL_GROUP_RECORDS_MAX ||
        group->body_bytes > payload_bytes(sector_count) || bytes_get_u32(header + 4) != 0 ||
        bytes_get_u32(header + GROUP_ZERO_AT) != 0 ||
        journal_group_sectors(group->count, group->body_bytes) != sector_count ||
        at + head_bytes(group->count) > payload_bytes(sector_count))
        return "its head does not fit its size";
    size_t length = (size_t)group->count * JOURNAL_RECORD_HEADER_BYTES;
    group->head = memory_alloc(length);
    journal_payload_get(sectors, at + sizeof header, group->head, length);
    return check_records(group);
}

static uint64_t tail_offset(uint64_t sector_count, uint64_t head)
{
    return payload_bytes(sector_count) - JOURNAL_FOOTER_BYTES - head;
}

// Between BODY and TAIL there is nothing.
static bool gap_is_zero(const uint8_t *sectors, uint64_t from, uint64_t to)
{
    uint8_t bytes[JOURNAL_PAYLOAD_BYTES];

    while (from < to) {
        size_t part = to - from < sizeof bytes ? (size_t)(to - from) : sizeof bytes;
        journal_payload_get(sectors, from, bytes, part);
        for (size_t i = 0; i < part; i++)
            if (bytes[i] != 0)
                return false;
        from += part;
    }
    return true;
}

static bool heads_agree(const uint8_t *sectors, uint64_t sector_count, uint64_t head)
{
    uint8_t first[JOURNAL_PAYLOAD_BYTES];
    uint8_t second[JOURNAL_PAYLOAD_BYTES];
    uint8_t footer[JOURNAL_FOOTER_BYTES];
    uint64_t tail = tail_offset(sector_count, head);

    journal_payload_get(sectors, tail + head, footer, sizeof footer);
    if (bytes_get_u32(footer) != head)
        return false;
    for (uint64_t at = 0; at < head;) {
        size_t part = head - at < sizeof first ? (size_t)(head - at) : sizeof first;
        journal_payload_get(sectors, at, first, part);
        journal_payload_get(sectors, tail + at, second, part);
        if (memcmp(first, second, part) != 0)
            return false;
        at += part;
    }
    return true;
}

enum error journal_group_open(const uint8_t *sectors, uint64_t sector_count,
                              struct journal_group *group, const char **reason)
{
    *reason = open_head(sectors, sector_count, 0, group);
    if (*reason == NULL) {
        uint64_t head = head_bytes(group->count);
        if (!heads_agree(sectors, sector_count, head))
            *reason = "its two heads differ";
        else if (!gap_is_zero(sectors, head + group->body_bytes, tail_offset(sector_count, head)))
            *reason = "something stands between its values and its second head";
    }
    if (*reason == NULL)
        return ERROR_OK;
    journal_group_deinit(group);
    return ERROR_CORRUPT;
}

bool journal_group_open_copy(const uint8_t *sectors, uint64_t sector_count, bool tail,
                             struct journal_group *group)
{
    uint8_t footer[JOURNAL_FOOTER_BYTES];
    uint64_t at = 0;

    if (tail) {
        journal_payload_get(sectors, tail_offset(sector_count, 0), footer, sizeof footer);
        uint64_t head = bytes_get_u32(footer);
        if (head < JOURNAL_GROUP_HEADER_BYTES || head > tail_offset(sector_count, 0))
            return false;
        at = tail_offset(sector_count, head);
    }
    if (open_head(sectors, sector_count, at, group) == NULL)
        return true;
    journal_group_deinit(group);
    return false;
}

void journal_group_deinit(struct journal_group *group)
{
    free(group->head);
    group->head = NULL;
}

uint64_t journal_group_body_offset(const struct journal_group *group)
{
    return head_bytes(group->count);
}

const char *journal_group_value(const uint8_t *sectors, uint64_t at, uint32_t length,
                                struct entry *entry)
{
    entry->value = blob_new(length);
    journal_payload_get(sectors, at, entry->value->data, length);
    if (hash128_equal(entry_hash(entry), entry->hash))
        return NULL;
    return "an entry does not have the hash that it states";
}
