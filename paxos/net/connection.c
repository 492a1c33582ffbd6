// SPDX-License-Identifier: Apache-2.0
// Reads go straight into the session; what the session wants to say is written when the owner
// flushes, and after each read. How much one connection may do in one turn of the loop is bounded.
#include "paxos/net/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    WRITE_BYTES = 128 << 10,    // put together for one write
    TURN_WRITES = 8,            // writes of one connection in one turn
    TURN_READS = 16,            // reads likewise
    BULK_RECORDS = 4,           // of TLS, for one that leaves room for others
    OUT_KEPT_BYTES = 256 << 10, // of memory, between writes
    ENDING_MAX = 64,            // connections that wait for the other side to close
};

enum state { OPEN, ENDING, CLOSED };

struct connection {
    struct connections *set;
    struct connection *next, *previous; // in the set
    uv_poll_t poll;
    uv_timer_t deadline;
    unsigned handles; // of these two, not yet closed
    int fd;
    struct tls *tls; // NULL: plain TCP
    bool shaking;    // of hands, in TLS: nothing else can be done yet
    enum state state;
    struct session *session;
    struct buffer out; // bytes of the session on their way
    size_t out_sent;   // of them
    bool bulk;         // one read and write per turn
    bool woken;        // `turn` is due
    bool undrained;    // `drained` is due once nothing is queued
    bool failed;       // writing is of no use
    bool deaf;         // what is received has no meaning any more
    bool half_closed;  // the other side knows that nothing follows
    int watched;       // events that the loop looks for
    const struct connection_events *events;
    void *context;
};

static void on_poll(uv_poll_t *poll, int status, int events);

// ---- Birth and death ---------------------------------------------------------------------------

static void link_in(struct connection *connection)
{
    struct connections *set = connection->set;

    connection->next = set->first;
    if (set->first != NULL)
        set->first->previous = connection;
    set->first = connection;
}

static void unlink_from(struct connection *connection)
{
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        connection->set->first = connection->next;
}

static void watch(struct connection *connection, int events)
{
    if (events == connection->watched)
        return;
    connection->watched = events;
    int wrong = uv_poll_start(&connection->poll, events, on_poll);
    ASSERT(wrong == 0);
}

struct connection *connection_new(struct connections *set, int fd, struct tls *tls,
                                  struct session *session, const struct connection_events *events,
                                  void *context)
{
    struct connection *connection = memory_zalloc(sizeof *connection);

    connection->set = set;
    connection->fd = fd;
    connection->tls = tls;
    connection->shaking = tls != NULL;
    connection->session = session;
    connection->events = events;
    connection->context = context;
    connection->handles = 2;
    uv_timer_init(set->loop, &connection->deadline);
    int wrong = uv_poll_init(set->loop, &connection->poll, fd);
    ASSERT(wrong == 0);
    connection->poll.data = connection->deadline.data = connection;
    link_in(connection);
    // A handshake begins on the side that has dialled, as soon as it can write.
    watch(connection, tls != NULL ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    return connection;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    if (--connection->handles > 0)
        return;
    session_free(connection->session);
    tls_free(connection->tls);
    buffer_deinit(&connection->out);
    free(connection);
}

void connection_close(struct connection *connection)
{
    if (connection->state == CLOSED)
        return;
    if (connection->state == ENDING)
        connection->set->ending--;
    connection->state = CLOSED;
    session_mute(connection->session);
    unlink_from(connection);
    uv_close((uv_handle_t *)&connection->poll, on_handle_closed);
    uv_close((uv_handle_t *)&connection->deadline, on_handle_closed);
    close(connection->fd);
}

static void lose(struct connection *connection, enum loss how, const char *why)
{
    bool told = connection->state == OPEN;

    connection_close(connection);
    if (told)
        connection->events->lost(connection->context, how, why);
}

static void on_deadline(uv_timer_t *timer)
{
    struct connection *connection = timer->data;

    if (connection->state == ENDING || !session_waits(connection->session))
        lose(connection, LOSS_LATE, "it did not introduce itself in time");
}

void connection_set_deadline(struct connection *connection, uint64_t delay_ms)
{
    if (delay_ms == 0)
        uv_timer_stop(&connection->deadline);
    else
        uv_timer_start(&connection->deadline, on_deadline, delay_ms, 0);
}

void connection_end(struct connection *connection, uint64_t linger_ms)
{
    if (connection->state != OPEN)
        return;
    session_mute(connection->session);
    if (linger_ms == 0 || connection->shaking || connection->set->ending >= ENDING_MAX) {
        connection_close(connection);
        return;
    }
    connection->state = ENDING;
    connection->set->ending++;
    connection_set_deadline(connection, linger_ms);
    connection_wake(connection);
}

void connections_close_ending(struct connections *set)
{
    struct connection *connection, *next;

    for (connection = set->first; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->state == ENDING)
            connection_close(connection);
    }
}

// ---- Writing -----------------------------------------------------------------------------------

// Gets more bytes of the session when all earlier ones are written. False: the session is of no use.
static bool refill(struct connection *connection)
{
    if (connection->out_sent < connection->out.length)
        return true;
    if (connection->out.capacity > OUT_KEPT_BYTES)
        buffer_deinit(&connection->out);
    buffer_clear(&connection->out);
    connection->out_sent = 0;
    return session_pull(connection->session, &connection->out, WRITE_BYTES);
}

// Whether everything was written that was there.
static bool write_out(struct connection *connection)
{
    const struct buffer *out = &connection->out;
    const uint8_t *data = out->data + connection->out_sent;
    size_t length = out->length - connection->out_sent;

    ssize_t done = connection->tls != NULL ? tls_write(connection->tls, data, length)
                                           : send(connection->fd, data, length, MSG_NOSIGNAL);
    if (done > 0)
        connection->out_sent += (size_t)done;
    connection->failed = done < 0 && errno != EAGAIN && errno != EINTR;
    return connection->out_sent == out->length;
}

static void half_close(struct connection *connection)
{
    connection->half_closed = true;
    if (connection->tls != NULL)
        tls_bye(connection->tls);
    shutdown(connection->fd, SHUT_WR);
}

// Writes until nothing is left, the socket is full or this connection had its share of the turn.
// What became of a socket that cannot be written is for the next turn to find out. False: the session
// is of no use any more.
static bool pump(struct connection *connection)
{
    unsigned writes = connection->bulk ? 1 : TURN_WRITES;
    bool useful = true, all = true;

    while (useful && !connection->failed && !connection->half_closed) {
        useful = refill(connection) || connection->state == ENDING;
        if (connection->out.length == 0) {
            if (connection->state == ENDING)
                half_close(connection);
            break;
        }
        all = write_out(connection);
        if (!all || --writes == 0)
            break;
    }
    bool drained = connection->undrained && connection_queued(connection) == 0;
    bool more = !connection->half_closed &&
                (!all || writes == 0 || drained || connection->woken || connection->failed);
    watch(connection, more ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    return useful;
}

void connection_wake(struct connection *connection)
{
    connection->woken = true;
    watch(connection, UV_READABLE | UV_WRITABLE);
}

void connection_send(struct connection *connection, const void *data, size_t length)
{
    session_send(connection->session, data, length);
    connection->undrained = connection->bulk;
}

void connection_flush(struct connection *connection)
{
    if (connection->state == OPEN && !connection->shaking && !pump(connection))
        connection_wake(connection);
}

size_t connection_queued(const struct connection *connection)
{
    return session_queued(connection->session) + connection->out.length - connection->out_sent;
}

// ---- The loop ----------------------------------------------------------------------------------

static void lose_session(struct connection *connection)
{
    const char *problem = session_problem(connection->session);

    if (problem != NULL)
        lose(connection, LOSS_BROKEN, problem);
    else if (session_farewell(connection->session))
        lose(connection, LOSS_FAREWELL, "it makes its connections anew");
    else
        lose(connection, LOSS_BROKEN, "it ended the conversation");
}

static void lose_socket(struct connection *connection, ssize_t got, int error)
{
    bool gone = got == 0 || error == ECONNRESET || error == EPIPE;

    if (gone && session_farewell(connection->session))
        lose(connection, LOSS_FAREWELL, "it makes its connections anew");
    else if (gone)
        lose(connection, LOSS_GONE,
             got == 0 ? "the other end closed the connection" : strerror(error));
    else if (error == EPROTO && connection->tls != NULL)
        lose(connection, LOSS_BROKEN, tls_problem(connection->tls));
    else
        lose(connection, LOSS_SILENT, strerror(error));
}

// A connection that is ending still needs to hear how much it may send.
static void take_in(struct connection *connection, const uint8_t *data, size_t length)
{
    if (connection->deaf || session_receive(connection->session, data, length))
        return;
    connection->deaf = true;
    if (connection->state == OPEN)
        lose_session(connection);
}

// Returns how many bytes came; 0 also when the connection is closed now.
static size_t read_once(struct connection *connection)
{
    uint8_t *scratch = connection->set->scratch;

    ssize_t got = connection->tls != NULL
                      ? tls_read(connection->tls, scratch, CONNECTION_SCRATCH_BYTES)
                      : recv(connection->fd, scratch, CONNECTION_SCRATCH_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0) {
        lose_socket(connection, got, errno);
        return 0;
    }
    take_in(connection, scratch, (size_t)got);
    return (size_t)got;
}

// Less than there was room for means that nothing is left; in TLS, that a record was short.
static void read_some(struct connection *connection)
{
    size_t full = connection->tls != NULL ? 1 : CONNECTION_SCRATCH_BYTES;
    unsigned reads = connection->tls != NULL ? BULK_RECORDS : 1;

    if (!connection->bulk)
        reads = TURN_READS;
    while (reads-- > 0 && connection->state != CLOSED && read_once(connection) >= full)
        ;
}

// libuv does not watch a socket any more on which it saw an error: what came before that is read, and
// reading then tells which error it was.
static void read_to_end(struct connection *connection)
{
    while (connection->state != CLOSED && read_once(connection) > 0)
        ;
    if (connection->state != CLOSED)
        lose(connection, LOSS_GONE, "the connection broke");
}

static void report_drained(struct connection *connection)
{
    if (!connection->undrained || connection_queued(connection) > 0)
        return;
    connection->undrained = false;
    connection->events->drained(connection->context);
}

static void shake_hands(struct connection *connection)
{
    switch (tls_handshake(connection->tls)) {
    case TLS_DONE:
        connection->shaking = false;
        connection_wake(connection);
        break;
    case TLS_WANTS_READ:
        watch(connection, UV_READABLE);
        break;
    case TLS_WANTS_WRITE:
        watch(connection, UV_READABLE | UV_WRITABLE);
        break;
    case TLS_FAILED:
        lose_socket(connection, -1, errno);
        break;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;

    if (connection->shaking) {
        shake_hands(connection);
        if (status < 0 && connection->shaking && connection->state == OPEN)
            lose(connection, LOSS_GONE, "the connection broke");
        return;
    }
    if (status < 0) {
        read_to_end(connection);
        return;
    }
    if (events & UV_READABLE)
        read_some(connection);
    if (connection->state != CLOSED && connection->failed)
        lose(connection, LOSS_SILENT, "it cannot be written to");
    if (connection->state == OPEN && connection->woken) {
        connection->woken = false;
        connection->events->turn(connection->context);
    }
    connection->woken = false;
    if (connection->state == OPEN)
        report_drained(connection);
    if (connection->state != CLOSED && !pump(connection))
        lose_session(connection);
}

void connection_set_bulk(struct connection *connection)
{
    connection->bulk = true;
}

struct session *connection_session(struct connection *connection)
{
    return connection->session;
}
