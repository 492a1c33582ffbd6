// SPDX-License-Identifier: Apache-2.0
// Two sessions that talk through memory: what the sockets of other tests are too slow for.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "paxos/net/session.h"
#include "tests/unit/cmocka_test.h"

struct talk {
    struct session *dialler, *listener;
    unsigned hellos, frames;
    size_t bytes;
    bool refuses;
    char refused[SENTENCE_MAX];
};

static const struct introduction nobody = {.hello = {.protocol = PEER_PROTOCOL}};

static void on_hello(void *context, enum peer_channel channel,
                     const struct introduction *introduction)
{
    struct talk *talk = context;

    (void)channel;
    talk->hellos++;
    if (talk->hellos == 1 && talk->refuses)
        session_refuse(talk->listener, "no room");
    else if (talk->hellos == 1)
        session_introduce(talk->listener, introduction);
}

static void on_frame(void *context, const void *data, size_t length)
{
    struct talk *talk = context;

    (void)data;
    talk->frames++;
    talk->bytes += length;
}

static void on_refused(void *context, const char *sentence)
{
    struct talk *talk = context;

    memcpy(talk->refused, sentence, strlen(sentence) + 1);
}

static const struct session_events events = {
    .hello = on_hello,
    .frame = on_frame,
    .refused = on_refused,
};

static int setup(void **state)
{
    struct talk *talk = memory_zalloc(sizeof *talk);

    talk->dialler = session_dial(PEER_BULK, "node:1", false, &events, talk);
    talk->listener = session_accept(2, &events, talk);
    session_introduce(talk->dialler, &nobody);
    *state = talk;
    return 0;
}

static int teardown(void **state)
{
    struct talk *talk = *state;

    session_free(talk->dialler);
    session_free(talk->listener);
    free(talk);
    return 0;
}

// Carries over what one has to say; gives how much that was.
static size_t carry(struct session *from, struct session *to, bool *useful)
{
    struct buffer bytes = {0};

    *useful = session_pull(from, &bytes, 256 << 10) && *useful;
    if (bytes.length > 0)
        *useful = session_receive(to, bytes.data, bytes.length) && *useful;
    size_t length = bytes.length;
    buffer_deinit(&bytes);
    return length;
}

static bool converse(struct talk *talk)
{
    bool useful = true;

    while (useful && carry(talk->dialler, talk->listener, &useful) +
                             carry(talk->listener, talk->dialler, &useful) >
                         0)
        ;
    return useful;
}

static void frames_cross_and_windows_open_again(void **state)
{
    struct talk *talk = *state;
    const size_t each = 5 << 20;
    uint8_t *data = memory_zalloc(each);

    assert_true(converse(talk));
    assert_int_equal(talk->hellos, 2);
    for (unsigned i = 0; i < 20; i++) {
        session_send(talk->dialler, data, each);
        assert_true(converse(talk));
        assert_int_equal(session_queued(talk->dialler), 0);
    }
    assert_int_equal(talk->frames, 20);
    assert_int_equal(talk->bytes, 20 * each);
    free(data);
}

// However long a conversation lasts, what belongs to it never ends it.
static void data_pay_for_what_is_no_data(void **state)
{
    static const uint8_t window_update[] = {0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    struct talk *talk = *state;
    uint8_t data[1000] = {0};

    assert_true(converse(talk));
    for (unsigned i = 0; i < 5000; i++) {
        session_send(talk->dialler, data, sizeof data);
        assert_true(converse(talk));
        assert_true(session_receive(talk->dialler, window_update, sizeof window_update));
        assert_true(session_receive(talk->listener, window_update, sizeof window_update));
    }
    assert_int_equal(talk->frames, 5000);
    bool useful = true;
    for (unsigned i = 0; i < 5000 && useful; i++)
        useful = session_receive(talk->dialler, window_update, sizeof window_update);
    assert_false(useful);
    assert_non_null(session_problem(talk->dialler));
}

static void a_refusal_ends_the_conversation(void **state)
{
    struct talk *talk = *state;

    talk->refuses = true;
    assert_false(converse(talk));
    assert_string_equal(talk->refused, "no room");
    assert_int_equal(talk->hellos, 1);
    assert_null(session_problem(talk->dialler));
}

static void a_goodbye_is_heard(void **state)
{
    struct talk *talk = *state;

    assert_true(converse(talk));
    assert_false(session_farewell(talk->listener));
    session_goodbye(talk->dialler);
    converse(talk);
    assert_true(session_farewell(talk->listener));
    assert_false(session_farewell(talk->dialler));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_cross_and_windows_open_again),
        TEST(data_pay_for_what_is_no_data),
        TEST(a_refusal_ends_the_conversation),
        TEST(a_goodbye_is_heard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
