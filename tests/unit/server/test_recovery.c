// SPDX-License-Identifier: Apache-2.0
// From a data directory to a running state: what a healthy node wrote is always accepted, and what
// is damaged is passed over or refused, never forgotten.
#include "server/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "storage/command.h"
#include "storage/identity.h"
#include "tests/lib/disk_fake.h"
#include "tests/unit/cmocka_test.h"

enum { MAP_BYTES = 16 << 20, GROUP_SLOTS = 500, GROUPS = 6 };

struct fixture {
    struct disk *disk;
    struct identity identity;
    char directory[40];
    struct state *state;
    struct recovery_result recovered;
    struct failure failure;
    struct paxos_output output;
    struct paxos_record group[GROUP_SLOTS];
    uint64_t now_us;
};

static enum error start_node(struct fixture *fixture)
{
    struct failure *failure = &fixture->failure;

    assert_int_equal(identity_boot(fixture->disk, 0, &fixture->identity, failure), ERROR_OK);
    struct recovery_settings settings = {
        .config = {.epoch = 1, .voters = {fixture->identity.node}, .voter_count = 1}};
    assert_int_equal(state_open(fixture->directory, MAP_BYTES, &fixture->state, failure), ERROR_OK);
    return recovery_run(fixture->disk, &fixture->identity, &settings, fixture->state,
                        &fixture->recovered, failure);
}

static void stop_node(struct fixture *fixture)
{
    journal_close(fixture->recovered.journal);
    paxos_free(fixture->recovered.paxos);
    state_close(fixture->state);
    fixture->recovered = (struct recovery_result){0};
    fixture->state = NULL;
}

static int setup(void **context)
{
    struct fixture *fixture = memory_zalloc(sizeof *fixture);

    log_set_level(LOG_ERROR);
    snprintf(fixture->directory, sizeof fixture->directory, "/tmp/curlew-recovery-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->disk = disk_fake_new();
    assert_int_equal(identity_format(fixture->disk, 1, &fixture->identity, &fixture->failure),
                     ERROR_OK);
    *context = fixture;
    return 0;
}

static int teardown(void **context)
{
    struct fixture *fixture = *context;

    stop_node(fixture);
    rmdir(fixture->directory);
    disk_fake_free(fixture->disk);
    free(fixture);
    return 0;
}

static void step(struct fixture *fixture, struct paxos_input input)
{
    input.now_us = ++fixture->now_us;
    paxos_step(fixture->recovered.paxos, &input, &fixture->output);
}

// What the output asks to be made durable becomes so.
static uint64_t persist(struct fixture *fixture)
{
    const struct paxos_output *output = &fixture->output;

    assert_int_equal(journal_append(fixture->recovered.journal, output->records,
                                    output->record_count, &output->scalars),
                     ERROR_OK);
    return output->persist_sequence;
}

static void persisted(struct fixture *fixture, uint64_t sequence)
{
    step(fixture, (struct paxos_input){.type = PAXOS_PERSISTED, .persist_sequence = sequence});
    paxos_slot to = fixture->output.apply_to;
    if (to > 0)
        step(fixture, (struct paxos_input){.type = PAXOS_APPLIED, .slot = to});
}

static void lead(struct fixture *fixture)
{
    step(fixture, (struct paxos_input){.type = PAXOS_START});
    uint64_t promise = persist(fixture);
    step(fixture, (struct paxos_input){.type = PAXOS_PERSISTED, .persist_sequence = promise});
    persisted(fixture, persist(fixture));
}

// Proposes one group's worth of empty batches; the flush before it is still under way, and its
// slots count as durable once the proposals are made.
static uint64_t propose_group(struct fixture *fixture, struct paxos_scalars *scalars)
{
    struct buffer bytes = {0};

    batch_begin(&bytes);
    struct blob *value = blob_copy(bytes.data, bytes.length);
    for (size_t i = 0; i < GROUP_SLOTS; i++) {
        step(fixture, (struct paxos_input){.type = PAXOS_PROPOSE, .value = value});
        assert_false(fixture->output.refused);
        if (i == 0)
            *scalars = fixture->output.scalars;
        scalars->decided = fixture->output.scalars.decided;
        fixture->group[i] = fixture->output.records[0];
        blob_ref(fixture->group[i].entry.value);
    }
    blob_unref(value);
    buffer_deinit(&bytes);
    return fixture->output.persist_sequence;
}

static void flush_group(struct fixture *fixture, const struct paxos_scalars *scalars)
{
    assert_int_equal(
        journal_append(fixture->recovered.journal, fixture->group, GROUP_SLOTS, scalars), ERROR_OK);
    for (size_t i = 0; i < GROUP_SLOTS; i++)
        blob_unref(fixture->group[i].entry.value);
}

// Two groups are under way at any time, so the decided marks lag behind by two groups, and more
// slots than the window holds lie between one mark and the end of the group after it.
static void accepts_groups_whose_marks_lag_by_more_than_a_window(void **context)
{
    struct fixture *fixture = *context;
    struct paxos_scalars scalars;
    struct paxos_status status;
    uint64_t before = 0;

    assert_int_equal(start_node(fixture), ERROR_OK);
    lead(fixture);
    for (unsigned i = 0; i < GROUPS; i++) {
        uint64_t sequence = propose_group(fixture, &scalars);
        if (before > 0)
            persisted(fixture, before);
        flush_group(fixture, &scalars);
        before = sequence;
    }
    persisted(fixture, before);
    paxos_status(fixture->recovered.paxos, &status);
    stop_node(fixture);
    if (start_node(fixture) != ERROR_OK)
        fail_msg("%s", fixture->failure.text);
    paxos_slot last = status.last;
    paxos_status(fixture->recovered.paxos, &status);
    assert_int_equal(status.last, last);
    assert_true(last - status.applied <= PAXOS_WINDOW);
    lead(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepts_groups_whose_marks_lag_by_more_than_a_window, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
