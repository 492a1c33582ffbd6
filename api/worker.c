// SPDX-License-Identifier: Apache-2.0
// The loop: wait for the daemon's epoll descriptor or for the inbox, carry in what other threads
// handed over, let the daemon run without waiting. Everything that touches the daemon happens here.
#include "api/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"

enum { LATER_GROUP = 256 };

struct arrival {
    struct fifo_link link;
    int fd;
    socklen_t length;
    struct sockaddr_storage address;
};

struct worker {
    struct MHD_Daemon *daemon;
    struct worker_events events;
    pthread_t thread;
    int wake;             // eventfd, readable when the inbox was empty and no longer is
    pthread_mutex_t lock; // of the inbox, which is all that follows
    struct fifo arrivals;
    struct fifo resumes;
    struct fifo later;
    bool stopping;
};

static void post(struct worker *worker, struct fifo *queue, struct fifo_link *link)
{
    pthread_mutex_lock(&worker->lock);
    bool first =
        fifo_empty(&worker->arrivals) && fifo_empty(&worker->resumes) && fifo_empty(&worker->later);
    fifo_push(queue, link);
    pthread_mutex_unlock(&worker->lock);
    if (first)
        eventfd_write(worker->wake, 1);
}

void worker_adopt(struct worker *worker, int fd, const struct sockaddr *address, socklen_t length)
{
    struct arrival *arrival = memory_zalloc(sizeof *arrival);

    ASSERT(length <= sizeof arrival->address);
    arrival->fd = fd;
    arrival->length = length;
    memcpy(&arrival->address, address, length);
    post(worker, &worker->arrivals, &arrival->link);
}

void worker_resume(struct worker *worker, struct worker_resume *resume)
{
    post(worker, &worker->resumes, &resume->link);
}

void worker_resume_later(struct worker *worker, struct worker_resume *resume)
{
    post(worker, &worker->later, &resume->link);
}

static void adopt(struct worker *worker, struct arrival *arrival)
{
    const struct sockaddr *address = (const struct sockaddr *)&arrival->address;

    if (MHD_add_connection(worker->daemon, arrival->fd, address, arrival->length) != MHD_YES)
        worker->events.refused(worker->events.context, address);
    free(arrival);
}

// What is left in the inbox wakes the next turn. Requires the lock.
static void take_group(struct worker *worker, struct fifo *resumes)
{
    struct fifo_link *link;

    for (int i = 0; i < LATER_GROUP && (link = fifo_pop(&worker->later)) != NULL; i++)
        fifo_push(resumes, link);
    if (!fifo_empty(&worker->later))
        eventfd_write(worker->wake, 1);
}

// Returns false when the thread shall end.
static bool carry_in(struct worker *worker)
{
    struct fifo_link *link;

    pthread_mutex_lock(&worker->lock);
    struct fifo arrivals = fifo_take(&worker->arrivals);
    struct fifo resumes = fifo_take(&worker->resumes);
    take_group(worker, &resumes);
    bool stopping = worker->stopping;
    pthread_mutex_unlock(&worker->lock);
    while ((link = fifo_pop(&resumes)) != NULL)
        MHD_resume_connection(CONTAINER_OF(link, struct worker_resume, link)->connection);
    while ((link = fifo_pop(&arrivals)) != NULL)
        adopt(worker, CONTAINER_OF(link, struct arrival, link));
    return !stopping;
}

static int wait_ms(const struct worker *worker)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    if (MHD_get_timeout(worker->daemon, &timeout_ms) != MHD_YES)
        return -1;
    return timeout_ms < INT32_MAX ? (int)timeout_ms : INT32_MAX;
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    struct pollfd sources[2] = {
        {.fd = MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
         .events = POLLIN},
        {.fd = worker->wake, .events = POLLIN}};
    eventfd_t ignored;
    bool running = true;

    pthread_setname_np(pthread_self(), "http");
    while (running) {
        int ready = poll(sources, 2, wait_ms(worker));
        ASSERT(ready >= 0 || errno == EINTR);
        if ((sources[1].revents & POLLIN) != 0) {
            eventfd_read(worker->wake, &ignored);
            running = carry_in(worker);
        }
        MHD_run(worker->daemon);
    }
    return NULL;
}

struct worker *worker_start(struct MHD_Daemon *daemon, const struct worker_events *events)
{
    struct worker *worker = memory_zalloc(sizeof *worker);

    worker->daemon = daemon;
    worker->events = *events;
    worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(worker->wake >= 0);
    pthread_mutex_init(&worker->lock, NULL);
    int failed = pthread_create(&worker->thread, NULL, run, worker);
    ASSERT(failed == 0);
    return worker;
}

void worker_stop(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_mutex_unlock(&worker->lock);
    eventfd_write(worker->wake, 1);
    pthread_join(worker->thread, NULL);
    MHD_stop_daemon(worker->daemon);
    pthread_mutex_destroy(&worker->lock);
    close(worker->wake);
    free(worker);
}
