// SPDX-License-Identifier: Apache-2.0
// The phase is an atomic, so that a request costs no lock; the list's lock keeps a socket from
// being closed, and its number from being used again, while it is shut down from another thread.
#include "api/connection.h"

#include <stdlib.h>
#include <string.h>

#include "api/canned.h"
#include "base/clock.h"
#include "base/memory.h"

void connections_init(struct connections *connections, struct service *service)
{
    pthread_mutex_init(&connections->lock, NULL);
    connections->first = NULL;
    connections->service = service;
}

void connections_deinit(struct connections *connections)
{
    pthread_mutex_destroy(&connections->lock);
}

struct connection *connections_open(struct connections *connections, int fd,
                                    const struct sockaddr *address)
{
    struct connection *connection = memory_zalloc(sizeof *connection);

    connection->request.service = connections->service;
    connection->fd = connection->hangup.fd = fd;
    if (address->sa_family == AF_INET)
        memcpy(&connection->address.v4, address, sizeof connection->address.v4);
    else
        memcpy(&connection->address.v6, address, sizeof connection->address.v6);
    atomic_init(&connection->since_ns, clock_monotonic_ns());
    pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connection->next != NULL)
        connection->next->previous = connection;
    connections->first = connection;
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void connections_close(struct connections *connections, struct connection *connection)
{
    pthread_mutex_lock(&connections->lock);
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        connections->first = connection->next;
    pthread_mutex_unlock(&connections->lock);
    request_deinit(&connection->request);
    free(connection);
}

bool connection_enter(struct connection *connection, enum connection_phase from,
                      enum connection_phase to)
{
    int expected = (int)from;

    // How long a request is being answered is nobody's deadline.
    if (to != PHASE_BUSY)
        atomic_store_explicit(&connection->since_ns, clock_monotonic_ns(), memory_order_relaxed);
    return atomic_compare_exchange_strong(&connection->phase, &expected, (int)to);
}

static void give_up(struct connection *connection, enum connection_phase phase)
{
    struct service *service = connection->request.service;
    char canned[CANNED_MAX];
    int expected = (int)phase;

    if (!atomic_compare_exchange_strong(&connection->phase, &expected, PHASE_EXPIRED))
        return;
    size_t length =
        canned_reply(service, ERROR_REQUEST_TIMEOUT,
                     "the request did not arrive as a whole within the time limit", canned);
    (void)send(connection->fd, canned, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(connection->fd, SHUT_RDWR);
}

void connections_expire(struct connections *connections, uint64_t reading_before_ns,
                        uint64_t idle_before_ns)
{
    pthread_mutex_lock(&connections->lock);
    for (struct connection *at = connections->first; at != NULL; at = at->next) {
        uint64_t since_ns = atomic_load_explicit(&at->since_ns, memory_order_relaxed);
        enum connection_phase phase =
            (enum connection_phase)atomic_load_explicit(&at->phase, memory_order_relaxed);
        bool slow = phase == PHASE_READING && since_ns < reading_before_ns;
        bool trickles = phase == PHASE_IDLE && since_ns < idle_before_ns;
        if (slow || trickles)
            give_up(at, phase);
    }
    pthread_mutex_unlock(&connections->lock);
}
