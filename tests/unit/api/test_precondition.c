// SPDX-License-Identifier: Apache-2.0
// Entity tags and the headers that make a request conditional.
#include "tests/unit/api/check.h"

#include "api/accept.h"
#include "api/etag.h"
#include "api/precondition.h"

static struct headers with(enum header_name name, const char *value)
{
    struct headers headers = {0};

    headers_add(&headers, header_name(name), strlen(header_name(name)), value, strlen(value));
    return headers;
}

static void etag_has_the_form_of_its_view(void **state)
{
    const struct stat_fields stat = {.mzxid = 41, .pzxid = 52, .aversion = -1};
    char etag[ETAG_MAX];

    (void)state;
    etag_raw(etag, 41);
    assert_string_equal(etag, "\"41\"");
    etag_node(etag, &stat);
    assert_string_equal(etag, "\"41.52.-1\"");
    etag_children(etag, &stat);
    assert_string_equal(etag, "\"c52\"");
}

static void etag_list_compares_weakly_and_whole(void **state)
{
    (void)state;
    assert_true(etag_list_has("\"1\"", "\"1\""));
    assert_true(etag_list_has("*", "\"1\""));
    assert_true(etag_list_has("\"a,b\" , W/\"1\"", "\"1\""));
    assert_false(etag_list_has("\"1.2.3\"", "\"1\""));
    assert_false(etag_list_has("\"11\"", "\"1\""));
    assert_false(etag_list_has("1", "\"1\""));
    assert_false(etag_list_has("", "\"1\""));
    assert_false(etag_list_has("\"2\" \"1\"", "\"1\""));
}

static enum error parse_match(const char *value, struct op *op)
{
    struct headers headers = with(HEADER_IF_MATCH, value);
    struct problem problem = {0};

    *op = (struct op){0};
    return precondition_parse(&headers, op, &problem);
}

static void if_match_compares_what_precedes_the_first_dot(void **state)
{
    struct op op;

    (void)state;
    assert_int_equal(parse_match("\"41\", \"42.50.0\"", &op), ERROR_OK);
    assert_int_equal(op.match_count, 2);
    assert_int_equal(op.match[0], 41);
    assert_int_equal(op.match[1], 42);
    assert_int_equal(op.flags, 0);
}

static void if_match_of_foreign_tags_can_only_fail(void **state)
{
    static const char *const tags[] = {"\"c41\"",  "\"\"",    "\"41x\"",
                                       "W/\"41\"", "\".41\"", "\"99999999999999999999999\""};
    struct op op;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        assert_int_equal(parse_match(tags[i], &op), ERROR_OK);
        assert_int_equal(op.match_count, 1);
        assert_int_equal(op.match[0], UINT64_MAX);
    }
}

static void if_match_star_means_must_exist(void **state)
{
    struct op op;

    (void)state;
    assert_int_equal(parse_match(" * ", &op), ERROR_OK);
    assert_int_equal(op.flags, OP_MUST_EXIST);
    assert_int_equal(op.match_count, 0);
}

static void if_match_refuses_what_is_no_list_of_tags(void **state)
{
    static const char nine[] = "\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"";
    static const char *const values[] = {"41",       "\"41",     "\"41\" \"42\"", "",       "**",
                                         "*, \"1\"", "w/\"41\"", "\"1\", x",      "\"1\"x", nine};
    struct op op;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        assert_int_equal(parse_match(values[i], &op), ERROR_BAD_HEADER);
}

static void if_none_match_on_a_write_is_only_star(void **state)
{
    struct headers star = with(HEADER_IF_NONE_MATCH, "*");
    struct headers tag = with(HEADER_IF_NONE_MATCH, "\"1\"");
    struct problem problem = {0};
    struct op op = {0};

    (void)state;
    assert_int_equal(precondition_parse(&star, &op, &problem), ERROR_OK);
    assert_int_equal(op.flags, OP_MUST_NOT_EXIST);
    assert_int_equal(precondition_parse(&tag, &op, &problem), ERROR_BAD_HEADER);
    headers_add(&star, "If-Match", 8, "*", 1);
    assert_int_equal(precondition_parse(&star, &op, &problem), ERROR_BAD_HEADER);
}

static void preconditions_of_a_multi_are_refused(void **state)
{
    struct headers match = with(HEADER_IF_MATCH, "*");
    struct headers none_match = with(HEADER_IF_NONE_MATCH, "*");
    struct headers neither = {0};
    struct problem problem = {0};

    (void)state;
    assert_int_equal(precondition_refuse(&match, &problem), ERROR_BAD_HEADER);
    assert_int_equal(precondition_refuse(&none_match, &problem), ERROR_BAD_HEADER);
    assert_int_equal(precondition_refuse(&neither, &problem), ERROR_OK);
}

static void if_match_on_a_read_tells_what_there_is(void **state)
{
    const struct stat_fields stat = {.mzxid = 41, .version = 3};
    struct headers same = with(HEADER_IF_MATCH, "\"7\", \"41.1.0\"");
    struct headers other = with(HEADER_IF_MATCH, "\"7\"");
    struct problem problem = {0};

    (void)state;
    assert_int_equal(precondition_read(&same, &stat, &problem), ERROR_OK);
    assert_int_equal(precondition_read(&other, &stat, &problem), ERROR_PRECONDITION_FAILED);
    assert_true(problem.has_current);
    assert_int_equal(problem.current_version, 3);
    assert_int_equal(problem.current_mzxid, 41);
}

static enum error parse_key(const char *value, const uint8_t **key, size_t *length)
{
    struct headers headers = with(HEADER_IDEMPOTENCY_KEY, value);
    struct problem problem = {0};

    return idempotency_key_parse(&headers, key, length, &problem);
}

static void idempotency_key_is_the_same_quoted_or_bare(void **state)
{
    const uint8_t *key;
    size_t length;

    (void)state;
    assert_int_equal(parse_key("\"abc-1\"", &key, &length), ERROR_OK);
    assert_int_equal(length, 5);
    assert_memory_equal(key, "abc-1", 5);
    assert_int_equal(parse_key("abc-1", &key, &length), ERROR_OK);
    assert_int_equal(length, 5);
    assert_memory_equal(key, "abc-1", 5);
}

static void idempotency_key_refuses_what_could_be_cut_or_confused(void **state)
{
    static const char *const values[] = {"",     "\"\"", "a b",      "\"a",
                                         "a\"b", "a\\b", "\xc3\xa9", "a\tb"};
    char long_key[COMMAND_KEY_MAX + 2];
    const uint8_t *key;
    size_t length;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        assert_int_equal(parse_key(values[i], &key, &length), ERROR_BAD_HEADER);
    memset(long_key, 'k', sizeof long_key);
    long_key[COMMAND_KEY_MAX + 1] = '\0';
    assert_int_equal(parse_key(long_key, &key, &length), ERROR_BAD_HEADER);
    assert_int_equal(parse_key(long_key + 1, &key, &length), ERROR_OK);
}

static uint64_t wait_of(const char *value, enum error expected)
{
    struct headers headers = with(HEADER_PREFER, value);
    struct problem problem = {0};
    uint64_t wait_ms = 10000;

    assert_int_equal(prefer_wait_parse(&headers, 60000, &wait_ms, &problem), expected);
    return wait_ms;
}

static void prefer_wait_is_in_seconds_and_bounded(void **state)
{
    (void)state;
    assert_int_equal(wait_of("wait=5", ERROR_OK), 5000);
    assert_int_equal(wait_of("respond-async, WAIT=0", ERROR_OK), 0);
    assert_int_equal(wait_of("wait=5;x=y", ERROR_OK), 5000);
    assert_int_equal(wait_of("wait=999999", ERROR_OK), 60000);
    assert_int_equal(wait_of("return=minimal", ERROR_OK), 10000);
    assert_int_equal(wait_of("waiting=3", ERROR_OK), 10000);
    assert_int_equal(wait_of("", ERROR_OK), 10000);
    wait_of("wait", ERROR_BAD_HEADER);
    wait_of("wait=5s", ERROR_BAD_HEADER);
    wait_of("wait=-1", ERROR_BAD_HEADER);
    wait_of("wait=", ERROR_BAD_HEADER);
}

static void accept_prefers_bytes_only_when_asked_to(void **state)
{
    (void)state;
    assert_true(accept_prefers_bytes("application/octet-stream"));
    assert_true(accept_prefers_bytes("text/html, Application/Octet-Stream;q=0.5"));
    assert_true(accept_prefers_bytes("application/json;q=0.2, application/octet-stream;q=0.3"));
    assert_false(accept_prefers_bytes("application/json, application/octet-stream"));
    assert_false(accept_prefers_bytes("application/octet-stream;q=0"));
    assert_false(accept_prefers_bytes("application/octet-streams"));
    assert_false(accept_prefers_bytes("*/*"));
    assert_false(accept_prefers_bytes(""));
    assert_false(accept_prefers_bytes(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(etag_has_the_form_of_its_view),
        cmocka_unit_test(etag_list_compares_weakly_and_whole),
        cmocka_unit_test(if_match_compares_what_precedes_the_first_dot),
        cmocka_unit_test(if_match_of_foreign_tags_can_only_fail),
        cmocka_unit_test(if_match_star_means_must_exist),
        cmocka_unit_test(if_match_refuses_what_is_no_list_of_tags),
        cmocka_unit_test(if_none_match_on_a_write_is_only_star),
        cmocka_unit_test(preconditions_of_a_multi_are_refused),
        cmocka_unit_test(if_match_on_a_read_tells_what_there_is),
        cmocka_unit_test(idempotency_key_is_the_same_quoted_or_bare),
        cmocka_unit_test(idempotency_key_refuses_what_could_be_cut_or_confused),
        cmocka_unit_test(prefer_wait_is_in_seconds_and_bounded),
        cmocka_unit_test(accept_prefers_bytes_only_when_asked_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
