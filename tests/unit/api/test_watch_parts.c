// SPDX-License-Identifier: Apache-2.0
// The pure parts of watching: tree order and filters, ids, events as text, deadlines, and what the first
// bytes of a connection say.
#include "tests/unit/api/check.h"

#include <stdlib.h>

#include "api/accept.h"
#include "api/deadlines.h"
#include "api/event.h"
#include "api/filter.h"
#include "api/newcomers.h"

// ---- Tree order and filters --------------------------------------------------------------------

static struct filter_path path_of(const char *text)
{
    return (struct filter_path){.path = text, .length = strlen(text)};
}

static void filter_order_is_that_of_a_listing(void **state)
{
    static const char *const listed[] = {"/",     "/a",   "/a/b",     "/a/b/c", "/a/c",
                                         "/a b",  "/a!x", "/a-",      "/a.b",   "/a0",
                                         "/aa/z", "/b",   "/\xc3\xa4"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(listed); i++) {
        for (size_t j = 0; j < COUNT_OF(listed); j++) {
            int order = filter_order(listed[i], strlen(listed[i]), listed[j], strlen(listed[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static long find(const struct filter *filter, const char *path)
{
    return filter_find(filter, path, strlen(path));
}

static void filter_of_single_nodes_finds_those_alone(void **state)
{
    struct filter_path paths[] = {path_of("/b"), path_of("/a"), path_of("/a/b"), path_of("/a")};
    struct filter filter;

    (void)state;
    filter_init(&filter, paths, COUNT_OF(paths), false);
    assert_int_equal(filter.count, 3);
    assert_int_equal(find(&filter, "/a"), 0);
    assert_int_equal(find(&filter, "/a/b"), 1);
    assert_int_equal(find(&filter, "/b"), 2);
    assert_int_equal(find(&filter, "/"), FILTER_NONE);
    assert_int_equal(find(&filter, "/a/c"), FILTER_NONE);
    assert_int_equal(find(&filter, "/bb"), FILTER_NONE);
    filter_deinit(&filter);
}

static void filter_of_trees_drops_what_is_covered(void **state)
{
    struct filter_path paths[] = {path_of("/a/b/c"), path_of("/a-"), path_of("/a"), path_of("/a/z"),
                                  path_of("/c/d")};
    struct filter filter;

    (void)state;
    filter_init(&filter, paths, COUNT_OF(paths), true);
    assert_int_equal(filter.count, 3);
    assert_int_equal(find(&filter, "/a"), 0);
    assert_int_equal(find(&filter, "/a/zz/y"), 0);
    assert_int_equal(find(&filter, "/a-"), 1);
    assert_int_equal(find(&filter, "/a-/x"), 1);
    assert_int_equal(find(&filter, "/a-x"), FILTER_NONE);
    assert_int_equal(find(&filter, "/ab"), FILTER_NONE);
    assert_int_equal(find(&filter, "/c"), FILTER_NONE);
    assert_int_equal(find(&filter, "/c/d/e"), 2);
    filter_deinit(&filter);
}

static void filter_of_the_root_covers_everything(void **state)
{
    struct filter_path paths[] = {path_of("/x"), path_of("/")};
    struct filter filter;

    (void)state;
    filter_init(&filter, paths, COUNT_OF(paths), true);
    assert_int_equal(filter.count, 1);
    assert_int_equal(find(&filter, "/"), 0);
    assert_int_equal(find(&filter, "/any/where"), 0);
    filter_deinit(&filter);
}

// ---- Ids ---------------------------------------------------------------------------------------

static void event_id_is_read_as_it_was_written(void **state)
{
    static const uint8_t cluster[16] = {0x0f, 0x1c, 0x2a, 0xf5, 0xff};
    static const uint64_t zxids[] = {0, 1, 12345678, (UINT64_C(1) << 53) - 1};
    char text[EVENT_ID_MAX];
    struct event_id id;

    (void)state;
    assert_int_equal(event_id_tag(cluster), 0x0f1c2af5);
    for (size_t i = 0; i < COUNT_OF(zxids); i++) {
        event_id_write(text, 0x0f1c2af5, zxids[i]);
        assert_true(event_id_parse(text, &id));
        assert_true(id.has_tag && id.tag == 0x0f1c2af5 && id.zxid == zxids[i]);
    }
    assert_true(event_id_parse("12345678", &id));
    assert_true(!id.has_tag && id.zxid == 12345678);
}

static void event_id_refuses_anything_else(void **state)
{
    static const char *const wrong[] = {"",
                                        ".",
                                        "0f1c2af5",
                                        "0f1c2af5.",
                                        "0f1c2af.1",
                                        "0f1c2af50.1",
                                        "0F1C2AF5.1",
                                        "0f1c2af5.x",
                                        "0f1c2af5.1 ",
                                        "-1",
                                        "1.5",
                                        "9007199254740992",
                                        "0f1c2af5.99999999999999999"};
    struct event_id id;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(event_id_parse(wrong[i], &id));
}

// ---- Events as text ----------------------------------------------------------------------------

static void expect_text(struct buffer *text, const char *expected)
{
    buffer_u8(text, '\0');
    assert_string_equal((const char *)text->data, expected);
    buffer_deinit(text);
    *text = (struct buffer){0};
}

static void event_has_an_id_only_when_closed_with_one(void **state)
{
    struct buffer text = {0};
    struct event_writer writer = {.tag = 0xabc, .into = &text};

    (void)state;
    event_open(&writer, "created", "/a\n", 3, 7);
    event_open(&writer, "deleted", "/b", 2, 7);
    event_close(&writer, true);
    event_close(&writer, true);
    expect_text(&text,
                "event: created\ndata: {\"event\":\"created\",\"path\":\"/a\\n\",\"zxid\":7}\n\n"
                "event: deleted\ndata: {\"event\":\"deleted\",\"path\":\"/b\",\"zxid\":7}\n"
                "id: 00000abc.7\n\n");
}

static void event_lines_are_objects(void **state)
{
    struct buffer text = {0};
    struct event_writer writer = {.tag = 0xabc, .lines = true, .into = &text};

    (void)state;
    event_retry(&writer, 500);
    event_open(&writer, "bookmark", NULL, 0, 7);
    event_close(&writer, true);
    event_comment(&writer);
    event_open(&writer, "changed", "/b", 2, 8);
    event_data(&writer, (const uint8_t *)"\xff", 1, false);
    event_close(&writer, false);
    expect_text(&text,
                "{\"event\":\"bookmark\",\"zxid\":7,\"id\":\"00000abc.7\"}\n"
                "{\"event\":\"heartbeat\"}\n"
                "{\"event\":\"changed\",\"path\":\"/b\",\"zxid\":8,\"data\":\"/w==\","
                "\"encoding\":\"base64\"}\n");
}

static void event_problem_is_a_problem(void **state)
{
    struct buffer text = {0};
    struct event_writer writer = {.into = &text};

    (void)state;
    event_problem(&writer, ERROR_CORRUPT, "why", 9, "r-1");
    buffer_u8(&text, '\0');
    assert_contains((const char *)text.data,
                    "event: problem\ndata: {\"event\":\"problem\",\"type\":"
                    "\"/problems/corrupt\"");
    assert_contains((const char *)text.data, "\"zxid\":9,\"request_id\":\"r-1\"}\n\n");
    buffer_deinit(&text);
}

static void accept_of_lines_must_be_wanted_more(void **state)
{
    (void)state;
    assert_true(accept_prefers_lines("application/x-ndjson"));
    assert_true(accept_prefers_lines("text/event-stream;q=0.5, application/x-ndjson"));
    assert_false(accept_prefers_lines("text/event-stream, application/x-ndjson"));
    assert_false(accept_prefers_lines("*/*"));
    assert_false(accept_prefers_lines(NULL));
}

// ---- Deadlines ---------------------------------------------------------------------------------

enum { ITEMS = 500 };

static void deadlines_come_in_order_and_can_be_taken_out(void **state)
{
    struct deadline items[ITEMS] = {0};
    struct deadlines heap = {0};
    uint64_t random = 1, last = 0;
    size_t left = 0;

    (void)state;
    for (size_t i = 0; i < ITEMS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        items[i].at_ns = random >> 56;
        deadlines_add(&heap, &items[i]);
    }
    for (size_t i = 0; i < ITEMS; i += 3) {
        deadlines_remove(&heap, &items[i]);
        deadlines_remove(&heap, &items[i]);
    }
    for (struct deadline *item; (item = deadlines_first(&heap)) != NULL; left++) {
        assert_true(item->at_ns >= last);
        assert_true((item - items) % 3 != 0);
        last = item->at_ns;
        deadlines_remove(&heap, item);
    }
    assert_int_equal(left, ITEMS - (ITEMS + 2) / 3);
    deadlines_deinit(&heap);
}

// ---- Newcomers ---------------------------------------------------------------------------------

static enum newcomer_kind judge(const char *bytes)
{
    return newcomer_judge(bytes, strlen(bytes));
}

static void newcomer_is_judged_by_its_first_line(void **state)
{
    static const char *const watches[] = {"GET /v1/watch HTTP/1.1\r\n",
                                          "GET /v1/watch/a?data HTTP/1.1\r\nHost: x\r\n\r\n"};
    static const char *const waits[] = {"GET /v1/sessions/0x1/stream HTTP/1.1\r\n",
                                        "GET /v1/znodes/a?wait=3s HTTP/1.1\r\n",
                                        "GET /v1/znodes/a?raw&wait=3s HTTP/1.1\r\n"};
    static const char *const usual[] = {"PUT /",
                                        "GET /livez",
                                        "GET /v1/znodes/a HTTP/1.1\r\n",
                                        "GET /v1/znodes/wait=1 HTTP/1.1\r\nA: ?wait=1\r\n",
                                        "GET /v1/sessions/0x1 HTTP/1.1\r\nA: /stream\r\n",
                                        "\r\n"};
    static const char *const unknown[] = {"", "G", "GET /v1/", "GET /v1/watch/a HTTP/1.1"};
    char large[NEWCOMER_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(watches); i++)
        assert_int_equal(judge(watches[i]), NEWCOMER_WATCHES);
    for (size_t i = 0; i < COUNT_OF(waits); i++)
        assert_int_equal(judge(waits[i]), NEWCOMER_WAITS);
    for (size_t i = 0; i < COUNT_OF(usual); i++)
        assert_int_equal(judge(usual[i]), NEWCOMER_USUAL);
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_int_equal(judge(unknown[i]), NEWCOMER_UNKNOWN);
    memset(large, 'x', sizeof large);
    memcpy(large, "GET /v1/watch?", 14);
    assert_int_equal(newcomer_judge(large, sizeof large), NEWCOMER_WATCHES);
    memcpy(large, "GET /v1/znode", 13);
    assert_int_equal(newcomer_judge(large, sizeof large), NEWCOMER_USUAL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_order_is_that_of_a_listing),
        cmocka_unit_test(filter_of_single_nodes_finds_those_alone),
        cmocka_unit_test(filter_of_trees_drops_what_is_covered),
        cmocka_unit_test(filter_of_the_root_covers_everything),
        cmocka_unit_test(event_id_is_read_as_it_was_written),
        cmocka_unit_test(event_id_refuses_anything_else),
        cmocka_unit_test(event_has_an_id_only_when_closed_with_one),
        cmocka_unit_test(event_lines_are_objects),
        cmocka_unit_test(event_problem_is_a_problem),
        cmocka_unit_test(accept_of_lines_must_be_wanted_more),
        cmocka_unit_test(deadlines_come_in_order_and_can_be_taken_out),
        cmocka_unit_test(newcomer_is_judged_by_its_first_line),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
