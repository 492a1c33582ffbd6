// SPDX-License-Identifier: Apache-2.0
// libmicrohttpd's callbacks. A reply that is queued in the first call for a request closes the
// connection, so that is done only where it must be closed; a request is suspended and answered
// only in the last call.
#include "api/http.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <microhttpd.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "api/connection.h"
#include "api/dispatch.h"
#include "api/http_reply.h"
#include "api/http_stream.h"
#include "api/reply.h"
#include "api/worker.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    POOL_LEAST_BYTES = 16 << 10, // per connection: request head, reply head, read buffer
    POOL_SPARE_BYTES = 4 << 10,  // beside the request's head
    LIMIT_SPARE = 64,            // connections: the library's limit stays above ours
    DISCARDED_MAX = 8 << 20,     // body bytes read in vain, so that the reply is seen
    STOP_GRACE_MS = 2000,        // for requests still arriving when the api stops
    LIBRARY_LOG_PAUSE_S = 1,     // between two lines of the library in the log
};

static const uint64_t ns_per_ms = 1000000;

// A worker, and what its daemon's callbacks need to know.
struct lane {
    struct http *http;
    struct worker *worker;
    struct kept_replies *kept;
};

struct http {
    struct lane *lanes;  // limits.workers of them, and limits.stream_workers behind those
    size_t lane_count;   // of those that run
    atomic_uint adopted; // sockets so far, to spread them
    struct service *service;
    struct admission *admission;
    struct connections connections;
    struct hangups *hangups;
    atomic_size_t under_way; // requests between their head and their end
    atomic_size_t parked;
    atomic_bool closed; // nothing may park any more
    atomic_uint_fast64_t logged_s;
    pthread_mutex_t lock; // for the wait in http_stop
    pthread_cond_t quiet; // under_way or parked fell while draining
};

static struct connection *connection_of(struct request *request)
{
    return CONTAINER_OF(request, struct connection, request);
}

static void tell_gone(void *context, bool left)
{
    struct request *request = context;

    (void)left;
    request->gone(request);
}

static void set_patience(struct request *request, uint32_t milliseconds)
{
    int value = (int)milliseconds;

    setsockopt(connection_of(request)->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value);
}

static bool all_received(struct request *request)
{
    int left = 0;

    return ioctl(connection_of(request)->fd, SIOCOUTQ, &left) == 0 && left == 0;
}

static void tell_stopper(struct http *http)
{
    if (!atomic_load(&http->service->draining))
        return;
    pthread_mutex_lock(&http->lock);
    pthread_cond_broadcast(&http->quiet);
    pthread_mutex_unlock(&http->lock);
}

// Counting first and looking at `closed` second means that either the stopper sees the count or
// this sees `closed`.
static bool park(struct request *request)
{
    struct connection *connection = connection_of(request);
    struct http *http = connection->owner;

    atomic_fetch_add(&http->parked, 1);
    if (atomic_load(&http->closed)) {
        atomic_fetch_sub(&http->parked, 1);
        tell_stopper(http);
        return false;
    }
    connection->parked = true;
    MHD_suspend_connection(connection->handle);
    if (request->gone != NULL)
        hangups_arm(http->hangups, &connection->hangup, tell_gone, request);
    return true;
}

// The worker has the request back: its handler is called again, or its client went away meanwhile.
static void leave_park(struct request *request)
{
    struct connection *connection = connection_of(request);
    struct http *http = connection->owner;

    if (request->gone != NULL)
        hangups_disarm(http->hangups, &connection->hangup);
    request->gone = NULL;
    connection->parked = false;
    atomic_fetch_sub(&http->parked, 1);
    tell_stopper(http);
}

static void unpark(struct request *request)
{
    struct connection *connection = connection_of(request);

    connection->resume.connection = connection->handle;
    worker_resume(connection->worker, &connection->resume);
}

static void unpark_later(struct request *request)
{
    struct connection *connection = connection_of(request);

    connection->resume.connection = connection->handle;
    worker_resume_later(connection->worker, &connection->resume);
}

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_length, const char *value, size_t value_length)
{
    (void)kind;
    headers_add(context, name, name_length, value, value_length);
    return MHD_YES;
}

// Whether reading the body only to throw it away is not worth it.
static bool must_close(const struct request *request)
{
    const char *length = request->headers.value[HEADER_CONTENT_LENGTH];

    return request->headers.count[HEADER_EXPECT] > 0 ||
           (length != NULL && strtoull(length, NULL, 10) > DISCARDED_MAX);
}

static enum MHD_Result queue_reply(struct connection *connection)
{
    struct http *http = connection->owner;
    struct request *request = &connection->request;

    request->timing.replied_ns = clock_monotonic_ns();
    metrics_replied(request);
    if (request->reply.stream != NULL)
        return http_stream_queue(connection, http->hangups);
    return http_reply_queue(connection->handle, request, connection->kept, &connection->used);
}

static enum MHD_Result answer_head(struct connection *connection, const char *method,
                                   const char *version)
{
    struct request *request = &connection->request;
    struct http *http = connection->owner;

    connection->head_seen = true;
    request->timing.begun_ns = clock_monotonic_ns();
    connection->counted = true;
    atomic_fetch_add(&http->under_way, 1);
    MHD_get_connection_values_n(connection->handle, MHD_HEADER_KIND, take_header,
                                &request->headers);
    bool usable = dispatch_head(request, method, version);
    bool refused = request->reply.status != STATUS_NONE && request->has_body;
    if (usable && !(refused && must_close(request)))
        return MHD_YES;
    if (!connection_enter(connection, PHASE_READING, PHASE_BUSY))
        return MHD_NO;
    return queue_reply(connection);
}

static enum MHD_Result take_body(struct connection *connection, const char *data, size_t length)
{
    struct request *request = &connection->request;
    struct problem problem = {0};

    if (request->reply.status == STATUS_NONE) {
        if (request_append_body(request, data, length, &problem) == ERROR_OK)
            return MHD_YES;
        reply_problem(request, &problem);
    }
    connection->discarded += length;
    return connection->discarded <= DISCARDED_MAX ? MHD_YES : MHD_NO;
}

static enum MHD_Result answer(struct connection *connection)
{
    struct request *request = &connection->request;

    if (connection->parked) {
        leave_park(request);
        request->finish(request);
    } else {
        if (!connection_enter(connection, PHASE_READING, PHASE_BUSY))
            return MHD_NO;
        dispatch_run(request);
    }
    if (connection->parked)
        return MHD_YES;
    if (request->reply.hang_up)
        return MHD_NO;
    ASSERT(request->reply.status != STATUS_NONE);
    return queue_reply(connection);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *handle_, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *length, void **state)
{
    struct connection *connection = *state;

    (void)context;
    (void)handle_;
    (void)url;
    if (connection == NULL)
        return MHD_NO;
    if (!connection->head_seen)
        return answer_head(connection, method, version);
    if (*length == 0)
        return answer(connection);
    size_t taken = *length;
    *length = 0;
    return take_body(connection, data, taken);
}

// Keeps the library from taking the query apart: it would put every parameter into the connection's pool,
// and answers nothing at all when they do not fit. `target` lies in that pool, so it can be changed.
static void hide_query(const char *target)
{
    char *mark = strchr((char *)(uintptr_t)target, '?');

    if (mark != NULL)
        mark[1] = '\0';
}

// The only place where the target is seen as it was sent. What it returns becomes *state.
static void *take_target(void *context, const char *target, struct MHD_Connection *handle_)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(handle_, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *connection = info != NULL ? info->socket_context : NULL;

    (void)context;
    if (connection == NULL || !connection_enter(connection, PHASE_IDLE, PHASE_READING))
        return NULL;
    connection->handle = handle_;
    buffer_append(&connection->request.target, target, strlen(target) + 1);
    hide_query(target);
    return connection;
}

static void end_request(void *context, struct MHD_Connection *handle_, void **state,
                        enum MHD_RequestTerminationCode code)
{
    struct http *http = context;
    struct connection *connection = *state;

    (void)handle_;
    (void)code;
    *state = NULL;
    if (connection == NULL)
        return;
    if (connection->parked)
        leave_park(&connection->request);
    if (connection->request.reply.stream != NULL)
        hangups_disarm(http->hangups, &connection->hangup);
    if (connection->used != NULL)
        kept_replies_give(connection->kept, connection->used);
    connection->used = NULL;
    bool counted = connection->counted;
    timing_log(&connection->request, clock_monotonic_ns());
    request_reset(&connection->request);
    connection->head_seen = connection->counted = false;
    connection->discarded = 0;
    if (!connection_enter(connection, PHASE_BUSY, PHASE_IDLE))
        connection_enter(connection, PHASE_READING, PHASE_IDLE);
    if (counted) {
        atomic_fetch_sub(&http->under_way, 1);
        tell_stopper(http);
    }
}

static void notice_connection(void *context, struct MHD_Connection *handle_, void **socket_context,
                              enum MHD_ConnectionNotificationCode code)
{
    struct lane *lane = context;
    struct http *http = lane->http;
    struct connection *connection = *socket_context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(handle_, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        const struct sockaddr *address =
            MHD_get_connection_info(handle_, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
        counter_add(&http->service->metrics.opened, 1);
        connection = connections_open(&http->connections, fd, address);
        connection->owner = http;
        connection->worker = lane->worker;
        connection->kept = lane->kept;
        *socket_context = connection;
    } else if (connection != NULL) {
        hangups_forget(http->hangups, &connection->hangup);
        admission_leave(http->admission, &connection->address.any);
        connections_close(&http->connections, connection);
        counter_add(&http->service->metrics.closed, 1);
        *socket_context = NULL;
    }
}

// Malformed requests make the library log a line each: enough to fill a disk.
static void __attribute__((format(printf, 2, 0)))
log_library(void *context, const char *format, va_list arguments)
{
    struct http *http = context;
    char text[200];
    char quoted[LOG_QUOTED_MAX];
    uint64_t now_s = clock_monotonic_ns() / 1000000000u;
    uint64_t last_s = atomic_load_explicit(&http->logged_s, memory_order_relaxed);

    if (now_s < last_s + LIBRARY_LOG_PAUSE_S ||
        !atomic_compare_exchange_strong(&http->logged_s, &last_s, now_s))
        return;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\r\n")] = '\0';
    log_write(LOG_DEBUG, "http", "library=%s", log_quote(quoted, text));
}

static size_t keep_encoded(void *context, struct MHD_Connection *handle_, char *text)
{
    (void)context;
    (void)handle_;
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct lane *lane)
{
    struct http *http = lane->http;
    const struct api_limits *limits = &http->service->limits;
    size_t head =
        limits->header_bytes > limits->url_bytes ? limits->header_bytes : limits->url_bytes;
    size_t wanted = head + POOL_SPARE_BYTES;
    size_t pool = wanted > POOL_LEAST_BYTES ? wanted : POOL_LEAST_BYTES;
    unsigned idle_s = (unsigned)((limits->idle_timeout_ms + 999) / 1000);
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO |
                     MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;

    return MHD_start_daemon(
        flags, 0, NULL, NULL, handle, http, MHD_OPTION_EXTERNAL_LOGGER, log_library, http,
        MHD_OPTION_CONNECTION_LIMIT, limits->connections + LIMIT_SPARE,
        MHD_OPTION_CONNECTION_TIMEOUT, idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool,
        MHD_OPTION_URI_LOG_CALLBACK, take_target, http, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, end_request, http, MHD_OPTION_NOTIFY_CONNECTION,
        notice_connection, lane, MHD_OPTION_END);
}

static void refused(void *context, const struct sockaddr *address)
{
    struct http *http = context;

    admission_leave(http->admission, address);
}

static bool start_lanes(struct http *http)
{
    struct worker_events events = {.context = http, .refused = refused};
    uint32_t count = http->service->limits.workers + http->service->limits.stream_workers;

    http->lanes = memory_zalloc(count * sizeof *http->lanes);
    while (http->lane_count < count) {
        struct lane *lane = &http->lanes[http->lane_count];
        lane->http = http;
        struct MHD_Daemon *daemon = start_daemon(lane);
        if (daemon == NULL)
            return false;
        lane->kept = kept_replies_new();
        lane->worker = worker_start(daemon, &events);
        http->lane_count++;
    }
    return true;
}

static void stop_lanes(struct http *http)
{
    while (http->lane_count > 0) {
        struct lane *lane = &http->lanes[--http->lane_count];
        worker_stop(lane->worker);
        kept_replies_free(lane->kept);
    }
}

static void http_free(struct http *http)
{
    hangups_stop(http->hangups);
    connections_deinit(&http->connections);
    free(http->lanes);
    pthread_cond_destroy(&http->quiet);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

enum error http_start(struct service *service, struct admission *admission, struct http **http,
                      struct failure *failure)
{
    pthread_condattr_t monotonic;

    *http = memory_zalloc(sizeof **http);
    (*http)->service = service;
    (*http)->admission = admission;
    service->park = park;
    service->unpark = unpark;
    service->unpark_later = unpark_later;
    service->leave_park = leave_park;
    service->set_patience = set_patience;
    service->all_received = all_received;
    (*http)->hangups = hangups_start();
    connections_init(&(*http)->connections, service);
    pthread_mutex_init(&(*http)->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&(*http)->quiet, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (start_lanes(*http))
        return ERROR_OK;
    stop_lanes(*http);
    http_free(*http);
    *http = NULL;
    return failure_set(failure, ERROR_IO, "cannot start the HTTP workers: %s", strerror(errno));
}

void http_adopt(struct http *http, int fd, const struct sockaddr *address, socklen_t length,
                bool waits)
{
    const struct api_limits *limits = &http->service->limits;
    unsigned number = atomic_fetch_add_explicit(&http->adopted, 1, memory_order_relaxed);
    unsigned lane =
        waits ? limits->workers + number % limits->stream_workers : number % limits->workers;

    worker_adopt(http->lanes[lane].worker, fd, address, length);
}

void http_expire(struct http *http)
{
    const struct api_limits *limits = &http->service->limits;
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t reading_ns = limits->request_timeout_ms * ns_per_ms;
    uint64_t idle_ns = reading_ns + (limits->idle_timeout_ms + 1000) * ns_per_ms;

    connections_expire(&http->connections, now_ns > reading_ns ? now_ns - reading_ns : 0,
                       now_ns > idle_ns ? now_ns - idle_ns : 0);
}

// Waits until the count is zero or the deadline (0: none) has passed.
static void wait_for_zero(struct http *http, atomic_size_t *count, uint64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                             .tv_nsec = (long)(deadline_ns % 1000000000u)};
    int waited = 0;

    pthread_mutex_lock(&http->lock);
    while (atomic_load(count) > 0 && waited == 0) {
        if (deadline_ns == 0)
            pthread_cond_wait(&http->quiet, &http->lock);
        else
            waited = pthread_cond_timedwait(&http->quiet, &http->lock, &until);
    }
    pthread_mutex_unlock(&http->lock);
}

// The library aborts when it is stopped with a suspended connection, so parking ends first and the
// parked are waited for without limit: completing them is the backend's promise. Who does not read its
// reply is cut off.
void http_stop(struct http *http)
{
    wait_for_zero(http, &http->under_way, clock_monotonic_ns() + STOP_GRACE_MS * ns_per_ms);
    connections_expire(&http->connections, UINT64_MAX, 0);
    atomic_store(&http->closed, true);
    wait_for_zero(http, &http->parked, 0);
    wait_for_zero(http, &http->under_way, clock_monotonic_ns() + STOP_GRACE_MS * ns_per_ms);
    stop_lanes(http);
    http_free(http);
}
