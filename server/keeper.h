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
// A checkpoint of another node has been received: it is not removed from now on, until a later one is
// kept. Thread: any.
void keeper_keep(struct keeper *keeper, paxos_slot slot);
// The core is about to be asked to go on from a checkpoint that was received. Returns whether it is still the
// one that is kept; then keeper_answer must follow. One that the core goes on from is not removed before
// keeper_installed, whatever is received meanwhile. Thread: any, the same for both.
bool keeper_ask(struct keeper *keeper, paxos_slot slot);
void keeper_answer(struct keeper *keeper, bool accepted);
// A checkpoint of another node took the place of the state: older ones and the journal before it are of no
// use any more. Thread: any.
void keeper_installed(struct keeper *keeper, const struct checkpoint_info *info);
// Slot of the newest checkpoint; 0: none. Thread: any.
paxos_slot keeper_newest(struct keeper *keeper);
// Gives up a checkpoint that is being written, ends the thread and frees. NULL is allowed.
void keeper_stop(struct keeper *keeper);
