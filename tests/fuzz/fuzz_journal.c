// SPDX-License-Identifier: Apache-2.0
// Fuzzes recovery of the journal: whatever stands in a segment, opening ends, never reports an
// entry with a wrong hash or out of order, and what opens well goes on and opens well again.
//
// The first byte chooses what the rest means: 0 the segment file, 1 what follows a valid header,
// 2 edits (u16 offset, u8 inverted bits) of a valid journal, 3 payloads of groups with right
// checksums, each after a u8 count of blocks, 4 groups of records, right in form (see make_record).
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "tests/lib/journal_fixture.h"

enum {
    SEGMENT_BYTES = 32 << 10,
    BLOCK_PAYLOAD = JOURNAL_BLOCK_SECTORS * JOURNAL_PAYLOAD_BYTES,
    EDIT_BYTES = 3,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char first_name[] = "journal/0000000000000001";

// ---- What is checked ---------------------------------------------------------------------------

// What was reported so far, kept without the help of the rules that recovery itself goes by.
struct report {
    struct paxos_scalars scalars;
    uint32_t pending; // entries that a SYNC announced
};

static enum error check_start(void *context, const struct paxos_scalars *scalars,
                              struct failure *failure)
{
    struct report *report = context;

    (void)failure;
    report->scalars = *scalars;
    return ERROR_OK;
}

static void check_append(struct report *report, const struct entry *entry)
{
    struct paxos_scalars *scalars = &report->scalars;

    ASSERT(hash128_equal(entry_hash(entry), entry->hash));
    ASSERT(hash128_equal(entry->prev_hash, scalars->last_hash));
    ASSERT(entry->slot == scalars->last + 1);
    scalars->last = entry->slot;
    scalars->last_hash = entry->hash;
    report->pending -= report->pending > 0;
}

static enum error check_record(void *context, const struct paxos_record *record,
                               struct failure *failure)
{
    struct report *report = context;
    struct paxos_scalars *scalars = &report->scalars;

    (void)failure;
    ASSERT(record->type == RECORD_APPEND || report->pending == 0);
    if (record->type == RECORD_APPEND)
        check_append(report, &record->entry);
    if (record->type == RECORD_SYNC)
        ASSERT(record->slot <= scalars->last);
    if (record->type == RECORD_PROMISE || record->type == RECORD_SYNC)
        scalars->promised = record->ballot;
    if (record->type == RECORD_SYNC)
        scalars->log_ballot = record->ballot;
    if (record->type == RECORD_SYNC || record->type == RECORD_INSTALL) {
        scalars->last = record->slot;
        scalars->last_hash = record->hash;
        report->pending = record->count;
    }
    return ERROR_OK;
}

static enum error check_group_end(void *context, paxos_slot decided, struct failure *failure)
{
    const struct report *report = context;

    (void)decided;
    (void)failure;
    ASSERT(report->pending == 0);
    return ERROR_OK;
}

static enum error open_checked(struct fixture *fixture, struct report *report)
{
    const struct journal_handler handler = {
        .context = report,
        .start = check_start,
        .record = check_record,
        .group_end = check_group_end,
    };

    *report = (struct report){0};
    fixture_close(fixture);
    fixture->failure.text[0] = '\0';
    fixture->identity.boot_count++;
    enum error error = journal_open_sized(fixture->disk, &fixture->identity, &handler,
                                          SEGMENT_BYTES, &fixture->journal, &fixture->failure);
    ASSERT((error == ERROR_OK) == (fixture->failure.text[0] == '\0'));
    return error;
}

static void open_append_open(struct fixture *fixture)
{
    struct report report;

    if (open_checked(fixture, &report) != ERROR_OK)
        return;
    // The epoch also grows with the heads of groups, which the handler does not see.
    report.scalars.epoch = UINT64_MAX;
    ASSERT(journal_append(fixture->journal, NULL, 0, &report.scalars) == ERROR_OK);
    ASSERT(open_checked(fixture, &report) == ERROR_OK);
}

// ---- What is opened ----------------------------------------------------------------------------

// A journal of five groups in two segments and a spare.
static void write_valid(struct fixture *fixture)
{
    struct report report;

    ASSERT(open_checked(fixture, &report) == ERROR_OK);
    ASSERT(journal_make_spares(fixture->journal, 2) == ERROR_OK);
    fixture_fill(fixture, 2, 6000);
    fixture_sync(fixture, 3, 1, 1);
    fixture_entry(fixture, 9000);
    ASSERT(fixture_flush(fixture) == ERROR_OK);
    fixture_install(fixture, 3, 6);
    ASSERT(fixture_flush(fixture) == ERROR_OK);
    fixture_close(fixture);
}

static void write_blank(struct fixture *fixture)
{
    struct report report;

    ASSERT(open_checked(fixture, &report) == ERROR_OK);
    fixture_close(fixture);
}

static void poke_from(struct fixture *fixture, uint64_t at, const uint8_t *data, size_t size)
{
    size_t room = (size_t)(SEGMENT_BYTES - at);

    disk_fake_poke(fixture->disk, first_name, at, data, size < room ? size : room);
}

static void edit(struct fixture *fixture, const uint8_t *data, size_t size)
{
    for (; size >= EDIT_BYTES; data += EDIT_BYTES, size -= EDIT_BYTES) {
        uint16_t at = (uint16_t)(bytes_get_u16(data) % SEGMENT_BYTES);
        for (unsigned bit = 0; bit < 8; bit++)
            if ((data[2] >> bit & 1) != 0)
                disk_fake_flip(fixture->disk, first_name, at, bit);
    }
}

static void seal(struct fixture *fixture, uint8_t *bytes, uint64_t at, uint64_t flush,
                 uint64_t sectors)
{
    struct journal_sector sector = {.flush = flush, .boot_count = 1, .sectors = (uint32_t)sectors};
    struct journal_seed seed;

    journal_seed_init(&seed, &fixture->identity, 1);
    for (; sector.index < sectors; sector.index++, at += JOURNAL_SECTOR)
        journal_sector_seal(bytes + at, &sector, &seed, at / JOURNAL_SECTOR);
}

static uint64_t put_payloads(struct fixture *fixture, uint8_t *bytes, const uint8_t *data,
                             size_t size)
{
    uint64_t at = JOURNAL_HEADER_BYTES;

    for (uint64_t flush = 1; size > 1; flush++) {
        uint64_t blocks = 1 + data[0] % 4;
        size_t part = blocks * BLOCK_PAYLOAD < size - 1 ? blocks * BLOCK_PAYLOAD : size - 1;
        if (blocks * JOURNAL_ALIGNMENT > SEGMENT_BYTES - at)
            break;
        journal_payload_put(bytes + at, 0, data + 1, part);
        data += part + 1;
        size -= part + 1;
        seal(fixture, bytes, at, flush, blocks * JOURNAL_BLOCK_SECTORS);
        at += blocks * JOURNAL_ALIGNMENT;
    }
    return at;
}

// From 8 bytes: type, node, round, slot, count, length / 16, what to get wrong, epoch. Everything
// that the bytes do not make wrong continues the log.
static void make_record(struct fixture *fixture, const uint8_t *data, struct paxos_record *record)
{
    struct paxos_scalars *scalars = &fixture->scalars;
    struct ballot ballot = {.round = data[2], .node = data[1]};

    *record = (struct paxos_record){
        .type = data[0] % 5, .epoch = data[7] % 2, .ballot = ballot, .slot = data[3]};
    record->hash = fixture->hashes[record->slot];
    record->count = data[4] % 4;
    if (record->type == RECORD_PROMISE || record->type == RECORD_SYNC)
        scalars->promised = ballot;
    if (record->type == RECORD_SYNC) {
        scalars->log_ballot = ballot;
        scalars->last = record->slot;
        scalars->last_hash = record->hash;
    }
    if (record->type != RECORD_APPEND)
        return;
    struct entry *entry = &record->entry;
    *entry = (struct entry){.slot = scalars->last + 1 + (data[6] & 1), .type = data[1]};
    entry->prev_hash = scalars->last_hash;
    entry->prev_hash.low ^= data[6] & 2;
    entry->value = blob_new((size_t)data[5] * 16);
    memset(entry->value->data, data[5], entry->value->length);
    entry->hash = entry_hash(entry);
    entry->hash.high ^= data[6] & 4;
    scalars->last = entry->slot;
    scalars->last_hash = entry->hash;
    fixture->hashes[entry->slot % FIXTURE_SLOTS_MAX] = entry->hash;
}

// Groups of: u8 count of records, u8 what to get wrong in the head, records of 8 bytes.
static uint64_t put_records(struct fixture *fixture, uint8_t *bytes, const uint8_t *data,
                            size_t size)
{
    uint64_t at = JOURNAL_HEADER_BYTES;
    struct buffer head = {0};

    for (uint64_t flush = 1; size >= 2; flush++) {
        struct paxos_record records[8];
        struct paxos_scalars before = fixture->scalars;
        size_t count = data[0] % 8;
        if (size < 2 + count * 8)
            break;
        before.promised.round ^= data[1] & 1;
        before.last ^= data[1] & 2;
        for (size_t i = 0; i < count; i++)
            make_record(fixture, data + 2 + i * 8, &records[i]);
        uint64_t sectors = journal_group_sectors(count, journal_group_body(records, count));
        bool fits = sectors * JOURNAL_SECTOR <= SEGMENT_BYTES - at;
        if (fits) {
            journal_group_encode(bytes + at, sectors, records, count, &before, &head);
            seal(fixture, bytes, at, flush, sectors);
            at += sectors * JOURNAL_SECTOR;
        }
        for (size_t i = 0; i < count; i++)
            blob_unref(records[i].entry.value);
        if (!fits)
            break;
        data += 2 + count * 8;
        size -= 2 + count * 8;
    }
    buffer_deinit(&head);
    return at;
}

static void poke_groups(struct fixture *fixture, bool records, const uint8_t *data, size_t size)
{
    uint8_t *bytes = calloc(1, SEGMENT_BYTES);

    ASSERT(bytes != NULL);
    fixture->scalars = (struct paxos_scalars){0};
    uint64_t end = records ? put_records(fixture, bytes, data, size)
                           : put_payloads(fixture, bytes, data, size);
    poke_from(fixture, JOURNAL_HEADER_BYTES, bytes + JOURNAL_HEADER_BYTES,
              (size_t)end - JOURNAL_HEADER_BYTES);
    free(bytes);
}

static void prepare(struct fixture *fixture, uint8_t mode, const uint8_t *data, size_t size)
{
    switch (mode % 5) {
    case 0:
        write_blank(fixture);
        poke_from(fixture, 0, data, size);
        break;
    case 1:
        write_blank(fixture);
        poke_from(fixture, JOURNAL_HEADER_BYTES, data, size);
        break;
    case 2:
        write_valid(fixture);
        edit(fixture, data, size);
        break;
    default:
        write_blank(fixture);
        poke_groups(fixture, mode % 5 == 4, data, size);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    ASSERT(fixture != NULL);
    log_set_level(LOG_ERROR);
    fixture_init(fixture);
    prepare(fixture, data[0], data + 1, size - 1);
    open_append_open(fixture);
    fixture_deinit(fixture);
    free(fixture);
    return 0;
}
