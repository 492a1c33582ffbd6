// SPDX-License-Identifier: Apache-2.0
// The bytes are looked at and left in the socket. Who says nothing is settled all the same: being with
// the usual workers costs time, not correctness.
#include "api/newcomers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"

enum { PATIENCE_MS = 250, BURST = 64 };

struct newcomer {
    struct newcomer *next; // younger
    struct newcomer *previous;
    int fd;
    uint64_t until_ns;
    socklen_t length;
    struct sockaddr_storage address;
};

struct newcomers {
    int epoll;
    struct newcomer_events events;
    struct newcomer *oldest;
    struct newcomer *youngest;
};

// ---- Judging -----------------------------------------------------------------------------------

static bool begins(const char *bytes, size_t length, const char *with)
{
    return length >= strlen(with) && memcmp(bytes, with, strlen(with)) == 0;
}

// Whether the target has a query parameter `wait`.
static bool has_wait(const char *line, size_t length)
{
    const char *query = memchr(line, '?', length);
    const char *end = line + length;

    while (query != NULL && ++query < end) {
        if (begins(query, (size_t)(end - query), "wait="))
            return true;
        query = memchr(query, '&', (size_t)(end - query));
    }
    return false;
}

static bool is_stream_of_session(const char *line, size_t length)
{
    const char *path_end = memchr(line + 4, ' ', length - 4);
    size_t path_length = path_end != NULL ? (size_t)(path_end - line) : length;

    return begins(line, length, "GET /v1/sessions/") &&
           memmem(line, path_length, "/stream", 7) != NULL;
}

enum newcomer_kind newcomer_judge(const char *bytes, size_t length)
{
    static const char get[] = "GET /v1/";
    const char *end = memchr(bytes, '\n', length);
    size_t known = length < sizeof get - 1 ? length : sizeof get - 1;

    if (memcmp(bytes, get, known) != 0)
        return NEWCOMER_USUAL;
    if (end == NULL && length < NEWCOMER_BYTES)
        return NEWCOMER_UNKNOWN;
    size_t line = end != NULL ? (size_t)(end - bytes) : length;
    if (begins(bytes, line, "GET /v1/watch"))
        return NEWCOMER_WATCHES;
    bool waits = is_stream_of_session(bytes, line) || has_wait(bytes, line);
    return waits ? NEWCOMER_WAITS : NEWCOMER_USUAL;
}

enum newcomer_kind newcomer_judge_socket(int fd)
{
    char bytes[NEWCOMER_BYTES];
    ssize_t length = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);

    return length > 0 ? newcomer_judge(bytes, (size_t)length) : NEWCOMER_UNKNOWN;
}

// ---- The list ----------------------------------------------------------------------------------

static void forget(struct newcomers *newcomers, struct newcomer *newcomer)
{
    if (newcomer->next != NULL)
        newcomer->next->previous = newcomer->previous;
    else
        newcomers->youngest = newcomer->previous;
    if (newcomer->previous != NULL)
        newcomer->previous->next = newcomer->next;
    else
        newcomers->oldest = newcomer->next;
    free(newcomer);
}

static void settle(struct newcomers *newcomers, struct newcomer *newcomer, enum newcomer_kind kind)
{
    epoll_ctl(newcomers->epoll, EPOLL_CTL_DEL, newcomer->fd, NULL);
    newcomers->events.settle(newcomers->events.context, newcomer->fd,
                             (const struct sockaddr *)&newcomer->address, newcomer->length,
                             kind == NEWCOMER_WAITS || kind == NEWCOMER_WATCHES);
    forget(newcomers, newcomer);
}

void newcomers_add(struct newcomers *newcomers, int fd, const struct sockaddr *address,
                   socklen_t length)
{
    struct newcomer *newcomer = memory_zalloc(sizeof *newcomer);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = newcomer};

    ASSERT(length <= sizeof newcomer->address);
    newcomer->fd = fd;
    newcomer->length = length;
    memcpy(&newcomer->address, address, length);
    newcomer->until_ns = clock_monotonic_ns() + (uint64_t)PATIENCE_MS * 1000000;
    newcomer->previous = newcomers->youngest;
    if (newcomers->youngest != NULL)
        newcomers->youngest->next = newcomer;
    else
        newcomers->oldest = newcomer;
    newcomers->youngest = newcomer;
    enum newcomer_kind kind = newcomer_judge_socket(fd);
    bool polled =
        kind == NEWCOMER_UNKNOWN && epoll_ctl(newcomers->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
    if (!polled)
        settle(newcomers, newcomer, kind);
}

int newcomers_look(struct newcomers *newcomers, uint64_t now_ns)
{
    struct epoll_event events[BURST];

    int count = epoll_wait(newcomers->epoll, events, BURST, 0);
    for (int i = 0; i < count; i++) {
        struct newcomer *newcomer = events[i].data.ptr;
        enum newcomer_kind kind = newcomer_judge_socket(newcomer->fd);
        if (kind != NEWCOMER_UNKNOWN || (events[i].events & ~(uint32_t)EPOLLIN) != 0)
            settle(newcomers, newcomer, kind);
    }
    while (newcomers->oldest != NULL && newcomers->oldest->until_ns <= now_ns)
        settle(newcomers, newcomers->oldest, NEWCOMER_USUAL);
    if (newcomers->oldest == NULL)
        return -1;
    return (int)((newcomers->oldest->until_ns - now_ns) / 1000000) + 1;
}

int newcomers_fd(const struct newcomers *newcomers)
{
    return newcomers->epoll;
}

struct newcomers *newcomers_new(const struct newcomer_events *events)
{
    struct newcomers *newcomers = memory_zalloc(sizeof *newcomers);

    newcomers->events = *events;
    newcomers->epoll = epoll_create1(EPOLL_CLOEXEC);
    ASSERT(newcomers->epoll >= 0);
    return newcomers;
}

void newcomers_free(struct newcomers *newcomers)
{
    while (newcomers->oldest != NULL) {
        struct newcomer *newcomer = newcomers->oldest;
        close(newcomer->fd);
        newcomers->events.dropped(newcomers->events.context,
                                  (const struct sockaddr *)&newcomer->address);
        forget(newcomers, newcomer);
    }
    close(newcomers->epoll);
    free(newcomers);
}
