// SPDX-License-Identifier: Apache-2.0
// Opening a journal after a crash: a torn tail is dropped and nothing else is.
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

static void open_well(struct fixture *fixture)
{
    if (fixture_open(fixture) != ERROR_OK)
        fail_msg("%s", fixture->failure.text);
    assert_int_equal(fixture->recovered.starts, 1);
    assert_true(history_is_part(&fixture->written, 0, &fixture->recovered));
}

// ---- Torn tails --------------------------------------------------------------------------------

// Keeps the unsynced sectors of the mask, counted from the lowest one on.
struct subset {
    uint64_t first; // sector
    uint64_t mask;
};

static bool choose_subset(void *context, const char *name, uint64_t sector)
{
    const struct subset *subset = context;

    (void)name;
    return sector != UINT64_MAX && sector >= subset->first && sector - subset->first < 64 &&
           (subset->mask >> (sector - subset->first) & 1) != 0;
}

// Writes the group, lets its flush fail, and leaves the disk with the group unsynced.
static void leave_unsynced(struct fixture *fixture)
{
    disk_fake_fail(fixture->disk, 2, ERROR_IO, true);
    assert_int_equal(fixture_flush(fixture), ERROR_IO);
    fixture_close(fixture);
}

// Opens after a crash and checks that exactly the acknowledged groups are there, plus the last one
// if it is `complete`; then that the journal goes on.
static void check_trial(struct fixture *trial, struct fixture *original, bool complete)
{
    size_t expected = original->written.count;

    if (fixture_open(trial) != ERROR_OK)
        fail_msg("%s", trial->failure.text);
    assert_int_equal(trial->recovered.count, expected + complete);
    if (complete)
        return;
    assert_true(history_is_part(&original->written, 0, &trial->recovered));
    trial->scalars.decided = 0;
    fixture_fill(trial, 2, 6000);
    size_t added = trial->written.count;
    if (fixture_open(trial) != ERROR_OK)
        fail_msg("%s", trial->failure.text);
    assert_int_equal(trial->recovered.count, expected + added);
}

static void try_subset(struct fixture *fixture, uint64_t first, uint64_t mask, uint64_t all)
{
    struct subset subset = {.first = first, .mask = mask};
    struct fixture trial;

    fixture_clone(&trial, fixture);
    disk_fake_crash(trial.disk, choose_subset, &subset);
    check_trial(&trial, fixture, mask == all);
    fixture_deinit(&trial);
}

static void journal_drops_torn_tail_for_every_subset_of_its_sectors(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 2, 100);
    fixture_entry(fixture, 1000);
    leave_unsynced(fixture);
    uint64_t first = (JOURNAL_HEADER_BYTES + 3 * JOURNAL_ALIGNMENT) / JOURNAL_SECTOR;
    for (uint64_t mask = 0; mask < 256; mask++)
        try_subset(fixture, first, mask, 255);
}

static void journal_drops_torn_first_group_for_every_subset(void **state)
{
    struct fixture *fixture = *state;

    fixture_promise(fixture, 1, 1);
    leave_unsynced(fixture);
    for (uint64_t mask = 0; mask < 256; mask++)
        try_subset(fixture, JOURNAL_HEADER_BYTES / JOURNAL_SECTOR, mask, 255);
}

static void journal_drops_torn_group_at_the_start_of_the_next_segment(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(journal_make_spares(fixture->journal, 2), ERROR_OK);
    fixture_fill(fixture, 2, 24000);
    fixture_sync(fixture, 4, 1, 2);
    fixture_entry(fixture, 12000);
    fixture_entry(fixture, 100);
    leave_unsynced(fixture);
    uint64_t sectors = journal_group_sectors(3, 12100);
    assert_int_equal(sectors, 32);
    uint64_t all = ((uint64_t)1 << sectors) - 1;
    for (uint64_t seed = 0; seed < 200; seed++)
        try_subset(fixture, JOURNAL_HEADER_BYTES / JOURNAL_SECTOR,
                   hash64(&seed, sizeof seed, 0) & all, all);
    for (uint64_t i = 0; i < sectors; i++) {
        try_subset(fixture, JOURNAL_HEADER_BYTES / JOURNAL_SECTOR, (uint64_t)1 << i, all);
        try_subset(fixture, JOURNAL_HEADER_BYTES / JOURNAL_SECTOR, all & ~((uint64_t)1 << i), all);
    }
    try_subset(fixture, JOURNAL_HEADER_BYTES / JOURNAL_SECTOR, all, all);
}

// Each start loses its first group, so the number of the lost group is used again and again.
static void flush_number_is_used_again_by_later_boots(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 1, 100);
    for (uint64_t boot = 0; boot < 12; boot++) {
        struct paxos_scalars before = fixture->scalars;
        fixture_entry(fixture, 500 + 1500 * boot);
        leave_unsynced(fixture);
        fixture->scalars = before;
        struct subset subset = {
            .first = (JOURNAL_HEADER_BYTES + 2 * JOURNAL_ALIGNMENT) / JOURNAL_SECTOR,
            .mask = 0x5a >> boot % 3,
        };
        disk_fake_crash(fixture->disk, choose_subset, &subset);
        open_well(fixture);
        assert_int_equal(fixture->recovered.count, 2);
    }
    fixture_fill(fixture, 1, 100);
    open_well(fixture);
    assert_int_equal(fixture->recovered.count, 4);
}

// A crash while the torn sectors are being zeroed leaves a torn tail again.
static void repair_may_be_interrupted(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 2, 100);
    struct paxos_scalars before = fixture->scalars;
    fixture_entry(fixture, 9000);
    leave_unsynced(fixture);
    fixture->scalars = before;
    disk_fake_crash_random(fixture->disk, 1);
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct fixture trial;
        fixture_clone(&trial, fixture);
        disk_fake_fail(trial.disk, 1 + seed % 6, ERROR_IO, true);
        fixture_open(&trial);
        disk_fake_crash_random(trial.disk, seed);
        check_trial(&trial, fixture, false);
        fixture_deinit(&trial);
    }
}

// ---- Crashes anywhere --------------------------------------------------------------------------

// One life with everything in it; every group has one entry. Ends at the first error.
static void live(struct fixture *fixture)
{
    if (fixture_open(fixture) != ERROR_OK)
        return;
    for (int i = 0; i < 8; i++) {
        fixture_entry(fixture, 20000);
        fixture_promise(fixture, fixture->scalars.promised.round + 1, 1);
        if (fixture_flush(fixture) != ERROR_OK)
            return;
        if (i % 2 == 0 && journal_make_spares(fixture->journal, 2) != ERROR_OK)
            return;
        if (i == 6 && journal_trim(fixture->journal, fixture->scalars.last - 2) != ERROR_OK)
            return;
    }
}

// What was acknowledged and not trimmed is there, and at most the one group that was under way.
static void crash_and_check(uint64_t step, uint64_t seed)
{
    struct fixture trial;

    fixture_init(&trial);
    disk_fake_fail(trial.disk, step, ERROR_IO, true);
    live(&trial);
    disk_fake_crash_random(trial.disk, seed);
    if (fixture_open(&trial) != ERROR_OK)
        fail_msg("step %u, seed %u: %s", (unsigned)step, (unsigned)seed, trial.failure.text);
    size_t written = trial.written.count;
    size_t found = (size_t)trial.recovered.start.last + trial.recovered.count;
    assert_true(found == written || found == written + 1);
    if (found == written)
        assert_true(
            history_is_part(&trial.written, written - trial.recovered.count, &trial.recovered));
    fixture_deinit(&trial);
}

static void nothing_acknowledged_is_lost_wherever_a_crash_hits(void **state)
{
    struct fixture *fixture = *state;

    fixture_use_disk(fixture, disk_fake_new());
    live(fixture);
    assert_int_equal(fixture->written.count, 8);
    uint64_t steps = disk_fake_operations(fixture->disk);
    assert_true(steps > 40);
    for (uint64_t step = 1; step <= steps + 1; step++)
        for (uint64_t seed = 0; seed < 8; seed++)
            crash_and_check(step, seed * 1000 + step);
}

// After a process died between write and flush the group may be whole in the kernel's cache only.
static void what_recovery_reports_survives_a_later_power_loss(void **state)
{
    struct subset none = {0};
    struct fixture *fixture = *state;

    fixture_fill(fixture, 1, 10);
    fixture_entry(fixture, 10);
    leave_unsynced(fixture);
    disk_fake_fail(fixture->disk, 0, ERROR_OK, false);
    assert_int_equal(fixture_open(fixture), ERROR_OK);
    assert_int_equal(fixture->recovered.count, 3);
    disk_fake_crash(fixture->disk, choose_subset, &none);
    assert_int_equal(fixture_open(fixture), ERROR_OK);
    assert_int_equal(fixture->recovered.count, 3);
}

// ---- What may be executed before a group is taken in -------------------------------------------

static enum error note_settled(void *context, paxos_slot settled, struct failure *failure)
{
    struct history *history = context;

    (void)failure;
    history->start.decided = settled; // of the last group in the end
    return ERROR_OK;
}

// Its decided mark counts the entries that the group itself puts in the place of others.
static void group_settles_nothing_that_it_replaces(void **state)
{
    struct fixture *fixture = *state;
    struct history history = {0};
    struct journal_handler handler = history_handler(&history);

    handler.group_begin = note_settled;
    fixture_fill(fixture, 3, 10);
    fixture_sync(fixture, 5, 1, 2);
    fixture_entry(fixture, 10);
    fixture_entry(fixture, 10);
    fixture->group_before.decided = 3;
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
    fixture_close(fixture);
    fixture->identity.boot_count++;
    assert_int_equal(journal_open_sized(fixture->disk, &fixture->identity, &handler,
                                        fixture->segment_bytes, &fixture->journal,
                                        &fixture->failure),
                     ERROR_OK);
    assert_int_equal(history.start.decided, 1);
    history_deinit(&history);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(journal_drops_torn_tail_for_every_subset_of_its_sectors),
        TEST(journal_drops_torn_first_group_for_every_subset),
        TEST(journal_drops_torn_group_at_the_start_of_the_next_segment),
        TEST(flush_number_is_used_again_by_later_boots),
        TEST(repair_may_be_interrupted),
        TEST(nothing_acknowledged_is_lost_wherever_a_crash_hits),
        TEST(group_settles_nothing_that_it_replaces),
        TEST(what_recovery_reports_survives_a_later_power_loss),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
