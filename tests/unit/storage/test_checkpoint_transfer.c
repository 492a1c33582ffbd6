// SPDX-License-Identifier: Apache-2.0
// A checkpoint that goes to another data directory in pieces: what arrives there under its name is whole,
// whatever was lost, mixed up or interrupted on the way.
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "storage/checkpoint_transfer.h"
#include "tests/lib/disk_fake.h"

enum { NODES = 200, PIECE = 30000 };

static const struct identity giver = {.cluster = "cluster-cluster", .node = 1};
static const struct identity taker = {.cluster = "cluster-cluster", .node = 2};

// ---- Helpers -----------------------------------------------------------------------------------

static void fill(struct fixture *fixture, unsigned nodes)
{
    char path[32], data[2000];

    memset(data, 'd', sizeof data);
    data[sizeof data - 1] = 0;
    for (unsigned i = 0; i < nodes; i++) {
        snprintf(path, sizeof path, "/n%u", i);
        assert_int_equal(run(fixture, op_create(path, data)), ERROR_OK);
    }
}

static struct checkpoint_file write_checkpoint(struct fixture *fixture, struct disk *disk,
                                               const struct identity *identity)
{
    struct checkpoint_info info;
    struct checkpoint_file file;
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(checkpoint_write(disk, identity, view, NULL, NULL, &info), ERROR_OK);
    view_close(view);
    assert_int_equal(checkpoint_find(disk, info.position.applied, &file), ERROR_OK);
    assert_int_equal(file.slot, info.position.applied);
    assert_int_equal(file.bytes, info.bytes);
    return file;
}

// Copies from `offset` up to `end`.
static enum error copy(struct disk *from, const struct checkpoint_file *file,
                       struct checkpoint_part *part, uint64_t offset, uint64_t end)
{
    static uint8_t piece[PIECE];
    enum error error = ERROR_OK;

    while (offset < end && error == ERROR_OK) {
        size_t length = end - offset < PIECE ? (size_t)(end - offset) : PIECE;
        assert_int_equal(checkpoint_read(from, file->slot, offset, piece, &length), ERROR_OK);
        assert_true(length > 0);
        error = checkpoint_part_write(part, piece, length);
        offset += length;
    }
    return error;
}

static enum error transfer(struct disk *from, struct disk *to, const struct checkpoint_file *file)
{
    struct checkpoint_part *part;
    struct checkpoint_info info;
    struct failure failure;
    uint64_t offset;

    enum error error = checkpoint_part_open(to, file, &part, &offset);
    if (error != ERROR_OK)
        return error;
    error = copy(from, file, part, offset, file->bytes);
    if (error == ERROR_OK)
        return checkpoint_part_finish(part, &taker, &info, &failure);
    checkpoint_part_close(part);
    return error;
}

static void count_name(void *context, const char *name)
{
    (void)name;
    (*(unsigned *)context)++;
}

static unsigned files_in(struct disk *disk)
{
    unsigned count = 0;
    enum error error = disk->operations->list(disk, "checkpoint", count_name, &count);

    assert_true(error == ERROR_OK || error == ERROR_MISSING);
    return count;
}

static bool is_whole(struct disk *disk, paxos_slot slot)
{
    struct checkpoint_info info;
    struct failure failure;

    return checkpoint_verify(disk, &taker, slot, &info, &failure) == ERROR_OK;
}

struct pair {
    struct disk *from;
    struct disk *to;
    struct checkpoint_file file;
};

static struct pair pair_make(struct fixture *fixture)
{
    struct pair pair = {.from = disk_fake_new(), .to = disk_fake_new()};

    fill(fixture, NODES);
    pair.file = write_checkpoint(fixture, pair.from, &giver);
    assert_true(pair.file.bytes > 10 * PIECE);
    return pair;
}

static void pair_free(struct pair *pair)
{
    disk_fake_free(pair->from);
    disk_fake_free(pair->to);
}

// ---- Tests -------------------------------------------------------------------------------------

static void checkpoint_of_another_node_is_verified_and_loaded(void **context)
{
    struct pair pair = pair_make(*context);
    struct checkpoint_info info;
    struct failure failure;
    void *other;

    assert_int_equal(transfer(pair.from, pair.to, &pair.file), ERROR_OK);
    assert_int_equal(files_in(pair.to), 1);
    assert_true(is_whole(pair.to, pair.file.slot));
    fixture_setup(&other);
    struct fixture *loaded = other;
    assert_int_equal(
        checkpoint_load(pair.to, &taker, pair.file.slot, loaded->state, &info, &failure), ERROR_OK);
    assert_int_equal(position_of(loaded).applied, position_of(*context).applied);
    assert_true(exists(loaded, "/n199"));
    fixture_teardown(&other);
    // It can be given on under the same tag.
    struct checkpoint_file again;
    assert_int_equal(checkpoint_find(pair.to, pair.file.slot, &again), ERROR_OK);
    assert_memory_equal(&again, &pair.file, sizeof again);
    pair_free(&pair);
}

static void files_of_one_slot_are_told_apart(void **context)
{
    struct pair pair = pair_make(*context);
    struct checkpoint_file again = write_checkpoint(*context, pair.from, &giver);
    struct checkpoint_file other = write_checkpoint(*context, pair.from, &taker);

    assert_memory_equal(&again, &pair.file, sizeof again);
    assert_int_equal(other.slot, pair.file.slot);
    assert_int_not_equal(other.tag, pair.file.tag);
    pair_free(&pair);
}

static void reading_ends_where_the_file_does(void **context)
{
    struct pair pair = pair_make(*context);
    uint8_t bytes[100];
    size_t length = sizeof bytes;

    assert_int_equal(
        checkpoint_read(pair.from, pair.file.slot, pair.file.bytes - 30, bytes, &length), ERROR_OK);
    assert_int_equal(length, 30);
    length = sizeof bytes;
    assert_int_equal(checkpoint_read(pair.from, pair.file.slot, UINT64_MAX, bytes, &length),
                     ERROR_OK);
    assert_int_equal(length, 0);
    length = sizeof bytes;
    assert_int_equal(checkpoint_read(pair.from, pair.file.slot + 1, 0, bytes, &length),
                     ERROR_MISSING);
    assert_int_equal(checkpoint_find(pair.from, pair.file.slot + 1, &pair.file), ERROR_MISSING);
    pair_free(&pair);
}

static void interrupted_part_goes_on_where_it_ends(void **context)
{
    struct pair pair = pair_make(*context);
    struct checkpoint_part *part;
    struct checkpoint_info info;
    struct failure failure;
    uint64_t offset;

    assert_int_equal(checkpoint_part_open(pair.to, &pair.file, &part, &offset), ERROR_OK);
    assert_int_equal(offset, 0);
    assert_int_equal(copy(pair.from, &pair.file, part, 0, 70000), ERROR_OK);
    checkpoint_part_close(part);
    assert_int_equal(checkpoint_part_open(pair.to, &pair.file, &part, &offset), ERROR_OK);
    assert_int_equal(offset, 70000);
    assert_int_equal(copy(pair.from, &pair.file, part, offset, pair.file.bytes), ERROR_OK);
    assert_int_equal(checkpoint_part_finish(part, &taker, &info, &failure), ERROR_OK);
    assert_int_equal(info.position.applied, pair.file.slot);
    assert_int_equal(info.bytes, pair.file.bytes);
    pair_free(&pair);
}

static void part_of_another_file_is_not_gone_on_with(void **context)
{
    struct pair pair = pair_make(*context);
    struct checkpoint_file other = pair.file;
    struct checkpoint_part *part;
    uint64_t offset;

    assert_int_equal(checkpoint_part_open(pair.to, &pair.file, &part, &offset), ERROR_OK);
    assert_int_equal(copy(pair.from, &pair.file, part, 0, 70000), ERROR_OK);
    checkpoint_part_close(part);
    other.tag++;
    assert_int_equal(checkpoint_part_open(pair.to, &other, &part, &offset), ERROR_OK);
    assert_int_equal(offset, 0);
    assert_int_equal(files_in(pair.to), 1);
    assert_int_equal(copy(pair.from, &pair.file, part, 0, 70000), ERROR_OK);
    checkpoint_part_close(part);
    // More is there than there should be.
    other.bytes = 60000;
    assert_int_equal(checkpoint_part_open(pair.to, &other, &part, &offset), ERROR_OK);
    assert_int_equal(offset, 0);
    assert_int_equal(checkpoint_part_drop(part), ERROR_OK);
    assert_int_equal(files_in(pair.to), 0);
    pair_free(&pair);
}

static void part_is_no_checkpoint_and_survives_listing(void **context)
{
    struct pair pair = pair_make(*context);
    struct checkpoint_part *part;
    paxos_slot slots[4] = {0};
    uint64_t offset;
    size_t count;

    assert_int_equal(checkpoint_part_open(pair.to, &pair.file, &part, &offset), ERROR_OK);
    assert_int_equal(copy(pair.from, &pair.file, part, 0, 70000), ERROR_OK);
    assert_int_equal(checkpoint_list(pair.to, slots, 4, &count), ERROR_OK);
    assert_int_equal(count, 0);
    slots[0] = pair.file.slot - 1;
    assert_int_equal(checkpoint_prune(pair.to, slots, 1), ERROR_OK);
    assert_int_equal(files_in(pair.to), 1);
    // A checkpoint of this node's own has overtaken it.
    slots[0] = pair.file.slot;
    assert_int_equal(checkpoint_prune(pair.to, slots, 1), ERROR_OK);
    assert_int_equal(files_in(pair.to), 0);
    struct checkpoint_info info;
    struct failure failure;
    assert_int_equal(copy(pair.from, &pair.file, part, 70000, pair.file.bytes), ERROR_OK);
    assert_int_equal(checkpoint_part_finish(part, &taker, &info, &failure), ERROR_MISSING);
    pair_free(&pair);
}

static void damaged_part_is_removed(void **context)
{
    struct pair pair = pair_make(*context);
    const struct identity stranger = {.cluster = "another cluster", .node = 2};
    struct checkpoint_part *part;
    struct checkpoint_info info;
    struct failure failure;
    uint64_t offset;

    for (uint64_t wrong = 7; wrong < pair.file.bytes; wrong += pair.file.bytes / 9) {
        struct disk *damaged = disk_fake_clone(pair.from);
        char name[64];
        snprintf(name, sizeof name, "checkpoint/%016llx", (unsigned long long)pair.file.slot);
        disk_fake_flip(damaged, name, wrong, 2);
        assert_int_equal(transfer(damaged, pair.to, &pair.file), ERROR_CORRUPT);
        assert_int_equal(files_in(pair.to), 0);
        disk_fake_free(damaged);
    }
    assert_int_equal(checkpoint_part_open(pair.to, &pair.file, &part, &offset), ERROR_OK);
    assert_int_equal(copy(pair.from, &pair.file, part, 0, pair.file.bytes), ERROR_OK);
    assert_int_equal(checkpoint_part_finish(part, &stranger, &info, &failure), ERROR_FOREIGN);
    assert_int_equal(files_in(pair.to), 0);
    assert_int_equal(transfer(pair.from, pair.to, &pair.file), ERROR_OK);
    pair_free(&pair);
}

static void full_disk_is_answered_and_its_room_given_back(void **context)
{
    struct pair pair = pair_make(*context);
    struct checkpoint_part *part;
    uint64_t offset, before, after;

    disk_fake_set_free(pair.to, 200000);
    assert_int_equal(pair.to->operations->free_bytes(pair.to, &before), ERROR_OK);
    assert_int_equal(checkpoint_part_open(pair.to, &pair.file, &part, &offset), ERROR_OK);
    assert_int_equal(copy(pair.from, &pair.file, part, 0, pair.file.bytes), ERROR_DISK_FULL);
    assert_int_equal(checkpoint_part_drop(part), ERROR_OK);
    assert_int_equal(pair.to->operations->sync_directory(pair.to, "checkpoint"), ERROR_OK);
    assert_int_equal(pair.to->operations->free_bytes(pair.to, &after), ERROR_OK);
    assert_int_equal(after, before);
    pair_free(&pair);
}

// The power fails: what is durable under the checkpoint's name is whole, and `done` says that it must be
// there. The next try completes it.
static void lose_power(const struct pair *pair, struct disk *to, bool done, uint64_t seed)
{
    paxos_slot slots[4];
    size_t count;

    disk_fake_crash_random(to, seed);
    assert_int_equal(checkpoint_list(to, slots, 4, &count), ERROR_OK);
    if (count > 0 || done)
        assert_true(is_whole(to, pair->file.slot));
    enum error error = transfer(pair->from, to, &pair->file);
    if (error == ERROR_CORRUPT) // what a crash left of a part may have holes
        error = transfer(pair->from, to, &pair->file);
    assert_int_equal(error, ERROR_OK);
    assert_true(is_whole(to, pair->file.slot));
}

static void power_loss_leaves_the_whole_or_nothing(void **context)
{
    struct pair pair = pair_make(*context);
    bool done = false;

    for (uint64_t operation = 1; !done; operation++) {
        struct disk *to = disk_fake_new();
        disk_fake_fail(to, operation, ERROR_IO, true);
        done = transfer(pair.from, to, &pair.file) == ERROR_OK;
        for (uint64_t seed = 1; seed <= 8; seed++) {
            struct disk *clone = disk_fake_clone(to);
            lose_power(&pair, clone, done, seed);
            disk_fake_free(clone);
        }
        disk_fake_free(to);
        assert_true(operation < 100);
    }
    pair_free(&pair);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(checkpoint_of_another_node_is_verified_and_loaded),
        TEST(files_of_one_slot_are_told_apart),
        TEST(reading_ends_where_the_file_does),
        TEST(interrupted_part_goes_on_where_it_ends),
        TEST(part_of_another_file_is_not_gone_on_with),
        TEST(part_is_no_checkpoint_and_survives_listing),
        TEST(damaged_part_is_removed),
        TEST(full_disk_is_answered_and_its_room_given_back),
        TEST(power_loss_leaves_the_whole_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
