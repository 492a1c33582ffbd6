// SPDX-License-Identifier: Apache-2.0
// The frames by which a checkpoint goes from node to node, and what is demanded of them. Private to
// server/transfer.c and its tests.
//
//   OFFER  u8 kind, u64 slot, u64 tag, u64 bytes, u64 ballot round, u16 ballot node, u64 gone
//   WANT   u8 kind, u64 slot, u64 tag, u64 offset, u32 length
//   RANGE  u8 kind, u64 slot, u64 tag, u64 offset, u32 length, that many bytes
// and behind each a u64 checksum of all of it.
#pragma once

#include "base/bytes.h"
#include "server/forward.h"
#include "storage/checkpoint_transfer.h"

enum { TRANSFER_RANGE_BYTES = 1 << 20 };

// Largest checkpoint that is believed in.
#define TRANSFER_CHECKPOINT_BYTES_MAX (UINT64_C(1) << 40)

struct transfer_frame {
    uint8_t kind;                // FRAME_OFFER, FRAME_WANT, FRAME_RANGE
    struct checkpoint_file file; // bytes: OFFER
    struct ballot ballot;        // OFFER: the state was decided in it or before
    paxos_slot gone; // OFFER: slot of a checkpoint that was wanted and is no longer there, 0 = none
    uint64_t offset; // WANT, RANGE
    uint32_t length; // WANT, RANGE: 1..TRANSFER_RANGE_BYTES
    const uint8_t *data; // RANGE: borrowed
};

// Writes a frame (into is cleared first).
void transfer_frame_encode(struct buffer *into, const struct transfer_frame *frame);
// Takes exactly `length` bytes apart and checks every bound. frame->data points into them.
// Errors: CORRUPT.
enum error transfer_frame_decode(const void *data, size_t length, struct transfer_frame *frame);
