// SPDX-License-Identifier: Apache-2.0
// The encoding of messages, driven by the table of message.h.
//
// Layout: type u8, epoch u64, from u16, to u16, boot u64, the fields of the type in the order of
// enum paxos_message_field, then a u64 checksum of all of it. Entries are a u32 count and for each
// epoch, origin, type, times, hash and value; slot and prev_hash follow from the message's slot and
// hash, so a broken chain cannot even be written down. The hash of each entry travels nevertheless:
// it was made when the entry was, and finds what a checksum made at sending cannot.
#include "paxos/message.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    CHECKSUM_BYTES = 8,
    ENTRY_FIXED_BYTES = 8 + 10 + 1 + 8 + 8 + 16 + 4, // an entry without the bytes of its value
};

static const struct {
    const char *name;
    uint32_t fields;
} types[MESSAGE_TYPE_COUNT] = {
#define MESSAGE_ROW(NAME, name, fields) [MESSAGE_##NAME] = {#NAME, (fields)},
    PAXOS_MESSAGES(MESSAGE_ROW)
#undef MESSAGE_ROW
};

const char *paxos_message_name(uint8_t type)
{
    return type > MESSAGE_NONE && type < MESSAGE_TYPE_COUNT ? types[type].name : "unknown";
}

static void put_ballot(struct buffer *into, struct ballot ballot)
{
    buffer_u64(into, ballot.round);
    buffer_u16(into, ballot.node);
}

static void put_hash(struct buffer *into, struct hash128 hash)
{
    buffer_u64(into, hash.low);
    buffer_u64(into, hash.high);
}

static void put_entry(struct buffer *into, const struct entry *entry)
{
    buffer_u64(into, entry->epoch);
    put_ballot(into, entry->origin);
    buffer_u8(into, entry->type);
    buffer_u64(into, entry->log_time_us);
    buffer_u64(into, entry->wall_ms);
    put_hash(into, entry->hash);
    buffer_string(into, entry->value->data, entry->value->length);
}

static void put_entries(struct buffer *into, const struct paxos_message *message,
                        const struct entry *(*entry_of)(const void *context, paxos_slot slot),
                        const void *context)
{
    ASSERT(message->entry_count <= MESSAGE_ENTRIES_MAX);
    buffer_u32(into, message->entry_count);
    for (uint32_t i = 1; i <= message->entry_count; i++) {
        const struct entry *entry = entry_of(context, message->slot + i);

        ASSERT(entry->slot == message->slot + i);
        put_entry(into, entry);
    }
}

static void put_fields(struct buffer *into, const struct paxos_message *message, uint32_t fields)
{
    if (fields & F_ROUND)
        buffer_u64(into, message->round);
    if (fields & F_BALLOT)
        put_ballot(into, message->ballot);
    if (fields & F_LEADER)
        put_ballot(into, message->leader);
    if (fields & F_PROMISED)
        put_ballot(into, message->promised);
    if (fields & F_LOG_BALLOT)
        put_ballot(into, message->log_ballot);
    if (fields & F_SLOT)
        buffer_u64(into, message->slot);
    if (fields & F_HASH)
        put_hash(into, message->hash);
    if (fields & F_LAST)
        buffer_u64(into, message->last);
    if (fields & F_DECIDED)
        buffer_u64(into, message->decided);
    if (fields & F_HAPPY)
        buffer_u8(into, message->happy);
}

void paxos_message_encode(struct buffer *into, const struct paxos_message *message,
                          const struct entry *(*entry_of)(const void *context, paxos_slot slot),
                          const void *context)
{
    size_t start = into->length;

    ASSERT(message->type > MESSAGE_NONE && message->type < MESSAGE_TYPE_COUNT);
    uint32_t fields = types[message->type].fields;
    buffer_u8(into, message->type);
    buffer_u64(into, message->epoch);
    buffer_u16(into, message->from);
    buffer_u16(into, message->to);
    buffer_u64(into, message->boot);
    put_fields(into, message, fields);
    if (fields & F_ENTRIES)
        put_entries(into, message, entry_of, context);
    buffer_u64(into, hash64(into->data + start, into->length - start, 0));
}

static struct ballot get_ballot(struct reader *reader)
{
    uint64_t round = reader_u64(reader);

    return (struct ballot){.round = round, .node = reader_u16(reader)};
}

static struct hash128 get_hash(struct reader *reader)
{
    uint64_t low = reader_u64(reader);

    return (struct hash128){.low = low, .high = reader_u64(reader)};
}

// Nothing else has a meaning: an entry that cannot be executed must not get into a log.
static bool entry_sensible(const struct entry *entry, size_t value_length)
{
    return entry->type == ENTRY_BATCH || (entry->type == ENTRY_LEADER_START && value_length == 0);
}

// Fills in *entry, whose slot and prev_hash are set; it has a value exactly when true is returned.
static bool get_entry(struct reader *reader, struct entry *entry)
{
    size_t length;

    entry->epoch = reader_u64(reader);
    entry->origin = get_ballot(reader);
    entry->type = reader_u8(reader);
    entry->log_time_us = reader_u64(reader);
    entry->wall_ms = reader_u64(reader);
    entry->hash = get_hash(reader);
    const uint8_t *value = reader_string(reader, PAXOS_VALUE_MAX, &length);
    if (value == NULL || !entry_sensible(entry, length))
        return false;

    entry->value = blob_copy(value, length);
    if (hash128_equal(entry_hash(entry), entry->hash))
        return true;
    blob_unref(entry->value);
    return false;
}

static void free_entries(struct entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        blob_unref(entries[i].value);
    free(entries);
}

// Sets message->entries. The count is bounded by the bytes that are there before it is allocated.
static void get_entries(struct reader *reader, struct paxos_message *message)
{
    uint32_t count = reader_u32(reader);
    struct hash128 hash = message->hash;

    if (count > MESSAGE_ENTRIES_MAX || count > reader_left(reader) / ENTRY_FIXED_BYTES ||
        message->slot > UINT64_MAX - count)
        reader_fail(reader);
    if (reader->failed || count == 0)
        return;

    struct entry *entries = memory_alloc(count * sizeof *entries);
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct entry){.slot = message->slot + 1 + i, .prev_hash = hash};
        if (!get_entry(reader, &entries[i])) {
            free_entries(entries, i);
            reader_fail(reader);
            return;
        }
        hash = entries[i].hash;
    }
    message->entries = entries;
    message->entry_count = count;
}

static bool get_bool(struct reader *reader)
{
    uint8_t value = reader_u8(reader);

    if (value > 1)
        reader_fail(reader);
    return value == 1;
}

static void get_fields(struct reader *reader, struct paxos_message *message, uint32_t fields)
{
    if (fields & F_ROUND)
        message->round = reader_u64(reader);
    if (fields & F_BALLOT)
        message->ballot = get_ballot(reader);
    if (fields & F_LEADER)
        message->leader = get_ballot(reader);
    if (fields & F_PROMISED)
        message->promised = get_ballot(reader);
    if (fields & F_LOG_BALLOT)
        message->log_ballot = get_ballot(reader);
    if (fields & F_SLOT)
        message->slot = reader_u64(reader);
    if (fields & F_HASH)
        message->hash = get_hash(reader);
    if (fields & F_LAST)
        message->last = reader_u64(reader);
    if (fields & F_DECIDED)
        message->decided = reader_u64(reader);
    if (fields & F_HAPPY)
        message->happy = get_bool(reader);
}

static bool checksum_matches(const uint8_t *data, size_t length)
{
    return length > CHECKSUM_BYTES && hash64(data, length - CHECKSUM_BYTES, 0) ==
                                          bytes_get_u64(data + length - CHECKSUM_BYTES);
}

enum error paxos_message_decode(const void *data, size_t length, struct paxos_message *message)
{
    struct reader reader;

    *message = (struct paxos_message){0};
    if (!checksum_matches(data, length))
        return ERROR_CORRUPT;
    reader_init(&reader, data, length - CHECKSUM_BYTES);
    message->type = reader_u8(&reader);
    if (message->type == MESSAGE_NONE || message->type >= MESSAGE_TYPE_COUNT)
        return ERROR_CORRUPT;

    uint32_t fields = types[message->type].fields;
    message->epoch = reader_u64(&reader);
    message->from = reader_u16(&reader);
    message->to = reader_u16(&reader);
    message->boot = reader_u64(&reader);
    get_fields(&reader, message, fields);
    if (fields & F_ENTRIES)
        get_entries(&reader, message);
    if (reader_done(&reader))
        return ERROR_OK;
    paxos_message_release(message);
    return ERROR_CORRUPT;
}

void paxos_message_release(struct paxos_message *message)
{
    // The decoder made the array; it is const only towards those who read the message.
    free_entries((struct entry *)message->entries, message->entry_count);
    message->entries = NULL;
    message->entry_count = 0;
}
