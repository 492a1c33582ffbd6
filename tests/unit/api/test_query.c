// SPDX-License-Identifier: Apache-2.0
// Query parameters: every syntax, and everything that must not pass silently.
#include "tests/unit/api/check.h"

#include "api/query.h"
#include "api/routes.h"

static const uint32_t everything = (1u << QUERY_COUNT) - 1;

static enum error parse(struct query *query, const char *text, uint32_t allowed,
                        struct problem *problem)
{
    *query = (struct query){0};
    *problem = (struct problem){0};
    return query_parse(query, text, strlen(text), allowed, problem);
}

static void assert_flag(const char *text, int64_t expected)
{
    struct query query;
    struct problem problem;

    assert_int_equal(parse(&query, text, everything, &problem), ERROR_OK);
    assert_true(query_has(&query, QUERY_RAW));
    assert_int_equal(query.value[QUERY_RAW], expected);
    query_deinit(&query);
}

static void query_flag_is_on_when_bare_empty_1_or_true(void **state)
{
    static const char *const on[] = {"raw", "raw=", "raw=1", "raw=true", "raw=TRUE", "r%61w=%31"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(on); i++)
        assert_flag(on[i], 1);
}

static void query_flag_is_off_when_0_or_false(void **state)
{
    (void)state;
    assert_flag("raw=0", 0);
    assert_flag("raw=False", 0);
}

static void assert_refused(const char *text, uint32_t allowed, const char *detail)
{
    struct query query;
    struct problem problem;

    assert_int_equal(parse(&query, text, allowed, &problem), ERROR_BAD_QUERY);
    assert_int_equal(problem.error, ERROR_BAD_QUERY);
    assert_contains(problem.detail, detail);
    query_deinit(&query);
}

static void query_refuses_and_says_why(void **state)
{
    static const char *const cases[][2] = {
        {"raw=yes", "\"raw\" is \"yes\""},
        {"raw&raw", "\"raw\" is given more than once"},
        {"raw=1&view=stat&raw=0", "\"raw\" is given more than once"},
        {"limit=", "\"limit\" is \"\""},
        {"limit=0", "\"limit\" is \"0\""},
        {"limit=+5", "\"limit\" is \" 5\""},
        {"limit=5x", "\"limit\" is \"5x\""},
        {"limit=0x10", "\"limit\" is \"0x10\""},
        {"limit=5%20", "\"limit\" is \"5 \""},
        {"limit=99999999999999999999", "\"limit\" is \"9999"},
        {"limit=4294967296", "\"limit\" is \"4294967296\""},
        {"version=--1", "\"version\" is \"--1\""},
        {"version=2147483648", "from -2147483648 to 2147483647"},
        {"version=-2147483649", "\"version\""},
        {"min_zxid=-1", "\"min_zxid\""},
        {"min_zxid=9007199254740992", "9007199254740991"},
        {"view=node", "data, stat, children, tree"},
        {"view=Stat", "\"view\" is \"Stat\""},
        {"consistency=strong", "linearizable, local"},
        {"raw=%zz", "% without two hexadecimal digits"},
        {"raw=%00", "encoded NUL"},
        {"%ff", "not UTF-8"},
        {"=1", "no query parameter \"\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_refused(cases[i][0], everything, cases[i][1]);
}

static void query_suggests_the_near_miss(void **state)
{
    (void)state;
    assert_refused("recursve", QUERIES_DELETE, "did you mean \"recursive\"?");
    assert_refused("Version=3", QUERIES_PUT, "did you mean \"version\"?");
    assert_refused("parent", QUERIES_POST, "did you mean \"parents\"?");
}

static void query_lists_what_there_is_when_nothing_is_near(void **state)
{
    (void)state;
    assert_refused("zzzzzzzzzzzz", QUERIES_POST, "there are: ");
    assert_refused("x", QUERIES_NONE, "this request takes none");
    assert_refused("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", QUERIES_PUT,
                   "there are: parents, version");
}

static void query_of_a_create_names_post_elsewhere(void **state)
{
    (void)state;
    assert_refused("ephemeral", QUERIES_PUT, "belongs to a POST");
    assert_refused("ttl=5s", QUERIES_PUT, "belongs to a POST");
    assert_refused("sequential", QUERIES_DELETE, "belongs to a POST");
}

static void time_to_live_has_bounds(void **state)
{
    (void)state;
    assert_refused("ttl=0ms", QUERIES_POST, "at least 1ms");
    assert_refused("ttl=1099511627776ms", QUERIES_POST, "a duration with its unit");
    assert_refused("ttl=999999999h", QUERIES_POST, "can be at most");
}

static void query_parameter_of_another_resource_is_unknown(void **state)
{
    (void)state;
    assert_refused("recursive", QUERIES_PUT, "no query parameter \"recursive\"");
    assert_refused("wait=30s", QUERIES_READ, "no query parameter \"wait\"");
}

static void query_takes_numbers_at_their_bounds(void **state)
{
    struct query query;
    struct problem problem;

    (void)state;
    assert_int_equal(parse(&query, "version=-2147483648", everything, &problem), ERROR_OK);
    assert_int_equal(query.value[QUERY_VERSION], INT32_MIN);
    query_deinit(&query);
    assert_int_equal(
        parse(&query, "version=-1&depth=0&min_zxid=9007199254740991", everything, &problem),
        ERROR_OK);
    assert_int_equal(query.value[QUERY_VERSION], -1);
    assert_true(query_has(&query, QUERY_DEPTH));
    assert_int_equal(query.value[QUERY_MIN_ZXID], 9007199254740991);
    assert_false(query_has(&query, QUERY_LIMIT));
    query_deinit(&query);
}

static void query_decodes_the_cursor(void **state)
{
    struct query query;
    struct problem problem;

    (void)state;
    assert_int_equal(parse(&query, "view=children&cursor=a%2Fb+c", everything, &problem), ERROR_OK);
    assert_int_equal(query.value[QUERY_VIEW], VIEW_CHILDREN);
    assert_string_equal((const char *)query.text.data, "a/b c");
    query_deinit(&query);
}

static void query_of_nothing_is_nothing(void **state)
{
    struct query query;
    struct problem problem;

    (void)state;
    assert_int_equal(parse(&query, "", everything, &problem), ERROR_OK);
    assert_int_equal(parse(&query, "&&", everything, &problem), ERROR_OK);
    assert_int_equal(query.given, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_flag_is_on_when_bare_empty_1_or_true),
        cmocka_unit_test(query_flag_is_off_when_0_or_false),
        cmocka_unit_test(query_refuses_and_says_why),
        cmocka_unit_test(query_suggests_the_near_miss),
        cmocka_unit_test(query_lists_what_there_is_when_nothing_is_near),
        cmocka_unit_test(query_of_a_create_names_post_elsewhere),
        cmocka_unit_test(time_to_live_has_bounds),
        cmocka_unit_test(query_parameter_of_another_resource_is_unknown),
        cmocka_unit_test(query_takes_numbers_at_their_bounds),
        cmocka_unit_test(query_decodes_the_cursor),
        cmocka_unit_test(query_of_nothing_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
