// SPDX-License-Identifier: Apache-2.0
// A small acceptor for tests of the journal: it makes records that follow the rules, appends them,
// remembers what it appended, and compares that with what recovery reports.
#pragma once

#include "storage/journal_format.h"
#include "tests/lib/disk_fake.h"

enum {
    FIXTURE_SEGMENT_BYTES = 64 << 10,
    FIXTURE_SLOTS_MAX = 4096,
    FIXTURE_GROUP_MAX = 512, // records
};

// A list of flush groups, as written or as recovered.
struct history_group {
    struct paxos_record *records; // with a reference to each value
    size_t count;
    paxos_slot decided;
};
struct history {
    struct paxos_scalars start;
    struct history_group *groups;
    size_t count;
    struct paxos_record *open; // records since the last group_end
    size_t open_count;
    unsigned starts; // calls of handler.start
};
void history_deinit(struct history *history);
// Whether `part` is the groups [from, from + part->count) of `whole`, record by record.
bool history_is_part(const struct history *whole, size_t from, const struct history *part);
// Collects into a zeroed history.
struct journal_handler history_handler(struct history *history);

struct fixture {
    struct disk *disk; // owned
    struct identity identity;
    uint32_t segment_bytes;
    struct journal *journal; // owned
    struct failure failure;
    struct history written;   // every group that journal_append acknowledged
    struct history recovered; // by the last fixture_open
    struct paxos_scalars scalars;
    struct hash128 hashes[FIXTURE_SLOTS_MAX]; // of the log's slots
    uint64_t salt;                            // +1 per value: no two are equal
    struct paxos_record group[FIXTURE_GROUP_MAX];
    size_t group_count;
    struct paxos_scalars group_before;
};

void fixture_init(struct fixture *fixture);
void fixture_deinit(struct fixture *fixture);
// Makes a closed fixture on a clone of the disk, to be damaged or crashed on its own. Its `written`
// begins empty.
void fixture_clone(struct fixture *clone, const struct fixture *original);
// Opens with the next boot_count; closes first.
enum error fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
// Takes another disk (ownership) and closes the journal.
void fixture_use_disk(struct fixture *fixture, struct disk *disk);

// Build a group...
void fixture_promise(struct fixture *fixture, uint64_t round, uint16_t node);
void fixture_entry(struct fixture *fixture, size_t length);
// Keeps the log up to `keep`; `count` entries must follow in the same group.
void fixture_sync(struct fixture *fixture, uint64_t round, paxos_slot keep, uint32_t count);
// The log starts anew behind `slot`, whose hash is made up.
void fixture_install(struct fixture *fixture, uint64_t round, paxos_slot slot);
// ... and append it. On success it becomes part of `written`.
enum error fixture_flush(struct fixture *fixture);
// Forgets the last group of `written`: it was lost in a crash. `scalars` are those before it.
void fixture_drop_last(struct fixture *fixture, const struct paxos_scalars *scalars);
// A promise and then `groups` groups of one entry of `length` bytes each.
void fixture_fill(struct fixture *fixture, unsigned groups, size_t length);
