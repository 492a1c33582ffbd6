// SPDX-License-Identifier: Apache-2.0
// Raw request targets: splitting, and decoding into znode paths.
#include "tests/unit/api/check.h"

#include "api/percent.h"
#include "api/target.h"

static void assert_path(const char *rest, const char *expected, bool slash)
{
    struct buffer path = {0};
    struct problem problem = {0};
    bool trailing_slash;

    assert_int_equal(target_decode_path(rest, strlen(rest), &path, &trailing_slash, &problem),
                     ERROR_OK);
    assert_int_equal(path.length, strlen(expected));
    assert_memory_equal(path.data, expected, path.length);
    assert_int_equal(trailing_slash, slash);
    buffer_deinit(&path);
}

static void target_decodes_each_component_once(void **state)
{
    (void)state;
    assert_path("", "/", false);
    assert_path("/", "/", false);
    assert_path("/a", "/a", false);
    assert_path("/a/b", "/a/b", false);
    assert_path("/a%20b/%C3%A9", "/a b/\xc3\xa9", false);
    assert_path("/a+b", "/a+b", false);
    assert_path("/%2561", "/%61", false);
    assert_path("/a/", "/a/", true);
    assert_path("/a//b", "/a//b", false);
    assert_path("/%2e%2E", "/..", false);
}

static void assert_bad_path(const char *rest, const char *detail)
{
    struct buffer path = {0};
    struct problem problem = {0};
    bool trailing_slash;

    assert_int_equal(target_decode_path(rest, strlen(rest), &path, &trailing_slash, &problem),
                     ERROR_BAD_PATH);
    assert_contains(problem.detail, detail);
    buffer_deinit(&path);
}

static void target_refuses_what_would_change_its_meaning(void **state)
{
    (void)state;
    assert_bad_path("/a%2Fb", "encoded slash");
    assert_bad_path("/a%2fb", "encoded slash");
    assert_bad_path("/a%00", "encoded NUL");
    assert_bad_path("/a%", "% without two hexadecimal digits");
    assert_bad_path("/a%4", "% without two hexadecimal digits");
    assert_bad_path("/a%g0/b", "% without two hexadecimal digits");
    assert_bad_path("/a/%41%/b", "\"%41%\"");
    assert_bad_path("/%C0%AF", "not UTF-8");
    assert_bad_path("/%ED%A0%80", "not UTF-8");
    assert_bad_path("/%F4%90%80%80", "not UTF-8");
    assert_bad_path("/\xff", "not UTF-8");
    assert_bad_path("/%C3/%A9", "not UTF-8");
}

static void assert_split(const char *raw, const char *authority, const char *path,
                         const char *query)
{
    struct target target;
    struct problem problem = {0};

    assert_int_equal(target_split(raw, strlen(raw), &target, &problem), ERROR_OK);
    assert_int_equal(target.authority_length, strlen(authority));
    assert_memory_equal(target.authority != NULL ? target.authority : "", authority,
                        target.authority_length);
    assert_int_equal(target.path_length, strlen(path));
    assert_memory_equal(target.path, path, target.path_length);
    assert_int_equal(target.query_length, strlen(query));
    assert_memory_equal(target.query, query, target.query_length);
}

static void target_splits_into_its_parts(void **state)
{
    (void)state;
    assert_split("/", "", "/", "");
    assert_split("/a/b?c=d&e", "", "/a/b", "c=d&e");
    assert_split("/a?", "", "/a", "");
    assert_split("/a?b?c", "", "/a", "b?c");
    assert_split("http://host:1/a?b", "host:1", "/a", "b");
    assert_split("HTTP://host", "host", "/", "");
    assert_split("http://host?q", "host", "/", "q");
    assert_split("*", "", "*", "");
    assert_split("/http://host/", "", "/http://host/", "");
}

static void target_refuses_malformed_ones(void **state)
{
    static const char *const cases[] = {"",     "a",      "?a",    "host:80",    "/a b",    "/a\tb",
                                        "/a#b", "/a\x7f", "/\x01", "https://h/", "ftp://h", "**"};
    struct target target;
    struct problem problem = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(target_split(cases[i], strlen(cases[i]), &target, &problem),
                         ERROR_BAD_REQUEST);
}

static void percent_encoding_comes_back_the_same(void **state)
{
    static const char path[] = "/a b/\xc3\xa9+%?#&=\"<>\\^`{|}~-_.!$'()*,;:@";
    struct buffer encoded = {0};
    struct buffer decoded = {0};
    struct problem problem = {0};
    bool slash;

    (void)state;
    percent_encode_path(path, strlen(path), &encoded);
    for (size_t i = 0; i < encoded.length; i++)
        assert_true(encoded.data[i] > ' ' && encoded.data[i] < 0x7f);
    assert_int_equal(
        target_decode_path((const char *)encoded.data, encoded.length, &decoded, &slash, &problem),
        ERROR_OK);
    assert_int_equal(decoded.length, strlen(path));
    assert_memory_equal(decoded.data, path, decoded.length);
    buffer_deinit(&encoded);
    buffer_deinit(&decoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target_decodes_each_component_once),
        cmocka_unit_test(target_refuses_what_would_change_its_meaning),
        cmocka_unit_test(target_splits_into_its_parts),
        cmocka_unit_test(target_refuses_malformed_ones),
        cmocka_unit_test(percent_encoding_comes_back_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
