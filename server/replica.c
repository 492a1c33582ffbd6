// SPDX-License-Identifier: Apache-2.0
// Submissions wait in a queue until the core has room; then all that wait become one slot's value
// (a batch), without any fixed delay: while a flush is under way the next batch collects by itself.
#include "server/replica.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "server/pending.h"

enum {
    WAITING_MAX = 16384,           // submissions
    WAITING_BYTES_MAX = 128 << 20, // of their commands
    BATCH_BYTES = 256 << 10,       // a batch is closed behind the command that passes this
    BATCH_COMMANDS = 2048,
    BATCH_OVERHEAD = 64, // bytes of a batch beside its commands
    COMMAND_OVERHEAD = 4,
};

_Static_assert(BATCH_BYTES + COMMAND_BYTES_MAX + BATCH_OVERHEAD +
                       BATCH_COMMANDS * COMMAND_OVERHEAD <=
                   PAXOS_VALUE_MAX,
               "a batch is one value");
_Static_assert((int)BATCH_COMMANDS <= (int)PENDING_CAPACITY, "a batch can be pending");

struct replica {
    struct paxos *paxos;
    struct identity identity;
    struct replica_ports ports;
    struct pending *pending;
    struct fifo waiting; // submissions without a slot
    size_t waiting_count;
    size_t waiting_bytes;
    atomic_size_t outstanding; // waiting or pending
    bool disk_full;
    struct buffer batch;        // scratch
    struct paxos_output output; // of the current step
};

struct replica *replica_new(struct paxos *paxos, const struct identity *identity,
                            const struct replica_ports *ports)
{
    struct replica *replica = memory_zalloc(sizeof *replica);

    replica->paxos = paxos;
    replica->identity = *identity;
    replica->ports = *ports;
    replica->pending = pending_new();
    return replica;
}

static void answer(struct replica *replica, struct submission *submission, enum error error,
                   struct blob *result)
{
    atomic_fetch_sub(&replica->outstanding, 1);
    submission->complete(submission, error, result);
}

static struct submission *take_waiting(struct replica *replica)
{
    struct fifo_link *link = fifo_pop(&replica->waiting);

    if (link == NULL)
        return NULL;
    struct submission *submission = CONTAINER_OF(link, struct submission, link);
    replica->waiting_count--;
    replica->waiting_bytes -= submission->command->length;
    return submission;
}

static void push_waiting(struct replica *replica, struct submission *submission)
{
    fifo_push(&replica->waiting, &submission->link);
    replica->waiting_count++;
    replica->waiting_bytes += submission->command->length;
}

void replica_free(struct replica *replica)
{
    struct submission *submission;

    if (replica == NULL)
        return;
    while ((submission = take_waiting(replica)) != NULL)
        answer(replica, submission, ERROR_DRAINING, NULL);
    pending_free(replica->pending);
    paxos_free(replica->paxos);
    buffer_deinit(&replica->batch);
    free(replica);
}

static void carry_out(struct replica *replica)
{
    const struct paxos_output *output = &replica->output;

    if (output->record_count > 0)
        replica->ports.persist(replica->ports.context, output);
    if (output->apply_from == 0)
        return;
    for (paxos_slot slot = output->apply_from; slot <= output->apply_to; slot++)
        replica->ports.apply(replica->ports.context, paxos_entry(replica->paxos, slot));
}

static void step(struct replica *replica, struct paxos_input *input, struct replica_time now)
{
    input->now_us = now.monotonic_ns / 1000;
    input->wall_ms = now.wall_ms;
    paxos_step(replica->paxos, input, &replica->output);
    carry_out(replica);
}

void replica_start(struct replica *replica, struct replica_time now)
{
    struct paxos_input input = {.type = PAXOS_START};

    step(replica, &input, now);
}

void replica_submit(struct replica *replica, struct submission *submission)
{
    atomic_fetch_add(&replica->outstanding, 1);
    if (replica->waiting_count >= WAITING_MAX || replica->waiting_bytes >= WAITING_BYTES_MAX)
        answer(replica, submission, ERROR_OVERLOADED, NULL);
    else if (replica->disk_full && !submission->shrinks)
        answer(replica, submission, ERROR_DISK_FULL, NULL);
    else
        push_waiting(replica, submission);
}

// How many of the waiting submissions the next batch takes.
static size_t batch_count(const struct replica *replica, size_t *bytes)
{
    size_t count = 0;

    *bytes = BATCH_OVERHEAD;
    for (struct fifo_link *link = replica->waiting.head; link != NULL; link = link->next) {
        if (count == BATCH_COMMANDS || (count > 0 && *bytes > BATCH_BYTES))
            break;
        *bytes += COMMAND_OVERHEAD + CONTAINER_OF(link, struct submission, link)->command->length;
        count++;
    }
    return count;
}

static struct blob *make_batch(struct replica *replica, size_t count)
{
    struct origin origin = {.node = replica->identity.node,
                            .boot = replica->identity.boot_count,
                            .sequence = pending_next(replica->pending)};

    buffer_clear(&replica->batch);
    batch_begin(&replica->batch);
    batch_begin_part(&replica->batch, &origin, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        struct submission *submission = take_waiting(replica);
        struct blob *command = submission->command;
        batch_add_command(&replica->batch, command->data, command->length);
        pending_put(replica->pending, submission);
    }
    struct blob *value = blob_copy(replica->batch.data, replica->batch.length);
    if (replica->batch.capacity > 2 * (size_t)BATCH_BYTES)
        buffer_deinit(&replica->batch);
    return value;
}

void replica_run(struct replica *replica, struct replica_time now)
{
    size_t bytes, count;

    while ((count = batch_count(replica, &bytes)) > 0) {
        if (!paxos_can_propose(replica->paxos, bytes) || !pending_has_room(replica->pending, count))
            return;
        struct paxos_input input = {.type = PAXOS_PROPOSE, .value = make_batch(replica, count)};
        step(replica, &input, now);
        ASSERT(!replica->output.refused);
        blob_unref(input.value);
    }
}

void replica_persisted(struct replica *replica, uint64_t persist_sequence, struct replica_time now)
{
    struct paxos_input input = {.type = PAXOS_PERSISTED, .persist_sequence = persist_sequence};

    step(replica, &input, now);
}

void replica_applied(struct replica *replica, paxos_slot slot, struct replica_time now)
{
    struct paxos_input input = {.type = PAXOS_APPLIED, .slot = slot};

    step(replica, &input, now);
}

static void answer_expired_waiting(struct replica *replica, uint64_t now_ns)
{
    size_t count = replica->waiting_count;

    for (size_t i = 0; i < count; i++) {
        struct submission *submission = take_waiting(replica);
        if (submission->deadline_ns <= now_ns)
            answer(replica, submission, ERROR_NO_LEADER, NULL);
        else
            push_waiting(replica, submission);
    }
}

void replica_tick(struct replica *replica, struct replica_time now)
{
    struct submission *submission;

    answer_expired_waiting(replica, now.monotonic_ns);
    while ((submission = pending_take_expired(replica->pending, now.monotonic_ns)) != NULL)
        answer(replica, submission, ERROR_OUTCOME_UNKNOWN, NULL);
}

void replica_set_disk_full(struct replica *replica, bool full)
{
    replica->disk_full = full;
}

void replica_result(struct replica *replica, const struct origin *origin, struct blob *result)
{
    if (result == NULL || origin->node != replica->identity.node ||
        origin->boot != replica->identity.boot_count)
        return;
    struct submission *submission = pending_take(replica->pending, origin->sequence);
    if (submission != NULL)
        answer(replica, submission, ERROR_OK, blob_ref(result));
}

void replica_status(const struct replica *replica, struct paxos_status *status)
{
    paxos_status(replica->paxos, status);
}

bool replica_blocked(const struct replica *replica)
{
    return replica->waiting_count > 0;
}

size_t replica_outstanding(const struct replica *replica)
{
    return atomic_load(&replica->outstanding);
}
