// SPDX-License-Identifier: Apache-2.0
// Reading and writing of byte sequences: little-endian integers, length-prefixed strings.
//
// A reader keeps a sticky failure flag: after the first read past the end every read returns zero,
// so a decoder reads all its fields and asks once, with reader_done(), whether all of it was true.
// A buffer grows as it is written; the caller bounds what goes in.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *at;  // next byte
    const uint8_t *end; // one past the last byte
    bool failed;        // a read went past the end, or reader_fail() was called
};

void reader_init(struct reader *reader, const void *data, size_t length);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
// Returns a pointer into the source, NULL once failed. Length zero is allowed.
const uint8_t *reader_bytes(struct reader *reader, size_t length);
// Reads a u32 length and that many bytes; fails when the length exceeds max.
const uint8_t *reader_string(struct reader *reader, size_t max, size_t *length);
size_t reader_left(const struct reader *reader);
void reader_fail(struct reader *reader);
// True when nothing failed and every byte was consumed.
bool reader_done(const struct reader *reader);

struct buffer {
    uint8_t *data;   // owned
    size_t length;   // bytes written
    size_t capacity; // bytes allocated
};

// A zeroed struct buffer is an empty buffer.
void buffer_deinit(struct buffer *buffer);
// Forgets the contents and keeps the memory.
void buffer_clear(struct buffer *buffer);
// Makes room for extra bytes and returns the place of the next one; length is unchanged.
uint8_t *buffer_reserve(struct buffer *buffer, size_t extra);
void buffer_append(struct buffer *buffer, const void *data, size_t length);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_zero(struct buffer *buffer, size_t length);
void buffer_u8(struct buffer *buffer, uint8_t value);
void buffer_u16(struct buffer *buffer, uint16_t value);
void buffer_u32(struct buffer *buffer, uint32_t value);
void buffer_u64(struct buffer *buffer, uint64_t value);
// Writes a u32 length and the bytes.
void buffer_string(struct buffer *buffer, const void *data, size_t length);
// Formats at the end, without the terminating NUL in length.
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Integers at a fixed place.
uint16_t bytes_get_u16(const uint8_t *at);
uint32_t bytes_get_u32(const uint8_t *at);
uint64_t bytes_get_u64(const uint8_t *at);
void bytes_put_u16(uint8_t *at, uint16_t value);
void bytes_put_u32(uint8_t *at, uint32_t value);
void bytes_put_u64(uint8_t *at, uint64_t value);
// Big-endian, for keys whose byte order must be their numeric order.
uint64_t bytes_get_u64_be(const uint8_t *at);
void bytes_put_u64_be(uint8_t *at, uint64_t value);
