// SPDX-License-Identifier: Apache-2.0
// The encoding of messages: nothing is lost, nothing else is accepted.
#include "paxos/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/unit/cmocka_test.h"

enum { ENTRIES = 3, SLOT = 41 };

struct fixture {
    struct entry entries[ENTRIES];
    struct paxos_message message;
    struct buffer bytes;
};

static const struct entry *entry_of(const void *context, paxos_slot slot)
{
    const struct fixture *fixture = context;

    return &fixture->entries[slot - SLOT - 1];
}

// A chain of entries behind SLOT: a leader's start and two batches, one of them empty.
static void make_entries(struct fixture *fixture)
{
    static const char *const values[ENTRIES] = {"", "batch", ""};
    struct hash128 hash = fixture->message.hash;

    for (uint32_t i = 0; i < ENTRIES; i++) {
        fixture->entries[i] = (struct entry){
            .slot = SLOT + 1 + i,
            .epoch = 1,
            .origin = {.round = 6 + i, .node = 2},
            .type = i == 0 ? ENTRY_LEADER_START : ENTRY_BATCH,
            .log_time_us = 1000 + i,
            .wall_ms = 2000 + i,
            .prev_hash = hash,
            .value = blob_copy(values[i], strlen(values[i])),
        };
        fixture->entries[i].hash = hash = entry_hash(&fixture->entries[i]);
    }
}

static int setup(void **state)
{
    struct fixture *fixture = memory_zalloc(sizeof *fixture);

    fixture->message = (struct paxos_message){
        .epoch = 3,
        .from = 2,
        .to = 5,
        .boot = 17,
        .round = 4,
        .ballot = {.round = 9, .node = 2},
        .leader = {.round = 8, .node = 3},
        .promised = {.round = 10, .node = 4},
        .log_ballot = {.round = 7, .node = 1},
        .slot = SLOT,
        .hash = {.low = 1, .high = 2},
        .last = 50,
        .decided = 40,
        .happy = true,
        .entry_count = ENTRIES,
    };
    make_entries(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ENTRIES; i++)
        blob_unref(fixture->entries[i].value);
    buffer_deinit(&fixture->bytes);
    free(fixture);
    return 0;
}

static void encode(struct fixture *fixture, uint8_t type)
{
    fixture->message.type = type;
    buffer_clear(&fixture->bytes);
    paxos_message_encode(&fixture->bytes, &fixture->message, entry_of, fixture);
}

static enum error decode(const struct fixture *fixture)
{
    struct paxos_message message;
    enum error error = paxos_message_decode(fixture->bytes.data, fixture->bytes.length, &message);

    if (error == ERROR_OK)
        paxos_message_release(&message);
    return error;
}

// Makes the checksum right again after the bytes were changed.
static void seal(struct fixture *fixture)
{
    size_t length = fixture->bytes.length - 8;

    bytes_put_u64(fixture->bytes.data + length, hash64(fixture->bytes.data, length, 0));
}

static bool ballot_equal(struct ballot a, struct ballot b)
{
    return ballot_compare(a, b) == 0;
}

// A field either carries its value or, when the type does not have it, zero.
static void assert_field(uint32_t fields, uint32_t field, bool equal, bool zero)
{
    assert_true(fields & field ? equal : zero);
}

static void assert_fields(const struct paxos_message *m, const struct paxos_message *e, uint32_t f)
{
    const struct ballot none = {0};

    assert_field(f, F_ROUND, m->round == e->round, m->round == 0);
    assert_field(f, F_BALLOT, ballot_equal(m->ballot, e->ballot), ballot_equal(m->ballot, none));
    assert_field(f, F_LEADER, ballot_equal(m->leader, e->leader), ballot_equal(m->leader, none));
    assert_field(f, F_PROMISED, ballot_equal(m->promised, e->promised),
                 ballot_equal(m->promised, none));
    assert_field(f, F_LOG_BALLOT, ballot_equal(m->log_ballot, e->log_ballot),
                 ballot_equal(m->log_ballot, none));
    assert_field(f, F_SLOT, m->slot == e->slot, m->slot == 0);
    assert_field(f, F_HASH, hash128_equal(m->hash, e->hash), m->hash.low == 0);
    assert_field(f, F_LAST, m->last == e->last, m->last == 0);
    assert_field(f, F_DECIDED, m->decided == e->decided, m->decided == 0);
    assert_field(f, F_HAPPY, m->happy, !m->happy);
    assert_field(f, F_ENTRIES, m->entry_count == e->entry_count, m->entry_count == 0);
}

static void assert_entry_equal(const struct entry *a, const struct entry *b)
{
    assert_int_equal(a->slot, b->slot);
    assert_true(hash128_equal(a->prev_hash, b->prev_hash));
    assert_true(hash128_equal(a->hash, b->hash));
    assert_true(hash128_equal(entry_hash(a), b->hash));
    assert_int_equal(a->value->length, b->value->length);
}

static const uint32_t fields_of[] = {
#define FIELDS_ROW(NAME, name, fields) [MESSAGE_##NAME] = (fields),
    PAXOS_MESSAGES(FIELDS_ROW)
#undef FIELDS_ROW
};

static void every_type_carries_its_fields_and_no_others(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_message message;

    for (uint8_t type = MESSAGE_NONE + 1; type < MESSAGE_TYPE_COUNT; type++) {
        encode(fixture, type);
        assert_int_equal(paxos_message_decode(fixture->bytes.data, fixture->bytes.length, &message),
                         ERROR_OK);
        assert_int_equal(message.type, type);
        assert_int_equal(message.epoch, 3);
        assert_int_equal(message.from, 2);
        assert_int_equal(message.to, 5);
        assert_int_equal(message.boot, 17);
        assert_fields(&message, &fixture->message, fields_of[type]);
        for (uint32_t i = 0; i < message.entry_count; i++)
            assert_entry_equal(&message.entries[i], &fixture->entries[i]);
        paxos_message_release(&message);
    }
}

static void message_without_entries_owns_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_message message;

    fixture->message.entry_count = 0;
    encode(fixture, MESSAGE_ACCEPT);
    assert_int_equal(paxos_message_decode(fixture->bytes.data, fixture->bytes.length, &message),
                     ERROR_OK);
    assert_null(message.entries);
    assert_int_equal(message.entry_count, 0);
}

static void messages_are_appended_behind_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_message message;

    encode(fixture, MESSAGE_PREPARE);
    size_t first = fixture->bytes.length;
    fixture->message.type = MESSAGE_LEARN;
    paxos_message_encode(&fixture->bytes, &fixture->message, entry_of, fixture);
    assert_int_equal(
        paxos_message_decode(fixture->bytes.data + first, fixture->bytes.length - first, &message),
        ERROR_OK);
    assert_int_equal(message.type, MESSAGE_LEARN);
    paxos_message_release(&message);
}

static void every_truncation_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    for (uint8_t type = MESSAGE_NONE + 1; type < MESSAGE_TYPE_COUNT; type++) {
        encode(fixture, type);
        for (size_t full = fixture->bytes.length; fixture->bytes.length-- > 0;) {
            assert_int_equal(decode(fixture), ERROR_CORRUPT);
            if (fixture->bytes.length >= 8 && fixture->bytes.length < full) {
                uint8_t saved[8];
                memcpy(saved, fixture->bytes.data + fixture->bytes.length - 8, 8);
                seal(fixture);
                assert_int_equal(decode(fixture), ERROR_CORRUPT);
                memcpy(fixture->bytes.data + fixture->bytes.length - 8, saved, 8);
            }
        }
    }
}

static void every_flipped_bit_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    for (uint8_t type = MESSAGE_NONE + 1; type < MESSAGE_TYPE_COUNT; type++) {
        encode(fixture, type);
        for (size_t bit = 0; bit < fixture->bytes.length * 8; bit++) {
            fixture->bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(decode(fixture), ERROR_CORRUPT);
            fixture->bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(decode(fixture), ERROR_OK);
    }
}

static void trailing_byte_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    encode(fixture, MESSAGE_DECIDE);
    buffer_u8(&fixture->bytes, 0);
    assert_int_equal(decode(fixture), ERROR_CORRUPT);
    seal(fixture);
    assert_int_equal(decode(fixture), ERROR_CORRUPT);
}

static void unknown_type_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    encode(fixture, MESSAGE_DECIDE);
    fixture->bytes.data[0] = MESSAGE_TYPE_COUNT;
    seal(fixture);
    assert_int_equal(decode(fixture), ERROR_CORRUPT);
    fixture->bytes.data[0] = MESSAGE_NONE;
    seal(fixture);
    assert_int_equal(decode(fixture), ERROR_CORRUPT);
}

static void empty_input_is_corrupt(void **state)
{
    struct paxos_message message;

    (void)state;
    assert_int_equal(paxos_message_decode("", 0, &message), ERROR_CORRUPT);
}

// With a checksum that is right: every byte of an entry is under its hash.
static void entry_that_does_not_match_its_hash_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    fixture->entries[1].log_time_us++;
    encode(fixture, MESSAGE_ACCEPT);
    assert_int_equal(decode(fixture), ERROR_CORRUPT);
}

static void entries_that_do_not_follow_the_hash_are_corrupt(void **state)
{
    struct fixture *fixture = *state;

    fixture->message.hash.high++;
    encode(fixture, MESSAGE_LEARN);
    assert_int_equal(decode(fixture), ERROR_CORRUPT);
}

// Seals entry 0 again after a change, the others left out.
static enum error decode_changed_first(struct fixture *fixture)
{
    fixture->entries[0].hash = entry_hash(&fixture->entries[0]);
    fixture->message.entry_count = 1;
    encode(fixture, MESSAGE_ACCEPT);
    return decode(fixture);
}

static void unknown_entry_type_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(decode_changed_first(fixture), ERROR_OK);
    fixture->entries[0].type = ENTRY_BATCH + 1;
    assert_int_equal(decode_changed_first(fixture), ERROR_CORRUPT);
}

static void leader_start_with_a_value_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    blob_unref(fixture->entries[0].value);
    fixture->entries[0].value = blob_copy("x", 1);
    assert_int_equal(decode_changed_first(fixture), ERROR_CORRUPT);
}

// The count stands before the entries; the bytes that are there decide.
static void count_beyond_the_bytes_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    fixture->message.entry_count = 0;
    encode(fixture, MESSAGE_ACCEPT);
    for (uint32_t count = 1; count != 0; count *= 2) {
        bytes_put_u32(fixture->bytes.data + fixture->bytes.length - 12, count);
        seal(fixture);
        assert_int_equal(decode(fixture), ERROR_CORRUPT);
    }
}

static void value_beyond_the_limit_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    blob_unref(fixture->entries[0].value);
    fixture->entries[0].type = ENTRY_BATCH;
    fixture->entries[0].value = blob_new(PAXOS_VALUE_MAX);
    memset(fixture->entries[0].value->data, 'v', PAXOS_VALUE_MAX);
    assert_int_equal(decode_changed_first(fixture), ERROR_OK);
    blob_unref(fixture->entries[0].value);
    fixture->entries[0].value = blob_new(PAXOS_VALUE_MAX + 1);
    memset(fixture->entries[0].value->data, 'v', PAXOS_VALUE_MAX + 1);
    assert_int_equal(decode_changed_first(fixture), ERROR_CORRUPT);
}

static void slots_that_wrap_are_corrupt(void **state)
{
    struct fixture *fixture = *state;

    fixture->message.entry_count = 1;
    encode(fixture, MESSAGE_ACCEPT);
    bytes_put_u64(fixture->bytes.data + 1 + 8 + 2 + 2 + 8 + 10, UINT64_MAX);
    seal(fixture);
    assert_int_equal(decode(fixture), ERROR_CORRUPT);
}

static void happy_is_zero_or_one(void **state)
{
    struct fixture *fixture = *state;

    encode(fixture, MESSAGE_HEARTBEAT);
    fixture->bytes.data[fixture->bytes.length - 9] = 2;
    seal(fixture);
    assert_int_equal(decode(fixture), ERROR_CORRUPT);
}

static void names_are_those_of_the_table(void **state)
{
    (void)state;
    assert_string_equal(paxos_message_name(MESSAGE_ACCEPT_SYNC), "ACCEPT_SYNC");
    assert_string_equal(paxos_message_name(MESSAGE_NONE), "unknown");
    assert_string_equal(paxos_message_name(MESSAGE_TYPE_COUNT), "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_type_carries_its_fields_and_no_others),
        TEST(message_without_entries_owns_nothing),
        TEST(messages_are_appended_behind_each_other),
        TEST(every_truncation_is_corrupt),
        TEST(every_flipped_bit_is_corrupt),
        TEST(trailing_byte_is_corrupt),
        TEST(unknown_type_is_corrupt),
        TEST(empty_input_is_corrupt),
        TEST(entry_that_does_not_match_its_hash_is_corrupt),
        TEST(entries_that_do_not_follow_the_hash_are_corrupt),
        TEST(unknown_entry_type_is_corrupt),
        TEST(leader_start_with_a_value_is_corrupt),
        TEST(count_beyond_the_bytes_is_corrupt),
        TEST(value_beyond_the_limit_is_corrupt),
        TEST(slots_that_wrap_are_corrupt),
        TEST(happy_is_zero_or_one),
        TEST(names_are_those_of_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
