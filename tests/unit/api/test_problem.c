// SPDX-License-Identifier: Apache-2.0
// Problems as JSON, page cursors, and the limits on connections.
#include "tests/unit/api/check.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "api/admission.h"
#include "api/cursor.h"
#include "api/problem.h"

static void assert_problem(const struct problem *problem, const char *expected)
{
    struct buffer buffer = {0};
    struct json_writer json = {.into = &buffer};

    json_open(&json, '{');
    problem_write(&json, problem, 52, "ab-1");
    json_close(&json, '}');
    assert_int_equal(buffer.length, strlen(expected));
    assert_memory_equal(buffer.data, expected, buffer.length);
    buffer_deinit(&buffer);
}

static void problem_says_what_happened(void **state)
{
    struct problem problem = {.path = "/app",
                              .path_length = 4,
                              .has_current = true,
                              .current_version = 7,
                              .current_mzxid = 41};

    (void)state;
    problem_set(&problem, ERROR_BAD_VERSION, "/app is at version %d, you gave %d", 7, 5);
    assert_problem(&problem,
                   "{\"type\":\"/problems/bad-version\",\"title\":\"The znode is at another "
                   "version\",\"status\":412,\"detail\":\"/app is at version 7, you gave 5\","
                   "\"code\":\"BADVERSION\",\"outcome\":\"not_applied\",\"retryable\":false,"
                   "\"path\":\"/app\",\"current\":{\"version\":7,\"etag\":\"\\\"41\\\"\"},"
                   "\"zxid\":52,\"request_id\":\"ab-1\"}");
}

static void problem_without_detail_has_its_title(void **state)
{
    struct problem problem = {.error = ERROR_OUTCOME_UNKNOWN};

    (void)state;
    assert_problem(
        &problem,
        "{\"type\":\"/problems/outcome-unknown\",\"title\":\"The request may or may not "
        "have been applied\",\"status\":504,\"detail\":\"The request may or may not have "
        "been applied\",\"code\":\"OUTCOME-UNKNOWN\",\"outcome\":\"unknown\","
        "\"retryable\":true,\"zxid\":52,\"request_id\":\"ab-1\"}");
}

static void problem_detail_is_cut_and_not_overrun(void **state)
{
    struct problem problem = {0};
    char text[2 * PROBLEM_DETAIL_MAX];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(problem_set(&problem, ERROR_BAD_PATH, "%s", text), ERROR_BAD_PATH);
    assert_int_equal(strlen(problem.detail), PROBLEM_DETAIL_MAX - 1);
}

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

static struct sockaddr_in v4(uint32_t address)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(address)}};
}

static void admission_counts_per_address_and_in_total(void **state)
{
    struct admission *admission = admission_new(3, 2);
    struct sockaddr_in one = v4(0x0a000001);
    struct sockaddr_in two = v4(0x0a000002);
    const struct sockaddr *first = (const struct sockaddr *)(const void *)&one;
    const struct sockaddr *second = (const struct sockaddr *)(const void *)&two;

    (void)state;
    assert_int_equal(admission_enter(admission, first), ERROR_OK);
    assert_int_equal(admission_enter(admission, first), ERROR_OK);
    assert_int_equal(admission_enter(admission, first), ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(admission_enter(admission, second), ERROR_OK);
    assert_int_equal(admission_enter(admission, second), ERROR_OVERLOADED);
    admission_leave(admission, first);
    assert_int_equal(admission_enter(admission, second), ERROR_OK);
    admission_free(admission);
}

static void admission_sees_one_ipv4_address_in_both_forms(void **state)
{
    struct admission *admission = admission_new(10, 1);
    struct sockaddr_in plain = v4(0x0a000001);
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};

    (void)state;
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&mapped.sin6_addr.s6_addr[12], &plain.sin_addr, 4);
    assert_int_equal(admission_enter(admission, (const struct sockaddr *)(const void *)&plain),
                     ERROR_OK);
    assert_int_equal(admission_enter(admission, (const struct sockaddr *)(const void *)&mapped),
                     ERROR_TOO_MANY_REQUESTS);
    admission_free(admission);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problem_says_what_happened),
        cmocka_unit_test(problem_without_detail_has_its_title),
        cmocka_unit_test(problem_detail_is_cut_and_not_overrun),
        cmocka_unit_test(cursor_comes_back_the_same),
        cmocka_unit_test(cursor_refuses_what_it_did_not_make),
        cmocka_unit_test(admission_counts_per_address_and_in_total),
        cmocka_unit_test(admission_sees_one_ipv4_address_in_both_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
