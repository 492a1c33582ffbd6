// SPDX-License-Identifier: Apache-2.0
// The bulk thread: keeps spare journal segments ready, writes checkpoints when they are due, trims
// the journal behind them, and watches the room of the disk and of the live tree. Nothing urgent waits for it.
#pragma once

#include "storage/checkpoint.h"
#include "storage/journal.h"
#include "storage/live.h"

struct keeper;

struct keeper_settings {
    uint64_t checkpoint_journal_bytes; // journal since the last checkpoint that makes one due
    uint64_t disk_reserve_bytes;       // free space that is never used, beside what is known to be
                                       // needed; for the live tree at most a quarter of its room
};

struct keeper_ports {
    struct disk *disk;
    struct identity identity;
    struct journal *journal;
    struct live *live;
    void *context;
    void (*disk_full)(void *context, bool full); // called at every check
};

enum { JOURNAL_SPARES = 2 };

// newest: the checkpoint that recovery loaded, slot 0 if none; older: the one before it.
struct keeper *keeper_start(const struct keeper_settings *settings,
                            const struct keeper_ports *ports, const struct checkpoint_info *newest,
                            paxos_slot older);
// Gives up a checkpoint that is being written, ends the thread and frees. NULL is allowed.
void keeper_stop(struct keeper *keeper);
