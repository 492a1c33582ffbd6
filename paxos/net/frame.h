// SPDX-License-Identifier: Apache-2.0
// How a sequence of bytes is cut into frames. Pure: bytes in, frames out.
//
// A frame is a header of 16 bytes and a body. Header: length of the body u32, type u8, check u24 (of
// the five bytes before, so that a damaged length is found before it is believed), checksum u64 of
// the body, seeded with the eight bytes before.
#pragma once

#include <stdint.h>

#include "base/bytes.h"

enum frame_type {
    FRAME_HELLO = 1, // an introduction, hello.h
    FRAME_DATA,      // what the owners say to each other
    FRAME_REFUSAL,   // a sentence: why the dialler does not accept the listener
};

enum {
    FRAME_HEADER_BYTES = 16,
    FRAME_SMALL_MAX = 1024, // bytes of every body but data
};

struct frame {
    uint8_t type; // enum frame_type
    const uint8_t *body;
    size_t length; // of the body
};

// Zeroed: at the start of a connection, no data allowed yet.
struct frame_reader {
    size_t data_max;       // longest body of a data frame; 0: they are not allowed yet
    struct buffer partial; // of a frame that came in pieces
    bool handed_out;       // partial is the frame that was returned last
    const char *problem;   // after FRAME_BAD: a sentence without a full stop
};

enum frame_result {
    FRAME_READY, // *frame is the next one
    FRAME_MORE,  // all bytes are consumed, the next frame is not complete
    FRAME_BAD,   // these are not frames; nothing that follows can be trusted
};

// Takes the next frame from the *length bytes at *data, which both advance. The body lies in the
// reader or in the data, until the next call.
enum frame_result frame_next(struct frame_reader *reader, const uint8_t **data, size_t *length,
                             struct frame *frame);
void frame_reader_deinit(struct frame_reader *reader);

// Writes the header of a frame.
void frame_seal(uint8_t header[FRAME_HEADER_BYTES], uint8_t type, const void *body, size_t length);
