// SPDX-License-Identifier: Apache-2.0
// Frames between replicas: a message of the core, or commands that a node forwards to the leader.
#pragma once

#include "paxos/message.h"
#include "storage/command.h"

enum frame_kind {
    FRAME_PAXOS = 1,   // an encoded paxos_message
    FRAME_FORWARD = 2, // ballot, then an encoded batch of commands of the sender
    // Of server/transfer.c, on the bulk channel.
    FRAME_OFFER = 3, // a checkpoint that the receiver may ask for
    FRAME_WANT = 4,  // which bytes of it
    FRAME_RANGE = 5, // those bytes
    // Of server/genesis.c.
    FRAME_GENESIS = 6, // the members of the new cluster
    // Of server/report.c.
    FRAME_REPORT = 7, // how the sender fares
    // Of server/touch_frame.c.
    FRAME_TOUCH = 8,   // sessions that the sender has heard of
    FRAME_TOUCHED = 9, // those of them that the leader has taken note of
};

// Starts a forward frame for the leader of a ballot; an encoded batch follows.
void forward_begin(struct buffer *into, struct ballot ballot);
// Ends it with a checksum over everything.
void forward_end(struct buffer *into);
// Takes a forward frame apart: the ballot that it is meant for and the batch, borrowed from data. Every
// command in it decodes and comes from the sender, so that it can be proposed. Errors: CORRUPT.
enum error forward_open(const void *data, size_t length, uint16_t from, struct ballot *ballot,
                        struct reader *batch);
// Appends the parts of a batch that forward_open checked to another one.
void forward_copy_parts(struct reader batch, struct buffer *into);
