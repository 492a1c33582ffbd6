// SPDX-License-Identifier: Apache-2.0
// Frames of touches: round trip, and refusal of everything else.
#include "server/touch_frame.h"

#include <string.h>

#include "base/hash.h"
#include "server/forward.h"
#include "tests/unit/cmocka_test.h"

static const uint64_t three[] = {1, 1ull << 40, UINT64_MAX};
static uint64_t ids[TOUCH_IDS_MAX];

static struct touch_frame frame_of(uint32_t count)
{
    return (struct touch_frame){.kind = FRAME_TOUCH,
                                .ballot = {.round = 1ull << 33, .node = 3},
                                .number = 1ull << 34,
                                .count = count};
}

static void check_round_trip(const struct touch_frame *frame, const uint64_t *from)
{
    struct touch_frame back;
    struct buffer bytes = {0};

    touch_frame_encode(&bytes, frame, from);
    assert_int_equal(touch_frame_decode(bytes.data, bytes.length, &back, ids), ERROR_OK);
    assert_int_equal(back.kind, frame->kind);
    assert_int_equal(ballot_compare(back.ballot, frame->ballot), 0);
    assert_int_equal(back.number, frame->number);
    assert_int_equal(back.count, frame->count);
    assert_memory_equal(ids, from, frame->count * sizeof *from);
    buffer_deinit(&bytes);
}

static void frames_come_back(void **state)
{
    static uint64_t many[TOUCH_IDS_MAX];
    struct touch_frame frame = frame_of(3);

    (void)state;
    check_round_trip(&frame, three);
    frame.kind = FRAME_TOUCHED;
    frame.count = 1;
    check_round_trip(&frame, three);
    memset(many, 7, sizeof many);
    frame.count = TOUCH_IDS_MAX;
    check_round_trip(&frame, many);
}

// With a checksum that fits.
static enum error decode_changed(size_t at, uint8_t value, size_t cut)
{
    struct touch_frame frame = frame_of(3);
    struct buffer bytes = {0};

    touch_frame_encode(&bytes, &frame, three);
    bytes.data[at] = value;
    bytes.length -= 8 + cut;
    buffer_u64(&bytes, hash64(bytes.data, bytes.length, 0));
    enum error error = touch_frame_decode(bytes.data, bytes.length, &frame, ids);
    buffer_deinit(&bytes);
    return error;
}

static void malformed_frames_are_refused(void **state)
{
    enum { KIND = 0, COUNT = 19, FIRST = 23 };

    (void)state;
    assert_int_equal(decode_changed(FIRST, 2, 0), ERROR_OK);
    assert_int_equal(decode_changed(KIND, FRAME_REPORT, 0), ERROR_CORRUPT);
    assert_int_equal(decode_changed(COUNT, 0, 0), ERROR_CORRUPT);
    assert_int_equal(decode_changed(COUNT, 2, 0), ERROR_CORRUPT);
    assert_int_equal(decode_changed(COUNT, 4, 0), ERROR_CORRUPT);
    assert_int_equal(decode_changed(COUNT + 2, 1, 0), ERROR_CORRUPT);
    assert_int_equal(decode_changed(FIRST, 0, 0), ERROR_CORRUPT); // the id 0
    for (size_t cut = 1; cut < 40; cut++)
        assert_int_equal(decode_changed(KIND, FRAME_TOUCH, cut), ERROR_CORRUPT);
}

static void damage_is_noticed(void **state)
{
    struct touch_frame frame = frame_of(3), back;
    struct buffer bytes = {0};

    (void)state;
    touch_frame_encode(&bytes, &frame, three);
    for (size_t i = 0; i < bytes.length; i++) {
        bytes.data[i] ^= 1;
        assert_int_equal(touch_frame_decode(bytes.data, bytes.length, &back, ids), ERROR_CORRUPT);
        assert_int_equal(touch_frame_decode(bytes.data, i, &back, ids), ERROR_CORRUPT);
        bytes.data[i] ^= 1;
    }
    buffer_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_back),
        cmocka_unit_test(malformed_frames_are_refused),
        cmocka_unit_test(damage_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
