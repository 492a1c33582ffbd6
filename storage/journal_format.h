// SPDX-License-Identifier: Apache-2.0
// The journal's format on disk, and the functions that know it. Private to storage/journal*.c and
// their tests. All integers are little-endian; what has no meaning is zero and is checked to be.
//
// FILES. Directory "journal"; a segment's name is its sequence as 16 hex digits, the first is 1,
// without gaps. "<name>.new" is a segment in the making: zeros and a header, synced, then renamed,
// then the directory synced. So a segment under its own name is a complete file, and writing groups
// into it changes no metadata. Segments behind the newest one with groups are spares.
//
// SEGMENT. A header block of 4096 bytes, then flush groups without gaps, then zeros.
//
//   header block                     offset
//     magic "CURLEWJS"                    0
//     checksum                            8  u64, XXH3-64 of bytes 16..4095
//     format version                     16  u32, 1
//     node                               20  u16
//     zero                               22
//     segment sequence                   24  u64
//     segment bytes                      32  u64, size of the file
//     cluster                            40  16 bytes
//     incarnation                        56  16 bytes
//     zero                               72
//
// GROUP. What one append writes and one flush makes durable: sectors of 512 bytes, a multiple of 8,
// so that groups start and end on 4096. A group goes into the current segment if it fits into the
// rest of it, else to the start of the next one.
//
//   sector
//     checksum                            0  u64, XXH3-64 of bytes 8..511, seeded with XXH3-64 of
//                                            (incarnation, u64 segment sequence, u64 number of the
//                                            sector in the file)
//     flush sequence                      8  u64, of the group; +1 per group over the whole journal,
//                                            the first is 1; the number of a torn group is used
//                                            again
//     boot_count                         16  u64, of the boot that wrote it
//     index                              24  u32, of the sector in the group, from 0
//     sectors                            28  u32, in the group
//     payload                            32  480 bytes
//
// The payloads of a group's sectors, one after the other, hold:
//
//   HEAD   group header and one record header per record
//   BODY   the values of the APPEND records, one after the other
//   zeros
//   TAIL   HEAD again, ending 4 bytes before the end and touching no sector that HEAD touches
//   u32    bytes of HEAD, in the last 4 bytes
//
// So the rot of any one sector leaves one whole copy of HEAD: what was accepted (slot, origin,
// hash) is known even where a value is lost. The number of sectors is the least multiple of 8 that
// holds these parts.
//
//   group header: counts, then struct paxos_scalars before the group's records, with the group's
//   decided mark
//     records                             0  u32, count
//     zero                                4  u32
//     body bytes                          8  u64
//     epoch                              16  u64
//     promised.round                     24  u64
//     log_ballot.round                   32  u64
//     promised.node                      40  u16
//     log_ballot.node                    42  u16
//     zero                               44  u32
//     last                               48  u64
//     last_hash                          56  u64 low, u64 high
//     decided                            72  u64
//
//   record header
//     type                                0  u8, enum record_type
//     entry type                          1  u8, APPEND
//     node                                2  u16, of the ballot (PROMISE, SYNC, LEARN) or origin (APPEND)
//     count or length                     4  u32, entries that follow (SYNC, LEARN), value bytes (APPEND)
//     epoch                               8  u64, of the record or, APPEND, of the entry
//     round                              16  u64, of the ballot or origin
//     slot                               24  u64
//     hash                               32  u64 low, u64 high
//     prev_hash                          48  u64 low, u64 high; APPEND
//     log time                           64  u64, us; APPEND
//     wall time                          72  u64, ms; APPEND
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "storage/journal.h"

enum {
    JOURNAL_FORMAT = 1,
    JOURNAL_HEADER_BYTES = JOURNAL_ALIGNMENT,
    JOURNAL_SECTOR_HEADER_BYTES = 32,
    JOURNAL_PAYLOAD_BYTES = JOURNAL_SECTOR - JOURNAL_SECTOR_HEADER_BYTES,
    JOURNAL_BLOCK_SECTORS = JOURNAL_ALIGNMENT / JOURNAL_SECTOR,
    JOURNAL_GROUP_HEADER_BYTES = 80,
    JOURNAL_RECORD_HEADER_BYTES = 80,
    JOURNAL_FOOTER_BYTES = 4,
    JOURNAL_NAME_MAX = 40, // "journal/" and 16 digits and ".new"
};

// ---- Segment files (journal_format.c) ----------------------------------------------------------

// "journal/<sequence><suffix>".
void journal_segment_name(char name[JOURNAL_NAME_MAX], uint64_t sequence, const char *suffix);
// Parses a name within the directory: 16 lower-case hex digits, or those and ".new".
bool journal_parse_name(const char *name, uint64_t *sequence, bool *unfinished);

void journal_header_encode(uint8_t block[JOURNAL_HEADER_BYTES], const struct identity *identity,
                           uint64_t sequence, uint64_t segment_bytes);
// Errors: CORRUPT, FOREIGN, with a sentence that names the file.
enum error journal_header_check(const uint8_t block[JOURNAL_HEADER_BYTES],
                                const struct identity *identity, uint64_t sequence,
                                uint64_t segment_bytes, struct failure *failure);

// ---- Sectors (journal_format.c) ----------------------------------------------------------------

// What the sectors of one segment are seeded with.
struct journal_seed {
    uint8_t bytes[32]; // incarnation, sequence, number of the sector
};
void journal_seed_init(struct journal_seed *seed, const struct identity *identity,
                       uint64_t sequence);

struct journal_sector {
    uint64_t flush;
    uint64_t boot_count;
    uint32_t index;
    uint32_t sectors;
};
// Writes the header; the payload stands already. `number` counts sectors from the file's start.
void journal_sector_seal(uint8_t *at, const struct journal_sector *sector,
                         struct journal_seed *seed, uint64_t number);

enum journal_sector_state { JOURNAL_SECTOR_ZERO, JOURNAL_SECTOR_VALID, JOURNAL_SECTOR_BAD };
// `sector` is set when VALID.
enum journal_sector_state journal_sector_open(const uint8_t *at, struct journal_seed *seed,
                                              uint64_t number, struct journal_sector *sector);

// Whether a group begins at `sectors` and all of it lies, whole, within the `bytes` there; *first
// becomes the header of its first sector, whose number in the file is `number`.
bool journal_group_is_whole(const uint8_t *sectors, uint64_t bytes, struct journal_seed *seed,
                            uint64_t number, struct journal_sector *first);

// Copy between contiguous bytes and the payload of the sectors at `sectors`, from `offset` on.
void journal_payload_put(uint8_t *sectors, uint64_t offset, const void *data, size_t length);
void journal_payload_get(const uint8_t *sectors, uint64_t offset, void *into, size_t length);

// ---- Groups (journal_group.c) ------------------------------------------------------------------

// Sectors of a group, a multiple of 8.
uint64_t journal_group_sectors(size_t records, uint64_t body_bytes);
// Sum of the values' bytes.
uint64_t journal_group_body(const struct paxos_record *records, size_t count);

// Writes the payload of a group into journal_group_sectors() sectors; they need not be zero.
// `head` is scratch memory.
void journal_group_encode(uint8_t *sectors, uint64_t sector_count,
                          const struct paxos_record *records, size_t count,
                          const struct paxos_scalars *scalars, struct buffer *head);

struct journal_group {
    struct paxos_scalars scalars;
    uint32_t count;
    uint64_t body_bytes;
    uint8_t *head; // owned: the record headers, count * JOURNAL_RECORD_HEADER_BYTES
};
// Reads HEAD, compares it with TAIL and checks the geometry and every record header. On failure
// *reason is a clause such as "its two heads differ". Ownership: journal_group_deinit.
enum error journal_group_open(const uint8_t *sectors, uint64_t sector_count,
                              struct journal_group *group, const char **reason);
// Reads one copy of HEAD alone, whatever the other says; `tail` chooses. Returns false where it
// makes no sense. For the description of damage.
bool journal_group_open_copy(const uint8_t *sectors, uint64_t sector_count, bool tail,
                             struct journal_group *group);
void journal_group_deinit(struct journal_group *group);
// Decodes record `index` without its value (entry.value is NULL); *value_length is that of APPEND.
void journal_group_record(const struct journal_group *group, uint32_t index,
                          struct paxos_record *record, uint32_t *value_length);
// Where BODY begins in the payload.
uint64_t journal_group_body_offset(const struct journal_group *group);
// Gives an entry of the group its value, which stands at payload offset `at`; the caller owns the
// reference. Returns NULL, or a clause when the entry does not have its hash with it.
const char *journal_group_value(const uint8_t *sectors, uint64_t at, uint32_t length,
                                struct entry *entry);
