// SPDX-License-Identifier: Apache-2.0
// What the parts of the journal share. Private to storage/journal*.c.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "storage/journal_format.h"
#include "storage/journal_rules.h"

struct journal_segment {
    uint64_t sequence;
    uint64_t bytes;    // of its groups
    paxos_slot lowest; // lowest and highest slot that its entries have, 0 without entries
    paxos_slot highest;
};

struct journal {
    struct disk *disk; // borrowed
    struct identity identity;
    uint32_t segment_bytes;

    // Owned by the journal thread.
    struct disk_file *file; // newest segment in use
    struct journal_seed seed;
    uint64_t position; // where its next group begins
    uint64_t flush;    // sequence of the last group, 0 = none yet
    struct journal_rules rules;
    uint8_t *sectors; // mapped; the group that is built
    size_t sectors_capacity;
    struct buffer head;

    atomic_int failed; // enum error: the latch

    pthread_mutex_t table;            // guards what follows
    struct journal_segment *segments; // oldest first, spares behind the used ones, without gaps
    size_t segment_count;
    size_t used_count; // segments up to the newest in use; at least 1
    uint64_t appended_bytes;
    uint64_t flushes;

    pthread_mutex_t making; // held while a segment is made; taken before `table`
};

// ---- journal_segments.c ------------------------------------------------------------------------

// Makes the file of a segment, durable on return. Leaves nothing behind if the disk is full.
enum error journal_segment_make(struct disk *disk, const struct identity *identity,
                                uint64_t sequence, uint32_t segment_bytes);
// Makes one more spare if there are fewer than `wanted`; *enough says that there were not.
enum error journal_spare_make(struct journal *journal, unsigned wanted, bool *enough);
// Appends to the table. Thread: holds `table`, or nobody else knows the journal yet.
void journal_table_add(struct journal *journal, uint64_t sequence);
// Notes that a segment holds an entry of this slot. Thread: as journal_table_add.
void journal_segment_note(struct journal_segment *segment, paxos_slot slot);
// The segment that holds the final version of the slot's entry, if one does: where a reader begins. 0:
// it was trimmed away. Thread: any.
uint64_t journal_segment_of(struct journal *journal, paxos_slot slot);
// *end: how far the segment's groups are durable, as an offset in the file; *newest: the next group may
// still go into it. False: the segment was trimmed away. Thread: any.
bool journal_segment_extent(struct journal *journal, uint64_t sequence, uint64_t *end,
                            bool *newest);
// Keeps the first error and returns it.
enum error journal_latch(struct journal *journal, enum error error);

// ---- journal_recovery.c ------------------------------------------------------------------------

// Fills the table, replays, repairs a torn tail and opens the newest used segment.
enum error journal_recover(struct journal *journal, const struct journal_handler *handler,
                           struct failure *failure);

// ---- journal_damage.c --------------------------------------------------------------------------

// A flush group as it should lie in a segment.
struct journal_extent {
    const uint8_t *sectors; // its first
    uint64_t first_number;  // of that sector, in the file
    uint64_t count;         // sectors
    struct journal_seed *seed;
};
enum { JOURNAL_DAMAGE_MAX = 200 };
// Says, as a clause, which slots the group holds and which values its unreadable sectors take with
// them, from whichever of the two heads is whole.
void journal_damage_describe(const struct journal_extent *extent, char text[JOURNAL_DAMAGE_MAX]);
