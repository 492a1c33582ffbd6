// SPDX-License-Identifier: Apache-2.0
// The HTTP engine from outside, over real sockets: parking, limits, slow senders, drain and stop.
#include "tests/unit/api/check.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/unit/api/backend.h"

enum { REPLY_MAX = 1 << 16, PATIENCE_S = 10 };

struct fixture {
    struct backend backend;
    struct api_options options;
    struct api *api;
    char reply[REPLY_MAX];
};

static struct api_options usual_options(void)
{
    return (struct api_options){
        .listen = "127.0.0.1:0",
        .limits = {.connections = 100,
                   .connections_per_address = 100,
                   .workers = 2,
                   .stream_workers = 1,
                   .url_bytes = 4096,
                   .header_bytes = 4096,
                   .body_bytes = 10000,
                   .bodies_bytes = 100000,
                   .json_depth = 16,
                   .multi_ops = 10,
                   .delete_nodes = 10,
                   .list_items = 10,
                   .page_bytes = 10000,
                   .request_timeout_ms = 60000,
                   .idle_timeout_ms = 60000,
                   .wait_default_ms = 10000,
                   .wait_max_ms = 60000,
                   .key_retention_ms = 600000,
                   .key_capacity = 100},
    };
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    backend_start(&fixture->backend);
    fixture->options = usual_options();
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    api_stop(fixture->api);
    api_free(fixture->api);
    backend_stop(&fixture->backend);
    free(fixture);
    return 0;
}

static void start_closed(struct fixture *fixture)
{
    struct failure failure = {0};

    if (api_start(&fixture->options, &fixture->backend.port, &fixture->api, &failure) != ERROR_OK)
        fail_msg("%s", failure.text);
}

static void start(struct fixture *fixture)
{
    start_closed(fixture);
    api_open(fixture->api, fixture->backend.live);
}

static int connect_to(const struct fixture *fixture)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(api_port(fixture->api)),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&address, sizeof address), 0);
    return fd;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

// Reads until `wanted` has come or, with NULL, until the server closes.
static void receive(struct fixture *fixture, int fd, const char *wanted)
{
    size_t length = 0;

    fixture->reply[0] = '\0';
    while (wanted == NULL || strstr(fixture->reply, wanted) == NULL) {
        ssize_t got = recv(fd, fixture->reply + length, REPLY_MAX - 1 - length, 0);
        if (got == 0 && wanted == NULL)
            return;
        if (got <= 0)
            fail_msg("no more after: %s", fixture->reply);
        length += (size_t)got;
        fixture->reply[length] = '\0';
    }
}

// One request on a connection of its own; the reply is in fixture->reply.
static void ask(struct fixture *fixture, const char *method, const char *target, const char *body)
{
    char request[4096];
    int fd = connect_to(fixture);

    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
             "%zu\r\n\r\n%s",
             method, target, strlen(body), body);
    send_text(fd, request);
    receive(fixture, fd, NULL);
    close(fd);
}

static void http_reads_what_was_written(void **state)
{
    struct fixture *fixture = *state;

    start(fixture);
    ask(fixture, "PUT", "/v1/znodes/a", "hello");
    assert_contains(fixture->reply, "HTTP/1.1 201 Created\r\n");
    assert_contains(fixture->reply, "Location: /v1/znodes/a\r\n");
    assert_contains(fixture->reply, "X-Zxid: 1\r\n");
    ask(fixture, "GET", "/v1/znodes/a", "");
    assert_contains(fixture->reply, "HTTP/1.1 200 OK\r\n");
    assert_contains(fixture->reply, "ETag: \"1.1.0\"\r\n");
    assert_contains(fixture->reply, "{\"path\":\"/a\",\"data\":\"hello\",\"encoding\":\"utf8\"");
}

static void http_tells_what_it_waits_for_until_it_is_opened(void **state)
{
    struct fixture *fixture = *state;
    struct node_status *status = &fixture->backend.status;

    status->starting = true;
    status->serving = false;
    status->leader = 0;
    snprintf(status->reason, sizeof status->reason, "waiting for node 2");
    start_closed(fixture);
    api_changed(fixture->api, 7);
    ask(fixture, "GET", "/livez", "");
    assert_contains(fixture->reply, "HTTP/1.1 200 ");
    ask(fixture, "GET", "/v1/cluster", "");
    assert_contains(fixture->reply, "HTTP/1.1 200 ");
    ask(fixture, "GET", "/readyz?verbose", "");
    assert_contains(fixture->reply, "HTTP/1.1 503 ");
    assert_contains(fixture->reply, "/problems/starting");
    assert_contains(fixture->reply, "\"detail\":\"waiting for node 2\"");
    ask(fixture, "PUT", "/v1/znodes/a", "x");
    assert_contains(fixture->reply, "HTTP/1.1 503 ");
    assert_contains(fixture->reply, "Retry-After: ");
    assert_contains(fixture->reply, "waiting for node 2");
    ask(fixture, "GET", "/v1/watch", ""); // an EventSource gives up on any status
    assert_string_equal(fixture->reply, "");
    pthread_mutex_lock(&fixture->backend.lock);
    status->starting = false;
    status->serving = true;
    status->leader = 1;
    pthread_mutex_unlock(&fixture->backend.lock);
    api_open(fixture->api, fixture->backend.live);
    ask(fixture, "PUT", "/v1/znodes/a", "x");
    assert_contains(fixture->reply, "HTTP/1.1 201 ");
    ask(fixture, "GET", "/readyz", "");
    assert_contains(fixture->reply, "HTTP/1.1 200 ");
}

static void http_stops_before_it_is_opened(void **state)
{
    struct fixture *fixture = *state;

    start_closed(fixture);
    ask(fixture, "GET", "/livez", "");
}

static void http_says_not_modified_without_a_body(void **state)
{
    struct fixture *fixture = *state;

    start(fixture);
    int fd = connect_to(fixture);
    send_text(fd,
              "GET /v1/znodes?view=children HTTP/1.1\r\nHost: localhost\r\n"
              "If-None-Match: \"c0\"\r\n\r\n"
              "GET /v1/znodes?raw HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
              "If-None-Match: \"1\", W/\"0\"\r\n\r\n");
    receive(fixture, fd, NULL);
    assert_contains(fixture->reply, "HTTP/1.1 304 Not Modified\r\n");
    assert_contains(fixture->reply, "ETag: \"c0\"\r\n");
    assert_contains(fixture->reply, "ETag: \"0\"\r\n");
    assert_null(strstr(fixture->reply, "zookeeper"));
    assert_null(strstr(fixture->reply, "Content-Type"));
    close(fd);
}

static void http_answers_pipelined_requests_in_order(void **state)
{
    struct fixture *fixture = *state;

    start(fixture);
    int fd = connect_to(fixture);
    send_text(fd,
              "PUT /v1/znodes/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\none"
              "PUT /v1/znodes/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\ntwo"
              "GET /v1/znodes/a?raw HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    receive(fixture, fd, NULL);
    const char *created = strstr(fixture->reply, "201 Created");
    const char *set = strstr(fixture->reply, "HTTP/1.1 200 OK");
    assert_non_null(created);
    assert_non_null(set);
    assert_true(created < set);
    assert_contains(set, "\r\n\r\ntwo");
    close(fd);
}

static void http_passes_on_why_the_backend_refuses(void **state)
{
    struct fixture *fixture = *state;

    fixture->backend.read_error = ERROR_NO_LEADER;
    fixture->backend.write_error = ERROR_OUTCOME_UNKNOWN;
    start(fixture);
    ask(fixture, "GET", "/v1/znodes/a", "");
    assert_contains(fixture->reply, "HTTP/1.1 503 ");
    assert_contains(fixture->reply, "Retry-After: 1\r\n");
    assert_contains(fixture->reply, "\"code\":\"NO-LEADER\"");
    ask(fixture, "GET", "/v1/znodes?consistency=local", "");
    assert_contains(fixture->reply, "HTTP/1.1 200 ");
    ask(fixture, "PUT", "/v1/znodes/a", "x");
    assert_contains(fixture->reply, "HTTP/1.1 504 ");
    assert_contains(fixture->reply, "\"outcome\":\"unknown\"");
}

static void http_limits_connections_with_a_reply(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.limits.connections = 3;
    fixture->options.limits.connections_per_address = 1;
    start(fixture);
    int first = connect_to(fixture);
    send_text(first, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    receive(fixture, first, "\"ok\"");
    int second = connect_to(fixture);
    receive(fixture, second, NULL);
    assert_contains(fixture->reply, "HTTP/1.1 429 ");
    assert_contains(fixture->reply, "Retry-After: ");
    assert_contains(fixture->reply, "/problems/too-many-requests");
    close(first);
    close(second);
}

static void http_counts_closed_connections_out(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.limits.connections = 1;
    start(fixture);
    int first = connect_to(fixture);
    send_text(first, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    receive(fixture, first, NULL);
    close(first);
    for (int tries = 0; tries < 1000; tries++) {
        ask(fixture, "GET", "/livez", "");
        if (strstr(fixture->reply, "HTTP/1.1 200 ") != NULL)
            return;
        assert_contains(fixture->reply, "/problems/overloaded");
    }
    fail_msg("the closed connection still counts");
}

static void http_gives_slow_senders_up(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.limits.request_timeout_ms = 50;
    start(fixture);
    int fd = connect_to(fixture);
    send_text(fd, "PUT /v1/znodes/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhal");
    receive(fixture, fd, NULL);
    assert_contains(fixture->reply, "HTTP/1.1 408 ");
    assert_contains(fixture->reply, "/problems/request-timeout");
    close(fd);
    ask(fixture, "GET", "/v1/znodes/a", "");
    assert_contains(fixture->reply, "HTTP/1.1 404 ");
}

static void http_limits_bodies(void **state)
{
    static char body[20001];
    struct fixture *fixture = *state;
    char head[128];

    start(fixture);
    memset(body, 'x', sizeof body - 1);
    int fd = connect_to(fixture);
    snprintf(head, sizeof head,
             "PUT /v1/znodes/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n",
             sizeof body - 1);
    send_text(fd, head);
    send_text(fd, body);
    send_text(fd, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    receive(fixture, fd, NULL);
    assert_contains(fixture->reply, "HTTP/1.1 413 ");
    assert_contains(fixture->reply, "20000 bytes, the limit is 10000");
    assert_contains(fixture->reply, "{\"status\":\"ok\"}");
    close(fd);
}

static void http_limits_all_bodies_together(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.limits.bodies_bytes = 4;
    start(fixture);
    ask(fixture, "PUT", "/v1/znodes/a", "12345");
    assert_contains(fixture->reply, "HTTP/1.1 503 ");
    assert_contains(fixture->reply, "/problems/overloaded");
    for (int i = 0; i < 3; i++) {
        ask(fixture, "PUT", "/v1/znodes/a", "1234");
        assert_contains(fixture->reply, "HTTP/1.1 20");
    }
}

static void *stop(void *api)
{
    api_stop(api);
    api_free(api);
    return NULL;
}

static void http_stop_answers_parked_requests(void **state)
{
    struct fixture *fixture = *state;
    pthread_t stopper;

    start(fixture);
    backend_hold(&fixture->backend, true);
    int fd = connect_to(fixture);
    send_text(fd, "PUT /v1/znodes/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx");
    backend_await_held(&fixture->backend);
    api_drain(fixture->api);
    assert_int_equal(pthread_create(&stopper, NULL, stop, fixture->api), 0);
    fixture->api = NULL;
    backend_hold(&fixture->backend, false);
    receive(fixture, fd, NULL);
    assert_contains(fixture->reply, "HTTP/1.1 201 ");
    assert_contains(fixture->reply, "Connection: close\r\n");
    pthread_join(stopper, NULL);
    close(fd);
}

// The library calls the handler no more for such a request, only the end of it.
static void http_stops_although_clients_left_while_parked(void **state)
{
    const struct linger reset = {.l_onoff = 1};
    struct fixture *fixture = *state;

    start(fixture);
    backend_hold(&fixture->backend, true);
    int fd = connect_to(fixture);
    send_text(fd, "PUT /v1/znodes/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx");
    backend_await_held(&fixture->backend);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    backend_hold(&fixture->backend, false);
    ask(fixture, "GET", "/livez", "");
    api_stop(fixture->api);
    api_free(fixture->api);
    fixture->api = NULL;
}

static void http_drain_says_close_and_not_ready(void **state)
{
    struct fixture *fixture = *state;

    start(fixture);
    int fd = connect_to(fixture);
    api_drain(fixture->api);
    send_text(fd, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    receive(fixture, fd, NULL);
    assert_contains(fixture->reply, "HTTP/1.1 503 ");
    assert_contains(fixture->reply, "/problems/draining");
    assert_contains(fixture->reply, "Connection: close\r\n");
    close(fd);
}

static void http_stop_closes_idle_connections(void **state)
{
    struct fixture *fixture = *state;

    start(fixture);
    int idle = connect_to(fixture);
    send_text(idle, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    receive(fixture, idle, "\"ok\"");
    api_stop(fixture->api);
    api_free(fixture->api);
    fixture->api = NULL;
    receive(fixture, idle, NULL);
    close(idle);
}

static void listen_address_must_make_sense(void **state)
{
    static const char *const addresses[] = {"",          "2180",           ":2180",
                                            "127.0.0.1", "127.0.0.1:",     "127.0.0.1:x",
                                            "::1:2180",  "127.0.0.1:70000"};
    struct fixture *fixture = *state;
    struct failure failure;

    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        fixture->options.listen = addresses[i];
        failure.text[0] = '\0';
        assert_int_not_equal(
            api_start(&fixture->options, &fixture->backend.port, &fixture->api, &failure),
            ERROR_OK);
        assert_contains(failure.text, addresses[i]);
    }
    fixture->api = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void get(struct fixture *fixture, int fd, const char *target, const char *end)
{
    char request[256];

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
    send_text(fd, request);
    receive(fixture, fd, end);
}

// Replies of one shape share what the worker keeps for the library.
static void http_reply_carries_nothing_of_the_one_before(void **state)
{
    struct fixture *fixture = *state;

    start(fixture);
    ask(fixture, "PUT", "/v1/znodes/a", "first");
    ask(fixture, "PUT", "/v1/znodes/b", "other");
    int fd = connect_to(fixture);
    get(fixture, fd, "/v1/znodes/a?raw&consistency=local", "\r\n\r\nfirst");
    assert_contains(fixture->reply, "ETag: \"1\"\r\n");
    assert_contains(fixture->reply, "X-Staleness-Ms: 0\r\n");
    get(fixture, fd, "/v1/znodes/b?raw&consistency=local", "\r\n\r\nother");
    assert_contains(fixture->reply, "ETag: \"2\"\r\n");
    assert_null(strstr(fixture->reply, "ETag: \"1\""));
    assert_contains(fixture->reply, "Curlew-Stat: czxid=2, mzxid=2");
    assert_null(strstr(fixture->reply, "czxid=1"));
    get(fixture, fd, "/v1/znodes/a?raw", "\r\n\r\nfirst");
    assert_contains(fixture->reply, "X-Content-Type-Options: nosniff\r\n");
    assert_null(strstr(fixture->reply, "X-Staleness-Ms"));
    get(fixture, fd, "/v1/znodes/a", "}\n");
    assert_null(strstr(fixture->reply, "nosniff"));
    close(fd);
}

static void put_marked(struct fixture *fixture, const char *target, char mark)
{
    char body[2001];

    memset(body, '.', 1999);
    body[1999] = mark;
    body[2000] = '\0';
    ask(fixture, "PUT", target, body);
}

// Reads `count` replies and checks that all of them end with the mark, and none with the other.
static void assert_replies(int fd, size_t count, char mark, char other)
{
    char chunk[65536];
    size_t seen = 0;

    while (seen < count) {
        ssize_t got = recv(fd, chunk, sizeof chunk, 0);
        assert_true(got > 0);
        assert_null(memchr(chunk, other, (size_t)got));
        for (ssize_t i = 0; i < got; i++)
            seen += chunk[i] == mark;
    }
}

// One client does not read, so that a reply of its connection stays half sent in the worker while
// another client asks the same worker for one of the same shape.
static void http_replies_of_one_shape_can_be_under_way_together(void **state)
{
    enum { UNREAD = 4000 };
    static const char request[] = "GET /v1/znodes/a?raw HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct fixture *fixture = *state;

    start(fixture);
    put_marked(fixture, "/v1/znodes/a", '!');
    put_marked(fixture, "/v1/znodes/b", '#');
    int stuck = connect_to(fixture);
    int of_other_worker = connect_to(fixture);
    int beside = connect_to(fixture);
    for (int i = 0; i < UNREAD; i++)
        send_text(stuck, request);
    for (int i = 0; i < 10; i++)
        get(fixture, beside, "/v1/znodes/b?raw", "#");
    assert_replies(stuck, UNREAD, '!', '#');
    close(stuck);
    close(of_other_worker);
    close(beside);
}

// ---- Streams of sessions -------------------------------------------------------------------------

// Opens a session; its credential goes to `into`.
static void open_session(struct fixture *fixture, char into[128])
{
    static const char before[] = "\"credential\":\"";

    ask(fixture, "POST", "/v1/sessions", "{\"timeout_ms\":60000}");
    const char *at = strstr(fixture->reply, before);
    assert_non_null(at);
    at += sizeof before - 1;
    snprintf(into, 128, "%.*s", (int)strcspn(at, "\""), at);
}

static int open_stream(struct fixture *fixture, const char *credential, const char *end)
{
    char request[512];
    int fd = connect_to(fixture);

    snprintf(request, sizeof request,
             "GET /v1/sessions/%.*s/stream HTTP/1.1\r\nHost: localhost\r\nCurlew-Session: "
             "%s\r\n\r\n",
             (int)strcspn(credential, "."), credential, credential);
    send_text(fd, request);
    receive(fixture, fd, end);
    return fd;
}

static void http_tells_of_clients_that_leave_their_session(void **state)
{
    struct fixture *fixture = *state;
    char credential[128];

    start(fixture);
    open_session(fixture, credential);
    close(open_stream(fixture, credential, "event: bound"));
    backend_await_departed(&fixture->backend, 1);
    int fd = open_stream(fixture, credential, "event: bound");
    shutdown(fd, SHUT_WR);
    backend_await_departed(&fixture->backend, 2);
    receive(fixture, fd, NULL);
    close(fd);
}

static void http_drain_is_no_departure(void **state)
{
    struct fixture *fixture = *state;
    char credential[128];

    start(fixture);
    open_session(fixture, credential);
    int fd = open_stream(fixture, credential, "event: bound");
    api_drain(fixture->api);
    receive(fixture, fd, "0\r\n\r\n");
    close(fd);
    api_stop(fixture->api);
    api_free(fixture->api);
    fixture->api = NULL;
    assert_int_equal(fixture->backend.streams, 1);
    assert_int_equal(fixture->backend.departed, 0);
}

static void http_tells_streams_what_becomes_of_their_session(void **state)
{
    struct fixture *fixture = *state;
    char credential[128];

    start(fixture);
    open_session(fixture, credential);
    int first = open_stream(fixture, credential, "event: bound");
    int second = open_stream(fixture, credential, "event: bound");
    api_session_changed(fixture->api, 1);
    receive(fixture, first, "\r\n0\r\n\r\n");
    assert_contains(fixture->reply, "event: replaced");
    close(first);
    int fd = connect_to(fixture);
    char request[256];
    snprintf(request, sizeof request,
             "DELETE /v1/sessions/0x1 HTTP/1.1\r\nHost: localhost\r\nCurlew-Session: %s\r\n\r\n",
             credential);
    send_text(fd, request);
    receive(fixture, fd, "204 No Content");
    close(fd);
    api_session_changed(fixture->api, 0);
    receive(fixture, second, "\r\n0\r\n\r\n");
    assert_contains(fixture->reply, "event: expired");
    close(second);
}

// Who may be an EventSource is never told of what will pass; who has a credential is told the truth of it.
static void http_checks_the_credential_of_a_watch(void **state)
{
    static const char wrong[] =
        "GET /v1/watch HTTP/1.1\r\nHost: localhost\r\nCurlew-Session: "
        "0x9.00000000000000000000000000000000\r\n\r\n";
    struct fixture *fixture = *state;

    fixture->backend.forgetful = true;
    start(fixture);
    int fd = connect_to(fixture);
    send_text(fd, wrong);
    receive(fixture, fd, "session-expired");
    close(fd);
    fixture->backend.read_error = ERROR_NO_LEADER;
    fd = connect_to(fixture);
    send_text(fd, wrong);
    receive(fixture, fd, NULL);
    assert_string_equal(fixture->reply, "");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(http_checks_the_credential_of_a_watch),
        TEST(http_tells_of_clients_that_leave_their_session),
        TEST(http_drain_is_no_departure),
        TEST(http_tells_streams_what_becomes_of_their_session),
        TEST(http_reads_what_was_written),
        TEST(http_tells_what_it_waits_for_until_it_is_opened),
        TEST(http_stops_before_it_is_opened),
        TEST(http_says_not_modified_without_a_body),
        TEST(http_answers_pipelined_requests_in_order),
        TEST(http_passes_on_why_the_backend_refuses),
        TEST(http_limits_connections_with_a_reply),
        TEST(http_counts_closed_connections_out),
        TEST(http_gives_slow_senders_up),
        TEST(http_limits_bodies),
        TEST(http_limits_all_bodies_together),
        TEST(http_stop_answers_parked_requests),
        TEST(http_stops_although_clients_left_while_parked),
        TEST(http_drain_says_close_and_not_ready),
        TEST(http_stop_closes_idle_connections),
        TEST(http_reply_carries_nothing_of_the_one_before),
        TEST(http_replies_of_one_shape_can_be_under_way_together),
        TEST(listen_address_must_make_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
