// SPDX-License-Identifier: Apache-2.0
// UTF-8 validation, the error table, hashes and quoting.
#include <string.h>

#include "base/errors.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/utf8.h"
#include "tests/unit/cmocka_test.h"

static void utf8_accepts_every_length(void **state)
{
    (void)state;
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("plain ascii, longer than eight", 30));
    assert_true(utf8_valid("\xc2\x80 \xe2\x82\xac \xf0\x9f\x98\x80", 11));
}

static void utf8_refuses_what_rfc_3629_refuses(void **state)
{
    static const char *const bad[] = {"\xc0\xaf",         "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xe2\x82",         "\x80",         "\xff",
                                      "\xf8\x88\x80\x80", "\xe0\x80\xaf", "12345678\xc3"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
}

static void utf8_next_leaves_its_place_at_bad_bytes(void **state)
{
    const uint8_t bytes[] = {'a', 0xff};
    const uint8_t *at = bytes;
    uint32_t code_point;

    (void)state;
    assert_true(utf8_next(&at, bytes + 2, &code_point));
    assert_int_equal(code_point, 'a');
    assert_false(utf8_next(&at, bytes + 2, &code_point));
    assert_ptr_equal(at, bytes + 1);
}

static void every_error_is_complete_and_unique(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ERROR_COUNT; i++) {
        const struct error_entry *entry = error_entry((enum error)i);
        assert_non_null(entry->code);
        assert_true(entry->status >= 200 && entry->status < 600);
        assert_int_equal(error_by_slug(entry->slug), i);
        assert_true(entry->title[strlen(entry->title) - 1] != '.');
    }
    assert_int_equal(error_by_slug("no such slug"), ERROR_COUNT);
}

static void errors_carry_zookeepers_codes(void **state)
{
    (void)state;
    assert_int_equal(error_entry(ERROR_NO_NODE)->zk, -101);
    assert_int_equal(error_entry(ERROR_BAD_VERSION)->zk, -103);
    assert_int_equal(error_entry(ERROR_NODE_EXISTS)->zk, -110);
    assert_int_equal(error_entry(ERROR_NOT_EMPTY)->zk, -111);
    assert_string_equal(error_entry(ERROR_NO_NODE)->code, "NONODE");
}

static void digest_does_not_depend_on_order_and_can_be_undone(void **state)
{
    struct hash128 a = hash128("a", 1, 0), b = hash128("b", 1, 0), zero = {0};
    struct hash128 ab = hash128_add(hash128_add(zero, a), b);
    struct hash128 ba = hash128_add(hash128_add(zero, b), a);

    (void)state;
    assert_true(hash128_equal(ab, ba));
    assert_false(hash128_equal(ab, a));
    assert_true(hash128_equal(hash128_subtract(ab, b), a));
}

static void quoting_escapes_and_cuts(void **state)
{
    char into[LOG_QUOTED_MAX];
    char longer[2 * LOG_QUOTED_MAX];

    (void)state;
    assert_string_equal(log_quote(into, "a \"b\"\n"), "\"a \\\"b\\\"\\x0a\"");
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_true(strlen(log_quote(into, longer)) < LOG_QUOTED_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_accepts_every_length),
        cmocka_unit_test(utf8_refuses_what_rfc_3629_refuses),
        cmocka_unit_test(utf8_next_leaves_its_place_at_bad_bytes),
        cmocka_unit_test(every_error_is_complete_and_unique),
        cmocka_unit_test(errors_carry_zookeepers_codes),
        cmocka_unit_test(digest_does_not_depend_on_order_and_can_be_undone),
        cmocka_unit_test(quoting_escapes_and_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
