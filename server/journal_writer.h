// SPDX-License-Identifier: Apache-2.0
// The journal thread: one flush group in flight, everything queued meanwhile rides in the next.
#pragma once

#include "paxos/paxos.h"
#include "storage/journal.h"

struct journal_writer;

// Called on the journal thread when everything up to the sequence is durable; writing and flushing it took
// so long.
typedef void (*journal_writer_done)(void *context, uint64_t persist_sequence, uint64_t took_ns);

// Starts the thread. The journal must outlive it. A failed write ends the process (exit status 71).
struct journal_writer *journal_writer_start(struct journal *journal, journal_writer_done done,
                                            void *context);
// Queues the records of the output. Thread: the core loop.
void journal_writer_persist(struct journal_writer *writer, const struct paxos_output *output);
// Flushes what is queued, ends the thread and frees. NULL is allowed.
void journal_writer_stop(struct journal_writer *writer);
