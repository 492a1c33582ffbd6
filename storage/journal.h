// SPDX-License-Identifier: Apache-2.0
// The journal: the durable memory of an acceptor, a sequence of flush groups in preallocated,
// zero-filled segment files. One group is one write and one flush; groups are never rewritten.
//
// Fault model: a 512-byte sector is written whole or not at all, and of the last group whose flush
// did not return any subset of sectors may be missing. Exactly that is repaired at opening;
// anything else is damage: the journal refuses to open and says which file, offset and field are
// wrong. How an operator can break the promises: editing or copying back single files of the
// directory, storage that lies about flushes, running two copies of one directory.
#pragma once

#include "base/failure.h"
#include "paxos/types.h"
#include "storage/disk.h"

struct journal;

enum {
    JOURNAL_SECTOR = 512,
    JOURNAL_ALIGNMENT = 4096,        // groups start and end on it
    JOURNAL_SEGMENT_BYTES = 16 << 20 // size of a segment file
};

// What recovery reports, in journal order. For each group: group_begin, its records, and group_end
// with the decided mark that the group carried. Pointers are valid during the call (blobs may be
// kept by taking a reference). A handler that returns an error stops recovery with it.
struct journal_handler {
    void *context;
    // The scalars at the head of the oldest segment, once, before any record; all zero for a
    // journal that was just made.
    enum error (*start)(void *context, const struct paxos_scalars *scalars,
                        struct failure *failure);
    // Slots up to `settled` were decided when the group was written and are none that its records
    // replace, so what the log has of them may be executed before the records are taken in. The
    // acceptor needs that: its window is as large as what was undecided when the records were made,
    // and has no room for all that was written since the mark before. May be NULL.
    enum error (*group_begin)(void *context, paxos_slot settled, struct failure *failure);
    enum error (*record)(void *context, const struct paxos_record *record, struct failure *failure);
    enum error (*group_end)(void *context, paxos_slot decided, struct failure *failure);
};

struct journal_statistics {
    uint64_t segments;       // files in use, spares not counted
    uint64_t spares;         // zero-filled files ready for use
    uint64_t appended_bytes; // written in groups since opening, padding included
    uint64_t flushes;        // groups flushed since opening
};

// Opens the journal of this identity, or makes it if identity->journal_made is not set yet (the
// caller then notes that it was made, identity_note_journal), repairs a torn tail, replays everything through the handler
// and leaves it ready for journal_append. Files are synced before what they hold is acted on.
// Errors: CORRUPT, FOREIGN (format version, cluster, node or incarnation differ), IO, DISK_FULL.
enum error journal_open(struct disk *disk, const struct identity *identity,
                        const struct journal_handler *handler, struct journal **journal,
                        struct failure *failure);
// The same with another segment size, for tests and simulations: a multiple of 4096, at least 8192.
// A group must fit into one segment (asserted by journal_append).
enum error journal_open_sized(struct disk *disk, const struct identity *identity,
                              const struct journal_handler *handler, uint32_t segment_bytes,
                              struct journal **journal, struct failure *failure);
// NULL is allowed.
void journal_close(struct journal *journal);

// Writes the records as one flush group and returns when it is durable. `scalars` is the acceptor's
// state before these records: it goes to the segment's head when the group opens a new segment;
// scalars->decided is the group's decided mark. At most JOURNAL_GROUP_RECORDS_MAX records and
// JOURNAL_GROUP_BYTES_MAX bytes of values (asserted). Needs a spare segment when the current one
// is full: makes one itself, slowly, if there is none.
// Any error is final: the journal refuses everything afterwards. Thread: the journal thread.
enum error journal_append(struct journal *journal, const struct paxos_record *records, size_t count,
                          const struct paxos_scalars *scalars);
enum {
    JOURNAL_GROUP_RECORDS_MAX = 2 * PAXOS_WINDOW,
    JOURNAL_GROUP_BYTES_MAX = PAXOS_WINDOW_BYTES_MAX + PAXOS_VALUE_MAX
};

// Makes zero-filled spare segments until there are `wanted`. Thread: any but the journal thread;
// may run beside journal_append.
enum error journal_make_spares(struct journal *journal, unsigned wanted);
// Removes whole segments that hold nothing above `slot`. Thread: as journal_make_spares.
enum error journal_trim(struct journal *journal, paxos_slot slot);
// Bytes of the groups that hold entries above `slot`, at segment granularity. Thread: any.
uint64_t journal_bytes_since(struct journal *journal, paxos_slot slot);
void journal_statistics(struct journal *journal, struct journal_statistics *statistics);
