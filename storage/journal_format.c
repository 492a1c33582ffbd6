// SPDX-License-Identifier: Apache-2.0
// Names, header blocks and sectors of the journal: see journal_format.h.
#include "storage/journal_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

enum {
    NAME_DIGITS = 16,

    HEADER_CHECKSUM_AT = 8,
    HEADER_CHECKED_AT = 16,
    HEADER_FORMAT_AT = 16,
    HEADER_NODE_AT = 20,
    HEADER_SEQUENCE_AT = 24,
    HEADER_BYTES_AT = 32,
    HEADER_CLUSTER_AT = 40,
    HEADER_INCARNATION_AT = 56,

    SECTOR_CHECKED_AT = 8,
    SECTOR_BOOT_AT = 16,
    SECTOR_INDEX_AT = 24,
    SECTOR_COUNT_AT = 28,

    SEED_SEQUENCE_AT = 16,
    SEED_NUMBER_AT = 24,
};

static const uint8_t magic[8] = {'C', 'U', 'R', 'L', 'E', 'W', 'J', 'S'};

// ---- Segment files -----------------------------------------------------------------------------

void journal_segment_name(char name[JOURNAL_NAME_MAX], uint64_t sequence, const char *suffix)
{
    int length = snprintf(name, JOURNAL_NAME_MAX, "journal/%016" PRIx64 "%s", sequence, suffix);

    ASSERT(length > 0 && length < JOURNAL_NAME_MAX);
}

bool journal_parse_name(const char *name, uint64_t *sequence, bool *unfinished)
{
    *sequence = 0;
    for (int i = 0; i < NAME_DIGITS; i++) {
        char c = name[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
        *sequence = *sequence << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *unfinished = strcmp(name + NAME_DIGITS, ".new") == 0;
    return (*unfinished || name[NAME_DIGITS] == '\0') && *sequence != 0;
}

void journal_header_encode(uint8_t block[JOURNAL_HEADER_BYTES], const struct identity *identity,
                           uint64_t sequence, uint64_t segment_bytes)
{
    memset(block, 0, JOURNAL_HEADER_BYTES);
    memcpy(block, magic, sizeof magic);
    bytes_put_u32(block + HEADER_FORMAT_AT, JOURNAL_FORMAT);
    bytes_put_u16(block + HEADER_NODE_AT, identity->node);
    bytes_put_u64(block + HEADER_SEQUENCE_AT, sequence);
    bytes_put_u64(block + HEADER_BYTES_AT, segment_bytes);
    memcpy(block + HEADER_CLUSTER_AT, identity->cluster, sizeof identity->cluster);
    memcpy(block + HEADER_INCARNATION_AT, identity->incarnation, sizeof identity->incarnation);
    bytes_put_u64(block + HEADER_CHECKSUM_AT,
                  hash64(block + HEADER_CHECKED_AT, JOURNAL_HEADER_BYTES - HEADER_CHECKED_AT, 0));
}

static enum error header_check_owner(const uint8_t *block, const struct identity *identity,
                                     const char *name, struct failure *failure)
{
    uint16_t node = bytes_get_u16(block + HEADER_NODE_AT);

    if (memcmp(block + HEADER_CLUSTER_AT, identity->cluster, sizeof identity->cluster) != 0)
        return failure_set(failure, ERROR_FOREIGN, "%s: belongs to another cluster", name);
    if (node != identity->node)
        return failure_set(failure, ERROR_FOREIGN, "%s: belongs to node %u, and this is node %u",
                           name, (unsigned)node, (unsigned)identity->node);
    if (memcmp(block + HEADER_INCARNATION_AT, identity->incarnation,
               sizeof identity->incarnation) != 0)
        return failure_set(failure, ERROR_FOREIGN,
                           "%s: belongs to another incarnation of this node", name);
    return ERROR_OK;
}

enum error journal_header_check(const uint8_t block[JOURNAL_HEADER_BYTES],
                                const struct identity *identity, uint64_t sequence,
                                uint64_t segment_bytes, struct failure *failure)
{
    char name[JOURNAL_NAME_MAX];
    uint32_t format = bytes_get_u32(block + HEADER_FORMAT_AT);

    journal_segment_name(name, sequence, "");
    if (memcmp(block, magic, sizeof magic) != 0)
        return failure_set(failure, ERROR_CORRUPT,
                           "%s: byte 0: the segment's header does not begin with its magic number",
                           name);
    if (bytes_get_u64(block + HEADER_CHECKSUM_AT) !=
        hash64(block + HEADER_CHECKED_AT, JOURNAL_HEADER_BYTES - HEADER_CHECKED_AT, 0))
        return failure_set(failure, ERROR_CORRUPT,
                           "%s: byte 8: the checksum of the segment's header is wrong", name);
    if (format != JOURNAL_FORMAT)
        return failure_set(failure, ERROR_FOREIGN,
                           "%s: has format version %u; this program reads version %u", name, format,
                           (unsigned)JOURNAL_FORMAT);
    enum error error = header_check_owner(block, identity, name, failure);
    if (error != ERROR_OK)
        return error;
    if (bytes_get_u64(block + HEADER_SEQUENCE_AT) != sequence)
        return failure_set(failure, ERROR_CORRUPT,
                           "%s: byte 24: is segment %" PRIu64 " by its header", name,
                           bytes_get_u64(block + HEADER_SEQUENCE_AT));
    if (bytes_get_u64(block + HEADER_BYTES_AT) != segment_bytes)
        return failure_set(failure, ERROR_CORRUPT,
                           "%s: byte 32: should have %" PRIu64
                           " bytes by its header and has %" PRIu64,
                           name, bytes_get_u64(block + HEADER_BYTES_AT), segment_bytes);
    return ERROR_OK;
}

// ---- Sectors -----------------------------------------------------------------------------------

void journal_seed_init(struct journal_seed *seed, const struct identity *identity,
                       uint64_t sequence)
{
    memcpy(seed->bytes, identity->incarnation, sizeof identity->incarnation);
    bytes_put_u64(seed->bytes + SEED_SEQUENCE_AT, sequence);
}

static uint64_t sector_checksum(const uint8_t *at, struct journal_seed *seed, uint64_t number)
{
    bytes_put_u64(seed->bytes + SEED_NUMBER_AT, number);
    return hash64(at + SECTOR_CHECKED_AT, JOURNAL_SECTOR - SECTOR_CHECKED_AT,
                  hash64(seed->bytes, sizeof seed->bytes, 0));
}

void journal_sector_seal(uint8_t *at, const struct journal_sector *sector,
                         struct journal_seed *seed, uint64_t number)
{
    bytes_put_u64(at + SECTOR_CHECKED_AT, sector->flush);
    bytes_put_u64(at + SECTOR_BOOT_AT, sector->boot_count);
    bytes_put_u32(at + SECTOR_INDEX_AT, sector->index);
    bytes_put_u32(at + SECTOR_COUNT_AT, sector->sectors);
    bytes_put_u64(at, sector_checksum(at, seed, number));
}

enum journal_sector_state journal_sector_open(const uint8_t *at, struct journal_seed *seed,
                                              uint64_t number, struct journal_sector *sector)
{
    if (at[0] == 0 && memcmp(at, at + 1, JOURNAL_SECTOR - 1) == 0)
        return JOURNAL_SECTOR_ZERO;
    if (bytes_get_u64(at) != sector_checksum(at, seed, number))
        return JOURNAL_SECTOR_BAD;
    sector->flush = bytes_get_u64(at + SECTOR_CHECKED_AT);
    sector->boot_count = bytes_get_u64(at + SECTOR_BOOT_AT);
    sector->index = bytes_get_u32(at + SECTOR_INDEX_AT);
    sector->sectors = bytes_get_u32(at + SECTOR_COUNT_AT);
    return JOURNAL_SECTOR_VALID;
}

bool journal_group_is_whole(const uint8_t *sectors, uint64_t bytes, struct journal_seed *seed,
                            uint64_t number, struct journal_sector *first)
{
    struct journal_sector sector;

    if (bytes < JOURNAL_SECTOR ||
        journal_sector_open(sectors, seed, number, first) != JOURNAL_SECTOR_VALID ||
        first->index != 0 || first->sectors == 0 || first->sectors % JOURNAL_BLOCK_SECTORS != 0 ||
        (uint64_t)first->sectors * JOURNAL_SECTOR > bytes)
        return false;
    for (uint32_t i = 1; i < first->sectors; i++)
        if (journal_sector_open(sectors + (size_t)i * JOURNAL_SECTOR, seed, number + i, &sector) !=
                JOURNAL_SECTOR_VALID ||
            sector.flush != first->flush || sector.boot_count != first->boot_count ||
            sector.sectors != first->sectors || sector.index != i)
            return false;
    return true;
}

// The place of a payload offset, and how many bytes lie behind it in its sector.
static size_t payload_place(uint64_t offset, size_t *room)
{
    uint64_t within = offset % JOURNAL_PAYLOAD_BYTES;

    *room = (size_t)(JOURNAL_PAYLOAD_BYTES - within);
    return (size_t)(offset / JOURNAL_PAYLOAD_BYTES * JOURNAL_SECTOR + JOURNAL_SECTOR_HEADER_BYTES +
                    within);
}

void journal_payload_put(uint8_t *sectors, uint64_t offset, const void *data, size_t length)
{
    const uint8_t *from = data;
    size_t room;

    while (length > 0) {
        uint8_t *to = sectors + payload_place(offset, &room);
        size_t part = length < room ? length : room;
        memcpy(to, from, part);
        from += part;
        offset += part;
        length -= part;
    }
}

void journal_payload_get(const uint8_t *sectors, uint64_t offset, void *into, size_t length)
{
    uint8_t *to = into;
    size_t room;

    while (length > 0) {
        const uint8_t *from = sectors + payload_place(offset, &room);
        size_t part = length < room ? length : room;
        memcpy(to, from, part);
        to += part;
        offset += part;
        length -= part;
    }
}
