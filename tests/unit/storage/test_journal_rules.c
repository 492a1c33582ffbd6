// SPDX-License-Identifier: Apache-2.0
// Which records may follow each other in an acceptor's log.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "storage/journal_rules.h"

static struct hash128 hash_of(paxos_slot slot)
{
    return (struct hash128){.low = slot * 7, .high = slot};
}

static struct paxos_record append_of(paxos_slot slot)
{
    return (struct paxos_record){
        .type = RECORD_APPEND,
        .entry = {.slot = slot, .prev_hash = hash_of(slot - 1), .hash = hash_of(slot)},
    };
}

static struct paxos_record sync_of(uint64_t round, paxos_slot keep, uint32_t count)
{
    return (struct paxos_record){
        .type = RECORD_SYNC,
        .epoch = 1,
        .ballot = {.round = round, .node = 1},
        .slot = keep,
        .hash = hash_of(keep),
        .count = count,
    };
}

static struct paxos_record promise_of(uint64_t epoch, uint64_t round, uint16_t node)
{
    return (struct paxos_record){
        .type = RECORD_PROMISE, .epoch = epoch, .ballot = {.round = round, .node = node}};
}

// A log that holds slots 1 to 5, hashes tracked from slot 3 on, promised and log ballot (4, 1).
static int setup(void **state)
{
    struct journal_rules *rules = test_calloc(1, sizeof *rules);
    const struct paxos_scalars scalars = {
        .epoch = 1,
        .promised = {.round = 4, .node = 1},
        .log_ballot = {.round = 4, .node = 1},
        .last = 3,
        .last_hash = hash_of(3),
    };

    assert_null(journal_rules_begin(rules, &scalars, false, true));
    for (paxos_slot slot = 4; slot <= 5; slot++) {
        struct paxos_record record = append_of(slot);
        assert_null(journal_rules_record(rules, &record));
    }
    *state = rules;
    return 0;
}

static int teardown(void **state)
{
    journal_rules_forget(*state);
    test_free(*state);
    return 0;
}

static void assert_wrong(const char *complaint, const char *expected)
{
    assert_non_null(complaint);
    if (strstr(complaint, expected) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", complaint, expected);
}

static void entry_must_be_the_next_slot(void **state)
{
    struct paxos_record record = append_of(5);

    record.entry.prev_hash = hash_of(5);
    assert_wrong(journal_rules_record(*state, &record), "does not follow");
    record.entry.slot = 7;
    assert_wrong(journal_rules_record(*state, &record), "does not follow");
    record.entry.slot = 6;
    assert_null(journal_rules_record(*state, &record));
}

static void entry_must_continue_the_hash_chain(void **state)
{
    struct paxos_record record = append_of(6);

    record.entry.prev_hash.high ^= 1;
    assert_wrong(journal_rules_record(*state, &record), "hash chain");
}

static void promise_never_goes_back_within_an_epoch(void **state)
{
    struct paxos_record lower = promise_of(1, 3, 9);
    struct paxos_record lower_node = promise_of(1, 4, 0);
    struct paxos_record same = promise_of(1, 4, 1);
    struct paxos_record next_epoch = promise_of(2, 1, 1);
    struct paxos_record old_epoch = promise_of(1, 9, 1);

    assert_wrong(journal_rules_record(*state, &lower), "goes back");
    assert_wrong(journal_rules_record(*state, &lower_node), "goes back");
    assert_null(journal_rules_record(*state, &same));
    assert_null(journal_rules_record(*state, &next_epoch));
    assert_wrong(journal_rules_record(*state, &old_epoch), "goes back");
}

static void sync_replaces_the_tail_and_promises(void **state)
{
    struct journal_rules *rules = *state;
    struct paxos_record sync = sync_of(6, 4, 1);
    struct paxos_record entry = append_of(5);

    assert_null(journal_rules_record(rules, &sync));
    assert_wrong(journal_rules_end(rules), "missing");
    assert_null(journal_rules_record(rules, &entry));
    assert_null(journal_rules_end(rules));
    assert_int_equal(rules->scalars.last, 5);
    assert_int_equal(rules->scalars.promised.round, 6);
    assert_int_equal(rules->scalars.log_ballot.round, 6);
}

static void sync_may_shorten_the_log(void **state)
{
    struct journal_rules *rules = *state;
    struct paxos_record sync = sync_of(6, 3, 0);
    struct paxos_record entry = append_of(4);

    assert_null(journal_rules_record(rules, &sync));
    assert_null(journal_rules_end(rules));
    assert_int_equal(rules->scalars.last, 3);
    assert_null(journal_rules_record(rules, &entry));
}

static void sync_must_keep_what_is_there(void **state)
{
    struct paxos_record beyond = sync_of(6, 6, 0);
    struct paxos_record other_last = sync_of(6, 5, 0);
    struct paxos_record other = sync_of(6, 4, 0);
    struct paxos_record low_ballot = sync_of(3, 4, 0);

    assert_wrong(journal_rules_record(*state, &beyond), "more than there is");
    other_last.hash = hash_of(4);
    assert_wrong(journal_rules_record(*state, &other_last), "another hash");
    other.hash = hash_of(5);
    assert_wrong(journal_rules_record(*state, &other), "another hash");
    assert_wrong(journal_rules_record(*state, &low_ballot), "below the promised");
}

// What lies before the oldest segment is not known; from there on hashes are checked again.
static void sync_below_what_is_known_is_trusted_once(void **state)
{
    struct paxos_record sync = sync_of(6, 1, 2);
    struct paxos_record second = append_of(2);
    struct paxos_record third = append_of(3);
    struct paxos_record wrong = sync_of(6, 2, 0);

    assert_null(journal_rules_record(*state, &sync));
    assert_null(journal_rules_record(*state, &second));
    assert_null(journal_rules_record(*state, &third));
    wrong.hash = hash_of(9);
    assert_wrong(journal_rules_record(*state, &wrong), "another hash");
}

static void sync_is_not_interrupted(void **state)
{
    struct paxos_record sync = sync_of(6, 4, 1);
    struct paxos_record promise = promise_of(1, 7, 1);

    assert_null(journal_rules_record(*state, &sync));
    assert_wrong(journal_rules_record(*state, &promise), "interrupted");
}

static void installed_checkpoint_starts_the_log_anew(void **state)
{
    struct journal_rules *rules = *state;
    struct paxos_record record = {
        .type = RECORD_INSTALL, .epoch = rules->scalars.epoch, .slot = 50, .hash = {.low = 1}};

    assert_null(journal_rules_record(rules, &record));
    assert_int_equal(rules->scalars.last, 50);
    assert_true(hash128_equal(rules->scalars.last_hash, record.hash));
    // The mark that stands in the head of a group is that of its end.
    struct paxos_scalars head = rules->scalars;
    head.decided = 60;
    assert_null(journal_rules_begin(rules, &head, false, true));
    record.slot = 60;
    assert_null(journal_rules_record(rules, &record));
    head = rules->scalars;
    assert_null(journal_rules_begin(rules, &head, false, true));
    assert_wrong(journal_rules_record(rules, &record), "below what was decided");
}

static void unknown_record_is_refused(void **state)
{
    struct paxos_record record = {.type = 99};

    assert_wrong(journal_rules_record(*state, &record), "unknown type");
}

static void head_must_agree_with_the_records_before(void **state)
{
    struct journal_rules *rules = *state;
    struct paxos_scalars scalars = rules->scalars;

    assert_null(journal_rules_begin(rules, &scalars, false, true));
    scalars.epoch = 0;
    assert_wrong(journal_rules_begin(rules, &scalars, false, true), "epoch");
    scalars = rules->scalars;
    scalars.promised.node++;
    assert_wrong(journal_rules_begin(rules, &scalars, false, true), "promised");
    scalars = rules->scalars;
    scalars.log_ballot.round--;
    assert_wrong(journal_rules_begin(rules, &scalars, false, true), "log's ballot");
    scalars = rules->scalars;
    scalars.last_hash.low++;
    assert_wrong(journal_rules_begin(rules, &scalars, false, true), "last slot");
}

static void first_head_of_all_starts_from_nothing(void **state)
{
    struct journal_rules rules = {0};
    struct paxos_scalars scalars = {.epoch = 1, .last = 1};

    (void)state;
    assert_wrong(journal_rules_begin(&rules, &scalars, true, false), "something before it");
    scalars = (struct paxos_scalars){.log_ballot = {.round = 2}, .promised = {.round = 1}};
    assert_wrong(journal_rules_begin(&rules, &scalars, false, false), "above the promised");
    scalars = (struct paxos_scalars){.epoch = 1};
    assert_null(journal_rules_begin(&rules, &scalars, true, false));
}

static void hashes_of_a_long_log_are_kept(void **state)
{
    struct paxos_record sync = sync_of(6, 700, 0);
    struct paxos_record wrong = sync_of(6, 650, 0);

    for (paxos_slot slot = 6; slot <= 1000; slot++) {
        struct paxos_record record = append_of(slot);
        assert_null(journal_rules_record(*state, &record));
    }
    assert_null(journal_rules_record(*state, &sync));
    wrong.hash.low++;
    assert_wrong(journal_rules_record(*state, &wrong), "another hash");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(entry_must_be_the_next_slot),
        TEST(entry_must_continue_the_hash_chain),
        TEST(promise_never_goes_back_within_an_epoch),
        TEST(sync_replaces_the_tail_and_promises),
        TEST(sync_may_shorten_the_log),
        TEST(sync_must_keep_what_is_there),
        TEST(sync_below_what_is_known_is_trusted_once),
        TEST(sync_is_not_interrupted),
        TEST(installed_checkpoint_starts_the_log_anew),
        TEST(unknown_record_is_refused),
        TEST(head_must_agree_with_the_records_before),
        TEST(hashes_of_a_long_log_are_kept),
        cmocka_unit_test(first_head_of_all_starts_from_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
