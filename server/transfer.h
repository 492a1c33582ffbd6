// SPDX-License-Identifier: Apache-2.0
// Brings a lagging peer up to date: with decided entries from the journal, or with a checkpoint where
// the journal does not reach back so far. Both ends, without a thread or a clock of their own: the
// courier thread of the daemon and the simulator run the same code.
//
// The giving end keeps nothing about a peer but an open reader and the entries that it sent last: the
// peer asks for each range of a checkpoint (WANT) and gets it (RANGE), so a lost frame is asked for
// again, and a restarted peer goes on where its file ends.
//
// Thread: one at a time.
#pragma once

#include "base/bytes.h"
#include "base/failure.h"
#include "paxos/types.h"
#include "storage/checkpoint_transfer.h"
#include "storage/journal_read.h"

struct transfer;

struct transfer_ports {
    void *context;
    // Sends a frame to a peer on the bulk channel; it may be lost.
    void (*send)(void *context, uint16_t to, const void *data, size_t length);
    // A checkpoint is complete, verified and durable here, decided in `ballot` or before: to be given
    // to the core (replica_install). Called again from time to time while that has not executed it and
    // peers go on to offer it, because the core may have refused it.
    void (*install)(void *context, const struct checkpoint_info *info, struct ballot ballot);
    // Slot of the newest durable checkpoint that is to be given to others; 0: none.
    paxos_slot (*newest_checkpoint)(void *context);
};

struct transfer_settings {
    struct disk *disk;
    const struct identity *identity; // borrowed
    struct journal *journal;
    uint64_t epoch;
    uint64_t
        entries_max; // a peer that is further behind the newest checkpoint is given that, though
                     // the journal reaches back; 0: no limit
    uint64_t silence_ns;    // after which a range is asked for again
    uint64_t reserve_bytes; // of the disk's free space, which no checkpoint of another node may use
};

struct transfer *transfer_new(const struct transfer_settings *settings,
                              const struct transfer_ports *ports);
// What was received so far of a checkpoint stays. NULL is allowed.
void transfer_free(struct transfer *transfer);

// The core says that a peer needs entries from `from` on (struct paxos_lagging). `ballot` is the one that
// this node leads, `executed` what it has executed. Sends one LEARN message, or an offer of the newest
// checkpoint. Errors: those that this node cannot survive (IO, CORRUPT).
enum error transfer_lagging(struct transfer *transfer, uint16_t to, paxos_slot from,
                            struct ballot ballot, paxos_slot executed);
// A frame that a peer's transfer sent (FRAME_OFFER, FRAME_WANT, FRAME_RANGE). Malformed ones are dropped
// and counted. `executed`: what this node has executed: an offer that is not above it is ignored. Errors:
// those that this node cannot survive.
enum error transfer_receive(struct transfer *transfer, uint16_t from, const void *data,
                            size_t length, paxos_slot executed, uint64_t now_ns);
// Asks again where nothing came for too long; gives up on a peer that sends nothing any more, so that
// another offer is taken; closes what was not used for some seconds. To be called a few times a second.
enum error transfer_tick(struct transfer *transfer, uint64_t now_ns);
// Whether a checkpoint is being received, and how much of it is there.
bool transfer_receiving(const struct transfer *transfer, uint64_t *received, uint64_t *total);
// Frames that were dropped because they were malformed.
uint64_t transfer_malformed(const struct transfer *transfer);
