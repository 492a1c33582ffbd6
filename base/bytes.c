// SPDX-License-Identifier: Apache-2.0
// Byte order is little-endian on every machine: integers are built by shifting, never by casting.
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

enum { BUFFER_FIRST_CAPACITY = 128 };

uint16_t bytes_get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | (uint16_t)(at[1] << 8));
}

uint32_t bytes_get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint64_t bytes_get_u64(const uint8_t *at)
{
    return (uint64_t)bytes_get_u32(at) | (uint64_t)bytes_get_u32(at + 4) << 32;
}

void bytes_put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

void bytes_put_u32(uint8_t *at, uint32_t value)
{
    bytes_put_u16(at, (uint16_t)value);
    bytes_put_u16(at + 2, (uint16_t)(value >> 16));
}

void bytes_put_u64(uint8_t *at, uint64_t value)
{
    bytes_put_u32(at, (uint32_t)value);
    bytes_put_u32(at + 4, (uint32_t)(value >> 32));
}

uint64_t bytes_get_u64_be(const uint8_t *at)
{
    return __builtin_bswap64(bytes_get_u64(at));
}

void bytes_put_u64_be(uint8_t *at, uint64_t value)
{
    bytes_put_u64(at, __builtin_bswap64(value));
}

void reader_init(struct reader *reader, const void *data, size_t length)
{
    reader->at = data;
    reader->end = length > 0 ? reader->at + length : reader->at;
    reader->failed = false;
}

const uint8_t *reader_bytes(struct reader *reader, size_t length)
{
    const uint8_t *at = reader->at;

    if (reader->failed || length > reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    if (length > 0)
        reader->at += length;
    return at;
}

uint8_t reader_u8(struct reader *reader)
{
    const uint8_t *at = reader_bytes(reader, 1);

    return at != NULL ? at[0] : 0;
}

uint16_t reader_u16(struct reader *reader)
{
    const uint8_t *at = reader_bytes(reader, 2);

    return at != NULL ? bytes_get_u16(at) : 0;
}

uint32_t reader_u32(struct reader *reader)
{
    const uint8_t *at = reader_bytes(reader, 4);

    return at != NULL ? bytes_get_u32(at) : 0;
}

uint64_t reader_u64(struct reader *reader)
{
    const uint8_t *at = reader_bytes(reader, 8);

    return at != NULL ? bytes_get_u64(at) : 0;
}

const uint8_t *reader_string(struct reader *reader, size_t max, size_t *length)
{
    uint32_t size = reader_u32(reader);

    *length = 0;
    if (size > max)
        reader->failed = true;
    const uint8_t *at = reader_bytes(reader, size);
    if (at != NULL)
        *length = size;
    return at;
}

size_t reader_left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

void reader_fail(struct reader *reader)
{
    reader->failed = true;
}

bool reader_done(const struct reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}

void buffer_deinit(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t extra)
{
    size_t needed = buffer->length + extra;

    ASSERT(needed >= extra);
    if (needed > buffer->capacity || buffer->data == NULL) {
        size_t capacity = buffer->capacity > 0 ? buffer->capacity * 2 : BUFFER_FIRST_CAPACITY;
        buffer->capacity = capacity > needed ? capacity : needed;
        buffer->data = memory_realloc(buffer->data, buffer->capacity);
    }
    return buffer->data + buffer->length;
}

void buffer_append(struct buffer *buffer, const void *data, size_t length)
{
    uint8_t *at = buffer_reserve(buffer, length);

    if (length > 0)
        memcpy(at, data, length);
    buffer->length += length;
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_zero(struct buffer *buffer, size_t length)
{
    uint8_t *at = buffer_reserve(buffer, length);

    if (length > 0)
        memset(at, 0, length);
    buffer->length += length;
}

void buffer_u8(struct buffer *buffer, uint8_t value)
{
    buffer_append(buffer, &value, 1);
}

void buffer_u16(struct buffer *buffer, uint16_t value)
{
    bytes_put_u16(buffer_reserve(buffer, 2), value);
    buffer->length += 2;
}

void buffer_u32(struct buffer *buffer, uint32_t value)
{
    bytes_put_u32(buffer_reserve(buffer, 4), value);
    buffer->length += 4;
}

void buffer_u64(struct buffer *buffer, uint64_t value)
{
    bytes_put_u64(buffer_reserve(buffer, 8), value);
    buffer->length += 8;
}

void buffer_string(struct buffer *buffer, const void *data, size_t length)
{
    ASSERT(length <= UINT32_MAX);
    buffer_u32(buffer, (uint32_t)length);
    buffer_append(buffer, data, length);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    ASSERT(length >= 0);

    char *at = (char *)buffer_reserve(buffer, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(at, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->length += (size_t)length;
}
