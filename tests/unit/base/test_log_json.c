// SPDX-License-Identifier: Apache-2.0
// Pairs of log lines as members of a JSON object.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/log_json.h"
#include "tests/unit/cmocka_test.h"

static void expect(const char *pairs, const char *members)
{
    char into[4096];
    size_t length = log_json_pairs(into, sizeof into - 1, pairs);

    into[length] = '\0';
    assert_string_equal(into, members);
}

static void values_keep_their_kind(void **state)
{
    (void)state;
    expect("", "");
    expect("slot=12 lag=0 share=0.25", ",\"slot\":12,\"lag\":0,\"share\":0.25");
    expect("id=007 ballot=3.1.2 dot=. half=.5 rest=5. none=",
           ",\"id\":\"007\",\"ballot\":\"3.1.2\",\"dot\":\".\",\"half\":\".5\",\"rest\":\"5.\","
           "\"none\":\"\"");
    expect("address=127.0.0.1:80  role=leader",
           ",\"address\":\"127.0.0.1:80\",\"role\":\"leader\"");
}

static void quoted_values_come_back(void **state)
{
    char quoted[LOG_QUOTED_MAX];
    char pairs[LOG_QUOTED_MAX + 16];

    (void)state;
    snprintf(pairs, sizeof pairs, "reason=%s n=1",
             log_quote(quoted, "a \"b\" \\ c=d\n\x7f \xc3\xbc"));
    expect(pairs, ",\"reason\":\"a \\\"b\\\" \\\\ c=d\\u000a\\u007f \xc3\xbc\",\"n\":1");
}

static void bytes_that_are_no_text_stay_valid_json(void **state)
{
    (void)state;
    expect("a=\"\xff\xc3\"", ",\"a\":\"\\u00ff\\u00c3\"");
}

static void what_does_not_fit_is_left_out_whole(void **state)
{
    char into[64];
    static const char pairs[] = "a=1 b=\"two words\" c=3";
    size_t whole = log_json_pairs(into, sizeof into, pairs);

    (void)state;
    assert_int_equal(whole, strlen(",\"a\":1,\"b\":\"two words\",\"c\":3"));
    assert_int_equal(log_json_pairs(into, whole - 1, pairs),
                     strlen(",\"a\":1,\"b\":\"two words\""));
    assert_int_equal(log_json_pairs(into, 10, pairs), strlen(",\"a\":1"));
    assert_int_equal(log_json_pairs(into, 3, pairs), 0);
    assert_int_equal(log_json_pairs(into, 0, pairs), 0);
}

static void broken_pairs_end_the_line(void **state)
{
    (void)state;
    expect("no pair", "");
    expect("a=\"open", ",\"a\":\"open\"");
    expect("a=\"open\\", ",\"a\":\"open\\\\\"");
    expect("a=\"\\x4", ",\"a\":\"x4\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_keep_their_kind),
        cmocka_unit_test(quoted_values_come_back),
        cmocka_unit_test(bytes_that_are_no_text_stay_valid_json),
        cmocka_unit_test(what_does_not_fit_is_left_out_whole),
        cmocka_unit_test(broken_pairs_end_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
