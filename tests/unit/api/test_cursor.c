// SPDX-License-Identifier: Apache-2.0
// Cursors of pages: what comes back, and what a client cannot make up.
#include "tests/unit/api/check.h"

#include "api/cursor.h"

static void cursor_comes_back_the_same(void **state)
{
    static const char *const names[] = {"", "a", "ab", "abc", "\xff\xfe\xfb", "/a/b c"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct buffer text = {0};
        struct buffer name = {0};
        cursor_encode(&text, names[i], strlen(names[i]));
        buffer_u8(&text, '\0');
        assert_null(strpbrk((const char *)text.data, "+/=&"));
        assert_true(cursor_decode(&name, (const char *)text.data, text.length - 1));
        assert_int_equal(name.length, strlen(names[i]));
        if (name.length > 0)
            assert_memory_equal(name.data, names[i], name.length);
        buffer_deinit(&text);
        buffer_deinit(&name);
    }
}

static void cursor_refuses_what_it_did_not_make(void **state)
{
    static const char *const texts[] = {"", "A", "AB=", "AX+x", "AX/x", "Agaa", "AX E", "AX=="};
    struct buffer name = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (cursor_decode(&name, texts[i], strlen(texts[i])))
            fail_msg("accepted: %s", texts[i]);
    }
    buffer_deinit(&name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_comes_back_the_same),
        cmocka_unit_test(cursor_refuses_what_it_did_not_make),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
