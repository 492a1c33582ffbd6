// SPDX-License-Identifier: Apache-2.0
// The identity file: formats once, counts every boot, survives crashes and one damaged copy.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "storage/identity.h"
#include "tests/lib/disk_fake.h"

enum { COPY_BYTES = 4096 };

struct context {
    struct disk *disk;
    struct identity formatted;
    struct failure failure;
};

static int setup(void **state)
{
    struct context *context = test_calloc(1, sizeof *context);

    context->disk = disk_fake_new();
    assert_int_equal(identity_format(context->disk, 7, &context->formatted, &context->failure),
                     ERROR_OK);
    *state = context;
    return 0;
}

static int teardown(void **state)
{
    struct context *context = *state;

    disk_fake_free(context->disk);
    test_free(context);
    return 0;
}

static uint64_t boot(struct context *context)
{
    struct identity identity;
    enum error error = identity_boot(context->disk, 0, &identity, &context->failure);

    if (error != ERROR_OK)
        fail_msg("%s", context->failure.text);
    assert_memory_equal(identity.cluster, context->formatted.cluster, sizeof identity.cluster);
    assert_memory_equal(identity.incarnation, context->formatted.incarnation,
                        sizeof identity.incarnation);
    assert_int_equal(identity.node, 7);
    return identity.boot_count;
}

static void assert_boot_fails(struct context *context, uint16_t node, enum error expected,
                              const char *sentence)
{
    struct identity identity;

    assert_int_equal(identity_boot(context->disk, node, &identity, &context->failure), expected);
    if (strstr(context->failure.text, sentence) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", context->failure.text, sentence);
}

static void every_boot_is_counted(void **state)
{
    struct context *context = *state;

    assert_int_equal(context->formatted.boot_count, 0);
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(boot(context), i);
}

static void note_of_the_journal_stays_and_costs_no_boot(void **state)
{
    struct context *context = *state;
    struct identity identity;

    assert_int_equal(identity_boot(context->disk, 0, &identity, &context->failure), ERROR_OK);
    assert_false(identity.journal_made);
    assert_int_equal(identity_note_journal(context->disk, &identity, &context->failure), ERROR_OK);
    assert_true(identity.journal_made);
    assert_int_equal(identity_boot(context->disk, 0, &identity, &context->failure), ERROR_OK);
    assert_true(identity.journal_made);
    assert_int_equal(identity.boot_count, 2);
}

static void two_formats_differ(void **state)
{
    struct context *context = *state;
    struct disk *other = disk_fake_new();
    struct identity identity;

    assert_int_equal(identity_format(other, 7, &identity, &context->failure), ERROR_OK);
    assert_memory_not_equal(identity.incarnation, context->formatted.incarnation,
                            sizeof identity.incarnation);
    disk_fake_free(other);
}

// ---- Members -----------------------------------------------------------------------------------

static const uint8_t cluster_id[16] = "a cluster of two";

static struct identity booted(struct context *context)
{
    struct identity identity;

    assert_int_equal(identity_boot(context->disk, 7, &identity, &context->failure), ERROR_OK);
    return identity;
}

// Nodes 7 and 9.
static struct identity founded(struct context *context)
{
    struct identity identity = booted(context);
    struct cluster_member members[2] = {{.node = 7}, {.node = 9, .incarnation = "another disk"}};

    memcpy(members[0].incarnation, identity.incarnation, sizeof identity.incarnation);
    assert_int_equal(
        identity_found(context->disk, &identity, cluster_id, members, 2, &context->failure),
        ERROR_OK);
    return identity;
}

static void members_are_known_from_genesis_on(void **state)
{
    struct context *context = *state;

    assert_int_equal(booted(context).member_count, 0);
    founded(context);
    struct identity identity = booted(context);
    assert_memory_equal(identity.cluster, cluster_id, sizeof cluster_id);
    assert_int_equal(identity.member_count, 2);
    assert_string_equal((const char *)identity_member(&identity, 9)->incarnation, "another disk");
    assert_null(identity_member(&identity, 8));
}

static void genesis_stands_in_both_copies(void **state)
{
    struct context *context = *state;

    founded(context);
    disk_fake_flip(context->disk, "identity", 100, 0);
    assert_int_equal(booted(context).member_count, 2);
    disk_fake_flip(context->disk, "identity", COPY_BYTES + 100, 0);
    assert_int_equal(booted(context).member_count, 2);
}

// Node 9 in the run of this boot_count; the runs before it are those of `line`.
static enum error meet(struct context *context, struct identity *identity, uint64_t boot_count,
                       uint64_t line, uint64_t branch)
{
    struct node_met met = {.node = 9, .incarnation = "another disk", .boot = boot_count};

    for (uint64_t i = boot_count < 15 ? 0 : boot_count - 15; i <= boot_count; i++)
        met.runs.of[i % PAXOS_RUNS_KEPT] = i < branch ? 1000 + i : 1000 * line + i;
    return identity_meet(context->disk, identity, &met, &context->failure);
}

static void rolled_back_member_is_refused_however_often_it_starts(void **state)
{
    struct context *context = *state;
    struct identity identity = founded(context);

    assert_int_equal(meet(context, &identity, 3, 1, 0), ERROR_OK);
    assert_int_equal(meet(context, &identity, 3, 1, 0), ERROR_OK);
    identity = booted(context);
    // A copy from after its start 1 is started again and again.
    for (uint64_t boot_count = 2; boot_count < 3 + PAXOS_RUNS_KEPT; boot_count++) {
        assert_int_equal(meet(context, &identity, boot_count, 2, 2), ERROR_FOREIGN);
        assert_non_null(strstr(context->failure.text, "older copy"));
    }
    assert_int_equal(meet(context, &identity, 4, 1, 0), ERROR_OK);
}

static void member_that_was_away_for_many_runs_is_believed(void **state)
{
    struct context *context = *state;
    struct identity identity = founded(context);

    assert_int_equal(meet(context, &identity, 3, 1, 0), ERROR_OK);
    assert_int_equal(meet(context, &identity, 3 + PAXOS_RUNS_KEPT, 1, 0), ERROR_OK);
}

static void runs_are_remembered_and_differ(void **state)
{
    struct context *context = *state;
    struct identity first = booted(context), second = booted(context);

    assert_int_equal(second.boot_count, first.boot_count + 1);
    assert_int_equal(second.runs.of[first.boot_count % PAXOS_RUNS_KEPT],
                     first.runs.of[first.boot_count % PAXOS_RUNS_KEPT]);
    assert_int_not_equal(second.runs.of[second.boot_count % PAXOS_RUNS_KEPT],
                         first.runs.of[first.boot_count % PAXOS_RUNS_KEPT]);
}

static void stranger_and_blank_disk_are_refused(void **state)
{
    struct context *context = *state;
    struct identity identity = founded(context);
    struct node_met met = {.node = 8, .boot = 1};

    assert_int_equal(identity_meet(context->disk, &identity, &met, &context->failure),
                     ERROR_FOREIGN);
    assert_non_null(strstr(context->failure.text, "not another member"));
    met = (struct node_met){.node = 9, .incarnation = "a blank disk", .boot = 1};
    assert_int_equal(identity_meet(context->disk, &identity, &met, &context->failure),
                     ERROR_FOREIGN);
    assert_non_null(strstr(context->failure.text, "another data directory"));
}

static void blank_directory_is_missing_and_a_second_format_refused(void **state)
{
    struct context *context = *state;
    struct identity identity;

    assert_int_equal(identity_format(context->disk, 7, &identity, &context->failure),
                     ERROR_FOREIGN);
    disk_fake_free(context->disk);
    context->disk = disk_fake_new();
    assert_boot_fails(context, 7, ERROR_MISSING, "blank");
}

static void journal_without_identity_is_not_blank(void **state)
{
    struct context *context = *state;
    struct disk *disk = context->disk;
    struct disk_file *file;
    struct identity identity;

    assert_int_equal(disk->operations->remove(disk, "identity"), ERROR_OK);
    assert_int_equal(disk->operations->make_directory(disk, "journal"), ERROR_OK);
    assert_int_equal(disk->operations->open(disk, "journal/0000000000000001", DISK_CREATE, &file),
                     ERROR_OK);
    disk->operations->close(file);
    assert_boot_fails(context, 7, ERROR_CORRUPT, "\"identity\" is missing");
    assert_int_equal(identity_format(disk, 7, &identity, &context->failure), ERROR_CORRUPT);
}

static void other_node_number_is_foreign(void **state)
{
    assert_boot_fails(*state, 8, ERROR_FOREIGN, "belongs to node 7");
}

// Whatever survives of a boot's write, no boot_count is returned twice.
static void boot_count_is_never_used_twice_over_crashes(void **state)
{
    struct context *context = *state;
    uint64_t last = 0;

    for (uint64_t seed = 0; seed < 64; seed++) {
        struct identity identity;
        disk_fake_fail(context->disk, 1 + seed % 5, ERROR_IO, true);
        if (identity_boot(context->disk, 0, &identity, &context->failure) == ERROR_OK) {
            assert_true(identity.boot_count > last);
            last = identity.boot_count;
        }
        disk_fake_crash_random(context->disk, seed);
        uint64_t count = boot(context);
        assert_true(count > last);
        last = count;
    }
}

static void format_leaves_nothing_or_everything_at_every_crash(void **state)
{
    struct context *context = *state;

    for (uint64_t seed = 0; seed < 64; seed++) {
        struct disk *disk = disk_fake_new();
        struct identity identity;
        disk_fake_fail(disk, 1 + seed % 6, ERROR_IO, true);
        identity_format(disk, 7, &identity, &context->failure);
        disk_fake_crash_random(disk, seed);
        enum error error = identity_boot(disk, 0, &identity, &context->failure);
        if (error == ERROR_MISSING)
            error = identity_format(disk, 7, &identity, &context->failure);
        assert_int_equal(error, ERROR_OK);
        disk_fake_free(disk);
    }
}

// The damaged copy may have been the newer: the boot that it counted must not be counted again.
static void one_damaged_copy_skips_a_boot_and_is_repaired(void **state)
{
    struct context *context = *state;

    for (unsigned copy = 0; copy < 2; copy++) {
        uint64_t before = boot(context);
        disk_fake_flip(context->disk, "identity", copy * COPY_BYTES + 33, 5);
        uint64_t after = boot(context);
        assert_true(after > before);
        assert_true(after <= before + 2);
        assert_int_equal(boot(context), after + 1);
    }
}

static void two_damaged_copies_are_refused(void **state)
{
    struct context *context = *state;

    disk_fake_flip(context->disk, "identity", 20, 0);
    disk_fake_flip(context->disk, "identity", COPY_BYTES + 4095, 7);
    assert_boot_fails(context, 0, ERROR_CORRUPT, "neither of its two copies");
}

static void every_single_flip_is_noticed_or_harmless(void **state)
{
    struct context *context = *state;
    uint64_t before = boot(context);

    for (uint64_t at = 0; at < 2 * COPY_BYTES; at += 13) {
        struct context copy = *context;
        copy.disk = disk_fake_clone(context->disk);
        disk_fake_flip(copy.disk, "identity", at, at % 8);
        assert_true(boot(&copy) > before);
        disk_fake_free(copy.disk);
    }
}

static void poke_sealed(struct disk *disk, unsigned copy, uint64_t at, uint8_t value)
{
    struct buffer content = {0};

    disk_fake_read(disk, "identity", &content);
    uint8_t *block = content.data + copy * COPY_BYTES;
    block[at] = value;
    bytes_put_u64(block + 8, hash64(block + 16, COPY_BYTES - 16, 0));
    disk_fake_poke(disk, "identity", copy * COPY_BYTES, block, COPY_BYTES);
    buffer_deinit(&content);
}

static void newer_format_is_foreign(void **state)
{
    struct context *context = *state;

    poke_sealed(context->disk, 0, 16, 2);
    assert_boot_fails(context, 0, ERROR_FOREIGN, "format version 2");
}

static void contradicting_copies_are_refused(void **state)
{
    struct context *context = *state;

    poke_sealed(context->disk, 0, 60, 0xee);
    assert_boot_fails(context, 0, ERROR_CORRUPT, "contradict");
}

static void wrong_size_is_refused(void **state)
{
    struct context *context = *state;

    assert_int_equal(disk_replace(context->disk, "", "identity", "short", 5), ERROR_OK);
    assert_boot_fails(context, 0, ERROR_CORRUPT, "has 5 bytes");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_boot_is_counted),
        TEST(note_of_the_journal_stays_and_costs_no_boot),
        TEST(two_formats_differ),
        TEST(members_are_known_from_genesis_on),
        TEST(genesis_stands_in_both_copies),
        TEST(rolled_back_member_is_refused_however_often_it_starts),
        TEST(member_that_was_away_for_many_runs_is_believed),
        TEST(runs_are_remembered_and_differ),
        TEST(stranger_and_blank_disk_are_refused),
        TEST(blank_directory_is_missing_and_a_second_format_refused),
        TEST(journal_without_identity_is_not_blank),
        TEST(other_node_number_is_foreign),
        TEST(boot_count_is_never_used_twice_over_crashes),
        TEST(format_leaves_nothing_or_everything_at_every_crash),
        TEST(one_damaged_copy_skips_a_boot_and_is_repaired),
        TEST(two_damaged_copies_are_refused),
        TEST(every_single_flip_is_noticed_or_harmless),
        TEST(newer_format_is_foreign),
        TEST(contradicting_copies_are_refused),
        TEST(wrong_size_is_refused),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
