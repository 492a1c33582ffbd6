// SPDX-License-Identifier: Apache-2.0
// The codecs: frames out of bytes that come in any pieces, introductions.
#include <stdlib.h>
#include <string.h>

#include "paxos/net/frame.h"
#include "paxos/net/hello.h"
#include "paxos/net/outbox.h"
#include "tests/unit/cmocka_test.h"

static void put(struct buffer *into, uint8_t type, const void *body, size_t length)
{
    uint8_t header[FRAME_HEADER_BYTES];

    frame_seal(header, type, body, length);
    buffer_append(into, header, sizeof header);
    buffer_append(into, body, length);
}

static void fill_stream(struct buffer *stream)
{
    put(stream, FRAME_HELLO, "hello", 5);
    put(stream, FRAME_DATA, "", 0);
    put(stream, FRAME_DATA, "abcdefghijklmnopqrstuvwxyz", 26);
    put(stream, FRAME_REFUSAL, "no", 2);
}

// Reads a stream in pieces and puts the frames together again; gives what the last call returned.
static enum frame_result copy_in_pieces(const struct buffer *stream, size_t piece, size_t data_max,
                                        struct buffer *copy)
{
    struct frame_reader reader = {.data_max = data_max};
    enum frame_result result = FRAME_MORE;
    struct frame frame;

    for (size_t at = 0; at < stream->length && result != FRAME_BAD; at += piece) {
        const uint8_t *data = stream->data + at;
        size_t length = stream->length - at < piece ? stream->length - at : piece;
        while ((result = frame_next(&reader, &data, &length, &frame)) == FRAME_READY)
            put(copy, frame.type, frame.body, frame.length);
        if (result == FRAME_BAD)
            assert_non_null(reader.problem);
        else
            assert_int_equal(length, 0);
    }
    frame_reader_deinit(&reader);
    return result;
}

static void frames_come_out_of_any_pieces(void **state)
{
    struct buffer stream = {0}, copy = {0};

    (void)state;
    fill_stream(&stream);
    for (size_t piece = 1; piece <= stream.length; piece++) {
        buffer_clear(&copy);
        assert_int_equal(copy_in_pieces(&stream, piece, 26, &copy), FRAME_MORE);
        assert_int_equal(copy.length, stream.length);
        assert_memory_equal(copy.data, stream.data, stream.length);
    }
    buffer_deinit(&stream);
    buffer_deinit(&copy);
}

static void every_damaged_bit_is_found(void **state)
{
    struct buffer stream = {0}, copy = {0};

    (void)state;
    fill_stream(&stream);
    for (size_t bit = 0; bit < stream.length * 8; bit++) {
        stream.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        for (size_t piece = 5; piece < 200; piece += 190) {
            buffer_clear(&copy);
            assert_int_equal(copy_in_pieces(&stream, piece, 1 << 20, &copy), FRAME_BAD);
        }
        stream.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buffer_deinit(&stream);
    buffer_deinit(&copy);
}

static void limits_hold(void **state)
{
    struct buffer stream = {0}, copy = {0};
    uint8_t large[FRAME_SMALL_MAX + 1] = {0};

    (void)state;
    fill_stream(&stream);
    assert_int_equal(copy_in_pieces(&stream, 7, 25, &copy), FRAME_BAD);
    assert_int_equal(copy_in_pieces(&stream, 7, 0, &copy), FRAME_BAD);
    buffer_clear(&stream);
    put(&stream, FRAME_HELLO, large, sizeof large);
    assert_int_equal(copy_in_pieces(&stream, 7, 1 << 20, &copy), FRAME_BAD);
    buffer_clear(&stream);
    put(&stream, FRAME_REFUSAL + 1, large, 1);
    assert_int_equal(copy_in_pieces(&stream, 7, 1 << 20, &copy), FRAME_BAD);
    buffer_deinit(&stream);
    buffer_deinit(&copy);
}

static struct introduction sample(void)
{
    struct introduction introduction = {.serial = 99};

    introduction.hello = (struct hello){.protocol = PEER_PROTOCOL,
                                        .node = 2,
                                        .to = 1,
                                        .boot = 5,
                                        .run = 6,
                                        .epoch = 7,
                                        .members = {8, 9}};
    memset(introduction.hello.cluster, 'c', 16);
    memset(introduction.hello.incarnation, 'i', 16);
    return introduction;
}

static void introductions_survive_the_wire(void **state)
{
    struct introduction introduction = sample(), back;
    struct buffer wire = {0}, again = {0};

    (void)state;
    hello_encode(&wire, &introduction);
    assert_true(hello_decode(wire.data, wire.length, &back));
    assert_int_equal(back.hello.members.high, 9);
    assert_int_equal(back.hello.to, 1);
    hello_encode(&again, &back);
    assert_int_equal(again.length, wire.length);
    assert_memory_equal(again.data, wire.data, wire.length);
    for (size_t length = 0; length < wire.length; length++)
        assert_false(hello_decode(wire.data, length, &back));
    buffer_u8(&wire, 0);
    assert_false(hello_decode(wire.data, wire.length, &back));
    // Of another protocol nothing else is believed.
    bytes_put_u32(wire.data, PEER_PROTOCOL + 1);
    assert_true(hello_decode(wire.data, wire.length, &back));
    assert_int_equal(back.hello.protocol, PEER_PROTOCOL + 1);
    assert_int_equal(back.hello.node, 0);
    buffer_deinit(&wire);
    buffer_deinit(&again);
}

static void misdirected_introductions_do_not_suit(void **state)
{
    const struct peer_address others[] = {{.node = 2}, {.node = 3}};
    const struct hello own = {.protocol = PEER_PROTOCOL, .node = 1};
    struct hello theirs = sample().hello;
    char sentence[SENTENCE_MAX];

    (void)state;
    assert_true(hello_suits(&own, &theirs, 0, others, 2, sentence));
    assert_true(hello_suits(&own, &theirs, 2, others, 2, sentence));
    assert_false(hello_suits(&own, &theirs, 3, others, 2, sentence));
    assert_non_null(strstr(sentence, "node 1 has node 2's address for node 3"));
    theirs.to = 3;
    assert_false(hello_suits(&own, &theirs, 0, others, 2, sentence));
    assert_non_null(strstr(sentence, "node 2 has node 1's address for node 3"));
    theirs.to = 1;
    assert_false(hello_suits(&own, &theirs, 0, others + 1, 1, sentence));
    assert_non_null(strstr(sentence, "node 2 is not among"));
    theirs.node = 1;
    assert_false(hello_suits(&own, &theirs, 0, others, 2, sentence));
    assert_non_null(strstr(sentence, "both have the id 1"));
    theirs = sample().hello;
    theirs.protocol = 0;
    assert_false(hello_suits(&own, &theirs, 0, others, 2, sentence));
    assert_non_null(strstr(sentence, "protocol 0"));
}

static void an_outbox_keeps_order(void **state)
{
    struct outbox outbox = {0};
    uint8_t in[1000], out[1500];
    uint8_t next_in = 0, next_out = 0;

    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        size_t put_in = round * 37 % sizeof in, wanted = round * 53 % sizeof out;
        for (size_t i = 0; i < put_in; i++)
            in[i] = next_in++;
        outbox_append(&outbox, in, put_in);
        size_t before = outbox_length(&outbox);
        size_t taken = outbox_take(&outbox, out, wanted);
        assert_int_equal(taken, before < wanted ? before : wanted);
        assert_int_equal(outbox_length(&outbox), before - taken);
        for (size_t i = 0; i < taken; i++)
            assert_int_equal(out[i], next_out++);
    }
    outbox_deinit(&outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_of_any_pieces),
        cmocka_unit_test(every_damaged_bit_is_found),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(introductions_survive_the_wire),
        cmocka_unit_test(misdirected_introductions_do_not_suit),
        cmocka_unit_test(an_outbox_keeps_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
