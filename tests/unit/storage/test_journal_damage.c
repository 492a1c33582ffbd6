// SPDX-License-Identifier: Apache-2.0
// Opening a damaged journal: everything that a crash cannot explain is refused with a sentence that
// says which file and byte are wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "tests/lib/journal_fixture.h"

static const char first_name[] = "journal/0000000000000001";
static const char second_name[] = "journal/0000000000000002";
static const char third_name[] = "journal/0000000000000003";

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);

    fixture_init(fixture);
    assert_int_equal(fixture_open(fixture), ERROR_OK);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    test_free(*state);
    return 0;
}

static void open_well(struct fixture *fixture)
{
    if (fixture_open(fixture) != ERROR_OK)
        fail_msg("%s", fixture->failure.text);
    assert_int_equal(fixture->recovered.starts, 1);
    assert_true(history_is_part(&fixture->written, 0, &fixture->recovered));
}

static void assert_refuses(struct fixture *fixture, enum error error, const char *name,
                           const char *sentence)
{
    struct history *recovered = &fixture->recovered;

    assert_int_equal(fixture_open(fixture), error);
    if (strstr(fixture->failure.text, name) == NULL ||
        strstr(fixture->failure.text, sentence) == NULL)
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", fixture->failure.text, name, sentence);
    // What was reported before the damage was found is right; the group with it was not finished.
    for (size_t i = 0; i < recovered->open_count; i++)
        blob_unref(recovered->open[i].entry.value);
    free(recovered->open);
    recovered->open = NULL;
    recovered->open_count = 0;
    assert_true(history_is_part(&fixture->written, 0, recovered));
}

// ---- Damage ------------------------------------------------------------------------------------

// Groups at 4096: promise; 8192: slots 1 and 2; 24576: slot 2 again by a SYNC, an INSTALL of slot 3; then the end.
static void write_for_damage(struct fixture *fixture)
{
    fixture_promise(fixture, 1, 1);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    fixture_entry(fixture, 6000);
    fixture_entry(fixture, 6000);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    fixture_sync(fixture, 2, 1, 1);
    fixture_entry(fixture, 50);
    fixture_install(fixture, 2, 3);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    fixture_close(fixture);
}

static void flipped_bit_in_any_byte_is_corrupt(void **state)
{
    struct fixture *fixture = *state;
    const uint64_t end = JOURNAL_HEADER_BYTES + (8 + 32 + 8) * JOURNAL_SECTOR;

    write_for_damage(fixture);
    for (uint64_t at = 0; at < end; at += at % 512 < 128 ? 1 : 11) {
        char expected[32];
        disk_fake_flip(fixture->disk, first_name, at, at % 8);
        snprintf(expected, sizeof expected, "byte %llu",
                 (unsigned long long)(at / JOURNAL_SECTOR * JOURNAL_SECTOR));
        assert_refuses(fixture, ERROR_CORRUPT, first_name,
                       at < JOURNAL_HEADER_BYTES ? "header" : expected);
        disk_fake_flip(fixture->disk, first_name, at, at % 8);
    }
    open_well(fixture);
    assert_int_equal(fixture->recovered.count, 3);
}

static void flipped_bit_behind_the_end_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(journal_make_spares(fixture->journal, 1), ERROR_OK);
    write_for_damage(fixture);
    disk_fake_flip(fixture->disk, first_name, 40000, 0);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "byte 39936");
    disk_fake_flip(fixture->disk, first_name, 40000, 0);
    disk_fake_flip(fixture->disk, second_name, 60000, 0);
    assert_refuses(fixture, ERROR_CORRUPT, second_name, "byte 59904");
}

static void zero_sectors(struct disk *disk, const char *name, uint64_t at, unsigned count)
{
    const uint8_t zeros[JOURNAL_SECTOR] = {0};

    for (unsigned i = 0; i < count; i++)
        disk_fake_poke(disk, name, at + i * sizeof zeros, zeros, sizeof zeros);
}

static void hole_before_a_later_group_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    write_for_damage(fixture);
    zero_sectors(fixture->disk, first_name, 8192 + 3 * JOURNAL_SECTOR, 1);
    assert_refuses(fixture, ERROR_CORRUPT, first_name,
                   "flush 3 stands here, but flush 2 before it is missing or not whole");
    zero_sectors(fixture->disk, first_name, 8192, 32);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "byte 24576: flush 3 stands here");
}

// A sector is written whole or not at all, so a bad one among the torn ones is damage.
static void bad_sector_in_a_torn_tail_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    write_for_damage(fixture);
    zero_sectors(fixture->disk, first_name, 24576 + 2 * JOURNAL_SECTOR, 1);
    struct disk *torn = disk_fake_clone(fixture->disk);
    disk_fake_flip(fixture->disk, first_name, 24576 + 5 * JOURNAL_SECTOR + 9, 1);
    assert_refuses(fixture, ERROR_CORRUPT, first_name,
                   "byte 27136: the checksum of a sector of flush 3 is wrong");
    fixture_use_disk(fixture, torn);
    open_well(fixture);
    assert_int_equal(fixture->recovered.count, 2);
}

static void damage_names_the_slots_that_are_hit(void **state)
{
    struct fixture *fixture = *state;

    write_for_damage(fixture);
    disk_fake_flip(fixture->disk, first_name, 8192 + 20 * JOURNAL_SECTOR + 100, 0);
    assert_refuses(fixture, ERROR_CORRUPT, first_name,
                   "it holds slots 1 to 2, of which 2 to 2 are hit");
    disk_fake_flip(fixture->disk, first_name, 8192 + 20 * JOURNAL_SECTOR + 100, 0);
    // The first sector holds HEAD and the beginning of slot 1's value; TAIL knows.
    disk_fake_flip(fixture->disk, first_name, 8192 + 100, 0);
    assert_refuses(fixture, ERROR_CORRUPT, first_name,
                   "it holds slots 1 to 2, of which 1 to 1 are hit");
    disk_fake_flip(fixture->disk, first_name, 8192 + 31 * JOURNAL_SECTOR + 100, 0);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "lost with both of its heads");
    disk_fake_flip(fixture->disk, first_name, 8192 + 100, 0);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "none of whose values is hit");
}

// Rewrites a sealed sector of a group, as if a program with a fault had written it.
static void poke_sealed(struct fixture *fixture, uint64_t group_at, uint64_t payload_at,
                        uint8_t value)
{
    uint64_t at = group_at + payload_at / JOURNAL_PAYLOAD_BYTES * JOURNAL_SECTOR;
    struct journal_seed seed;
    struct journal_sector sector;
    struct buffer content = {0};

    disk_fake_read(fixture->disk, first_name, &content);
    journal_seed_init(&seed, &fixture->identity, 1);
    assert_int_equal(journal_sector_open(content.data + at, &seed, at / JOURNAL_SECTOR, &sector),
                     JOURNAL_SECTOR_VALID);
    content.data[at + JOURNAL_SECTOR_HEADER_BYTES + payload_at % JOURNAL_PAYLOAD_BYTES] = value;
    journal_sector_seal(content.data + at, &sector, &seed, at / JOURNAL_SECTOR);
    disk_fake_poke(fixture->disk, first_name, at, content.data + at, JOURNAL_SECTOR);
    buffer_deinit(&content);
}

// Rewrites a byte of both heads of a group with `records` records in `sectors` sectors.
static void poke_heads(struct fixture *fixture, uint64_t group_at, uint64_t sectors,
                       uint64_t records, uint64_t head_at, uint8_t value)
{
    uint64_t head = JOURNAL_GROUP_HEADER_BYTES + records * JOURNAL_RECORD_HEADER_BYTES;

    poke_sealed(fixture, group_at, head_at, value);
    poke_sealed(fixture, group_at,
                sectors * JOURNAL_PAYLOAD_BYTES - JOURNAL_FOOTER_BYTES - head + head_at, value);
}

static void well_sealed_nonsense_is_corrupt(void **state)
{
    static const struct {
        uint64_t head_at; // in the heads of the second group: two APPENDs in 32 sectors
        uint8_t value;
        const char *sentence;
    } cases[] = {
        {0, 255, "its head does not fit its size"},
        {4, 1, "its head does not fit its size"},
        {24, 7, "the promised ballot in its head"},
        {32, 7, "the log's ballot in its head"},
        {48, 7, "the last slot in its head"},
        {56, 7, "the last slot in its head"},
        {80, 9, "a record that this version does not know"},
        {84, 0x71, "the lengths of its values do not add up"},
        {87, 0x71, "a value is longer than the limit"},
        {104, 2, "does not have the hash that it states"},
        {112, 2, "does not have the hash that it states"},
        {128, 2, "does not have the hash that it states"},
        {144, 2, "does not have the hash that it states"},
    };
    struct fixture *fixture = *state;

    write_for_damage(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture trial;
        fixture_clone(&trial, fixture);
        poke_heads(&trial, 8192, 32, 2, cases[i].head_at, cases[i].value);
        assert_int_equal(fixture_open(&trial), ERROR_CORRUPT);
        if (strstr(trial.failure.text, cases[i].sentence) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", trial.failure.text, cases[i].sentence);
        assert_non_null(strstr(trial.failure.text, "byte 8192: flush 2"));
        fixture_deinit(&trial);
    }
}

static void heads_that_differ_are_corrupt(void **state)
{
    struct fixture *fixture = *state;

    write_for_damage(fixture);
    poke_sealed(fixture, 8192, 72, 1);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "its two heads differ");
}

static void value_that_does_not_match_its_hash_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    write_for_damage(fixture);
    poke_sealed(fixture, 8192, 5000, 0);
    poke_sealed(fixture, 8192, 5001, 0);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "does not have the hash that it states");
}

static void bytes_between_values_and_second_head_are_corrupt(void **state)
{
    struct fixture *fixture = *state;

    write_for_damage(fixture);
    poke_sealed(fixture, 8192, 12300, 1);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "between its values and its second head");
}

static void sync_that_keeps_another_hash_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    write_for_damage(fixture);
    poke_heads(fixture, 24576, 8, 3, 80 + 32, 0);
    poke_heads(fixture, 24576, 8, 3, 80 + 33, 0);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "keeps a slot with another hash");
}

static void sync_without_all_its_entries_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    write_for_damage(fixture);
    poke_heads(fixture, 24576, 8, 3, 80 + 4, 3);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "interrupted by another record");
}

static void promise_that_goes_back_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 1, 10);
    fixture_promise(fixture, 3, 1);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    fixture_close(fixture);
    poke_heads(fixture, 3 * 4096, 8, 1, 80 + 16, 0);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "a promise goes back");
}

// ---- Well sealed sectors at places where no crash can leave them -------------------------------

// Seals a sector with the payload of zeros.
static void poke_sector(struct fixture *fixture, const char *name, uint64_t at,
                        const struct journal_sector *sector)
{
    uint8_t bytes[JOURNAL_SECTOR] = {0};
    struct journal_seed seed;

    journal_seed_init(&seed, &fixture->identity, name == first_name ? 1 : 2);
    journal_sector_seal(bytes, sector, &seed, at / JOURNAL_SECTOR);
    disk_fake_poke(fixture->disk, name, at, bytes, sizeof bytes);
}

// One group, flush 1 of boot 2, and a spare segment.
static void write_one_group(struct fixture *fixture)
{
    open_well(fixture);
    assert_int_equal(journal_make_spares(fixture->journal, 1), ERROR_OK);
    fixture_promise(fixture, 1, 1);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    fixture_close(fixture);
}

static void single_sector_of_the_next_group_is_torn(void **state)
{
    struct fixture *fixture = *state;

    write_one_group(fixture);
    poke_sector(fixture, first_name, 8192 + 1024,
                &(struct journal_sector){.flush = 2, .boot_count = 2, .index = 2, .sectors = 8});
    open_well(fixture);
    assert_int_equal(fixture->recovered.count, 1);
}

static void misplaced_sector_is_corrupt(void **state)
{
    static const struct {
        struct journal_sector sector; // at byte 8192 + 1024, behind the only group
        const char *sentence;
    } cases[] = {
        {{.flush = 2, .boot_count = 2, .index = 3, .sectors = 8}, "at the wrong place"},
        {{.flush = 2, .boot_count = 2, .index = 2, .sectors = 2}, "at the wrong place"},
        {{.flush = 3, .boot_count = 2, .index = 2, .sectors = 8}, "flush 3 stands here"},
        {{.flush = 1, .boot_count = 2, .index = 2, .sectors = 8}, "flush 1 stands here"},
        {{.flush = 2, .boot_count = 1, .index = 2, .sectors = 8}, "an earlier start"},
        {{.flush = 2, .boot_count = 9, .index = 2, .sectors = 8}, "does not know of the start"},
        {{.flush = 2, .boot_count = 2, .index = 2, .sectors = 12}, "size is impossible"},
        {{.flush = 2, .boot_count = 2, .index = 2, .sectors = 128}, "size is impossible"},
    };
    struct fixture *fixture = *state;

    write_one_group(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        poke_sector(fixture, first_name, 8192 + 1024, &cases[i].sector);
        fixture->identity.boot_count = 2;
        assert_refuses(fixture, ERROR_CORRUPT, first_name, cases[i].sentence);
    }
}

static void torn_sectors_of_two_sizes_or_starts_are_corrupt(void **state)
{
    struct fixture *fixture = *state;
    struct journal_sector sector = {.flush = 2, .boot_count = 2, .index = 2, .sectors = 8};

    write_one_group(fixture);
    poke_sector(fixture, first_name, 8192 + 1024, &sector);
    sector = (struct journal_sector){.flush = 2, .boot_count = 2, .index = 3, .sectors = 16};
    poke_sector(fixture, first_name, 8192 + 1536, &sector);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "contradict each other");
    sector = (struct journal_sector){.flush = 2, .boot_count = 3, .index = 3, .sectors = 8};
    poke_sector(fixture, first_name, 8192 + 1536, &sector);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "contradict each other");
}

static void group_in_the_next_segment_that_would_have_fitted_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    write_one_group(fixture);
    poke_sector(fixture, second_name, 4096,
                &(struct journal_sector){.flush = 2, .boot_count = 2, .index = 0, .sectors = 8});
    assert_refuses(fixture, ERROR_CORRUPT, second_name, "fitted into the segment before");
}

static void torn_sectors_in_two_segments_are_corrupt(void **state)
{
    struct fixture *fixture = *state;
    struct journal_sector sector = {.flush = 2, .boot_count = 2, .index = 2, .sectors = 112};

    write_one_group(fixture);
    poke_sector(fixture, first_name, 8192 + 1024, &sector);
    sector.sectors = 120;
    poke_sector(fixture, second_name, 4096 + 1024, &sector);
    assert_refuses(fixture, ERROR_CORRUPT, second_name, "missing or not whole");
}

// ---- Files that do not belong ------------------------------------------------------------------

static void missing_middle_segment_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 6, 24000);
    fixture_close(fixture);
    struct disk *disk = fixture->disk;
    assert_int_equal(disk->operations->remove(disk, second_name), ERROR_OK);
    assert_refuses(fixture, ERROR_CORRUPT, second_name, "is missing");
}

static void missing_first_segment_is_taken_for_trimmed_only_with_scalars(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(journal_make_spares(fixture->journal, 1), ERROR_OK);
    fixture_fill(fixture, 1, 100);
    fixture_close(fixture);
    struct disk *disk = fixture->disk;
    assert_int_equal(disk->operations->remove(disk, first_name), ERROR_OK);
    assert_refuses(fixture, ERROR_CORRUPT, second_name, "begins without a whole group");
}

static void torn_first_group_of_a_trimmed_journal_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 4, 24000);
    assert_int_equal(journal_trim(fixture->journal, 2), ERROR_OK);
    fixture_close(fixture);
    zero_sectors(fixture->disk, second_name, JOURNAL_HEADER_BYTES + JOURNAL_SECTOR, 1);
    assert_int_equal(fixture_open(fixture), ERROR_CORRUPT);
    assert_non_null(strstr(fixture->failure.text, second_name));
    history_deinit(&fixture->recovered);
}

static void copy_segment(struct disk *disk, const char *from, const char *to)
{
    struct buffer content = {0};

    disk_fake_read(disk, from, &content);
    assert_int_equal(disk_replace(disk, "journal", to, content.data, content.length), ERROR_OK);
    buffer_deinit(&content);
}

static void segment_under_another_name_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 4, 24000);
    fixture_close(fixture);
    copy_segment(fixture->disk, first_name, third_name);
    assert_refuses(fixture, ERROR_CORRUPT, third_name, "is segment 1 by its header");
}

static void truncated_segment_is_corrupt(void **state)
{
    struct fixture *fixture = *state;
    struct buffer content = {0};

    fixture_fill(fixture, 1, 10);
    fixture_close(fixture);
    disk_fake_read(fixture->disk, first_name, &content);
    assert_int_equal(disk_replace(fixture->disk, "journal", first_name, content.data, 20480),
                     ERROR_OK);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "should have 65536 bytes");
    assert_int_equal(disk_replace(fixture->disk, "journal", first_name, content.data, 100),
                     ERROR_OK);
    assert_refuses(fixture, ERROR_CORRUPT, first_name, "has only 100 bytes");
    buffer_deinit(&content);
}

static void older_copy_of_the_newest_segment_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct buffer old = {0};

    fixture_fill(fixture, 1, 24000);
    disk_fake_read(fixture->disk, first_name, &old);
    fixture_fill(fixture, 3, 24000);
    fixture_close(fixture);
    disk_fake_poke(fixture->disk, first_name, 0, old.data, old.length);
    buffer_deinit(&old);
    assert_refuses(fixture, ERROR_CORRUPT, second_name, "stands here, but flush");
}

static void foreign_files_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct identity own = fixture->identity;

    fixture_fill(fixture, 1, 10);
    fixture->identity.cluster[3] ^= 1;
    assert_refuses(fixture, ERROR_FOREIGN, first_name, "another cluster");
    fixture->identity = own;
    fixture->identity.incarnation[3] ^= 1;
    assert_refuses(fixture, ERROR_FOREIGN, first_name, "another incarnation");
    fixture->identity = own;
    fixture->identity.node = 4;
    assert_refuses(fixture, ERROR_FOREIGN, first_name, "belongs to node 3, and this is node 4");
    fixture->identity = own;
    fixture->segment_bytes *= 2;
    assert_refuses(fixture, ERROR_FOREIGN, first_name, "is a segment of 65536 bytes");
}

static void other_format_version_is_foreign(void **state)
{
    struct fixture *fixture = *state;
    struct buffer content = {0};

    fixture_close(fixture);
    disk_fake_read(fixture->disk, first_name, &content);
    content.data[16] = 2;
    bytes_put_u64(content.data + 8, hash64(content.data + 16, JOURNAL_HEADER_BYTES - 16, 0));
    disk_fake_poke(fixture->disk, first_name, 0, content.data, JOURNAL_HEADER_BYTES);
    buffer_deinit(&content);
    assert_refuses(fixture, ERROR_FOREIGN, first_name, "format version 2");
}

static void journal_of_a_later_boot_than_the_identity_is_refused(void **state)
{
    struct fixture *fixture = *state;

    fixture->identity.boot_count = 10;
    open_well(fixture);
    fixture_fill(fixture, 1, 10);
    uint64_t boot_count = fixture->identity.boot_count;
    for (unsigned behind = 1; behind <= 5; behind += 4) { // opening counts one more
        fixture->identity.boot_count = boot_count - behind;
        assert_refuses(fixture, ERROR_CORRUPT, first_name, "does not know of the start");
    }
}

static void journal_that_went_missing_is_not_made_anew(void **state)
{
    struct fixture *fixture = *state;
    struct disk *disk = fixture->disk;

    fixture_fill(fixture, 1, 10);
    fixture_close(fixture);
    assert_int_equal(disk->operations->remove(disk, first_name), ERROR_OK);
    fixture->identity.journal_made = true;
    assert_refuses(fixture, ERROR_CORRUPT, "journal", "is empty");
}

static enum error refuse_record(void *context, const struct paxos_record *record,
                                struct failure *failure)
{
    (void)context;
    (void)record;
    return failure_set(failure, ERROR_FOREIGN, "no");
}

static void error_of_the_handler_stops_recovery(void **state)
{
    struct fixture *fixture = *state;
    struct history history = {0};
    struct journal_handler handler = history_handler(&history);
    struct journal *journal = NULL;

    fixture_fill(fixture, 1, 10);
    fixture_close(fixture);
    fixture->identity.boot_count++;
    handler.record = refuse_record;
    assert_int_equal(journal_open_sized(fixture->disk, &fixture->identity, &handler,
                                        fixture->segment_bytes, &journal, &fixture->failure),
                     ERROR_FOREIGN);
    assert_string_equal(fixture->failure.text, "no");
    assert_int_equal(history.count, 0);
    history_deinit(&history);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(journal_that_went_missing_is_not_made_anew),
        TEST(flipped_bit_in_any_byte_is_corrupt),
        TEST(flipped_bit_behind_the_end_is_corrupt),
        TEST(hole_before_a_later_group_is_corrupt),
        TEST(bad_sector_in_a_torn_tail_is_corrupt),
        TEST(damage_names_the_slots_that_are_hit),
        TEST(well_sealed_nonsense_is_corrupt),
        TEST(heads_that_differ_are_corrupt),
        TEST(value_that_does_not_match_its_hash_is_corrupt),
        TEST(bytes_between_values_and_second_head_are_corrupt),
        TEST(sync_that_keeps_another_hash_is_corrupt),
        TEST(sync_without_all_its_entries_is_corrupt),
        TEST(promise_that_goes_back_is_corrupt),
        TEST(single_sector_of_the_next_group_is_torn),
        TEST(misplaced_sector_is_corrupt),
        TEST(torn_sectors_of_two_sizes_or_starts_are_corrupt),
        TEST(group_in_the_next_segment_that_would_have_fitted_is_corrupt),
        TEST(torn_sectors_in_two_segments_are_corrupt),
        TEST(missing_middle_segment_is_corrupt),
        TEST(missing_first_segment_is_taken_for_trimmed_only_with_scalars),
        TEST(torn_first_group_of_a_trimmed_journal_is_corrupt),
        TEST(segment_under_another_name_is_corrupt),
        TEST(truncated_segment_is_corrupt),
        TEST(older_copy_of_the_newest_segment_is_refused),
        TEST(foreign_files_are_refused),
        TEST(other_format_version_is_foreign),
        TEST(journal_of_a_later_boot_than_the_identity_is_refused),
        TEST(error_of_the_handler_stops_recovery),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
