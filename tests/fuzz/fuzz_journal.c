// SPDX-License-Identifier: Apache-2.0
// Fuzzes recovery of the journal: whatever stands in a segment, opening ends, never reports an
// entry with a wrong hash or out of order, and what opens well goes on and opens well again.
//
// The first byte chooses what the rest means: 0 the segment file, 1 what follows a valid header,
// 2 edits (u16 offset, u8 inverted bits) of a valid journal, 3 payloads of groups with right
// checksums, each after a u8 count of blocks.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "storage/journal_rules.h"
#include "tests/lib/journal_fixture.h"

enum {
    SEGMENT_BYTES = 32 << 10,
    BLOCK_PAYLOAD = JOURNAL_BLOCK_SECTORS * JOURNAL_PAYLOAD_BYTES,
    EDIT_BYTES = 3,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char first_name[] = "journal/0000000000000001";

// ---- What is checked ---------------------------------------------------------------------------

static enum error check_start(void *context, const struct paxos_scalars *scalars,
                              struct failure *failure)
{
    (void)failure;
    ASSERT(journal_rules_begin(context, scalars, false, false) == NULL);
    return ERROR_OK;
}

static enum error check_record(void *context, const struct paxos_record *record,
                               struct failure *failure)
{
    (void)failure;
    if (record->type == RECORD_APPEND)
        ASSERT(hash128_equal(entry_hash(&record->entry), record->entry.hash));
    // The epoch may also grow with a group's head, which the handler does not see.
    struct journal_rules *rules = context;
    if (record->epoch > rules->scalars.epoch && record->type != RECORD_APPEND)
        rules->scalars.epoch = record->epoch;
    ASSERT(journal_rules_record(rules, record) == NULL);
    return ERROR_OK;
}

static enum error check_group_end(void *context, paxos_slot decided, struct failure *failure)
{
    (void)decided;
    (void)failure;
    ASSERT(journal_rules_end(context) == NULL);
    return ERROR_OK;
}

static enum error open_checked(struct fixture *fixture, struct journal_rules *rules)
{
    const struct journal_handler handler = {
        .context = rules,
        .start = check_start,
        .record = check_record,
        .group_end = check_group_end,
    };

    *rules = (struct journal_rules){0};
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
    struct journal_rules rules;

    if (open_checked(fixture, &rules) != ERROR_OK)
        return;
    rules.scalars.epoch = UINT64_MAX;
    ASSERT(journal_append(fixture->journal, NULL, 0, &rules.scalars) == ERROR_OK);
    ASSERT(open_checked(fixture, &rules) == ERROR_OK);
}

// ---- What is opened ----------------------------------------------------------------------------

// A journal of five groups in two segments and a spare.
static void write_valid(struct fixture *fixture)
{
    struct journal_rules rules;

    ASSERT(open_checked(fixture, &rules) == ERROR_OK);
    ASSERT(journal_make_spares(fixture->journal, 2) == ERROR_OK);
    fixture_fill(fixture, 2, 6000);
    fixture_sync(fixture, 3, 1, 1);
    fixture_entry(fixture, 9000);
    ASSERT(fixture_flush(fixture) == ERROR_OK);
    fixture_checkpoint(fixture, 1);
    ASSERT(fixture_flush(fixture) == ERROR_OK);
    fixture_close(fixture);
}

static void write_blank(struct fixture *fixture)
{
    struct journal_rules rules;

    ASSERT(open_checked(fixture, &rules) == ERROR_OK);
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

static void poke_sealed(struct fixture *fixture, const uint8_t *data, size_t size)
{
    struct journal_sector sector = {.flush = 1, .boot_count = 1};
    uint64_t at = JOURNAL_HEADER_BYTES;
    uint8_t *bytes = calloc(1, SEGMENT_BYTES);
    struct journal_seed seed;

    ASSERT(bytes != NULL);
    journal_seed_init(&seed, &fixture->identity, 1);
    for (; size > 1 && at < SEGMENT_BYTES; sector.flush++) {
        uint64_t blocks = 1 + data[0] % 4;
        size_t part = blocks * BLOCK_PAYLOAD < size - 1 ? blocks * BLOCK_PAYLOAD : size - 1;
        if (blocks * JOURNAL_ALIGNMENT > SEGMENT_BYTES - at)
            break;
        journal_payload_put(bytes + at, 0, data + 1, part);
        data += part + 1;
        size -= part + 1;
        sector.sectors = (uint32_t)blocks * JOURNAL_BLOCK_SECTORS;
        for (sector.index = 0; sector.index < sector.sectors; sector.index++, at += JOURNAL_SECTOR)
            journal_sector_seal(bytes + at, &sector, &seed, at / JOURNAL_SECTOR);
    }
    poke_from(fixture, JOURNAL_HEADER_BYTES, bytes + JOURNAL_HEADER_BYTES,
              (size_t)at - JOURNAL_HEADER_BYTES);
    free(bytes);
}

static void prepare(struct fixture *fixture, uint8_t mode, const uint8_t *data, size_t size)
{
    switch (mode % 4) {
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
        poke_sealed(fixture, data, size);
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
