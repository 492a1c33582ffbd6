// SPDX-License-Identifier: Apache-2.0
// The body of a multi: every op, and every way to get one wrong.
#include "tests/unit/api/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/multi_parse.h"

static const struct multi_limits limits = {.json_depth = 16, .ops = 3};

static enum error parse(const char *text, struct multi *multi, struct problem *problem)
{
    *problem = (struct problem){0};
    return multi_parse(text, strlen(text), &limits, multi, problem);
}

static void multi_takes_every_write(void **state)
{
    struct problem problem;
    struct multi multi;

    (void)state;
    assert_int_equal(
        parse("{\"ops\":[{\"op\":\"check\",\"path\":\"/a\",\"version\":3},"
              "{\"op\":\"create\",\"path\":\"/b-\",\"data\":\"x\",\"sequential\":true},"
              "{\"op\":\"set\",\"path\":\"/c\",\"data\":\"aGk=\","
              "\"encoding\":\"base64\"}]}",
              &multi, &problem),
        ERROR_OK);
    assert_false(multi.reads);
    assert_int_equal(multi.count, 3);
    assert_int_equal(multi.ops[0].op.type, OP_CHECK);
    assert_int_equal(multi.ops[0].op.version, 3);
    assert_int_equal(multi.ops[1].op.type, OP_CREATE);
    assert_int_equal(multi.ops[1].op.flags, OP_SEQUENTIAL);
    assert_memory_equal(multi.ops[1].op.path, "/b-", 3);
    assert_int_equal(multi.ops[2].op.version, -1);
    assert_int_equal(multi.ops[2].op.data_length, 2);
    assert_memory_equal(multi.ops[2].op.data, "hi", 2);
    multi_free(&multi);
}

static void multi_takes_reads(void **state)
{
    struct problem problem;
    struct multi multi;

    (void)state;
    assert_int_equal(parse("{\"ops\":[{\"op\":\"get\",\"path\":\"/a\"},"
                           "{\"op\":\"children\",\"path\":\"/\"}]}",
                           &multi, &problem),
                     ERROR_OK);
    assert_true(multi.reads);
    assert_int_equal(multi.ops[1].type, MULTI_CHILDREN);
    multi_free(&multi);
}

static void multi_tells_no_data_from_empty_data(void **state)
{
    struct problem problem;
    struct multi multi;

    (void)state;
    assert_int_equal(parse("{\"ops\":[{\"op\":\"create\",\"path\":\"/a\",\"data\":null},"
                           "{\"op\":\"create\",\"path\":\"/b\"},"
                           "{\"op\":\"set\",\"path\":\"/c\",\"data\":\"\"}]}",
                           &multi, &problem),
                     ERROR_OK);
    assert_int_equal(multi.ops[0].op.flags, OP_NULL_DATA);
    assert_int_equal(multi.ops[1].op.flags, 0);
    assert_int_equal(multi.ops[2].op.flags, 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(multi.ops[i].op.data_length, 0);
    multi_free(&multi);
}

static void multi_refuses_and_says_why(void **state)
{
    static const char *const cases[][2] = {
        {"[]", "the body must be an object"},
        {"{}", "\"ops\" of the body must be an array"},
        {"{\"ops\":{}}", "must be an array"},
        {"{\"ops\":[]}", "has 0 operations"},
        {"{\"ops\":[1,2,3,4]}", "has 4 operations; it must have 1 to 3"},
        {"{\"ops\":[1]}", "ops[0] must be an object"},
        {"{\"ops\":[],\"x\":1}", "unknown member \"x\""},
        {"{\"ops\":[{\"path\":\"/a\"}]}", "\"op\" of ops[0]"},
        {"{\"ops\":[{\"op\":\"put\",\"path\":\"/a\"}]}", "\"op\" of ops[0]"},
        {"{\"ops\":[{\"op\":\"check\"}]}", "ops[0] has no \"path\""},
        {"{\"ops\":[{\"op\":\"check\",\"path\":7}]}", "\"path\" of ops[0] must be a string"},
        {"{\"ops\":[{\"op\":\"get\",\"path\":\"/a\",\"version\":1}]}",
         "unknown member \"version\""},
        {"{\"ops\":[{\"op\":\"delete\",\"path\":\"/a\",\"data\":\"\"}]}",
         "unknown member \"data\""},
        {"{\"ops\":[{\"op\":\"set\",\"path\":\"/a\",\"data\":\"\",\"ephemeral\":true}]}",
         "unknown member \"ephemeral\""},
        {"{\"ops\":[{\"op\":\"create\",\"path\":\"/a\",\"sequential\":1}]}", "true or false"},
        {"{\"ops\":[{\"op\":\"create\",\"path\":\"/a\",\"ttl_ms\":0}]}", "not from 1 to"},
        {"{\"ops\":[{\"op\":\"create\",\"path\":\"/a\",\"ttl_ms\":1,\"ephemeral\":true}]}",
         "more than one of"},
        {"{\"ops\":[{\"op\":\"set\",\"path\":\"/a\"}]}", "ops[0] has no \"data\""},
        {"{\"ops\":[{\"op\":\"set\",\"path\":\"/a\",\"data\":5}]}", "a string or null"},
        {"{\"ops\":[{\"op\":\"set\",\"path\":\"/a\",\"data\":\"x\",\"encoding\":\"hex\"}]}",
         "utf8 or base64"},
        {"{\"ops\":[{\"op\":\"check\",\"path\":\"/a\",\"version\":\"3\"}]}", "a whole number"},
    };
    struct problem problem;
    struct multi multi;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(parse(cases[i][0], &multi, &problem), ERROR_BAD_JSON);
        assert_contains(problem.detail, cases[i][1]);
        multi_free(&multi);
    }
}

static void multi_refuses_inexact_base64(void **state)
{
    static const char *const texts[] = {
        "aGk", "aGk=\\n", " aGk=", "aG=k", "====", "a===", "aGk-", "aGk=aGk=", "aG k="};
    char body[128];
    struct problem problem;
    struct multi multi;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        snprintf(body, sizeof body,
                 "{\"ops\":[{\"op\":\"set\",\"path\":\"/a\",\"data\":\"%s\","
                 "\"encoding\":\"base64\"}]}",
                 texts[i]);
        if (parse(body, &multi, &problem) != ERROR_BAD_JSON)
            fail_msg("accepted: %s", texts[i]);
        assert_contains(problem.detail, "not base64");
        multi_free(&multi);
    }
}

static void multi_does_not_mix_reads_and_writes(void **state)
{
    struct problem problem;
    struct multi multi;

    (void)state;
    assert_int_equal(parse("{\"ops\":[{\"op\":\"get\",\"path\":\"/a\"},"
                           "{\"op\":\"delete\",\"path\":\"/a\"}]}",
                           &multi, &problem),
                     ERROR_BAD_ARGUMENTS);
    assert_contains(problem.detail, "ops[1]");
    multi_free(&multi);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multi_takes_every_write),
        cmocka_unit_test(multi_takes_reads),
        cmocka_unit_test(multi_tells_no_data_from_empty_data),
        cmocka_unit_test(multi_refuses_and_says_why),
        cmocka_unit_test(multi_refuses_inexact_base64),
        cmocka_unit_test(multi_does_not_mix_reads_and_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
