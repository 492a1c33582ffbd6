// SPDX-License-Identifier: Apache-2.0
// Readers fail once and for good; buffers grow; integers are little-endian.
#include "base/bytes.h"

#include <string.h>

#include "tests/unit/cmocka_test.h"

static void integers_are_little_endian(void **state)
{
    struct buffer buffer = {0};
    static const uint8_t expected[] = {0x01, 0x02, 0x03, 0x07, 0x06, 0x05, 0x04, 0x0f,
                                       0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08};

    (void)state;
    buffer_u8(&buffer, 0x01);
    buffer_u16(&buffer, 0x0302);
    buffer_u32(&buffer, 0x04050607);
    buffer_u64(&buffer, 0x08090a0b0c0d0e0f);
    assert_int_equal(buffer.length, sizeof expected);
    assert_memory_equal(buffer.data, expected, sizeof expected);
    buffer_deinit(&buffer);
}

static void reader_returns_what_was_written(void **state)
{
    struct buffer buffer = {0};
    struct reader reader;
    size_t length;

    (void)state;
    buffer_u64(&buffer, UINT64_MAX - 1);
    buffer_string(&buffer, "name", 4);
    reader_init(&reader, buffer.data, buffer.length);
    assert_true(reader_u64(&reader) == UINT64_MAX - 1);
    assert_memory_equal(reader_string(&reader, 4, &length), "name", 4);
    assert_int_equal(length, 4);
    assert_true(reader_done(&reader));
    buffer_deinit(&buffer);
}

static void reader_failure_is_sticky(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5};
    struct reader reader;

    (void)state;
    reader_init(&reader, bytes, sizeof bytes);
    assert_int_equal(reader_u64(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(reader_u8(&reader), 0);
    assert_false(reader_done(&reader));
}

static void reader_is_not_done_while_bytes_are_left(void **state)
{
    static const uint8_t bytes[] = {1, 2};
    struct reader reader;

    (void)state;
    reader_init(&reader, bytes, sizeof bytes);
    reader_u8(&reader);
    assert_false(reader_done(&reader));
    assert_int_equal(reader_left(&reader), 1);
}

static void string_longer_than_allowed_fails(void **state)
{
    struct buffer buffer = {0};
    struct reader reader;
    size_t length;

    (void)state;
    buffer_string(&buffer, "12345", 5);
    reader_init(&reader, buffer.data, buffer.length);
    assert_null(reader_string(&reader, 4, &length));
    assert_true(reader.failed);
    buffer_deinit(&buffer);
}

static void buffer_printf_appends_without_a_nul(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_text(&buffer, "a");
    buffer_printf(&buffer, "%d-%s", 7, "b");
    assert_int_equal(buffer.length, 4);
    assert_memory_equal(buffer.data, "a7-b", 4);
    buffer_deinit(&buffer);
}

static void big_endian_order_is_numeric_order(void **state)
{
    uint8_t small[8], large[8];

    (void)state;
    bytes_put_u64_be(small, 255);
    bytes_put_u64_be(large, 256);
    assert_true(memcmp(small, large, 8) < 0);
    assert_true(bytes_get_u64_be(large) == 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(reader_returns_what_was_written),
        cmocka_unit_test(reader_failure_is_sticky),
        cmocka_unit_test(reader_is_not_done_while_bytes_are_left),
        cmocka_unit_test(string_longer_than_allowed_fails),
        cmocka_unit_test(buffer_printf_appends_without_a_nul),
        cmocka_unit_test(big_endian_order_is_numeric_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
