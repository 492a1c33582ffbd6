// SPDX-License-Identifier: Apache-2.0
// The bulk thread on a disk whose free space the test decides.
#include "server/keeper.h"

#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "tests/lib/disk_fake.h"
#include "tests/unit/cmocka_test.h"
#include "tests/unit/storage/fixture.h"

enum { VALUES = 60, VALUE_BYTES = 100 << 10, WRITE_NS = 5000000 };

// A disk that is full as soon as a checkpoint is begun, and slow from then on until that was
// noticed.
struct shrinking_disk {
    struct disk_operations operations;
    const struct disk_operations *original;
    atomic_bool begun;
    atomic_bool noticed;
    atomic_bool ended; // the checkpoint has its name
};
static struct shrinking_disk shrinking;

static enum error open_file(struct disk *disk, const char *name, enum disk_open mode,
                            struct disk_file **file)
{
    if (mode == DISK_CREATE && strncmp(name, "checkpoint/", 11) == 0)
        atomic_store(&shrinking.begun, true);
    return shrinking.original->open(disk, name, mode, file);
}

static enum error write_slowly(struct disk_file *file, uint64_t offset, const void *data,
                               size_t length)
{
    const struct timespec pause = {.tv_nsec = WRITE_NS};

    if (atomic_load(&shrinking.begun) && !atomic_load(&shrinking.noticed))
        nanosleep(&pause, NULL);
    return shrinking.original->write(file, offset, data, length);
}

static enum error rename_file(struct disk *disk, const char *from, const char *to)
{
    if (strncmp(to, "checkpoint/", 11) == 0)
        atomic_store(&shrinking.ended, true);
    return shrinking.original->rename(disk, from, to);
}

static enum error tell_free_bytes(struct disk *disk, uint64_t *bytes)
{
    (void)disk;
    *bytes = atomic_load(&shrinking.begun) ? 0 : UINT64_MAX / 2;
    return ERROR_OK;
}

static void note_full(void *context, bool full)
{
    (void)context;
    if (full && !atomic_load(&shrinking.ended))
        atomic_store(&shrinking.noticed, true);
}

static struct disk *disk_make(void)
{
    struct disk *disk = disk_fake_new();

    shrinking.original = disk->operations;
    shrinking.operations = *disk->operations;
    shrinking.operations.open = open_file;
    shrinking.operations.write = write_slowly;
    shrinking.operations.rename = rename_file;
    shrinking.operations.free_bytes = tell_free_bytes;
    disk->operations = &shrinking.operations;
    return disk;
}

static enum error take_start(void *context, const struct paxos_scalars *scalars,
                             struct failure *failure)
{
    (void)context;
    (void)scalars;
    (void)failure;
    return ERROR_OK;
}

// A journal that holds one entry.
static struct journal *journal_make(struct disk *disk, const struct identity *identity)
{
    const struct journal_handler handler = {.start = take_start};
    struct paxos_record record = {.type = RECORD_APPEND, .epoch = 1};
    struct paxos_scalars scalars = {.epoch = 1};
    struct journal *journal;
    struct failure failure;

    assert_int_equal(journal_open(disk, identity, &handler, &journal, &failure), ERROR_OK);
    record.entry = (struct entry){.slot = 1, .epoch = 1, .value = blob_new(0)};
    record.entry.hash = entry_hash(&record.entry);
    assert_int_equal(journal_append(journal, &record, 1, &scalars), ERROR_OK);
    blob_unref(record.entry.value);
    return journal;
}

static void fill(struct fixture *fixture)
{
    char *value = memory_zalloc(VALUE_BYTES + 1);
    char path[16];

    memset(value, 'x', VALUE_BYTES);
    for (unsigned i = 0; i < VALUES; i++) {
        snprintf(path, sizeof path, "/n%u", i);
        assert_int_equal(run(fixture, op_put(path, value)), ERROR_OK);
    }
    free(value);
}

static void space_is_watched_while_a_checkpoint_is_written(void **context)
{
    struct fixture *fixture = *context;
    const struct identity identity = {.cluster = "cluster-cluster", .node = 1, .boot_count = 1};
    const struct keeper_settings settings = {.checkpoint_journal_bytes = 1,
                                             .disk_reserve_bytes = 1 << 20};
    const struct checkpoint_info none = {0};

    log_set_level(LOG_ERROR);
    fill(fixture);
    struct disk *disk = disk_make();
    struct journal *journal = journal_make(disk, &identity);
    struct live *live = live_new(fixture->state);
    fixture->state = NULL;
    const struct keeper_ports ports = {.disk = disk,
                                       .identity = identity,
                                       .journal = journal,
                                       .live = live,
                                       .disk_full = note_full};
    struct keeper *keeper = keeper_start(&settings, &ports, &none, 0);
    while (!atomic_load(&shrinking.ended))
        sched_yield();
    keeper_stop(keeper);
    live_free(live);
    journal_close(journal);
    disk_fake_free(disk);
    assert_true(atomic_load(&shrinking.noticed));
}

// ---- Checkpoints of other nodes ------------------------------------------------------------------

static void put_checkpoint(struct disk *disk, paxos_slot slot)
{
    struct disk_file *file;
    char name[64];

    snprintf(name, sizeof name, "checkpoint/%016" PRIx64, slot);
    assert_int_equal(disk->operations->open(disk, name, DISK_CREATE, &file), ERROR_OK);
    disk->operations->close(file);
}

static bool has_checkpoint(struct disk *disk, paxos_slot slot)
{
    char name[64];

    snprintf(name, sizeof name, "checkpoint/%016" PRIx64, slot);
    return disk_fake_exists(disk, name);
}

// Another one is received while the core waits for its disk, and an own one is written.
static void checkpoint_that_the_core_goes_on_from_is_kept(void **context)
{
    enum { NEEDED = 1000, OTHER = 1500, RECEIVED = 2000 };
    struct fixture *fixture = *context;
    const struct identity identity = {.cluster = "cluster-cluster", .node = 1, .boot_count = 1};
    const struct keeper_settings settings = {.checkpoint_journal_bytes = 1,
                                             .disk_reserve_bytes = 1 << 20};
    const struct checkpoint_info none = {0};

    log_set_level(LOG_ERROR);
    fill(fixture);
    memset(&shrinking, 0, sizeof shrinking);
    struct disk *disk = disk_make();
    struct journal *journal = journal_make(disk, &identity);
    struct live *live = live_new(fixture->state);
    fixture->state = NULL;
    disk->operations->make_directory(disk, "checkpoint");
    for (paxos_slot slot = NEEDED; slot <= RECEIVED; slot += OTHER - NEEDED)
        put_checkpoint(disk, slot);
    atomic_store(&shrinking.begun, false);
    const struct keeper_ports ports = {.disk = disk,
                                       .identity = identity,
                                       .journal = journal,
                                       .live = live,
                                       .disk_full = note_full};
    struct keeper *keeper = keeper_start(&settings, &ports, &none, 0);
    keeper_keep(keeper, NEEDED);
    assert_true(keeper_ask(keeper, NEEDED));
    keeper_answer(keeper, true);
    keeper_keep(keeper, RECEIVED);
    assert_false(keeper_ask(keeper, OTHER));
    assert_true(keeper_ask(keeper, RECEIVED));
    keeper_answer(keeper, false);
    assert_false(atomic_load(&shrinking.ended));
    while (!atomic_load(&shrinking.ended))
        sched_yield();
    keeper_stop(keeper);
    assert_true(has_checkpoint(disk, NEEDED));
    assert_true(has_checkpoint(disk, RECEIVED));
    assert_false(has_checkpoint(disk, OTHER));
    live_free(live);
    journal_close(journal);
    disk_fake_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(space_is_watched_while_a_checkpoint_is_written,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(checkpoint_that_the_core_goes_on_from_is_kept,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
