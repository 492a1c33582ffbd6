// SPDX-License-Identifier: Apache-2.0
// Rules P1-P16 and T34, and the limits that are ours.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "storage/path.h"

struct vector {
    const char *rule;
    const char *path;
    size_t length; // 0: strlen
    bool legal;
};

static void check_vectors(const struct vector *vectors, size_t count,
                          enum error (*validate)(const char *, size_t, const char **))
{
    for (size_t i = 0; i < count; i++) {
        const char *reason = NULL;
        size_t length = vectors[i].length > 0 ? vectors[i].length : strlen(vectors[i].path);
        enum error error = validate(vectors[i].path, length, &reason);
        if ((error == ERROR_OK) != vectors[i].legal)
            fail_msg("%s: %s", vectors[i].rule, vectors[i].path);
        if (error != ERROR_OK) {
            assert_int_equal(error, ERROR_BAD_PATH);
            assert_non_null(reason);
        }
    }
}

static void path_validate_follows_P2_to_P12(void **context)
{
    static const struct vector vectors[] = {
        {"P2", "", 0, false},
        {"P3", "a", 0, false},
        {"P3", "a/b", 0, false},
        {"P4", "/", 0, true},
        {"P5", "/a/", 0, false},
        {"P5", "//", 0, false},
        {"P6", "/a\0b", 4, false},
        {"P7", "/a//b", 0, false},
        {"P7", "//a", 0, false},
        {"P8", "/.", 0, false},
        {"P8", "/./a", 0, false},
        {"P8", "/a/./b", 0, false},
        {"P8", "/a/.b", 0, true},
        {"P8", "/a/b.", 0, true},
        {"P9", "/..", 0, false},
        {"P9", "/a/../b", 0, false},
        {"P9", "/...", 0, true},
        {"P9", "/..a", 0, true},
        {"P9", "/a..", 0, true},
        {"P10", "/\x01", 0, false},
        {"P10", "/a\x1f", 0, false},
        {"P10", "/ ", 0, true},
        {"P10", "/a\x7e", 0, true},
        {"P10", "/a\x7f", 0, false},
        {"P10", "/a\xc2\x80", 0, false},
        {"P10", "/a\xc2\x9f", 0, false},
        {"P10", "/a\xc2\xa0", 0, true},
        {"P11", "/a\xed\x9f\xbf", 0, true},  // U+D7FF
        {"P11", "/a\xee\x80\x80", 0, false}, // U+E000
        {"P11", "/a\xef\xa3\xbf", 0, false}, // U+F8FF
        {"P11", "/a\xef\xa4\x80", 0, true},  // U+F900
        {"P11", "/\xf0\x9f\x98\x80", 0, false},
        {"P12", "/a\xef\xbf\xaf", 0, true},  // U+FFEF
        {"P12", "/a\xef\xbf\xb0", 0, false}, // U+FFF0
        {"P12", "/a\xef\xbf\xbd", 0, false}, // U+FFFD
        {"P12", "/a\xff", 0, false},
        {"P12", "/a\xc3", 0, false},
        {"P12", "/a\xc0\x80", 0, false},
        {"P15", "/A\xcc\x8a", 0, true},
        {"P16", "/zookeeper", 0, true},
        {"P16", "/a/zookeeper", 0, true},
    };

    (void)context;
    check_vectors(vectors, sizeof vectors / sizeof *vectors, path_validate);
}

static void P1_P2_no_bytes_are_no_path(void **context)
{
    (void)context;
    assert_int_equal(path_validate(NULL, 0, NULL), ERROR_BAD_PATH);
}

static void P13_prefix_is_checked_as_its_final_name(void **context)
{
    static const struct vector vectors[] = {
        {"P13", "/", 0, true},       {"P13", "/a/", 0, true},  {"P13", "/a/b-", 0, true},
        {"P13", "/.", 0, true},      {"P13", "/..", 0, true},  {"P13", "/a//", 0, false},
        {"P13", "//", 0, false},     {"P13", "/./", 0, false}, {"P13", "/../x", 0, false},
        {"P13", "/a\x1f", 0, false}, {"P13", "", 0, false},    {"P13", "a/", 0, false},
    };

    (void)context;
    check_vectors(vectors, sizeof vectors / sizeof *vectors, path_validate_prefix);
}

static void component_is_at_most_500_bytes(void **context)
{
    char path[600] = "/";

    (void)context;
    memset(path + 1, 'n', 501);
    assert_int_equal(path_validate(path, 501, NULL), ERROR_OK);
    assert_int_equal(path_validate(path, 502, NULL), ERROR_BAD_PATH);
    assert_int_equal(path_validate_prefix(path, 491, NULL), ERROR_OK);
    assert_int_equal(path_validate_prefix(path, 492, NULL), ERROR_BAD_PATH);
}

static void path_is_at_most_65535_bytes_and_any_depth(void **context)
{
    char *path = malloc(ZNODE_PATH_MAX + 1);

    (void)context;
    for (size_t i = 0; i <= ZNODE_PATH_MAX; i++)
        path[i] = i % 2 == 0 ? '/' : 'a';
    assert_int_equal(path_validate(path, 65534, NULL), ERROR_OK);
    path[65534] = 'b';
    assert_int_equal(path_validate(path, 65535, NULL), ERROR_OK);
    assert_int_equal(path_validate(path, 65536, NULL), ERROR_BAD_PATH);
    free(path);
}

static void parent_length_ends_before_the_last_slash(void **context)
{
    (void)context;
    assert_int_equal(path_parent_length("/", 1), 1);
    assert_int_equal(path_parent_length("/a", 2), 1);
    assert_int_equal(path_parent_length("/a/b", 4), 2);
    assert_int_equal(path_parent_length("/a/", 3), 2);
}

static void P25_special_and_reserved_paths(void **context)
{
    (void)context;
    assert_true(path_is_special("/", 1));
    assert_true(path_is_special("/zookeeper", 10));
    assert_true(path_is_special("/zookeeper/quota", 16));
    assert_true(path_is_special("/zookeeper/config", 17));
    assert_false(path_is_special("/zookeeper/x", 12));
    assert_false(path_is_special("/zookeeperx", 11));
    assert_true(path_is_reserved("/zookeeper", 10));
    assert_true(path_is_reserved("/zookeeper/quota/a", 18));
    assert_false(path_is_reserved("/zookeepers", 11));
    assert_false(path_is_reserved("/", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_validate_follows_P2_to_P12),
        cmocka_unit_test(P1_P2_no_bytes_are_no_path),
        cmocka_unit_test(P13_prefix_is_checked_as_its_final_name),
        cmocka_unit_test(component_is_at_most_500_bytes),
        cmocka_unit_test(path_is_at_most_65535_bytes_and_any_depth),
        cmocka_unit_test(parent_length_ends_before_the_last_slash),
        cmocka_unit_test(P25_special_and_reserved_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
