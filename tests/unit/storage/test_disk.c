// SPDX-License-Identifier: Apache-2.0
// The disk port: the real file system, replacing a file atomically, and the fake disk's own
// promises.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "storage/disk_posix.h"
#include "tests/lib/disk_fake.h"

// ---- The real disk -----------------------------------------------------------------------------

struct real {
    char top[64];
    char directory[80];
    struct disk *disk;
};

static int setup_real(void **state)
{
    struct real *real = test_calloc(1, sizeof *real);
    struct failure failure;

    snprintf(real->top, sizeof real->top, "/tmp/curlew-test-XXXXXX");
    assert_non_null(mkdtemp(real->top));
    snprintf(real->directory, sizeof real->directory, "%s/data", real->top);
    assert_int_equal(disk_posix_open(real->directory, &real->disk, &failure), ERROR_OK);
    *state = real;
    return 0;
}

static void remove_real(void *context, const char *name)
{
    struct disk *disk = context;

    disk->operations->remove(disk, name);
}

static int teardown_real(void **state)
{
    struct real *real = *state;
    char path[96];

    real->disk->operations->list(real->disk, "", remove_real, real->disk);
    snprintf(path, sizeof path, "%s/journal", real->directory);
    rmdir(path);
    disk_posix_close(real->disk);
    rmdir(real->directory);
    assert_int_equal(rmdir(real->top), 0);
    test_free(real);
    return 0;
}

static void second_opener_is_told_who_holds_the_directory(void **state)
{
    struct real *real = *state;
    struct disk *second = NULL;
    struct failure failure;
    char expected[160];

    assert_int_equal(disk_posix_open(real->directory, &second, &failure), ERROR_LOCKED);
    snprintf(expected, sizeof expected,
             "the data directory \"%s\" is in use by another curlewd (process %ld)",
             real->directory, (long)getpid());
    assert_string_equal(failure.text, expected);
    disk_posix_close(real->disk);
    assert_int_equal(disk_posix_open(real->directory, &real->disk, &failure), ERROR_OK);
}

// An operator who takes the file for a leftover must not get two writers of one journal.
static void removed_lock_file_lets_no_second_one_in(void **state)
{
    struct real *real = *state;
    struct disk *second = NULL;
    struct failure failure;

    assert_int_equal(real->disk->operations->remove(real->disk, "lock"), ERROR_OK);
    assert_int_equal(disk_posix_open(real->directory, &second, &failure), ERROR_LOCKED);
    assert_non_null(strstr(failure.text, "is in use by another curlewd"));
}

static void data_directory_is_private(void **state)
{
    struct real *real = *state;
    struct stat status;

    assert_int_equal(stat(real->directory, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
}

static void unusable_data_directory_is_named(void **state)
{
    struct disk *disk = NULL;
    struct failure failure;

    (void)state;
    assert_int_equal(disk_posix_open("/nonexistent/below", &disk, &failure), ERROR_IO);
    assert_non_null(strstr(failure.text, "\"/nonexistent/below\""));
    assert_non_null(strstr(failure.text, "No such file"));
}

static void file_holds_what_was_written(void **state)
{
    struct disk *disk = ((struct real *)*state)->disk;
    struct disk_file *file;
    uint64_t size;
    char text[8] = "";

    assert_int_equal(disk->operations->open(disk, "a", DISK_READ, &file), ERROR_MISSING);
    assert_int_equal(disk->operations->open(disk, "a", DISK_CREATE, &file), ERROR_OK);
    assert_int_equal(disk->operations->write(file, 4096, "curlew", 6), ERROR_OK);
    assert_int_equal(disk->operations->sync(file), ERROR_OK);
    assert_int_equal(disk->operations->size(file, &size), ERROR_OK);
    assert_int_equal(size, 4102);
    assert_int_equal(disk->operations->read(file, 4096, text, 6), ERROR_OK);
    assert_string_equal(text, "curlew");
    assert_int_equal(disk->operations->read(file, 4096, text, 7), ERROR_IO);
    disk->operations->close(file);
    assert_int_equal(disk->operations->open(disk, "a", DISK_CREATE, &file), ERROR_IO);
    assert_int_equal(disk->operations->rename(disk, "a", "b"), ERROR_OK);
    assert_int_equal(disk->operations->remove(disk, "a"), ERROR_MISSING);
    assert_int_equal(disk->operations->remove(disk, "b"), ERROR_OK);
}

static void count_name(void *context, const char *name)
{
    unsigned *seen = context;

    *seen += strcmp(name, "one") == 0 ? 1 : 100;
}

static void directory_lists_its_names(void **state)
{
    struct disk *disk = ((struct real *)*state)->disk;
    struct disk_file *file;
    unsigned seen = 0;
    uint64_t bytes = 0;

    assert_int_equal(disk->operations->list(disk, "journal", count_name, &seen), ERROR_MISSING);
    assert_int_equal(disk->operations->make_directory(disk, "journal"), ERROR_OK);
    assert_int_equal(disk->operations->make_directory(disk, "journal"), ERROR_OK);
    assert_int_equal(disk->operations->open(disk, "journal/one", DISK_CREATE, &file), ERROR_OK);
    disk->operations->close(file);
    assert_int_equal(disk->operations->sync_directory(disk, "journal"), ERROR_OK);
    assert_int_equal(disk->operations->list(disk, "journal", count_name, &seen), ERROR_OK);
    assert_int_equal(seen, 1);
    assert_int_equal(disk->operations->free_bytes(disk, &bytes), ERROR_OK);
    assert_true(bytes > 0);
    assert_int_equal(disk->operations->remove(disk, "journal/one"), ERROR_OK);
}

static void assert_content(struct disk *disk, const char *name, const char *expected)
{
    struct disk_file *file;
    char text[16] = "";
    uint64_t size;

    assert_int_equal(disk->operations->open(disk, name, DISK_READ, &file), ERROR_OK);
    assert_int_equal(disk->operations->size(file, &size), ERROR_OK);
    assert_int_equal(size, strlen(expected));
    assert_int_equal(disk->operations->read(file, 0, text, size), ERROR_OK);
    assert_string_equal(text, expected);
    disk->operations->close(file);
}

static void replace_works_on_the_real_disk(void **state)
{
    struct disk *disk = ((struct real *)*state)->disk;

    assert_int_equal(disk_replace(disk, "", "x", "first", 5), ERROR_OK);
    assert_content(disk, "x", "first");
    assert_int_equal(disk_replace(disk, "", "x", "two", 3), ERROR_OK);
    assert_content(disk, "x", "two");
}

// ---- The fake disk and replacing on it ---------------------------------------------------------

static int setup_fake(void **state)
{
    *state = disk_fake_new();
    return 0;
}

static int teardown_fake(void **state)
{
    disk_fake_free(*state);
    return 0;
}

static void replace_leaves_old_or_new_at_every_crash(void **state)
{
    struct disk *disk = *state;

    assert_int_equal(disk_replace(disk, "", "x", "old", 3), ERROR_OK);
    for (uint64_t step = 1; step <= 6; step++)
        for (uint64_t seed = 0; seed < 16; seed++) {
            struct disk *copy = disk_fake_clone(disk);
            struct buffer content = {0};
            disk_fake_fail(copy, step, ERROR_IO, true);
            enum error error = disk_replace(copy, "", "x", "new!", 4);
            disk_fake_crash_random(copy, seed);
            disk_fake_read(copy, "x", &content);
            bool is_new = content.length == 4 && memcmp(content.data, "new!", 4) == 0;
            bool is_old = content.length == 3 && memcmp(content.data, "old", 3) == 0;
            assert_true(is_new || (is_old && error != ERROR_OK));
            assert_int_equal(disk_replace(copy, "", "x", "next", 4), ERROR_OK);
            assert_content(copy, "x", "next");
            buffer_deinit(&content);
            disk_fake_free(copy);
        }
}

static bool choose_none(void *context, const char *name, uint64_t sector)
{
    (void)context;
    (void)name;
    (void)sector;
    return false;
}

static bool choose_sector_one(void *context, const char *name, uint64_t sector)
{
    (void)context;
    (void)name;
    return sector == 1 || sector == UINT64_MAX;
}

static void crash_loses_what_was_not_synced(void **state)
{
    struct disk *disk = *state;
    struct disk_file *file;
    char text[4];

    assert_int_equal(disk_replace(disk, "", "x", "old", 3), ERROR_OK);
    assert_int_equal(disk->operations->open(disk, "x", DISK_WRITE, &file), ERROR_OK);
    assert_int_equal(disk->operations->write(file, 0, "new and longer", 14), ERROR_OK);
    disk_fake_crash(disk, choose_none, NULL);
    assert_int_equal(disk->operations->read(file, 0, text, 3), ERROR_IO);
    assert_int_equal(disk->operations->sync(file), ERROR_IO);
    disk->operations->close(file);
    assert_content(disk, "x", "old");
}

static void crash_keeps_the_chosen_sectors(void **state)
{
    struct disk *disk = *state;
    struct disk_file *file;
    uint8_t bytes[3 * DISK_FAKE_SECTOR];
    struct buffer content = {0};

    memset(bytes, 7, sizeof bytes);
    assert_int_equal(disk->operations->open(disk, "x", DISK_CREATE, &file), ERROR_OK);
    assert_int_equal(disk->operations->write(file, 0, bytes, sizeof bytes), ERROR_OK);
    disk->operations->close(file);
    disk_fake_crash(disk, choose_sector_one, NULL);
    disk_fake_read(disk, "x", &content);
    assert_int_equal(content.length, sizeof bytes);
    assert_int_equal(content.data[0], 0);
    assert_int_equal(content.data[DISK_FAKE_SECTOR], 7);
    assert_int_equal(content.data[2 * DISK_FAKE_SECTOR], 0);
    buffer_deinit(&content);
}

static void names_are_durable_only_with_their_directory(void **state)
{
    struct disk *disk = *state;
    struct disk_file *file;

    assert_int_equal(disk->operations->open(disk, "x", DISK_CREATE, &file), ERROR_OK);
    assert_int_equal(disk->operations->write(file, 0, "abc", 3), ERROR_OK);
    assert_int_equal(disk->operations->sync(file), ERROR_OK);
    disk->operations->close(file);
    struct disk *copy = disk_fake_clone(disk);
    disk_fake_crash(copy, choose_none, NULL);
    assert_false(disk_fake_exists(copy, "x"));
    disk_fake_free(copy);
    assert_int_equal(disk->operations->sync_directory(disk, ""), ERROR_OK);
    assert_int_equal(disk->operations->remove(disk, "x"), ERROR_OK);
    disk_fake_crash(disk, choose_none, NULL);
    assert_content(disk, "x", "abc");
}

static void full_fake_disk_refuses_growth_and_gets_space_back(void **state)
{
    struct disk *disk = *state;

    disk_fake_set_free(disk, 5);
    assert_int_equal(disk_replace(disk, "", "x", "12345", 5), ERROR_OK);
    assert_int_equal(disk_replace(disk, "", "y", "1", 1), ERROR_DISK_FULL);
    assert_int_equal(disk->operations->remove(disk, "x"), ERROR_OK);
    assert_int_equal(disk->operations->sync_directory(disk, ""), ERROR_OK);
    assert_int_equal(disk_replace(disk, "", "y", "1", 1), ERROR_OK);
}

static void zeros_cost_no_memory(void **state)
{
    struct disk *disk = *state;
    uint8_t *zeros = test_calloc(1, 16 << 20);

    assert_int_equal(disk_replace(disk, "", "x", zeros, 16 << 20), ERROR_OK);
    test_free(zeros);
    assert_true(disk_fake_memory(disk) < 4096);
}

int main(void)
{
#define REAL(name) cmocka_unit_test_setup_teardown(name, setup_real, teardown_real)
#define FAKE(name) cmocka_unit_test_setup_teardown(name, setup_fake, teardown_fake)
    const struct CMUnitTest tests[] = {
        REAL(second_opener_is_told_who_holds_the_directory),
        REAL(removed_lock_file_lets_no_second_one_in),
        REAL(data_directory_is_private),
        cmocka_unit_test(unusable_data_directory_is_named),
        REAL(file_holds_what_was_written),
        REAL(directory_lists_its_names),
        REAL(replace_works_on_the_real_disk),
        FAKE(replace_leaves_old_or_new_at_every_crash),
        FAKE(crash_loses_what_was_not_synced),
        FAKE(crash_keeps_the_chosen_sectors),
        FAKE(names_are_durable_only_with_their_directory),
        FAKE(full_fake_disk_refuses_growth_and_gets_space_back),
        FAKE(zeros_cost_no_memory),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
