// SPDX-License-Identifier: Apache-2.0
// Accepts a few connections per turn, so that a crowd at the door delays nobody inside.
#include "paxos/net/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "paxos/net/address.h"

enum { ACCEPTED_PER_TURN = 16, PAUSE_MS = 100 };

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct listener *listener)
{
    int wrong = uv_poll_start(&listener->poll, UV_READABLE, on_poll);

    ASSERT(wrong == 0);
}

static void on_pause_over(uv_timer_t *timer)
{
    struct listener *listener = timer->data;

    watch(listener);
}

// Without descriptors the socket would stay readable and the loop spin.
static void pause_accepting(struct listener *listener, int error)
{
    log_write(LOG_ERROR, "no connection of another node can be accepted for now", "reason=\"%s\"",
              strerror(error));
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->pause, on_pause_over, PAUSE_MS, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTED_PER_TURN && !uv_is_closing((uv_handle_t *)poll); i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            listener->arrived(listener->context, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return pause_accepting(listener, errno);
        else if (errno == EAGAIN)
            return;
    }
}

enum error listener_open(struct listener *listener, uv_loop_t *loop,
                         const struct peer_address *address, void (*arrived)(void *context, int fd),
                         void *context, struct failure *failure)
{
    enum error error = address_listen(address, &listener->fd, &listener->port, failure);

    if (error != ERROR_OK)
        return error;
    listener->arrived = arrived;
    listener->context = context;
    uv_timer_init(loop, &listener->pause);
    int wrong = uv_poll_init(loop, &listener->poll, listener->fd);
    ASSERT(wrong == 0);
    listener->pause.data = listener->poll.data = listener;
    watch(listener);
    return ERROR_OK;
}

void listener_close(struct listener *listener)
{
    uv_close((uv_handle_t *)&listener->poll, NULL);
    uv_close((uv_handle_t *)&listener->pause, NULL);
    close(listener->fd);
}
