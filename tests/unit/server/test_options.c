// SPDX-License-Identifier: Apache-2.0
// Options: defaults, command line over environment, clear errors.
#include "server/options.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/cmocka_test.h"

static enum error parse(struct options *options, struct failure *failure, const char *first,
                        const char *second)
{
    char *arguments[] = {(char *)(uintptr_t) "curlewd", (char *)(uintptr_t)first,
                         (char *)(uintptr_t)second, NULL};
    int count = 1 + (first != NULL) + (second != NULL);

    return options_parse(count, arguments, options, failure);
}

static void defaults_are_complete(void **state)
{
    struct options options;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(parse(&options, &failure, NULL, NULL), ERROR_OK);
    assert_string_equal(options.listen, "127.0.0.1:2180");
    assert_int_equal(options.max_body_bytes, 1 << 20);
    assert_int_equal(options.request_timeout_ms, 30000);
    assert_int_equal(options.allowed_hosts.count, 0);
}

static void both_spellings_of_a_value_work(void **state)
{
    struct options options;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(parse(&options, &failure, "--max-body-bytes", "64KiB"), ERROR_OK);
    assert_int_equal(options.max_body_bytes, 64 << 10);
    assert_int_equal(parse(&options, &failure, "--idle-timeout=2m", NULL), ERROR_OK);
    assert_int_equal(options.idle_timeout_ms, 120000);
}

static void command_line_wins_over_environment(void **state)
{
    struct options options;
    struct failure failure = {0};

    (void)state;
    setenv("CURLEW_MAX_MULTI_OPS", "7", 1);
    assert_int_equal(parse(&options, &failure, NULL, NULL), ERROR_OK);
    assert_int_equal(options.max_multi_ops, 7);
    assert_int_equal(parse(&options, &failure, "--max-multi-ops=9", NULL), ERROR_OK);
    assert_int_equal(options.max_multi_ops, 9);
    unsetenv("CURLEW_MAX_MULTI_OPS");
}

static void wrong_environment_names_the_variable(void **state)
{
    struct options options;
    struct failure failure = {0};

    (void)state;
    setenv("CURLEW_ID", "many", 1);
    assert_int_equal(parse(&options, &failure, NULL, NULL), ERROR_USAGE);
    assert_non_null(strstr(failure.text, "CURLEW_ID"));
    unsetenv("CURLEW_ID");
}

static void unknown_option_names_the_near_miss(void **state)
{
    struct options options;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(parse(&options, &failure, "--dat-dir=x", NULL), ERROR_USAGE);
    assert_non_null(strstr(failure.text, "did you mean --data-dir?"));
    assert_int_equal(parse(&options, &failure, "--zzzzzzzzzz", NULL), ERROR_USAGE);
    assert_null(strstr(failure.text, "did you mean"));
}

static void bad_values_are_refused(void **state)
{
    static const char *const bad[] = {"--request-timeout=10",
                                      "--request-timeout=1",
                                      "--request-timeout=2days",
                                      "--max-body-bytes=-1",
                                      "--max-body-bytes=",
                                      "--max-body-bytes=1e6",
                                      "--max-body-bytes=3MiB",
                                      "--http-workers=1",
                                      "--id=65536",
                                      "--log-level=loud",
                                      "--help=yes",
                                      "--listen",
                                      "positional",
                                      "--max-multi-ops=0",
                                      "--map-size=99999999999TiB",
                                      "--key-capacity= 5",
                                      "--max-url-bytes=0x1000",
                                      "-h"};
    struct options options;
    struct failure failure;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        failure.text[0] = '\0';
        assert_int_equal(parse(&options, &failure, bad[i], NULL), ERROR_USAGE);
        assert_true(strlen(failure.text) > 10);
    }
}

static void repeatable_options_collect(void **state)
{
    struct options options;
    struct failure failure = {0};

    (void)state;
    assert_int_equal(parse(&options, &failure, "--allowed-host=a", "--allowed-host=b"), ERROR_OK);
    assert_int_equal(options.allowed_hosts.count, 2);
    assert_string_equal(options.allowed_hosts.values[1], "b");
    assert_null(options.allowed_hosts.values[2]);
}

static void environment_gives_several_values_with_commas(void **state)
{
    struct options options;
    struct failure failure = {0};

    (void)state;
    setenv("CURLEW_ALLOWED_HOST", "one,two,,three", 1);
    assert_int_equal(parse(&options, &failure, NULL, NULL), ERROR_OK);
    assert_int_equal(options.allowed_hosts.count, 3);
    assert_string_equal(options.allowed_hosts.values[0], "one");
    assert_string_equal(options.allowed_hosts.values[2], "three");
    assert_null(options.allowed_hosts.values[3]);
    assert_int_equal(parse(&options, &failure, "--allowed-host=a", "--allowed-host=b"), ERROR_OK);
    assert_int_equal(options.allowed_hosts.count, 2);
    assert_string_equal(options.allowed_hosts.values[0], "a");
    setenv("CURLEW_ALLOWED_HOST", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", 1);
    assert_int_equal(parse(&options, &failure, NULL, NULL), ERROR_USAGE);
    assert_non_null(strstr(failure.text, "CURLEW_ALLOWED_HOST"));
    unsetenv("CURLEW_ALLOWED_HOST");
}

static void help_fits_a_terminal(void **state)
{
    char *text = NULL;
    size_t length;

    (void)state;
    FILE *to = open_memstream(&text, &length);
    options_help(to);
    fclose(to);
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        assert_true(strlen(line) <= 80);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_complete),
        cmocka_unit_test(both_spellings_of_a_value_work),
        cmocka_unit_test(command_line_wins_over_environment),
        cmocka_unit_test(wrong_environment_names_the_variable),
        cmocka_unit_test(unknown_option_names_the_near_miss),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(repeatable_options_collect),
        cmocka_unit_test(environment_gives_several_values_with_commas),
        cmocka_unit_test(help_fits_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
