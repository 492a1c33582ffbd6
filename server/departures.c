// SPDX-License-Identifier: Apache-2.0
// What others hand over waits under the lock until the loop comes round; everything else is the loop's.
#include "server/departures.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "api/deadlines.h"
#include "base/assert.h"
#include "base/memory.h"

static const uint64_t ns_per_ms = 1000000;

struct departure {
    struct fifo_link link;
    struct departures *departures;
    struct submission submission;
    struct deadline deadline; // when it is to be proposed
    uint64_t session;
    struct session_binding binding;
    uint64_t give_up_ns;
    enum error outcome;
};

struct departures {
    struct departures_ports ports;
    atomic_bool draining;

    pthread_mutex_t lock; // of these two
    struct fifo fresh;    // handed over
    struct fifo answered;

    struct deadlines later;
    struct fifo due;
    size_t proposed;
};

struct departures *departures_new(const struct departures_ports *ports)
{
    struct departures *departures = memory_zalloc(sizeof *departures);

    departures->ports = *ports;
    pthread_mutex_init(&departures->lock, NULL);
    return departures;
}

void departures_add(struct departures *departures, uint64_t session,
                    const struct session_binding *binding, uint32_t grace_ms, uint64_t now_ns)
{
    struct departure *departure = memory_zalloc(sizeof *departure);

    departure->departures = departures;
    departure->session = session;
    departure->binding = *binding;
    departure->deadline.at_ns = now_ns + grace_ms * ns_per_ms;
    departure->give_up_ns = departure->deadline.at_ns + DEPARTURES_TRY_FOR_MS * ns_per_ms;
    pthread_mutex_lock(&departures->lock);
    fifo_push(&departures->fresh, &departure->link);
    pthread_mutex_unlock(&departures->lock);
    departures->ports.wake(departures->ports.context);
}

void departures_drain(struct departures *departures)
{
    atomic_store(&departures->draining, true);
    departures->ports.wake(departures->ports.context);
}

// ---- The loop ------------------------------------------------------------------------------------

static void forget(struct departure *departure)
{
    blob_unref(departure->submission.command);
    free(departure);
}

static struct departure *take(struct fifo *departures)
{
    struct fifo_link *link = fifo_pop(departures);

    return link != NULL ? CONTAINER_OF(link, struct departure, link) : NULL;
}

static void answered(struct submission *submission, enum error error, struct blob *result)
{
    struct departure *departure = CONTAINER_OF(submission, struct departure, submission);
    struct departures *departures = departure->departures;

    blob_unref(result);
    departure->outcome = error;
    pthread_mutex_lock(&departures->lock);
    fifo_push(&departures->answered, &departure->link);
    pthread_mutex_unlock(&departures->lock);
    departures->ports.wake(departures->ports.context);
}

static void take_answered(struct departures *departures, struct fifo *all, uint64_t now_ns)
{
    struct departure *departure;

    while ((departure = take(all)) != NULL) {
        departures->proposed--;
        if (departure->outcome == ERROR_OK || now_ns >= departure->give_up_ns) {
            forget(departure);
            continue;
        }
        departure->deadline.at_ns = now_ns + DEPARTURES_TRY_AGAIN_MS * ns_per_ms;
        deadlines_add(&departures->later, &departure->deadline);
    }
}

static void take_in(struct departures *departures, uint64_t now_ns)
{
    struct departure *departure;
    struct deadline *first;

    pthread_mutex_lock(&departures->lock);
    struct fifo fresh = fifo_take(&departures->fresh);
    struct fifo all = fifo_take(&departures->answered);
    pthread_mutex_unlock(&departures->lock);
    take_answered(departures, &all, now_ns);
    while ((departure = take(&fresh)) != NULL)
        deadlines_add(&departures->later, &departure->deadline);
    while ((first = deadlines_first(&departures->later)) != NULL && first->at_ns <= now_ns) {
        deadlines_remove(&departures->later, first);
        departure = CONTAINER_OF(first, struct departure, deadline);
        fifo_push(&departures->due, &departure->link);
    }
}

static struct blob *encode(const struct departure *departure)
{
    struct command command = {.op_count = 1};
    struct op op = {.type = OP_SESSION_UNBIND_CLOSE,
                    .session = {.id = departure->session, .binding = departure->binding}};
    struct buffer encoded = {0};

    command_encode_begin(&encoded, &command);
    command_encode_op(&encoded, &op);
    struct blob *blob = blob_copy(encoded.data, encoded.length);
    buffer_deinit(&encoded);
    return blob;
}

static void propose(struct departures *departures, struct departure *departure, uint64_t now_ns)
{
    uint64_t deadline_ns = now_ns + DEPARTURES_ANSWER_WITHIN_MS * ns_per_ms;

    blob_unref(departure->submission.command);
    departure->submission = (struct submission){.command = encode(departure),
                                                .deadline_ns = deadline_ns,
                                                .shrinks = true,
                                                .received_ns = now_ns,
                                                .complete = answered};
    departures->proposed++;
    departures->ports.submit(departures->ports.context, &departure->submission);
}

static void forget_waiting(struct departures *departures)
{
    struct departure *departure;
    struct deadline *first;

    while ((departure = take(&departures->due)) != NULL)
        forget(departure);
    while ((first = deadlines_first(&departures->later)) != NULL) {
        deadlines_remove(&departures->later, first);
        forget(CONTAINER_OF(first, struct departure, deadline));
    }
}

void departures_turn(struct departures *departures, uint64_t now_ns)
{
    struct departure *departure;

    take_in(departures, now_ns);
    if (atomic_load(&departures->draining))
        forget_waiting(departures);
    while (departures->proposed < DEPARTURES_PROPOSED_MAX &&
           (departure = take(&departures->due)) != NULL)
        propose(departures, departure, now_ns);
}

void departures_free(struct departures *departures)
{
    if (departures == NULL)
        return;
    take_in(departures, UINT64_MAX);
    forget_waiting(departures);
    ASSERT(departures->proposed == 0);
    deadlines_deinit(&departures->later);
    pthread_mutex_destroy(&departures->lock);
    free(departures);
}
