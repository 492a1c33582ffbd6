// SPDX-License-Identifier: Apache-2.0
// Reads entries back from the journal, for a peer that is behind, while the journal is being written
// and trimmed.
//
// What an entry's slot held at first may have been replaced later in the journal (SYNC, LEARN, INSTALL). A
// reader hands out an entry only once it has passed a flush group whose decided mark covers it, or has
// read everything that was durable when the caller said that the slot is executed here: then no later
// record can replace it.
//
// Thread: one reader, one thread; beside journal_append and journal_trim on others.
#pragma once

#include "storage/journal.h"

struct journal_reader;

// Opens a reader whose first entry is that of slot `from`. The journal must outlive it.
// Errors: MISSING (the journal does not reach back so far).
enum error journal_reader_open(struct journal *journal, paxos_slot from,
                               struct journal_reader **reader);
// NULL is allowed.
void journal_reader_close(struct journal_reader *reader);
// The next consecutive entries, at most `capacity` and, but for the first, at most `bytes_max` of
// values, none above `executed`, which has been executed on this node, so everything up to it is
// durable. The caller gets a reference to each value. *count 0: there is none up to `executed`.
// Errors: MISSING (trimmed meanwhile, or never written here: a checkpoint took its place), IO, CORRUPT
// (something cannot be read back as it was written: the disk is failing, and the node must stop; the
// place is logged). After an error the reader can only be closed.
enum error journal_reader_next(struct journal_reader *reader, paxos_slot executed,
                               struct entry *entries, size_t capacity, size_t bytes_max,
                               size_t *count);
// Slot of the entry that comes next.
paxos_slot journal_reader_slot(const struct journal_reader *reader);
