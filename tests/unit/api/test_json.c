// SPDX-License-Identifier: Apache-2.0
// The JSON writer, and what the strict reader lets pass and what not.
#include "tests/unit/api/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/json_reader.h"
#include "api/json_writer.h"

enum { DEPTH = 4 };

static void assert_written(const char *text, size_t length, const char *expected)
{
    struct buffer buffer = {0};
    struct json_writer json = {.into = &buffer};

    json_text(&json, text, length);
    assert_int_equal(buffer.length, strlen(expected));
    assert_memory_equal(buffer.data, expected, buffer.length);
    buffer_deinit(&buffer);
}

static void writer_escapes_what_json_demands(void **state)
{
    (void)state;
    assert_written("", 0, "\"\"");
    assert_written(NULL, 0, "\"\"");
    assert_written("a/b", 3, "\"a/b\"");
    assert_written("\"\\\b\f\n\r\t", 7, "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
    assert_written("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"");
    assert_written("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

// The writer looks at eight bytes at a time where it can.
static void writer_sees_every_byte_at_every_place(void **state)
{
    char text[17], escaped[8], expected[64];

    (void)state;
    for (unsigned byte = 1; byte < 0x80; byte++) {
        snprintf(escaped, sizeof escaped, byte < 0x20 ? "\\u%04x" : "%c", byte);
        const char *special = strchr("\bb\ff\nn\rr\tt\"\"\\\\", (int)byte);
        if (special != NULL && (byte < 0x20 || byte == '"' || byte == '\\'))
            snprintf(escaped, sizeof escaped, "\\%c", special[1]);
        for (int place = 0; place < 16; place++) {
            memset(text, 'z', 16);
            text[16] = '\0';
            text[place] = (char)byte;
            snprintf(expected, sizeof expected, "\"%.*s%s%s\"", place, text, escaped,
                     text + place + 1);
            assert_written(text, 16, expected);
        }
    }
}

static void writer_replaces_what_is_not_utf8(void **state)
{
    (void)state;
    assert_written(
        "a\xff"
        "b",
        3,
        "\"a\xef\xbf\xbd"
        "b\"");
    assert_written("\xc3", 1, "\"\xef\xbf\xbd\"");
}

static void writer_places_commas(void **state)
{
    static const char expected[] =
        "{\"a\":1,\"b\":[true,null,-5,\"x\"],\"c\":{},\"d\":18446744073709551615}\n";
    struct buffer buffer = {0};
    struct json_writer json = {.into = &buffer};

    (void)state;
    json_open(&json, '{');
    json_key(&json, "a");
    json_number(&json, 1);
    json_key(&json, "b");
    json_open(&json, '[');
    json_boolean(&json, true);
    json_null(&json);
    json_integer(&json, -5);
    json_string(&json, "x");
    json_close(&json, ']');
    json_key(&json, "c");
    json_open(&json, '{');
    json_close(&json, '}');
    json_key(&json, "d");
    json_number(&json, UINT64_MAX);
    json_close(&json, '}');
    json_end(&json);
    assert_int_equal(buffer.length, strlen(expected));
    assert_memory_equal(buffer.data, expected, buffer.length);
    buffer_deinit(&buffer);
}

static enum error parse(const char *text, size_t length)
{
    struct json_document *document;
    struct problem problem = {0};

    enum error error = json_parse(text, length, DEPTH, &document, &problem);
    json_free(document);
    return error;
}

static void reader_takes_json(void **state)
{
    static const char *const good[] = {"{}",
                                       "[]",
                                       "[1,-0,2.5,1e9,-1.25E-3]",
                                       "{\"a\":{\"b\":[{}]}}",
                                       "\"\\ud83d\\ude00\\u0000\"",
                                       " \t\r\n{ \"a\" : null } ",
                                       "true",
                                       "7",
                                       "\"\"",
                                       "{\"a\":1,\"b\":{\"a\":2}}",
                                       "[\":\",\"{\",\"'NaN\"]"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (parse(good[i], strlen(good[i])) != ERROR_OK)
            fail_msg("refused: %s", good[i]);
    }
}

static void reader_refuses_what_is_not_json(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "{'a':1}",
                                      "['a']",
                                      "[NaN]",
                                      "[Infinity]",
                                      "[-Infinity]",
                                      "[1.]",
                                      "[.5]",
                                      "[01]",
                                      "[+1]",
                                      "[1e]",
                                      "[0x1]",
                                      "[tru]",
                                      "[TRUE]",
                                      "[nulll]",
                                      "[1]x",
                                      "[1][2]",
                                      "// c\n[1]",
                                      "[1 2]",
                                      "[\"\t\"]",
                                      "[\"\\x\"]",
                                      "[\"\\u12\"]",
                                      "[\"a]",
                                      "[\"\\ud800\"]",
                                      "[\"\\udc00\"]",
                                      "[\"\\ud800\\u0041\"]",
                                      "{\"a\\u0000b\":1}",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"a\":1,\"\\u0061\":2}",
                                      "[{\"x\":{\"b\":1,\"b\":1}}]",
                                      "]",
                                      "{]",
                                      "[\"\xc0\xaf\"]",
                                      "[\"\xed\xa0\x80\"]",
                                      "[\"\xff\"]",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      ",",
                                      ":"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (parse(bad[i], strlen(bad[i])) != ERROR_BAD_JSON)
            fail_msg("accepted: %s", bad[i]);
    }
    assert_int_equal(parse("[1]\0", 4), ERROR_BAD_JSON);
    assert_int_equal(parse("[\"a\0b\"]", 7), ERROR_BAD_JSON);
}

static void reader_limits_the_depth(void **state)
{
    (void)state;
    assert_int_equal(parse("[[[[1]]]]", 9), ERROR_OK);
    assert_int_equal(parse("[[[[[1]]]]]", 11), ERROR_BAD_JSON);
    assert_int_equal(parse("{\"a\":[{\"b\":[[1]]}]}", 19), ERROR_BAD_JSON);
}

static struct json_document *document_of(const char *text)
{
    struct json_document *document;
    struct problem problem = {0};

    assert_int_equal(json_parse(text, strlen(text), DEPTH, &document, &problem), ERROR_OK);
    return document;
}

static void reader_takes_numbers_only_of_the_exact_type_and_range(void **state)
{
    static const char *const bad[] = {"{\"n\":\"12\"}",
                                      "{\"n\":1.5}",
                                      "{\"n\":1.0}",
                                      "{\"n\":null}",
                                      "{\"n\":2147483648}",
                                      "{\"n\":true}",
                                      "{\"n\":99999999999999999999999}",
                                      "{\"n\":1e3}"};
    struct problem problem = {0};
    int32_t number = 7;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct json_document *document = document_of(bad[i]);
        assert_int_equal(json_get_int32(json_root(document), "n", "x", &number, &problem),
                         ERROR_BAD_JSON);
        assert_contains(problem.detail, "\"n\" of x must be");
        json_free(document);
    }
    struct json_document *document = document_of("{\"n\":-2147483648}");
    assert_int_equal(json_get_int32(json_root(document), "m", "x", &number, &problem), ERROR_OK);
    assert_int_equal(number, 7);
    assert_int_equal(json_get_int32(json_root(document), "n", "x", &number, &problem), ERROR_OK);
    assert_int_equal(number, INT32_MIN);
    json_free(document);
}

static void reader_names_the_unknown_member(void **state)
{
    static const char *const allowed[] = {"a", NULL};
    struct json_document *document = document_of("{\"a\":1,\"b\":2}");
    struct problem problem = {0};

    (void)state;
    assert_int_equal(json_check_object(json_root(document), allowed, "it", &problem),
                     ERROR_BAD_JSON);
    assert_string_equal(problem.detail, "it has the unknown member \"b\"");
    json_free(document);
}

static void reader_tells_null_from_absent_and_keeps_nul(void **state)
{
    struct json_document *document = document_of("{\"n\":null,\"s\":\"a\\u0000b\",\"i\":1}");
    struct json_object *root = json_root(document);
    struct json_string_value value = {0};
    struct problem problem = {0};
    enum json_presence presence;

    (void)state;
    assert_int_equal(json_get_string(root, "x", true, "it", &value, &presence, &problem), ERROR_OK);
    assert_int_equal(presence, JSON_ABSENT);
    assert_int_equal(json_get_string(root, "n", true, "it", &value, &presence, &problem), ERROR_OK);
    assert_int_equal(presence, JSON_NULL);
    assert_int_equal(json_get_string(root, "n", false, "it", &value, &presence, &problem),
                     ERROR_BAD_JSON);
    assert_int_equal(json_get_string(root, "i", true, "it", &value, &presence, &problem),
                     ERROR_BAD_JSON);
    assert_int_equal(json_get_string(root, "s", true, "it", &value, &presence, &problem), ERROR_OK);
    assert_int_equal(value.length, 3);
    assert_memory_equal(value.text, "a\0b", 3);
    json_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer_escapes_what_json_demands),
        cmocka_unit_test(writer_sees_every_byte_at_every_place),
        cmocka_unit_test(writer_replaces_what_is_not_utf8),
        cmocka_unit_test(writer_places_commas),
        cmocka_unit_test(reader_takes_json),
        cmocka_unit_test(reader_refuses_what_is_not_json),
        cmocka_unit_test(reader_limits_the_depth),
        cmocka_unit_test(reader_takes_numbers_only_of_the_exact_type_and_range),
        cmocka_unit_test(reader_names_the_unknown_member),
        cmocka_unit_test(reader_tells_null_from_absent_and_keeps_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
