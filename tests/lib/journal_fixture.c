// SPDX-License-Identifier: Apache-2.0
// A small acceptor for tests of the journal: see the header.
#include "tests/lib/journal_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

// ---- Histories ---------------------------------------------------------------------------------

static void records_free(struct paxos_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        blob_unref(records[i].entry.value);
    free(records);
}

static void history_drop(struct history *history)
{
    struct history_group *group = &history->groups[--history->count];

    records_free(group->records, group->count);
}

void history_deinit(struct history *history)
{
    while (history->count > 0)
        history_drop(history);
    records_free(history->open, history->open_count);
    free(history->groups);
    *history = (struct history){0};
}

static void history_add_record(struct history *history, const struct paxos_record *record)
{
    history->open =
        memory_realloc(history->open, (history->open_count + 1) * sizeof *history->open);
    history->open[history->open_count++] = *record;
    if (record->entry.value != NULL)
        blob_ref(record->entry.value);
}

static void history_end_group(struct history *history, paxos_slot decided)
{
    history->groups =
        memory_realloc(history->groups, (history->count + 1) * sizeof *history->groups);
    history->groups[history->count++] = (struct history_group){
        .records = history->open,
        .count = history->open_count,
        .decided = decided,
    };
    history->open = NULL;
    history->open_count = 0;
}

static bool entry_equal(const struct entry *a, const struct entry *b)
{
    return a->slot == b->slot && a->epoch == b->epoch &&
           ballot_compare(a->origin, b->origin) == 0 && a->type == b->type &&
           a->log_time_us == b->log_time_us && a->wall_ms == b->wall_ms &&
           hash128_equal(a->prev_hash, b->prev_hash) && hash128_equal(a->hash, b->hash) &&
           a->value->length == b->value->length &&
           memcmp(a->value->data, b->value->data, a->value->length) == 0;
}

static bool record_equal(const struct paxos_record *a, const struct paxos_record *b)
{
    if (a->type != b->type || a->epoch != b->epoch)
        return false;
    if (a->type == RECORD_APPEND)
        return entry_equal(&a->entry, &b->entry);
    return ballot_compare(a->ballot, b->ballot) == 0 && a->slot == b->slot &&
           hash128_equal(a->hash, b->hash) && a->count == b->count;
}

static bool group_equal(const struct history_group *a, const struct history_group *b)
{
    bool equal = a->count == b->count && a->decided == b->decided;

    for (size_t i = 0; equal && i < a->count; i++)
        equal = record_equal(&a->records[i], &b->records[i]);
    return equal;
}

bool history_is_part(const struct history *whole, size_t from, const struct history *part)
{
    if (part->open_count != 0 || from + part->count > whole->count)
        return false;
    for (size_t i = 0; i < part->count; i++)
        if (!group_equal(&whole->groups[from + i], &part->groups[i]))
            return false;
    return true;
}

static enum error handle_start(void *context, const struct paxos_scalars *scalars,
                               struct failure *failure)
{
    struct history *history = context;

    (void)failure;
    history->starts++;
    history->start = *scalars;
    return ERROR_OK;
}

static enum error handle_record(void *context, const struct paxos_record *record,
                                struct failure *failure)
{
    (void)failure;
    history_add_record(context, record);
    return ERROR_OK;
}

static enum error handle_group_end(void *context, paxos_slot decided, struct failure *failure)
{
    (void)failure;
    history_end_group(context, decided);
    return ERROR_OK;
}

struct journal_handler history_handler(struct history *history)
{
    return (struct journal_handler){
        .context = history,
        .start = handle_start,
        .record = handle_record,
        .group_end = handle_group_end,
    };
}

// ---- Life --------------------------------------------------------------------------------------

void fixture_init(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->disk = disk_fake_new();
    fixture->segment_bytes = FIXTURE_SEGMENT_BYTES;
    fixture->identity.node = 3;
    memset(fixture->identity.cluster, 0xc1, sizeof fixture->identity.cluster);
    memset(fixture->identity.incarnation, 0x1c, sizeof fixture->identity.incarnation);
    fixture->scalars.epoch = 1;
}

static void drop_group(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->group_count; i++)
        blob_unref(fixture->group[i].entry.value);
    fixture->group_count = 0;
}

void fixture_deinit(struct fixture *fixture)
{
    drop_group(fixture);
    fixture_close(fixture);
    disk_fake_free(fixture->disk);
    history_deinit(&fixture->written);
    history_deinit(&fixture->recovered);
}

void fixture_clone(struct fixture *clone, const struct fixture *original)
{
    ASSERT(original->group_count == 0);
    *clone = *original;
    clone->disk = disk_fake_clone(original->disk);
    clone->journal = NULL;
    clone->written = (struct history){0};
    clone->recovered = (struct history){0};
}

enum error fixture_open(struct fixture *fixture)
{
    fixture_close(fixture);
    history_deinit(&fixture->recovered);
    struct journal_handler handler = history_handler(&fixture->recovered);
    fixture->identity.boot_count++;
    return journal_open_sized(fixture->disk, &fixture->identity, &handler, fixture->segment_bytes,
                              &fixture->journal, &fixture->failure);
}

void fixture_close(struct fixture *fixture)
{
    journal_close(fixture->journal);
    fixture->journal = NULL;
}

void fixture_use_disk(struct fixture *fixture, struct disk *disk)
{
    fixture_close(fixture);
    disk_fake_free(fixture->disk);
    fixture->disk = disk;
}

// ---- Groups ------------------------------------------------------------------------------------

static struct paxos_record *add_record(struct fixture *fixture, enum record_type type)
{
    ASSERT(fixture->group_count < FIXTURE_GROUP_MAX);
    if (fixture->group_count == 0)
        fixture->group_before = fixture->scalars;
    struct paxos_record *record = &fixture->group[fixture->group_count++];
    *record = (struct paxos_record){.type = (uint8_t)type, .epoch = fixture->scalars.epoch};
    return record;
}

void fixture_promise(struct fixture *fixture, uint64_t round, uint16_t node)
{
    struct paxos_record *record = add_record(fixture, RECORD_PROMISE);

    record->ballot = (struct ballot){.round = round, .node = node};
    fixture->scalars.promised = record->ballot;
}

static struct blob *make_value(struct fixture *fixture, size_t length)
{
    struct blob *value = blob_new(length);
    uint64_t state = ++fixture->salt;

    for (size_t i = 0; i < length; i++) {
        if (i % 8 == 0)
            state = hash64(&state, sizeof state, fixture->salt);
        value->data[i] = (uint8_t)(state >> 8 * (i % 8));
    }
    return value;
}

void fixture_entry(struct fixture *fixture, size_t length)
{
    struct paxos_record *record = add_record(fixture, RECORD_APPEND);
    struct paxos_scalars *scalars = &fixture->scalars;

    ASSERT(scalars->last + 1 < FIXTURE_SLOTS_MAX);
    record->entry = (struct entry){
        .slot = scalars->last + 1,
        .epoch = scalars->epoch,
        .origin = scalars->promised,
        .type = length > 0 ? ENTRY_BATCH : ENTRY_LEADER_START,
        .log_time_us = 1000000 + fixture->salt,
        .wall_ms = 1700000000000 + fixture->salt,
        .prev_hash = scalars->last_hash,
        .value = make_value(fixture, length),
    };
    record->entry.hash = entry_hash(&record->entry);
    scalars->last++;
    scalars->last_hash = record->entry.hash;
    fixture->hashes[scalars->last] = record->entry.hash;
}

void fixture_sync(struct fixture *fixture, uint64_t round, paxos_slot keep, uint32_t count)
{
    struct paxos_record *record = add_record(fixture, RECORD_SYNC);

    record->ballot = (struct ballot){.round = round, .node = 1};
    record->slot = keep;
    record->hash = fixture->hashes[keep];
    record->count = count;
    fixture->scalars.promised = fixture->scalars.log_ballot = record->ballot;
    fixture->scalars.last = keep;
    fixture->scalars.last_hash = record->hash;
}

void fixture_install(struct fixture *fixture, uint64_t round, paxos_slot slot)
{
    struct paxos_record *record = add_record(fixture, RECORD_INSTALL);

    ASSERT(slot < FIXTURE_SLOTS_MAX);
    record->ballot = (struct ballot){.round = round, .node = 1};
    record->slot = slot;
    record->hash = (struct hash128){.low = slot, .high = round};
    fixture->hashes[slot] = record->hash;
    if (ballot_compare(fixture->scalars.promised, record->ballot) < 0)
        fixture->scalars.promised = record->ballot;
    fixture->scalars.last = slot;
    fixture->scalars.last_hash = record->hash;
}

enum error fixture_flush(struct fixture *fixture)
{
    if (fixture->group_count == 0)
        fixture->group_before = fixture->scalars;
    enum error error = journal_append(fixture->journal, fixture->group, fixture->group_count,
                                      &fixture->group_before);
    if (error == ERROR_OK) {
        for (size_t i = 0; i < fixture->group_count; i++)
            history_add_record(&fixture->written, &fixture->group[i]);
        history_end_group(&fixture->written, fixture->group_before.decided);
    } else {
        fixture->scalars = fixture->group_before;
    }
    drop_group(fixture);
    return error;
}

void fixture_drop_last(struct fixture *fixture, const struct paxos_scalars *scalars)
{
    history_drop(&fixture->written);
    fixture->scalars = *scalars;
}

void fixture_fill(struct fixture *fixture, unsigned groups, size_t length)
{
    fixture_promise(fixture, fixture->scalars.promised.round + 1, 1);
    ASSERT(fixture_flush(fixture) == ERROR_OK);
    for (unsigned i = 0; i < groups; i++) {
        fixture_entry(fixture, length);
        fixture->group_before.decided = fixture->scalars.decided = fixture->scalars.last - 1;
        ASSERT(fixture_flush(fixture) == ERROR_OK);
    }
}
