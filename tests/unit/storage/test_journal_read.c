// SPDX-License-Identifier: Apache-2.0
// Reading the journal back while it is written: what is handed out is what the log has for good.
#include "tests/unit/cmocka_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "storage/journal_read.h"
#include "tests/lib/journal_fixture.h"

enum { BATCH_MAX = 64 };

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

// ---- Short ways to say it ----------------------------------------------------------------------

// Sets the decided mark of the group that is built next.
static void mark(struct fixture *fixture, paxos_slot decided)
{
    fixture->scalars.decided = decided;
}

static void flush(struct fixture *fixture)
{
    assert_int_equal(fixture_flush(fixture), ERROR_OK);
}

// As fixture_sync, with a LEARN: log_ballot stays.
static void learn(struct fixture *fixture, uint64_t round, paxos_slot keep, uint32_t count)
{
    struct ballot promised = fixture->scalars.promised;
    struct ballot log_ballot = fixture->scalars.log_ballot;

    fixture_sync(fixture, round, keep, count);
    struct paxos_record *record = &fixture->group[fixture->group_count - 1];
    record->type = RECORD_LEARN;
    fixture->scalars.log_ballot = log_ballot;
    if (ballot_compare(record->ballot, promised) < 0)
        fixture->scalars.promised = promised;
}

// Reads one batch and compares it with the fixture's log. Returns how many there were.
static size_t read_batch(struct fixture *fixture, struct journal_reader *reader,
                         paxos_slot executed, size_t capacity, size_t bytes_max)
{
    paxos_slot next = journal_reader_slot(reader);
    struct entry entries[BATCH_MAX];
    size_t count;
    size_t bytes = 0;

    assert_int_equal(journal_reader_next(reader, executed, entries, capacity, bytes_max, &count),
                     ERROR_OK);
    assert_true(count <= capacity);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(entries[i].slot, next + i);
        assert_true(entries[i].slot <= executed);
        assert_true(hash128_equal(entries[i].hash, fixture->hashes[next + i]));
        assert_true(hash128_equal(entries[i].prev_hash, fixture->hashes[next + i - 1]));
        assert_true(hash128_equal(entry_hash(&entries[i]), entries[i].hash));
        bytes += entries[i].value->length;
        blob_unref(entries[i].value);
    }
    assert_true(count <= 1 || bytes <= bytes_max);
    return count;
}

// Reads everything from `from` to `executed`; count of batches.
static size_t read_all(struct fixture *fixture, paxos_slot from, paxos_slot executed,
                       size_t capacity, size_t bytes_max)
{
    struct journal_reader *reader;
    size_t batches = 0;

    assert_int_equal(journal_reader_open(fixture->journal, from, &reader), ERROR_OK);
    while (read_batch(fixture, reader, executed, capacity, bytes_max) > 0)
        batches++;
    assert_int_equal(journal_reader_slot(reader), executed + 1 > from ? executed + 1 : from);
    journal_reader_close(reader);
    return batches;
}

static enum error read_error(struct fixture *fixture, paxos_slot from, paxos_slot executed)
{
    struct journal_reader *reader;
    struct entry entries[BATCH_MAX];
    size_t count = 0;

    enum error error = journal_reader_open(fixture->journal, from, &reader);
    if (error != ERROR_OK)
        return error;
    do {
        error = journal_reader_next(reader, executed, entries, BATCH_MAX, SIZE_MAX, &count);
        for (size_t i = 0; i < count; i++)
            blob_unref(entries[i].value);
    } while (error == ERROR_OK && count > 0);
    journal_reader_close(reader);
    return error;
}

// ---- One thing at a time -----------------------------------------------------------------------

static void reads_from_any_slot_over_segments(void **state)
{
    struct fixture *fixture = *state;
    struct journal_statistics statistics;

    fixture_fill(fixture, 60, 5000);
    journal_statistics(fixture->journal, &statistics);
    assert_true(statistics.segments >= 5);
    for (paxos_slot from = 1; from <= 60; from++)
        assert_int_equal(read_all(fixture, from, 60, 1, SIZE_MAX), 61 - from);
    assert_int_equal(read_all(fixture, 1, 60, BATCH_MAX, SIZE_MAX), 1);
    assert_int_equal(fixture_open(fixture), ERROR_OK);
    assert_int_equal(read_all(fixture, 17, 60, BATCH_MAX, SIZE_MAX), 1);
}

static void batches_are_bounded_by_bytes_but_for_the_first_entry(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 12, 1000);
    assert_int_equal(read_all(fixture, 1, 12, BATCH_MAX, 3000), 4);
    assert_int_equal(read_all(fixture, 1, 12, BATCH_MAX, 3999), 4);
    assert_int_equal(read_all(fixture, 1, 12, BATCH_MAX, 10), 12);
}

static void nothing_above_executed_is_handed_out(void **state)
{
    struct fixture *fixture = *state;
    struct journal_reader *reader;

    fixture_fill(fixture, 10, 100);
    assert_int_equal(journal_reader_open(fixture->journal, 4, &reader), ERROR_OK);
    assert_int_equal(read_batch(fixture, reader, 3, BATCH_MAX, SIZE_MAX), 0);
    assert_int_equal(read_batch(fixture, reader, 6, BATCH_MAX, SIZE_MAX), 3);
    assert_int_equal(read_batch(fixture, reader, 6, BATCH_MAX, SIZE_MAX), 0);
    assert_int_equal(read_batch(fixture, reader, 9, BATCH_MAX, SIZE_MAX), 3);
    fixture_entry(fixture, 50);
    flush(fixture);
    assert_int_equal(read_batch(fixture, reader, 11, BATCH_MAX, SIZE_MAX), 2);
    journal_reader_close(reader);
}

static void replaced_entries_are_never_handed_out(void **state)
{
    struct fixture *fixture = *state;

    fixture_promise(fixture, 1, 1);
    for (int i = 0; i < 20; i++)
        fixture_entry(fixture, 2000);
    mark(fixture, 3);
    flush(fixture);
    // Slots 6 to 20 are replaced in a later segment by fewer, twice.
    fixture_sync(fixture, 2, 5, 3);
    for (int i = 0; i < 3; i++)
        fixture_entry(fixture, 9000);
    flush(fixture);
    learn(fixture, 3, 7, 4);
    for (int i = 0; i < 4; i++)
        fixture_entry(fixture, 9000);
    flush(fixture);
    for (paxos_slot from = 1; from <= 11; from++)
        assert_int_equal(read_all(fixture, from, 11, BATCH_MAX, SIZE_MAX), 1);
    assert_int_equal(read_error(fixture, 1, 12), ERROR_MISSING);
}

// A slot whose entry was cut off stands in an older segment than the final one of a lower slot.
static void reading_begins_where_the_final_entry_is(void **state)
{
    struct fixture *fixture = *state;

    fixture_promise(fixture, 1, 1);
    for (int i = 0; i < 10; i++)
        fixture_entry(fixture, 4000);
    flush(fixture);
    for (int i = 0; i < 10; i++)
        fixture_entry(fixture, 4000);
    flush(fixture);
    fixture_sync(fixture, 2, 4, 2);
    fixture_entry(fixture, 25000);
    fixture_entry(fixture, 25000);
    flush(fixture);
    for (int i = 0; i < 14; i++)
        fixture_entry(fixture, 3000);
    mark(fixture, 6);
    flush(fixture);
    for (paxos_slot from = 1; from <= 20; from++)
        assert_int_equal(read_all(fixture, from, 20, BATCH_MAX, SIZE_MAX), 1);
}

// The same entries written once more, below the mark, as a SYNC of another leader's log does.
static void repeated_entries_are_handed_out_once(void **state)
{
    struct fixture *fixture = *state;
    struct paxos_record again[2];

    fixture_fill(fixture, 6, 100);
    for (size_t i = 0; i < 2; i++)
        again[i] = fixture->written.groups[5 + i].records[0];
    assert_int_equal(again[0].entry.slot, 5);
    struct journal_reader *reader;
    assert_int_equal(journal_reader_open(fixture->journal, 1, &reader), ERROR_OK);
    assert_int_equal(read_batch(fixture, reader, 5, BATCH_MAX, SIZE_MAX), 5);
    fixture_sync(fixture, 9, 4, 2);
    for (size_t i = 0; i < 2; i++) {
        fixture->group[fixture->group_count++] = again[i];
        blob_ref(again[i].entry.value);
    }
    fixture->scalars.last = 6;
    fixture->scalars.last_hash = fixture->hashes[6];
    flush(fixture);
    fixture_entry(fixture, 10);
    flush(fixture);
    assert_int_equal(read_batch(fixture, reader, 7, BATCH_MAX, SIZE_MAX), 2);
    journal_reader_close(reader);
    assert_int_equal(read_all(fixture, 5, 7, BATCH_MAX, SIZE_MAX), 1);
}

static void entries_that_a_checkpoint_stands_for_are_missing(void **state)
{
    struct fixture *fixture = *state;
    struct journal_reader *reader;
    struct entry entries[BATCH_MAX];
    size_t count;

    fixture_fill(fixture, 10, 100); // marks up to 9
    assert_int_equal(journal_reader_open(fixture->journal, 8, &reader), ERROR_OK);
    assert_int_equal(read_batch(fixture, reader, 9, BATCH_MAX, SIZE_MAX), 2);
    fixture_install(fixture, 3, 30);
    fixture_entry(fixture, 100);
    flush(fixture);
    assert_int_equal(journal_reader_next(reader, 31, entries, BATCH_MAX, SIZE_MAX, &count),
                     ERROR_MISSING);
    journal_reader_close(reader);
    for (paxos_slot from = 10; from <= 30; from++)
        assert_int_equal(read_error(fixture, from, 31), ERROR_MISSING);
    assert_int_equal(read_all(fixture, 31, 31, BATCH_MAX, SIZE_MAX), 1);
    // Within the log, whose slot 31 held something else.
    fixture_entry(fixture, 100);
    flush(fixture);
    fixture_install(fixture, 4, 31);
    flush(fixture);
    fixture_entry(fixture, 200);
    flush(fixture);
    assert_int_equal(read_error(fixture, 31, 32), ERROR_MISSING);
    assert_int_equal(read_all(fixture, 32, 32, BATCH_MAX, SIZE_MAX), 1);
}

static void trimmed_entries_are_missing(void **state)
{
    struct fixture *fixture = *state;
    struct journal_reader *reader;
    struct entry entries[BATCH_MAX];
    size_t count;

    fixture_fill(fixture, 60, 5000);
    assert_int_equal(journal_reader_open(fixture->journal, 1, &reader), ERROR_OK);
    assert_int_equal(read_batch(fixture, reader, 60, 2, SIZE_MAX), 2);
    assert_int_equal(journal_trim(fixture->journal, 40), ERROR_OK);
    assert_int_equal(read_error(fixture, 1, 60), ERROR_MISSING);
    assert_int_equal(journal_reader_next(reader, 60, entries, BATCH_MAX, SIZE_MAX, &count),
                     ERROR_MISSING);
    assert_int_equal(count, 0);
    journal_reader_close(reader);
    assert_int_equal(read_all(fixture, 41, 60, BATCH_MAX, SIZE_MAX), 1);
}

static void journal_without_entries_has_none_before_its_end(void **state)
{
    struct fixture *fixture = *state;
    struct journal_reader *reader;

    assert_int_equal(journal_reader_open(fixture->journal, 1, &reader), ERROR_OK);
    assert_int_equal(read_batch(fixture, reader, 0, BATCH_MAX, SIZE_MAX), 0);
    fixture_fill(fixture, 3, 100);
    assert_int_equal(read_batch(fixture, reader, 3, BATCH_MAX, SIZE_MAX), 3);
    journal_reader_close(reader);
    // The entries are trimmed away and only a promise stands in what is left.
    fixture_entry(fixture, FIXTURE_SEGMENT_BYTES - 16384);
    flush(fixture);
    for (unsigned round = 5; round < 25; round++) {
        fixture_promise(fixture, round, 1);
        flush(fixture);
    }
    assert_int_equal(journal_trim(fixture->journal, 4), ERROR_OK);
    assert_int_equal(read_error(fixture, 4, 4), ERROR_MISSING);
    assert_int_equal(journal_reader_open(fixture->journal, 5, &reader), ERROR_OK);
    assert_int_equal(read_batch(fixture, reader, 4, BATCH_MAX, SIZE_MAX), 0);
    fixture_entry(fixture, 10);
    flush(fixture);
    assert_int_equal(read_batch(fixture, reader, 5, BATCH_MAX, SIZE_MAX), 1);
    journal_reader_close(reader);
}

// What was written and not flushed is on the disk and must not be believed.
static void unflushed_group_is_not_read(void **state)
{
    struct fixture *fixture = *state;

    fixture_fill(fixture, 3, 100);
    disk_fake_fail(fixture->disk, 2, ERROR_IO, true);
    fixture_entry(fixture, 100);
    assert_int_equal(fixture_flush(fixture), ERROR_IO);
    assert_int_equal(read_all(fixture, 1, 3, BATCH_MAX, SIZE_MAX), 1);
    assert_int_equal(read_error(fixture, 1, 4), ERROR_MISSING);
}

static void damaged_sectors_are_found(void **state)
{
    struct fixture *fixture = *state;
    const char *name = "journal/0000000000000001";

    fixture_fill(fixture, 6, 3000);
    paxos_slot executed = fixture->scalars.last;
    for (uint64_t at = JOURNAL_HEADER_BYTES; at < JOURNAL_HEADER_BYTES + 7 * 4096;
         at += 5 * JOURNAL_SECTOR) {
        disk_fake_flip(fixture->disk, name, at + at / JOURNAL_SECTOR % JOURNAL_SECTOR, 3);
        assert_int_equal(read_error(fixture, 1, executed), ERROR_CORRUPT);
        disk_fake_flip(fixture->disk, name, at + at / JOURNAL_SECTOR % JOURNAL_SECTOR, 3);
    }
    assert_int_equal(read_error(fixture, 1, executed), ERROR_OK);
}

// ---- Random histories --------------------------------------------------------------------------

enum { READERS = 3 };

struct walk {
    struct fixture *fixture;
    uint64_t random;
    paxos_slot decided; // never replaced
    paxos_slot executed;
    paxos_slot trimmed; // or never written here
    struct journal_reader *readers[READERS];
};

static uint64_t draw(struct walk *walk, uint64_t bound)
{
    walk->random = hash64(&walk->random, sizeof walk->random, 7);
    return walk->random % bound;
}

static void add_entries(struct walk *walk, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        fixture_entry(walk->fixture, draw(walk, 8) == 0 ? draw(walk, 10000) : draw(walk, 300));
}

static void walk_append(struct walk *walk)
{
    struct fixture *fixture = walk->fixture;
    paxos_slot keep = walk->decided + draw(walk, fixture->scalars.last - walk->decided + 1);
    uint64_t round = fixture->scalars.promised.round;
    uint32_t count = (uint32_t)draw(walk, 6);

    fixture->scalars.decided = draw(walk, 3) == 0 ? fixture->scalars.decided : walk->decided;
    switch (draw(walk, 10)) {
    case 0:
        fixture_promise(fixture, round + 1, 1);
        break;
    case 1:
        fixture_sync(fixture, round + 1, keep, count);
        break;
    case 2:
        learn(fixture, draw(walk, round + 2), keep, count);
        break;
    default:
        break;
    }
    add_entries(walk, count);
    flush(fixture);
}

// The log goes on from a checkpoint that another node gave, above its end or within what is undecided.
static void walk_install(struct walk *walk)
{
    struct fixture *fixture = walk->fixture;
    paxos_slot slot = walk->decided + 1 + draw(walk, fixture->scalars.last - walk->decided + 4);

    fixture->scalars.decided = walk->decided;
    fixture_install(fixture, draw(walk, fixture->scalars.promised.round + 2), slot);
    fixture->group_before.decided = draw(walk, 2) == 0 ? walk->decided : slot;
    add_entries(walk, draw(walk, 4));
    flush(fixture);
    walk->decided = walk->executed = walk->trimmed = slot;
}

static void walk_decide(struct walk *walk)
{
    walk->decided += draw(walk, walk->fixture->scalars.last - walk->decided + 1);
    walk->executed += draw(walk, walk->decided - walk->executed + 1);
}

static void walk_reopen(struct walk *walk)
{
    for (size_t i = 0; i < READERS; i++) {
        journal_reader_close(walk->readers[i]);
        walk->readers[i] = NULL;
    }
    disk_fake_crash_random(walk->fixture->disk, draw(walk, UINT64_MAX));
    if (fixture_open(walk->fixture) != ERROR_OK)
        fail_msg("%s", walk->fixture->failure.text);
}

static void walk_read(struct walk *walk)
{
    struct journal_reader **reader = &walk->readers[draw(walk, READERS)];
    paxos_slot first = walk->trimmed + 1;

    if (*reader == NULL || draw(walk, 8) == 0 || journal_reader_slot(*reader) < first) {
        journal_reader_close(*reader);
        paxos_slot from = first + draw(walk, walk->executed + 2 - first);
        assert_int_equal(journal_reader_open(walk->fixture->journal, from, reader), ERROR_OK);
    }
    paxos_slot next = journal_reader_slot(*reader);
    size_t count = read_batch(walk->fixture, *reader, walk->executed,
                              (size_t)(1 + draw(walk, BATCH_MAX)), (size_t)draw(walk, 40000));
    assert_int_equal(count > 0, next <= walk->executed);
}

static void walk_trim(struct walk *walk)
{
    walk->trimmed += draw(walk, walk->executed - walk->trimmed + 1);
    assert_int_equal(journal_trim(walk->fixture->journal, walk->trimmed), ERROR_OK);
}

static void walk_step(struct walk *walk)
{
    switch (draw(walk, 40)) {
    case 0:
        walk_trim(walk);
        break;
    case 1:
        walk_reopen(walk);
        break;
    case 2:
        if (draw(walk, 2) == 0)
            walk_install(walk);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        walk_decide(walk);
        break;
    default:
        if (draw(walk, 3) == 0)
            walk_read(walk);
        else
            walk_append(walk);
        break;
    }
}

static void random_histories_read_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        void *fixture;
        setup(&fixture);
        struct walk walk = {.fixture = fixture, .random = seed};
        for (int i = 0; i < 400 && walk.fixture->scalars.last + 8 < FIXTURE_SLOTS_MAX; i++)
            walk_step(&walk);
        assert_true(walk.executed > 20);
        for (size_t i = 0; i < READERS; i++)
            journal_reader_close(walk.readers[i]);
        read_all(walk.fixture, walk.trimmed + 1, walk.executed, BATCH_MAX, SIZE_MAX);
        teardown(&fixture);
    }
}

// ---- Beside a writer ---------------------------------------------------------------------------

enum { RACE_SLOTS = 3000, RACE_KEPT = 200, RACE_SECONDS = 120 };

struct race {
    struct fixture *fixture;
    _Atomic paxos_slot executed;
    atomic_bool stop; // the reader has failed
};

static bool race_append(struct race *race, uint64_t *random)
{
    struct fixture *fixture = race->fixture;
    paxos_slot executed = atomic_load(&race->executed);

    *random = hash64(random, sizeof *random, 3);
    mark(fixture, executed);
    if (*random % 8 == 0 && fixture->scalars.last > executed)
        fixture_sync(fixture, fixture->scalars.promised.round + 1, executed, 0);
    for (uint64_t i = 0; i < 1 + *random % 5; i++)
        fixture_entry(fixture, *random % 600);
    if (fixture_flush(fixture) != ERROR_OK)
        return false;
    atomic_store(&race->executed, executed + (fixture->scalars.last - executed) / 2);
    return journal_trim(fixture->journal, executed > RACE_KEPT ? executed - RACE_KEPT : 0) ==
           ERROR_OK;
}

static void *race_write(void *context)
{
    struct race *race = context;
    uint64_t random = 5;

    fixture_promise(race->fixture, 1, 1);
    while (!atomic_load(&race->stop) && race->fixture->scalars.last + 8 < RACE_SLOTS)
        if (!race_append(race, &random))
            break;
    return NULL;
}

// Follows the writer until it has ended. Whatever is trimmed away under it is skipped.
static bool race_read(struct race *race, struct journal_reader **reader, time_t deadline)
{
    struct entry entries[BATCH_MAX];
    size_t count;

    for (;;) {
        paxos_slot executed = atomic_load(&race->executed);
        if (executed + 16 >= RACE_SLOTS)
            return true;
        if (time(NULL) > deadline)
            return false;
        if (*reader == NULL &&
            journal_reader_open(race->fixture->journal, executed > 50 ? executed - 50 : 1,
                                reader) != ERROR_OK) {
            *reader = NULL;
            continue;
        }
        enum error error =
            journal_reader_next(*reader, executed, entries, BATCH_MAX, 20000, &count);
        for (size_t i = 0; i < count; i++) {
            bool same = hash128_equal(entries[i].hash, race->fixture->hashes[entries[i].slot]);
            blob_unref(entries[i].value);
            if (!same)
                return false;
        }
        if (error == ERROR_MISSING) {
            journal_reader_close(*reader);
            *reader = NULL;
        } else if (error != ERROR_OK) {
            return false;
        }
    }
}

static void reads_while_another_thread_writes_and_trims(void **state)
{
    struct race race = {.fixture = *state};
    struct journal_reader *reader = NULL;
    pthread_t writer;

    assert_int_equal(pthread_create(&writer, NULL, race_write, &race), 0);
    bool right = race_read(&race, &reader, time(NULL) + RACE_SECONDS);
    atomic_store(&race.stop, true);
    pthread_join(writer, NULL);
    journal_reader_close(reader);
    assert_true(right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_from_any_slot_over_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(batches_are_bounded_by_bytes_but_for_the_first_entry, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nothing_above_executed_is_handed_out, setup, teardown),
        cmocka_unit_test_setup_teardown(replaced_entries_are_never_handed_out, setup, teardown),
        cmocka_unit_test_setup_teardown(reading_begins_where_the_final_entry_is, setup, teardown),
        cmocka_unit_test_setup_teardown(repeated_entries_are_handed_out_once, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_that_a_checkpoint_stands_for_are_missing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(trimmed_entries_are_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(journal_without_entries_has_none_before_its_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(unflushed_group_is_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_sectors_are_found, setup, teardown),
        cmocka_unit_test(random_histories_read_back),
        cmocka_unit_test_setup_teardown(reads_while_another_thread_writes_and_trims, setup,
                                        teardown),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
