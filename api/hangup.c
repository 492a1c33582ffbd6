// SPDX-License-Identifier: Apache-2.0
// Events are taken from the kernel under the lock under which sockets are forgotten, so none can be
// for a connection that is no more.
#include "api/hangup.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"

enum { BURST = 64 };

struct hangups {
    int epoll;
    int stop; // eventfd
    pthread_t thread;
    pthread_mutex_t lock; // of all struct hangup
};

static void fire(struct hangup *hangup)
{
    void (*notify)(void *context, bool left) = hangup->notify;

    hangup->notify = NULL;
    if (notify != NULL)
        notify(hangup->context, hangup->left);
}

// A FIN leaves no error, a reset one of these two; all others are the network's.
static bool was_left(int fd)
{
    socklen_t length = sizeof(int);
    int error = 0;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 &&
           (error == 0 || error == ECONNRESET || error == EPIPE);
}

static void take_events(struct hangups *hangups)
{
    struct epoll_event events[BURST];

    pthread_mutex_lock(&hangups->lock);
    int count = epoll_wait(hangups->epoll, events, BURST, 0);
    for (int i = 0; i < count; i++) {
        struct hangup *hangup = events[i].data.ptr;
        hangup->seen = true;
        hangup->left = was_left(hangup->fd);
        fire(hangup);
    }
    pthread_mutex_unlock(&hangups->lock);
}

static void *run(void *argument)
{
    struct hangups *hangups = argument;
    struct pollfd sources[2] = {{.fd = hangups->epoll, .events = POLLIN},
                                {.fd = hangups->stop, .events = POLLIN}};

    pthread_setname_np(pthread_self(), "hangup");
    while (sources[1].revents == 0) {
        int ready = poll(sources, 2, -1);
        ASSERT(ready >= 0 || errno == EINTR);
        take_events(hangups);
    }
    return NULL;
}

struct hangups *hangups_start(void)
{
    struct hangups *hangups = memory_zalloc(sizeof *hangups);

    hangups->epoll = epoll_create1(EPOLL_CLOEXEC);
    hangups->stop = eventfd(0, EFD_CLOEXEC);
    ASSERT(hangups->epoll >= 0 && hangups->stop >= 0);
    pthread_mutex_init(&hangups->lock, NULL);
    int failed = pthread_create(&hangups->thread, NULL, run, hangups);
    ASSERT(failed == 0);
    return hangups;
}

void hangups_stop(struct hangups *hangups)
{
    eventfd_write(hangups->stop, 1);
    pthread_join(hangups->thread, NULL);
    close(hangups->epoll);
    close(hangups->stop);
    pthread_mutex_destroy(&hangups->lock);
    free(hangups);
}

// Edge-triggered: a client goes once. The event comes also for what happened before.
static void make_known(struct hangups *hangups, struct hangup *hangup)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = hangup};

    hangup->known = epoll_ctl(hangups->epoll, EPOLL_CTL_ADD, hangup->fd, &event) == 0;
}

void hangups_arm(struct hangups *hangups, struct hangup *hangup,
                 void (*notify)(void *context, bool left), void *context)
{
    pthread_mutex_lock(&hangups->lock);
    hangup->notify = notify;
    hangup->context = context;
    if (!hangup->known)
        make_known(hangups, hangup);
    if (hangup->seen)
        fire(hangup);
    pthread_mutex_unlock(&hangups->lock);
}

void hangups_disarm(struct hangups *hangups, struct hangup *hangup)
{
    pthread_mutex_lock(&hangups->lock);
    hangup->notify = NULL;
    pthread_mutex_unlock(&hangups->lock);
}

void hangups_forget(struct hangups *hangups, struct hangup *hangup)
{
    if (!hangup->known)
        return;
    pthread_mutex_lock(&hangups->lock);
    epoll_ctl(hangups->epoll, EPOLL_CTL_DEL, hangup->fd, NULL);
    hangup->known = false;
    hangup->notify = NULL;
    pthread_mutex_unlock(&hangups->lock);
}
