// SPDX-License-Identifier: Apache-2.0
// A refused client gets a whole reply and time to read it: closing at once would reset the
// connection and with it the reply, because the request lies unread in our receive buffer. One that wants
// to watch gets none: an EventSource comes back after a connection that just ended, and only then.
#include "api/acceptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/canned.h"
#include "api/newcomers.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    LINGERING_MAX = 64, // refused connections that may still read their reply
    LINGER_MS = 1000,
    PATIENCE_MS = 250,  // for the request of a refused connection
    TICK_MOST_MS = 500, // between two looks at slow senders
    TICK_LEAST_MS = 10,
    ACCEPT_BURST = 64,
    EXHAUSTED_PAUSE_MS = 100,  // when the process has no file descriptors left
    EXHAUSTED_QUIET_MS = 1000, // without, before it is said again
    KEEPALIVE_IDLE_S = 60,
    USER_TIMEOUT_MS = 30000,
    POLL_FIXED = 3, // wake-up, listening socket and newcomers stand before the lingering ones
};

struct lingering {
    int fd;
    enum error refusal; // still to be answered; OK: it was
    uint64_t answer_ns; // when, at the latest
    uint64_t until_ns;
};

struct acceptor {
    int listen_fd;
    int wake_fd;
    pthread_t thread;
    struct service *service;
    struct admission *admission;
    struct http *http;
    struct newcomers *newcomers;
    int newcomers_ms; // until they must be looked at; -1: no matter
    atomic_bool stopping;
    int tick_ms;
    uint64_t paused_until_ns;
    struct lingering lingering[LINGERING_MAX];
    size_t lingering_count;
};

static void set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

static void tune(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

static void end_lingering(struct acceptor *acceptor, size_t index)
{
    close(acceptor->lingering[index].fd);
    acceptor->lingering_count--;
    memmove(&acceptor->lingering[index], &acceptor->lingering[index + 1],
            (acceptor->lingering_count - index) * sizeof acceptor->lingering[0]);
}

static void answer(struct acceptor *acceptor, struct lingering *refused, enum newcomer_kind kind)
{
    char canned[CANNED_MAX];
    const char *detail = refused->refusal == ERROR_OVERLOADED
                             ? "the server has as many connections as it accepts"
                             : "this address has as many connections as one address may have";

    size_t length = canned_reply(acceptor->service, refused->refusal, detail, canned);
    if (kind != NEWCOMER_WATCHES)
        (void)send(refused->fd, canned, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(refused->fd, SHUT_WR);
    refused->refusal = ERROR_OK;
}

// Once it is known what is asked, or has been waited for.
static void answer_in_time(struct acceptor *acceptor, struct lingering *refused, uint64_t now_ns)
{
    enum newcomer_kind kind = newcomer_judge_socket(refused->fd);

    if (kind != NEWCOMER_UNKNOWN || now_ns >= refused->answer_ns)
        answer(acceptor, refused, kind);
}

static void refuse(struct acceptor *acceptor, int fd, enum error error)
{
    uint64_t now_ns = clock_monotonic_ns();
    struct lingering refused = {.fd = fd,
                                .refusal = error,
                                .answer_ns = now_ns + (uint64_t)PATIENCE_MS * 1000000,
                                .until_ns = now_ns + (uint64_t)LINGER_MS * 1000000};

    answer_in_time(acceptor, &refused, now_ns);
    if (acceptor->lingering_count == LINGERING_MAX) {
        if (acceptor->lingering[0].refusal != ERROR_OK)
            answer(acceptor, &acceptor->lingering[0], NEWCOMER_UNKNOWN);
        end_lingering(acceptor, 0);
    }
    acceptor->lingering[acceptor->lingering_count++] = refused;
}

// Out of descriptors or memory: others must close first. Says so once per series.
static void pause_accepting(struct acceptor *acceptor)
{
    uint64_t now_ns = clock_monotonic_ns();

    if (now_ns > acceptor->paused_until_ns + (uint64_t)EXHAUSTED_QUIET_MS * 1000000)
        log_write(LOG_WARNING, "cannot accept connections", "reason=%s", strerrorname_np(errno));
    acceptor->paused_until_ns = now_ns + (uint64_t)EXHAUSTED_PAUSE_MS * 1000000;
}

static bool accept_one(struct acceptor *acceptor)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    } address;
    socklen_t length = sizeof address;

    int fd = accept4(acceptor->listen_fd, &address.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(acceptor);
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    tune(fd);
    enum error error = admission_enter(acceptor->admission, &address.any);
    if (error == ERROR_OK)
        newcomers_add(acceptor->newcomers, fd, &address.any, length);
    else
        refuse(acceptor, fd, error);
    if (error != ERROR_OK)
        counter_add(&acceptor->service->metrics.refused, 1);
    return true;
}

// Answers those that are not yet, and reads what the others still send, so that the close does not reset
// the connection.
static void drain_lingering(struct acceptor *acceptor)
{
    uint64_t now_ns = clock_monotonic_ns();
    char unwanted[4096];

    for (size_t i = acceptor->lingering_count; i-- > 0;) {
        if (acceptor->lingering[i].refusal != ERROR_OK) {
            answer_in_time(acceptor, &acceptor->lingering[i], now_ns);
            continue;
        }
        ssize_t got = recv(acceptor->lingering[i].fd, unwanted, sizeof unwanted, MSG_DONTWAIT);
        bool ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
        if (ended || now_ns >= acceptor->lingering[i].until_ns)
            end_lingering(acceptor, i);
    }
}

static void wait_for_work(struct acceptor *acceptor, bool *acceptable)
{
    struct pollfd polled[POLL_FIXED + LINGERING_MAX];
    bool paused = clock_monotonic_ns() < acceptor->paused_until_ns;
    int timeout_ms = paused ? TICK_LEAST_MS : acceptor->tick_ms;

    if (acceptor->newcomers_ms >= 0 && acceptor->newcomers_ms < timeout_ms)
        timeout_ms = acceptor->newcomers_ms;
    polled[0] = (struct pollfd){.fd = acceptor->wake_fd, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = paused ? -1 : acceptor->listen_fd, .events = POLLIN};
    polled[2] = (struct pollfd){.fd = newcomers_fd(acceptor->newcomers), .events = POLLIN};
    for (size_t i = 0; i < acceptor->lingering_count; i++) {
        bool answered = acceptor->lingering[i].refusal == ERROR_OK;
        polled[POLL_FIXED + i] =
            (struct pollfd){.fd = answered ? acceptor->lingering[i].fd : -1, .events = POLLIN};
        timeout_ms = answered ? timeout_ms : TICK_LEAST_MS;
    }
    int ready = poll(polled, POLL_FIXED + acceptor->lingering_count, timeout_ms);
    *acceptable = ready > 0 && polled[1].revents != 0;
}

static void *run(void *argument)
{
    struct acceptor *acceptor = argument;
    uint64_t tick_ns = (uint64_t)acceptor->tick_ms * 1000000;
    uint64_t next_tick_ns = clock_monotonic_ns() + tick_ns;
    bool acceptable;

    while (!atomic_load(&acceptor->stopping)) {
        wait_for_work(acceptor, &acceptable);
        for (int i = 0; acceptable && i < ACCEPT_BURST; i++)
            acceptable = accept_one(acceptor);
        acceptor->newcomers_ms = newcomers_look(acceptor->newcomers, clock_monotonic_ns());
        drain_lingering(acceptor);
        if (clock_monotonic_ns() < next_tick_ns)
            continue;
        http_expire(acceptor->http);
        next_tick_ns = clock_monotonic_ns() + tick_ns;
    }
    while (acceptor->lingering_count > 0)
        end_lingering(acceptor, 0);
    return NULL;
}

static int tick_of(const struct api_limits *limits)
{
    uint64_t quarter_ms = limits->request_timeout_ms / 4;

    if (quarter_ms < TICK_LEAST_MS)
        return TICK_LEAST_MS;
    return quarter_ms > TICK_MOST_MS ? TICK_MOST_MS : (int)quarter_ms;
}

static void settle(void *context, int fd, const struct sockaddr *address, socklen_t length,
                   bool waits)
{
    struct acceptor *acceptor = context;

    http_adopt(acceptor->http, fd, address, length, waits);
}

static void dropped(void *context, const struct sockaddr *address)
{
    struct acceptor *acceptor = context;

    admission_leave(acceptor->admission, address);
}

struct acceptor *acceptor_start(const struct listener *listener, struct service *service,
                                struct admission *admission, struct http *http)
{
    struct acceptor *acceptor = memory_zalloc(sizeof *acceptor);
    struct newcomer_events events = {.context = acceptor, .settle = settle, .dropped = dropped};

    acceptor->newcomers = newcomers_new(&events);
    acceptor->listen_fd = listener->fd;
    acceptor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(acceptor->wake_fd >= 0);
    acceptor->service = service;
    acceptor->admission = admission;
    acceptor->http = http;
    acceptor->tick_ms = tick_of(&service->limits);
    ASSERT(pthread_create(&acceptor->thread, NULL, run, acceptor) == 0);
    pthread_setname_np(acceptor->thread, "acceptor");
    return acceptor;
}

void acceptor_stop(struct acceptor *acceptor)
{
    uint64_t one = 1;

    atomic_store(&acceptor->stopping, true);
    ASSERT(write(acceptor->wake_fd, &one, sizeof one) == sizeof one);
    pthread_join(acceptor->thread, NULL);
    newcomers_free(acceptor->newcomers);
    close(acceptor->listen_fd);
    close(acceptor->wake_fd);
    free(acceptor);
}
