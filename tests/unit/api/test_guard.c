// SPDX-License-Identifier: Apache-2.0
// Requests that a proxy could read differently, and those that a web page could make a browser
// send.
#include "tests/unit/api/check.h"

#include "api/guard.h"

static const char *const hosts[] = {"curlew.internal", NULL};
static const char *const origins[] = {"https://console.example", NULL};
static const struct guard_rules loopback = {
    .loopback = true, .allowed_hosts = hosts, .allowed_origins = origins, .header_bytes = 1000};

struct field {
    const char *name;
    const char *value;
};

static struct headers collect(const struct field *fields)
{
    struct headers headers = {0};

    for (; fields->name != NULL; fields++)
        headers_add(&headers, fields->name, strlen(fields->name), fields->value,
                    strlen(fields->value));
    return headers;
}

static enum error framing(const struct field *fields, const char *version)
{
    struct headers headers = collect(fields);
    struct problem problem = {0};

    return guard_framing(&loopback, &headers, version, &problem);
}

#define FRAMING(...) framing((const struct field[]){__VA_ARGS__, {NULL, NULL}}, "HTTP/1.1")

static void framing_passes_what_is_clear(void **state)
{
    (void)state;
    assert_int_equal(FRAMING({"Host", "h"}), ERROR_OK);
    assert_int_equal(FRAMING({"host", "h"}, {"content-length", "5"}), ERROR_OK);
    assert_int_equal(FRAMING({"Host", "h"}, {"Transfer-Encoding", "Chunked"}), ERROR_OK);
    assert_int_equal(framing((const struct field[]){{NULL, NULL}}, "HTTP/1.0"), ERROR_OK);
}

static void framing_refuses_what_is_ambiguous(void **state)
{
    (void)state;
    assert_int_equal(FRAMING({"Accept", "x"}), ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"HOST", "h"}), ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"Content-Length", "5"}, {"Content-Length", "5"}),
                     ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"Content-Length", "5, 5"}), ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"Content-Length", "+5"}), ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"Content-Length", ""}), ERROR_BAD_REQUEST);
    assert_int_equal(
        FRAMING({"Host", "h"}, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}),
        ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"Transfer-Encoding", "gzip, chunked"}),
                     ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"Transfer-Encoding", "xchunked"}), ERROR_BAD_REQUEST);
    assert_int_equal(
        FRAMING({"Host", "h"}, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}),
        ERROR_BAD_REQUEST);
}

static void framing_refuses_malformed_headers(void **state)
{
    (void)state;
    assert_int_equal(FRAMING({"Host", "h"}, {"Transfer-Encoding ", "chunked"}), ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"", "x"}), ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"X(y)", "x"}), ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"X", "a\x01"}), ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"X", "a\rb"}), ERROR_BAD_REQUEST);
    assert_int_equal(FRAMING({"Host", "h"}, {"X", "a\tb"}), ERROR_OK);
}

static void framing_limits_the_head(void **state)
{
    static char large[1001];

    (void)state;
    memset(large, 'x', sizeof large - 1);
    assert_int_equal(FRAMING({"Host", "h"}, {"X", large}), ERROR_HEADERS_TOO_LARGE);
}

static enum error ask(const struct guard_rules *rules, const struct field *fields,
                      const char *authority, bool mutation)
{
    struct headers headers = collect(fields);
    struct problem problem = {0};
    struct target target = {.authority = authority};

    if (authority != NULL)
        target.authority_length = strlen(authority);
    return guard_request(rules, &headers, &target, mutation, &problem);
}

static enum error ask_host(const struct guard_rules *rules, const char *host)
{
    return ask(rules, (const struct field[]){{"Host", host}, {NULL, NULL}}, NULL, false);
}

static void loopback_or_named_server_knows_only_safe_hosts(void **state)
{
    static const char *const good[] = {"127.0.0.1",   "127.0.0.1:2180",      "[::1]:2180",
                                       "[::1]",       "10.1.2.3:80",         "localhost",
                                       "LOCALHOST:1", "curlew.internal:2180"};
    static const char *const evil[] = {"evil.example",     "localhost.evil.example",
                                       "127.0.0.1.nip.io", "evil.example:2180",
                                       "2130706433",       "curlew.internal."};
    static const char *const none[] = {NULL};
    struct guard_rules named = loopback, anywhere = loopback;

    (void)state;
    named.loopback = anywhere.loopback = false;
    anywhere.allowed_hosts = none;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_int_equal(ask_host(&loopback, good[i]) + ask_host(&named, good[i]), ERROR_OK);
    for (size_t i = 0; i < COUNT_OF(evil); i++) {
        assert_int_equal(ask_host(&loopback, evil[i]), ERROR_MISDIRECTED);
        assert_int_equal(ask_host(&named, evil[i]), ERROR_MISDIRECTED);
        assert_int_equal(ask_host(&anywhere, evil[i]), ERROR_OK);
    }
}

static void malformed_host_is_refused(void **state)
{
    static const char *const hosts_[] = {"", ":80", "[::1", "[::1]x", "h:80a", "[]:80", "a:b:c"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts_); i++)
        assert_int_equal(ask_host(&loopback, hosts_[i]), ERROR_BAD_REQUEST);
}

static void absolute_target_stands_for_the_host(void **state)
{
    static const struct field fields[] = {{"Host", "localhost"}, {NULL, NULL}};

    (void)state;
    assert_int_equal(ask(&loopback, fields, "evil.example", false), ERROR_MISDIRECTED);
    assert_int_equal(ask(&loopback, fields, "127.0.0.1:2180", false), ERROR_OK);
}

static enum error ask_origin(const char *origin, bool mutation)
{
    return ask(&loopback,
               (const struct field[]){{"Host", "localhost:2180"}, {"Origin", origin}, {NULL, NULL}},
               NULL, mutation);
}

static void page_of_another_origin_cannot_write(void **state)
{
    (void)state;
    assert_int_equal(ask_origin("http://localhost:2180", true), ERROR_OK);
    assert_int_equal(ask_origin("https://console.example", true), ERROR_OK);
    assert_int_equal(ask_origin("http://localhost:3000", true), ERROR_CROSS_ORIGIN);
    assert_int_equal(ask_origin("http://localhost:21800", true), ERROR_CROSS_ORIGIN);
    assert_int_equal(ask_origin("http://evil.example", true), ERROR_CROSS_ORIGIN);
    assert_int_equal(ask_origin("https://console.example.evil", true), ERROR_CROSS_ORIGIN);
    assert_int_equal(ask_origin("null", true), ERROR_CROSS_ORIGIN);
    assert_int_equal(ask_origin("", true), ERROR_CROSS_ORIGIN);
    assert_int_equal(ask_origin("http://evil.example", false), ERROR_OK);
}

static void request_headers_are_given_once(void **state)
{
    static const struct field twice[] = {
        {"Host", "localhost"}, {"If-Match", "\"1\""}, {"if-match", "\"2\""}, {NULL, NULL}};
    static const struct field accepts[] = {
        {"Host", "localhost"}, {"Accept", "a/b"}, {"Accept", "c/d"}, {NULL, NULL}};

    (void)state;
    assert_int_equal(ask(&loopback, twice, NULL, true), ERROR_BAD_HEADER);
    assert_int_equal(ask(&loopback, accepts, NULL, true), ERROR_OK);
}

static void encoded_bodies_are_refused(void **state)
{
    static const struct field gzip[] = {
        {"Host", "localhost"}, {"Content-Encoding", "gzip"}, {NULL, NULL}};
    static const struct field plain[] = {
        {"Host", "localhost"}, {"Content-Encoding", "identity"}, {NULL, NULL}};

    (void)state;
    assert_int_equal(ask(&loopback, gzip, NULL, true), ERROR_UNSUPPORTED_ENCODING);
    assert_int_equal(ask(&loopback, plain, NULL, true), ERROR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_passes_what_is_clear),
        cmocka_unit_test(framing_refuses_what_is_ambiguous),
        cmocka_unit_test(framing_refuses_malformed_headers),
        cmocka_unit_test(framing_limits_the_head),
        cmocka_unit_test(loopback_or_named_server_knows_only_safe_hosts),
        cmocka_unit_test(malformed_host_is_refused),
        cmocka_unit_test(absolute_target_stands_for_the_host),
        cmocka_unit_test(page_of_another_origin_cannot_write),
        cmocka_unit_test(request_headers_are_given_once),
        cmocka_unit_test(encoded_bodies_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
