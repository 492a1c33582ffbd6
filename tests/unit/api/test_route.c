// SPDX-License-Identifier: Apache-2.0
// The route table: matching, methods, and that it and openapi.yaml name the same operations.
#include "tests/unit/api/check.h"

#include <stdio.h>
#include <stdbool.h>
#include <strings.h>

#include "api/openapi.h"
#include "api/route.h"

static struct route_match find(enum method method, const char *path)
{
    struct route_match match;

    route_find(method, path, strlen(path), &match);
    return match;
}

static void assert_operation(enum method method, const char *path, const char *operation,
                             const char *rest)
{
    struct route_match match = find(method, path);

    assert_non_null(match.route);
    assert_string_equal(match.route->operation, operation);
    assert_int_equal(match.rest_length, strlen(rest));
    assert_memory_equal(match.rest, rest, match.rest_length);
}

static void route_finds_the_operation(void **state)
{
    (void)state;
    assert_operation(METHOD_GET, "/", "root_get", "");
    assert_operation(METHOD_GET, "/v1/znodes", "root_znode_get", "");
    assert_operation(METHOD_PUT, "/v1/znodes/", "znode_put", "/");
    assert_operation(METHOD_DELETE, "/v1/znodes/a/b%20c", "znode_delete", "/a/b%20c");
    assert_operation(METHOD_POST, "/v1/znodes//", "znode_post", "//");
    assert_operation(METHOD_POST, "/v1/multi", "multi_post", "");
    assert_operation(METHOD_POST, "/v1/sessions", "sessions_post", "");
    assert_operation(METHOD_PUT, "/v1/sessions/0x1f", "session_put", "0x1f");
    assert_operation(METHOD_GET, "/problems/no-node", "problem_get", "no-node");
}

static void route_does_not_find_what_is_not_there(void **state)
{
    static const char *const paths[] = {"",
                                        "/v1",
                                        "/v1/",
                                        "/v1/znodesx",
                                        "/v1/multi/",
                                        "/livez/",
                                        "/livezz",
                                        "/problems/",
                                        "/problems",
                                        "/problems/a/b",
                                        "*",
                                        "/v1/watcher",
                                        "/v1/session",
                                        "/v1/sessions/",
                                        "/v1/sessions/0x1/a",
                                        "/metric",
                                        "/V1/znodes",
                                        "/v1/sessions//stream",
                                        "/v1/sessions/0x1/stream/",
                                        "/v1/sessions/0x1/2/stream",
                                        "/v1/sessions/0x1stream/"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct route_match match = find(METHOD_GET, paths[i]);
        if (match.route != NULL || match.methods != 0)
            fail_msg("found: %s", paths[i]);
    }
}

static void head_is_answered_wherever_get_is(void **state)
{
    (void)state;
    assert_operation(METHOD_HEAD, "/livez", "livez_get", "");
    assert_operation(METHOD_HEAD, "/v1/znodes/a", "znode_head", "/a");
    assert_null(find(METHOD_HEAD, "/v1/multi").route);
}

static void allow_names_every_method(void **state)
{
    char allow[ALLOW_MAX];

    (void)state;
    assert_null(find(METHOD_OTHER, "/v1/znodes/a").route);
    route_allow(find(METHOD_OTHER, "/v1/znodes/a").methods, allow);
    assert_string_equal(allow, "GET, HEAD, PUT, POST, DELETE, OPTIONS");
    route_allow(find(METHOD_GET, "/v1/multi").methods, allow);
    assert_string_equal(allow, "POST, OPTIONS");
    route_allow(find(METHOD_PUT, "/livez").methods, allow);
    assert_string_equal(allow, "GET, HEAD, OPTIONS");
}

static void methods_are_case_sensitive(void **state)
{
    (void)state;
    assert_int_equal(method_parse("GET"), METHOD_GET);
    assert_int_equal(method_parse("DELETE"), METHOD_DELETE);
    assert_int_equal(method_parse("get"), METHOD_OTHER);
    assert_int_equal(method_parse("PATCH"), METHOD_OTHER);
}

static void operations_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count(); i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(route_at(i)->operation, route_at(j)->operation);
    }
}

// What the scan of openapi.yaml has seen last, by indentation: a path, a method, an operation.
struct place {
    char path[64];
    char method[16];
    char operation[64];
};

// Takes one line; true when it completes an operation.
static bool scan_line(const char *line, struct place *place)
{
    if (strncmp(line, "  /", 3) == 0)
        sscanf(line, "  %63[/a-z0-9{}.]", place->path);
    if (strncmp(line, "    ", 4) == 0 && line[4] != ' ')
        sscanf(line, "    %15[a-z]", place->method);
    return sscanf(line, "      operationId: %63s", place->operation) == 1;
}

static void assert_in_table(const struct place *place)
{
    for (size_t i = 0; i < route_count(); i++) {
        const struct route *route = route_at(i);
        if (strcmp(route->operation, place->operation) != 0)
            continue;
        assert_string_equal(route->pattern, place->path);
        assert_int_equal(strcasecmp(method_name(route->method), place->method), 0);
        return;
    }
    fail_msg("not in the route table: %s", place->operation);
}

static void table_and_contract_name_the_same_operations(void **state)
{
    const char *text = (const char *)openapi_text;
    const char *end = text + openapi_length;
    struct place place = {0};
    size_t operations = 0;
    char line[256];

    (void)state;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop != NULL ? stop : end) - text);
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        text += length + 1;
        if (scan_line(line, &place)) {
            assert_in_table(&place);
            operations++;
        }
    }
    assert_int_equal(operations, route_count());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(route_finds_the_operation),
        cmocka_unit_test(route_does_not_find_what_is_not_there),
        cmocka_unit_test(head_is_answered_wherever_get_is),
        cmocka_unit_test(allow_names_every_method),
        cmocka_unit_test(methods_are_case_sensitive),
        cmocka_unit_test(operations_are_unique),
        cmocka_unit_test(table_and_contract_name_the_same_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
