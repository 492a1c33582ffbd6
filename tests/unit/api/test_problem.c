// SPDX-License-Identifier: Apache-2.0
// Problems as JSON.
#include "tests/unit/api/check.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problem_says_what_happened),
        cmocka_unit_test(problem_without_detail_has_its_title),
        cmocka_unit_test(problem_detail_is_cut_and_not_overrun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
