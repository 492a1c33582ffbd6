// SPDX-License-Identifier: Apache-2.0
// An attempt is a block of memory of its own: what it has asked of the loop (a name, a descriptor)
// cannot be taken back at once, so it may outlive the interest in it.
#include "paxos/net/dialler.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"

enum { BACKOFF_FIRST_MS = 20, BACKOFF_LAST_MS = 1000, CONNECT_MS = 1000 };

struct attempt {
    struct dialler *dialler; // NULL: nobody waits for it any more
    uv_getaddrinfo_t request;
    bool resolving; // the request is under way
    struct addrinfo *found;
    const struct addrinfo *next; // to be tried, NULL when all of `found` were
    uv_poll_t *poll;             // of fd; frees itself; NULL: not connecting
    int fd;
    int error; // of the last address that was tried
};

static void try_next(struct attempt *attempt);

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

// Forgets the connection in the making; gives its descriptor.
static int detach_fd(struct attempt *attempt)
{
    uv_close((uv_handle_t *)attempt->poll, on_poll_closed);
    attempt->poll = NULL;
    return attempt->fd;
}

static void attempt_free(struct attempt *attempt)
{
    if (attempt->found != NULL)
        uv_freeaddrinfo(attempt->found);
    free(attempt);
}

static void abandon(struct attempt *attempt)
{
    if (attempt->poll != NULL)
        close(detach_fd(attempt));
    attempt->dialler = NULL;
    if (attempt->resolving)
        uv_cancel((uv_req_t *)&attempt->request);
    else
        attempt_free(attempt);
}

void dialler_stop(struct dialler *dialler)
{
    uv_timer_stop(&dialler->timer);
    if (dialler->attempt != NULL)
        abandon(dialler->attempt);
    dialler->attempt = NULL;
}

static void fail(struct dialler *dialler, const char *why)
{
    dialler_stop(dialler);
    dialler_retry(dialler);
    dialler->events->failed(dialler->context, why);
}

static void succeed(struct attempt *attempt)
{
    struct dialler *dialler = attempt->dialler;
    int fd = detach_fd(attempt);
    socklen_t length = sizeof dialler->known;

    dialler_stop(dialler);
    if (getpeername(fd, (struct sockaddr *)&dialler->known, &length) == 0)
        dialler->known_length = length;
    dialler->events->connected(dialler->context, fd);
}

static void next_address(struct attempt *attempt, int error)
{
    attempt->error = error;
    close(detach_fd(attempt));
    try_next(attempt);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct attempt *attempt = poll->data;
    int error = 0;
    socklen_t length = sizeof error;

    (void)status;
    (void)events;
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error == 0 && address_is_own(attempt->fd))
        error = ECONNREFUSED;
    if (error == 0)
        succeed(attempt);
    else
        next_address(attempt, error);
}

static void on_timeout(uv_timer_t *timer)
{
    struct dialler *dialler = timer->data;

    next_address(dialler->attempt, ETIMEDOUT);
}

static void watch(struct attempt *attempt)
{
    struct dialler *dialler = attempt->dialler;

    attempt->poll = memory_zalloc(sizeof *attempt->poll);
    int wrong = uv_poll_init(dialler->timer.loop, attempt->poll, attempt->fd);
    ASSERT(wrong == 0);
    attempt->poll->data = attempt;
    wrong = uv_poll_start(attempt->poll, UV_WRITABLE, on_poll);
    ASSERT(wrong == 0);
    uv_timer_start(&dialler->timer, on_timeout, CONNECT_MS, 0);
}

// False: this address is of no use, see attempt->error.
static bool connect_to(struct attempt *attempt, const struct sockaddr *address, socklen_t length)
{
    address_text(address, attempt->dialler->resolved);
    attempt->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (attempt->fd < 0) {
        attempt->error = errno;
        return false;
    }
    if (connect(attempt->fd, address, length) != 0 && errno != EINPROGRESS) {
        attempt->error = errno;
        close(attempt->fd);
        return false;
    }
    watch(attempt);
    return true;
}

static void try_next(struct attempt *attempt)
{
    while (attempt->next != NULL) {
        const struct addrinfo *info = attempt->next;
        attempt->next = info->ai_next;
        if (connect_to(attempt, info->ai_addr, info->ai_addrlen))
            return;
    }
    fail(attempt->dialler, strerror(attempt->error));
}

// The name service may be down while the node is not: then it is sought where it was last.
static void seek_without_name(struct attempt *attempt, const char *why)
{
    struct dialler *dialler = attempt->dialler;

    if (dialler->known_length == 0)
        fail(dialler, why);
    else if (!connect_to(attempt, (struct sockaddr *)&dialler->known, dialler->known_length))
        fail(dialler, strerror(attempt->error));
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct attempt *attempt = request->data;

    attempt->resolving = false;
    attempt->found = found;
    attempt->next = found;
    if (attempt->dialler == NULL)
        attempt_free(attempt);
    else if (status != 0)
        seek_without_name(attempt, uv_strerror(status));
    else
        try_next(attempt);
}

// Addresses in digits need no name service and no other thread.
static void resolve(struct attempt *attempt)
{
    struct dialler *dialler = attempt->dialler;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    char service[8];

    snprintf(service, sizeof service, "%u", dialler->address->port);
    if (getaddrinfo(dialler->address->host, service, &hints, &attempt->found) == 0) {
        attempt->next = attempt->found;
        try_next(attempt);
        return;
    }
    hints.ai_flags = AI_NUMERICSERV;
    attempt->request.data = attempt;
    int wrong = uv_getaddrinfo(dialler->timer.loop, &attempt->request, on_resolved,
                               dialler->address->host, service, &hints);
    attempt->resolving = wrong == 0;
    if (wrong != 0)
        seek_without_name(attempt, uv_strerror(wrong));
}

static void on_time(uv_timer_t *timer)
{
    struct dialler *dialler = timer->data;

    dialler->attempt = memory_zalloc(sizeof *dialler->attempt);
    dialler->attempt->dialler = dialler;
    resolve(dialler->attempt);
}

void dialler_init(struct dialler *dialler, uv_loop_t *loop, const struct peer_address *address,
                  const struct dialler_events *events, void *context)
{
    *dialler = (struct dialler){
        .address = address, .events = events, .context = context, .backoff_ms = BACKOFF_FIRST_MS};
    uv_timer_init(loop, &dialler->timer);
    dialler->timer.data = dialler;
}

void dialler_wait(struct dialler *dialler, uint64_t delay_ms)
{
    dialler_stop(dialler);
    uv_timer_start(&dialler->timer, on_time, delay_ms, 0);
}

void dialler_start(struct dialler *dialler)
{
    dialler->backoff_ms = BACKOFF_FIRST_MS;
    dialler_wait(dialler, 0);
}

void dialler_retry(struct dialler *dialler)
{
    uint64_t half = dialler->backoff_ms / 2;

    dialler_wait(dialler, half + random_u64() % (half + 1));
    dialler->backoff_ms *= 2;
    if (dialler->backoff_ms > BACKOFF_LAST_MS)
        dialler->backoff_ms = BACKOFF_LAST_MS;
}

void dialler_hurry(struct dialler *dialler)
{
    if (dialler->attempt == NULL && uv_is_active((uv_handle_t *)&dialler->timer))
        dialler_wait(dialler, 0);
}

void dialler_close(struct dialler *dialler)
{
    dialler_stop(dialler);
    uv_close((uv_handle_t *)&dialler->timer, NULL);
}
