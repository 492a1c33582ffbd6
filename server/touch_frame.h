// SPDX-License-Identifier: Apache-2.0
// Frames by which nodes tell the leader of which sessions they have heard.
//
//   TOUCH    u8 kind, u64 round, u16 node, u64 number, u32 count, u64 each id
//   TOUCHED  the same: what the leader of that ballot has taken note of
// and behind each a u64 checksum of all of it.
#pragma once

#include "base/bytes.h"
#include "base/errors.h"
#include "paxos/types.h"

enum { TOUCH_IDS_MAX = 4096 };

struct touch_frame {
    uint8_t kind;         // FRAME_TOUCH, FRAME_TOUCHED
    struct ballot ballot; // of the leader that is meant
    uint64_t number;      // the sender's, for the answer; 0: none is wanted
    uint32_t count;       // 1..TOUCH_IDS_MAX
};

// Writes a frame (into is cleared first).
void touch_frame_encode(struct buffer *into, const struct touch_frame *frame, const uint64_t *ids);
// Takes exactly `length` bytes apart. ids has room for TOUCH_IDS_MAX. Errors: CORRUPT.
enum error touch_frame_decode(const void *data, size_t length, struct touch_frame *frame,
                              uint64_t *ids);
