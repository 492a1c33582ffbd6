// SPDX-License-Identifier: Apache-2.0
// The journal in normal use: what is appended comes back, segments roll, spares and trimming.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "tests/lib/journal_fixture.h"

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

static void assert_reopens_with_everything(struct fixture *fixture)
{
    enum error error = fixture_open(fixture);

    if (error != ERROR_OK)
        fail_msg("%s", fixture->failure.text);
    assert_int_equal(fixture->recovered.count, fixture->written.count);
    assert_true(history_is_part(&fixture->written, 0, &fixture->recovered));
}

static void new_journal_reports_zero_scalars_once(void **state)
{
    const struct paxos_scalars zero = {0};
    struct fixture *fixture = *state;

    assert_int_equal(fixture->recovered.starts, 1);
    assert_memory_equal(&fixture->recovered.start, &zero, sizeof zero);
    assert_int_equal(fixture->recovered.count, 0);
    assert_reopens_with_everything(fixture);
    assert_int_equal(fixture->recovered.starts, 1);
}

static void every_record_type_round_trips(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 3, 100);
    fixture_promise(fixture, 9, 2);
    fixture_entry(fixture, 0);
    fixture_entry(fixture, 5000);
    fixture->group_before.decided = 4;
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    fixture_sync(fixture, 11, 2, 2);
    fixture_entry(fixture, 7);
    fixture_entry(fixture, 0);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    fixture_install(fixture, 12, 9);
    fixture_entry(fixture, 3);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    fixture->scalars.decided = 9;
    assert_int_equal(fixture_flush(fixture), ERROR_OK); // no records: the decided mark alone
    assert_reopens_with_everything(fixture);
    assert_int_equal(fixture->recovered.groups[4].decided, 4);
    assert_int_equal(fixture->recovered.groups[7].decided, 9);
    fixture_fill(fixture, 2, 10);
    assert_reopens_with_everything(fixture);
}

static void small_write_is_one_block_and_one_flush(void **state)
{
    struct fixture *fixture = *state;
    struct journal_statistics statistics;

    fixture_promise(fixture, 1, 1);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    uint64_t before = disk_fake_operations(fixture->disk);
    fixture_entry(fixture, 2000);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    assert_int_equal(disk_fake_operations(fixture->disk) - before, 2);
    journal_statistics(fixture->journal, &statistics);
    assert_int_equal(statistics.appended_bytes, 2 * JOURNAL_ALIGNMENT);
    assert_int_equal(statistics.flushes, 2);
}

static void group_that_does_not_fit_opens_the_next_segment(void **state)
{
    struct fixture *fixture = *state;
    struct journal_statistics statistics;

    fixture_fill(fixture, 2, 30000);
    journal_statistics(fixture->journal, &statistics);
    assert_int_equal(statistics.segments, 2);
    assert_true(disk_fake_exists(fixture->disk, "journal/0000000000000002"));
    assert_reopens_with_everything(fixture);
    fixture_fill(fixture, 5, 30000);
    assert_reopens_with_everything(fixture);
    assert_false(disk_fake_exists(fixture->disk, "journal/0000000000000001.new"));
}

static void group_may_fill_a_segment_exactly(void **state)
{
    struct fixture *fixture = *state;
    uint64_t whole = (FIXTURE_SEGMENT_BYTES - JOURNAL_HEADER_BYTES) / JOURNAL_SECTOR;
    size_t length = 0;

    while (journal_group_sectors(1, length + 1) <= whole)
        length++;
    for (int i = 0; i < 3; i++) {
        fixture_entry(fixture, length);
        assert_int_equal(fixture_flush(fixture), ERROR_OK);
    }
    assert_reopens_with_everything(fixture);
    struct journal_statistics statistics;
    journal_statistics(fixture->journal, &statistics);
    assert_int_equal(statistics.segments, 3);
    fixture_fill(fixture, 1, 1);
    assert_reopens_with_everything(fixture);
}

static void heads_never_share_a_sector(void **state)
{
    (void)state;
    for (size_t count = 0; count < 200; count++)
        for (uint64_t body = 0; body < 9000; body += 61) {
            uint64_t head = JOURNAL_GROUP_HEADER_BYTES + count * JOURNAL_RECORD_HEADER_BYTES;
            uint64_t sectors = journal_group_sectors(count, body);
            uint64_t end = sectors * JOURNAL_PAYLOAD_BYTES - JOURNAL_FOOTER_BYTES;
            assert_int_equal(sectors % JOURNAL_BLOCK_SECTORS, 0);
            assert_true(head + body <= end - head);
            assert_true((head - 1) / JOURNAL_PAYLOAD_BYTES < (end - head) / JOURNAL_PAYLOAD_BYTES);
        }
}

static void largest_group_fits_into_a_segment(void **state)
{
    (void)state;
    uint64_t sectors = journal_group_sectors(JOURNAL_GROUP_RECORDS_MAX, JOURNAL_GROUP_BYTES_MAX);
    assert_true(sectors * JOURNAL_SECTOR <= JOURNAL_SEGMENT_BYTES - JOURNAL_HEADER_BYTES);
}

static void journal_of_full_size_segments_costs_little_on_a_sparse_disk(void **state)
{
    struct fixture *fixture = *state;

    fixture_use_disk(fixture, disk_fake_new());
    fixture->segment_bytes = JOURNAL_SEGMENT_BYTES;
    assert_int_equal(fixture_open(fixture), ERROR_OK);
    assert_int_equal(journal_make_spares(fixture->journal, 2), ERROR_OK);
    fixture_fill(fixture, 3, 4 << 20);
    assert_true(disk_fake_memory(fixture->disk) < 14 << 20);
    assert_reopens_with_everything(fixture);
}

// ---- Spares and trimming -----------------------------------------------------------------------

static void spares_are_made_once_and_then_used(void **state)
{
    struct fixture *fixture = *state;
    struct journal_statistics statistics;

    assert_int_equal(journal_make_spares(fixture->journal, 2), ERROR_OK);
    assert_int_equal(journal_make_spares(fixture->journal, 2), ERROR_OK);
    journal_statistics(fixture->journal, &statistics);
    assert_int_equal(statistics.spares, 2);
    assert_int_equal(statistics.segments, 1);
    fixture_promise(fixture, 1, 1);
    fixture_entry(fixture, 50000);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    uint64_t before = disk_fake_operations(fixture->disk);
    fixture_entry(fixture, 50000);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    assert_int_equal(disk_fake_operations(fixture->disk) - before, 2); // write and flush only
    journal_statistics(fixture->journal, &statistics);
    assert_int_equal(statistics.spares, 1);
    assert_reopens_with_everything(fixture);
    journal_statistics(fixture->journal, &statistics);
    assert_int_equal(statistics.spares, 1);
    assert_int_equal(statistics.segments, 2);
}

static void unfinished_segment_is_removed_at_opening(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(disk_replace(fixture->disk, "journal", "journal/0000000000000009.new", "", 0),
                     ERROR_OK);
    assert_reopens_with_everything(fixture);
    assert_false(disk_fake_exists(fixture->disk, "journal/0000000000000009.new"));
    assert_int_equal(journal_make_spares(fixture->journal, 1), ERROR_OK);
    assert_true(disk_fake_exists(fixture->disk, "journal/0000000000000002"));
}

// Two entries per segment: segment 1 holds the promise, slots 1 and 2, segment 2 slots 3 and 4 ...
static void fill_segments(struct fixture *fixture, unsigned segments)
{
    fixture_fill(fixture, 2 * segments, 24000);
}

static void trim_removes_whole_old_segments_only(void **state)
{
    struct fixture *fixture = *state;
    struct journal_statistics statistics;

    fill_segments(fixture, 4);
    assert_int_equal(journal_trim(fixture->journal, 3), ERROR_OK);
    journal_statistics(fixture->journal, &statistics);
    assert_int_equal(statistics.segments, 3);
    assert_false(disk_fake_exists(fixture->disk, "journal/0000000000000001"));
    assert_int_equal(journal_trim(fixture->journal, UINT64_MAX), ERROR_OK);
    journal_statistics(fixture->journal, &statistics);
    assert_int_equal(statistics.segments, 1);
    assert_true(disk_fake_exists(fixture->disk, "journal/0000000000000004"));
}

static void trimmed_journal_starts_with_the_scalars_before_it(void **state)
{
    struct fixture *fixture = *state;

    fill_segments(fixture, 4);
    assert_int_equal(journal_trim(fixture->journal, 5), ERROR_OK);
    assert_int_equal(fixture_open(fixture), ERROR_OK);
    assert_int_equal(fixture->recovered.start.last, 4);
    assert_int_equal(fixture->recovered.start.promised.round, 1);
    assert_int_equal(fixture->recovered.count, 4);
    assert_true(history_is_part(&fixture->written, 5, &fixture->recovered));
    fixture_fill(fixture, 1, 10);
    assert_int_equal(fixture_open(fixture), ERROR_OK);
    assert_true(history_is_part(&fixture->written, 5, &fixture->recovered));
    assert_int_equal(fixture->recovered.count, 6);
}

// A SYNC may keep less than the trimmed part held: what it replaced was never decided.
static void sync_below_the_trimmed_part_is_recovered(void **state)
{
    struct fixture *fixture = *state;

    fill_segments(fixture, 1);
    fixture_sync(fixture, 5, 1, 2);
    fixture_entry(fixture, 24000);
    fixture_entry(fixture, 24000);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    assert_int_equal(journal_trim(fixture->journal, 3), ERROR_OK);
    assert_false(disk_fake_exists(fixture->disk, "journal/0000000000000001"));
    fixture_sync(fixture, 6, 2, 1);
    fixture_entry(fixture, 10);
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    assert_int_equal(fixture_open(fixture), ERROR_OK);
    assert_int_equal(fixture->recovered.start.last, 2);
    assert_int_equal(fixture->recovered.count, 2);
    assert_true(history_is_part(&fixture->written, 3, &fixture->recovered));
}

static void bytes_since_counts_segments_above_the_slot(void **state)
{
    struct fixture *fixture = *state;
    uint64_t segment_bytes = 2 * JOURNAL_SECTOR * journal_group_sectors(1, 24000);

    fill_segments(fixture, 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(journal_bytes_since(fixture->journal, 6), 0);
        assert_int_equal(journal_bytes_since(fixture->journal, 4), segment_bytes);
        assert_int_equal(journal_bytes_since(fixture->journal, 2), 2 * segment_bytes);
        assert_int_equal(journal_bytes_since(fixture->journal, 1),
                         3 * segment_bytes + JOURNAL_ALIGNMENT);
        assert_int_equal(fixture_open(fixture), ERROR_OK);
    }
}

static void *housekeep(void *context)
{
    struct fixture *fixture = context;

    for (paxos_slot slot = 0; slot < 200; slot += 4) {
        if (journal_make_spares(fixture->journal, 2) != ERROR_OK ||
            journal_trim(fixture->journal, slot) != ERROR_OK)
            return "failed";
        journal_bytes_since(fixture->journal, slot);
    }
    return NULL;
}

static void housekeeping_runs_beside_appends(void **state)
{
    struct fixture *fixture = *state;
    pthread_t thread;
    void *outcome;

    fixture_fill(fixture, 200, 10);
    assert_int_equal(pthread_create(&thread, NULL, housekeep, fixture), 0);
    fixture_fill(fixture, 200, 5000);
    pthread_join(thread, &outcome);
    assert_null(outcome);
    assert_int_equal(fixture_open(fixture), ERROR_OK);
    size_t kept = fixture->recovered.count;
    assert_true(kept >= 200);
    assert_true(
        history_is_part(&fixture->written, fixture->written.count - kept, &fixture->recovered));
}

// ---- Errors ------------------------------------------------------------------------------------

static void assert_latched(struct fixture *fixture, enum error error)
{
    uint64_t before = disk_fake_operations(fixture->disk);

    fixture_entry(fixture, 10);
    assert_int_equal(fixture_flush(fixture), error);
    assert_int_equal(journal_make_spares(fixture->journal, 9), error);
    assert_int_equal(journal_trim(fixture->journal, UINT64_MAX), error);
    assert_int_equal(disk_fake_operations(fixture->disk), before);
}

static void failed_write_is_final(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 1, 10);
    disk_fake_fail(fixture->disk, 1, ERROR_IO, false);
    fixture_entry(fixture, 10);
    assert_int_equal(fixture_flush(fixture), ERROR_IO);
    assert_latched(fixture, ERROR_IO);
}

static void failed_flush_is_final(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 1, 10);
    disk_fake_fail(fixture->disk, 2, ERROR_IO, false);
    fixture_entry(fixture, 10);
    assert_int_equal(fixture_flush(fixture), ERROR_IO);
    assert_latched(fixture, ERROR_IO);
}

static void full_disk_at_a_roll_over_is_final(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 1, 50000);
    disk_fake_set_free(fixture->disk, 1000);
    fixture_entry(fixture, 50000);
    assert_int_equal(fixture_flush(fixture), ERROR_DISK_FULL);
    assert_latched(fixture, ERROR_DISK_FULL);
    disk_fake_set_free(fixture->disk, 1 << 20);
    assert_reopens_with_everything(fixture);
}

static void full_disk_fails_spares_but_not_appends(void **state)
{
    struct fixture *fixture = *state;

    disk_fake_set_free(fixture->disk, FIXTURE_SEGMENT_BYTES - 1);
    assert_int_equal(journal_make_spares(fixture->journal, 1), ERROR_DISK_FULL);
    assert_false(disk_fake_exists(fixture->disk, "journal/0000000000000002.new"));
    fixture_fill(fixture, 3, 100);
    disk_fake_set_free(fixture->disk, FIXTURE_SEGMENT_BYTES);
    assert_int_equal(journal_make_spares(fixture->journal, 1), ERROR_OK);
    assert_reopens_with_everything(fixture);
}

static void failed_spare_is_final(void **state)
{
    struct fixture *fixture = *state;

    disk_fake_fail(fixture->disk, 3, ERROR_IO, false);
    assert_int_equal(journal_make_spares(fixture->journal, 1), ERROR_IO);
    assert_latched(fixture, ERROR_IO);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(new_journal_reports_zero_scalars_once),
        TEST(every_record_type_round_trips),
        TEST(small_write_is_one_block_and_one_flush),
        TEST(group_that_does_not_fit_opens_the_next_segment),
        TEST(group_may_fill_a_segment_exactly),
        cmocka_unit_test(heads_never_share_a_sector),
        cmocka_unit_test(largest_group_fits_into_a_segment),
        TEST(journal_of_full_size_segments_costs_little_on_a_sparse_disk),
        TEST(spares_are_made_once_and_then_used),
        TEST(unfinished_segment_is_removed_at_opening),
        TEST(trim_removes_whole_old_segments_only),
        TEST(trimmed_journal_starts_with_the_scalars_before_it),
        TEST(sync_below_the_trimmed_part_is_recovered),
        TEST(bytes_since_counts_segments_above_the_slot),
        TEST(housekeeping_runs_beside_appends),
        TEST(failed_write_is_final),
        TEST(failed_flush_is_final),
        TEST(full_disk_at_a_roll_over_is_final),
        TEST(full_disk_fails_spares_but_not_appends),
        TEST(failed_spare_is_final),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
