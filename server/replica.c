// SPDX-License-Identifier: Apache-2.0
// Submissions wait in a queue until there is somebody to take them: the core, when this node leads, or
// the leader, to whom they are forwarded. Then all that wait become one batch, without any fixed delay:
// while a flush is under way the next batch collects by itself.
//
// A submission that was taken has a sequence of this node, and execution runs the sequences of a node
// in order, each once. So after a change of leader, or when nothing comes back, everything that was
// not executed is simply sent again: a fail-over is a late answer, never a double write.
#include "server/replica.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "server/forward.h"
#include "server/forwarded.h"
#include "server/pending.h"
#include "server/read_queue.h"

enum {
    WAITING_MAX = 16384,           // submissions
    WAITING_BYTES_MAX = 128 << 20, // of their commands
    BATCH_BYTES = 256 << 10,       // a batch is closed behind the command that passes this
    BATCH_COMMANDS = 2048,
    BATCH_OVERHEAD = 64, // bytes of a batch beside its commands
    COMMAND_OVERHEAD = 4,
    RESEND_HEARTBEATS = 5, // without progress after which everything is sent again
    READ_HEARTBEATS = 3,   // after which a read is asked again
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
    uint64_t heartbeat_ns;
    uint64_t random; // state of the generator of the core's random numbers
    uint64_t deadline_ns;
    uint64_t drain_ns; // when nothing may wait any more; 0: not ending

    struct pending *pending;
    uint64_t sent;          // sequences below went to the leader that we know
    uint64_t progress_ns;   // when one was last executed, or sent
    uint64_t progress_next; // what was executed then
    struct ballot sent_ballot;
    struct fifo waiting; // submissions without a sequence
    size_t waiting_count;
    size_t waiting_bytes;
    atomic_size_t outstanding; // waiting or pending
    bool disk_full;

    struct forwarded forwarded; // LEADER: of other nodes
    struct read_queue reads;

    struct buffer batch;        // scratch
    struct buffer frame;        // scratch
    struct paxos_output output; // of the current step
};

struct replica *replica_new(struct paxos *paxos, const struct identity *identity,
                            const struct replica_settings *settings,
                            const struct replica_ports *ports)
{
    struct replica *replica = memory_zalloc(sizeof *replica);

    replica->paxos = paxos;
    replica->identity = *identity;
    replica->ports = *ports;
    replica->heartbeat_ns = settings->heartbeat_us * 1000;
    replica->random = settings->seed;
    replica->pending = pending_new();
    replica->deadline_ns = UINT64_MAX;
    return replica;
}

// ---- Submissions ---------------------------------------------------------------------------------

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

// ---- Steps of the core ---------------------------------------------------------------------------

static uint64_t next_random(struct replica *replica)
{
    uint64_t mixed = replica->random += 0x9e3779b97f4a7c15u;

    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

static const struct entry *entry_of(const void *context, paxos_slot slot)
{
    return paxos_entry(context, slot);
}

static void send_messages(struct replica *replica)
{
    const struct paxos_output *output = &replica->output;

    for (size_t i = 0; i < output->message_count; i++) {
        buffer_clear(&replica->frame);
        buffer_u8(&replica->frame, FRAME_PAXOS);
        paxos_message_encode(&replica->frame, &output->messages[i], entry_of, replica->paxos);
        replica->ports.send(replica->ports.context, output->messages[i].to, replica->frame.data,
                            replica->frame.length);
    }
    if (replica->frame.capacity > 2 * (size_t)BATCH_BYTES)
        buffer_deinit(&replica->frame);
}

static void carry_out(struct replica *replica)
{
    const struct paxos_output *output = &replica->output;

    if (output->fault != PAXOS_NO_FAULT) {
        replica->ports.fault(replica->ports.context, output->fault);
        return;
    }
    if (output->record_count > 0)
        replica->ports.persist(replica->ports.context, output);
    send_messages(replica);
    if (output->install > 0)
        replica->ports.install(replica->ports.context, output->install);
    if (output->apply_from > 0) {
        for (paxos_slot slot = output->apply_from; slot <= output->apply_to; slot++)
            replica->ports.apply(replica->ports.context, paxos_entry(replica->paxos, slot));
    }
    for (size_t i = 0; i < output->lagging_count; i++)
        replica->ports.catch_up(replica->ports.context, output->lagging[i].node,
                                output->lagging[i].from);
    read_queue_answer(&replica->reads, output);
    replica->deadline_ns =
        output->deadline_us < UINT64_MAX / 1000 ? output->deadline_us * 1000 : UINT64_MAX;
}

static void feed(struct replica *replica, struct paxos_input *input, struct replica_time now)
{
    input->now_us = now.monotonic_ns / 1000;
    input->wall_ms = now.wall_ms;
    input->random = next_random(replica);
    paxos_step(replica->paxos, input, &replica->output);
}

static void step(struct replica *replica, struct paxos_input *input, struct replica_time now)
{
    feed(replica, input, now);
    carry_out(replica);
}

// ---- Proposing and forwarding ----------------------------------------------------------------------

// Gives sequences to what waits, as far as a batch reaches from `sent` on. Returns the end of the batch
// and its size.
static uint64_t extend_batch(struct replica *replica, uint64_t now_ns, size_t *bytes)
{
    uint64_t next = pending_next(replica->pending);
    uint64_t end = replica->sent;

    *bytes = BATCH_OVERHEAD;
    while (end - replica->sent < BATCH_COMMANDS && *bytes <= BATCH_BYTES) {
        if (end < next) {
            *bytes += COMMAND_OVERHEAD + pending_command_length(replica->pending, end++);
            continue;
        }
        if (replica->waiting_count == 0 || !pending_has_room(replica->pending, 1))
            break;
        struct submission *submission = take_waiting(replica);
        *bytes += COMMAND_OVERHEAD + submission->command->length;
        submission->proposed_ns = now_ns;
        pending_put(replica->pending, submission);
        next = ++end;
    }
    return end;
}

// Writes the part [sent, end). Sequences are executed in order, so what was executed meanwhile is a
// front of the part, which is left out.
static void write_own_part(struct replica *replica, uint64_t end)
{
    struct blob *commands[BATCH_COMMANDS];
    struct origin origin = {.node = replica->identity.node,
                            .boot = replica->identity.boot_count,
                            .sequence = replica->sent};
    uint32_t count = pending_commands(replica->pending, &origin.sequence, end, commands);

    if (count == 0)
        return;
    batch_begin_part(&replica->batch, &origin, count);
    for (uint32_t i = 0; i < count; i++) {
        batch_add_command(&replica->batch, commands[i]->data, commands[i]->length);
        blob_unref(commands[i]);
    }
}

static void trim_batch(struct replica *replica)
{
    if (replica->batch.capacity > 2 * (size_t)BATCH_BYTES)
        buffer_deinit(&replica->batch);
}

static bool propose_once(struct replica *replica, struct replica_time now)
{
    size_t bytes;
    size_t least = forwarded_next(&replica->forwarded);

    if (!paxos_can_propose(replica->paxos, BATCH_OVERHEAD))
        return false;
    uint64_t end = extend_batch(replica, now.monotonic_ns, &bytes);
    if (bytes + least > PAXOS_VALUE_MAX) {
        end = replica->sent; // the next batch is for our own commands
        bytes = BATCH_OVERHEAD;
    }
    if ((end == replica->sent && least == 0) || !paxos_can_propose(replica->paxos, bytes + least))
        return false;
    buffer_clear(&replica->batch);
    batch_begin(&replica->batch);
    write_own_part(replica, end);
    forwarded_move(&replica->forwarded, &replica->batch, PAXOS_VALUE_MAX);
    replica->sent = end;
    struct paxos_input input = {.type = PAXOS_PROPOSE,
                                .value = blob_copy(replica->batch.data, replica->batch.length)};
    trim_batch(replica);
    step(replica, &input, now);
    ASSERT(!replica->output.refused);
    blob_unref(input.value);
    return true;
}

static bool forward_once(struct replica *replica, const struct paxos_status *status,
                         struct replica_time now)
{
    size_t bytes;
    uint64_t end = extend_batch(replica, now.monotonic_ns, &bytes);

    if (end == replica->sent)
        return false;
    forward_begin(&replica->batch, status->ballot);
    batch_begin(&replica->batch);
    write_own_part(replica, end);
    forward_end(&replica->batch);
    replica->sent = end;
    replica->ports.send(replica->ports.context, status->leader, replica->batch.data,
                        replica->batch.length);
    trim_batch(replica);
    return true;
}

// Another leader, or none came back for too long: what was not executed is sent again.
static void rewind_if_needed(struct replica *replica, const struct paxos_status *status,
                             struct replica_time now)
{
    uint64_t oldest = pending_oldest(replica->pending);

    if (oldest > replica->sent)
        replica->sent = oldest;
    if (oldest != replica->progress_next || oldest == replica->sent) {
        replica->progress_next = oldest;
        replica->progress_ns = now.monotonic_ns;
    }
    bool other = ballot_compare(status->ballot, replica->sent_ballot) != 0;
    bool silent =
        replica->heartbeat_ns > 0 && status->leader != replica->identity.node &&
        now.monotonic_ns - replica->progress_ns > RESEND_HEARTBEATS * replica->heartbeat_ns;
    if (!other && !silent)
        return;
    replica->sent_ballot = status->ballot;
    replica->sent = oldest;
    replica->progress_ns = now.monotonic_ns;
    forwarded_drop(&replica->forwarded);
}

static void ask_reads(struct replica *replica, struct replica_time now)
{
    struct paxos_input input = {.type = PAXOS_READ};

    if (!read_queue_wants(&replica->reads))
        return;
    read_queue_ask(&replica->reads, now.monotonic_ns);
    feed(replica, &input, now);
    read_queue_asked(&replica->reads, replica->output.read);
    carry_out(replica);
}

static void complete_reads(struct replica *replica)
{
    struct paxos_status status;

    paxos_status(replica->paxos, &status);
    read_queue_complete(&replica->reads, status.applied);
}

void replica_run(struct replica *replica, struct replica_time now)
{
    struct paxos_status status;

    paxos_status(replica->paxos, &status);
    if (status.leader != 0) {
        rewind_if_needed(replica, &status, now);
        if (status.role == PAXOS_LEADER) {
            while (propose_once(replica, now))
                ;
        } else {
            while (forward_once(replica, &status, now))
                ;
        }
        ask_reads(replica, now);
    }
    complete_reads(replica);
}

static void receive_forward(struct replica *replica, uint16_t from, const uint8_t *data,
                            size_t length)
{
    struct paxos_status status;
    struct ballot ballot;
    struct reader batch;

    paxos_status(replica->paxos, &status);
    if (forward_open(data, length, from, &ballot, &batch) != ERROR_OK ||
        status.role != PAXOS_LEADER || ballot_compare(ballot, status.ballot) != 0)
        return;
    forwarded_add(&replica->forwarded, &batch, PAXOS_VALUE_MAX - BATCH_OVERHEAD);
}

void replica_receive(struct replica *replica, uint16_t from, const void *data, size_t length,
                     struct replica_time now)
{
    const uint8_t *bytes = data;
    struct paxos_message message;

    if (length == 0)
        return;
    if (bytes[0] == FRAME_FORWARD) {
        receive_forward(replica, from, data, length);
        return;
    }
    if (bytes[0] != FRAME_PAXOS ||
        paxos_message_decode(bytes + 1, length - 1, &message) != ERROR_OK)
        return;
    if (message.from == from && message.to == replica->identity.node) {
        struct paxos_input input = {.type = PAXOS_MESSAGE, .message = &message};
        step(replica, &input, now);
    }
    paxos_message_release(&message);
}

// ---- Events --------------------------------------------------------------------------------------

void replica_start(struct replica *replica, struct replica_time now)
{
    struct paxos_input input = {.type = PAXOS_START};

    step(replica, &input, now);
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
    complete_reads(replica);
}

void replica_peer_down(struct replica *replica, uint16_t node, struct replica_time now)
{
    struct paxos_input input = {.type = PAXOS_PEER_DOWN, .node = node};

    step(replica, &input, now);
}

// What went over a connection that is gone did not arrive; what the core sends comes again by itself.
void replica_peer_up(struct replica *replica, uint16_t node, struct replica_time now)
{
    struct paxos_status status;

    paxos_status(replica->paxos, &status);
    if (status.leader == node)
        replica->sent_ballot = (struct ballot){0};
    replica_run(replica, now);
}

bool replica_install(struct replica *replica, const struct paxos_install *install,
                     struct replica_time now)
{
    struct paxos_input input = {.type = PAXOS_INSTALL, .install = install};

    feed(replica, &input, now);
    bool taken = !replica->output.refused;
    carry_out(replica);
    return taken;
}

void replica_installed(struct replica *replica, uint64_t next)
{
    for (uint64_t sequence = pending_oldest(replica->pending);
         sequence < next && sequence < pending_next(replica->pending); sequence++) {
        struct submission *submission = pending_execute(replica->pending, sequence);
        if (submission != NULL)
            answer(replica, submission, ERROR_OUTCOME_UNKNOWN, NULL);
    }
}

void replica_set_healthy(struct replica *replica, bool healthy, struct replica_time now)
{
    struct paxos_input input = {.type = PAXOS_HEALTH, .healthy = healthy};

    step(replica, &input, now);
}

void replica_drain(struct replica *replica, uint64_t deadline_ns, struct replica_time now)
{
    struct paxos_input input = {.type = PAXOS_TRANSFER};

    replica->drain_ns = deadline_ns;
    step(replica, &input, now);
}

void replica_set_disk_full(struct replica *replica, bool full)
{
    replica->disk_full = full;
}

void replica_read(struct replica *replica, struct replica_read *read)
{
    read_queue_add(&replica->reads, read);
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

static void answer_all(struct replica *replica)
{
    struct submission *submission;

    while ((submission = take_waiting(replica)) != NULL)
        answer(replica, submission, ERROR_DRAINING, NULL);
    while ((submission = pending_take_expired(replica->pending, UINT64_MAX)) != NULL)
        answer(replica, submission, ERROR_OUTCOME_UNKNOWN, NULL);
    read_queue_end(&replica->reads);
}

void replica_tick(struct replica *replica, struct replica_time now)
{
    struct paxos_input input = {.type = PAXOS_TICK};
    struct submission *submission;

    step(replica, &input, now);
    if (replica->reads.number != 0 &&
        now.monotonic_ns - replica->reads.asked_ns > READ_HEARTBEATS * replica->heartbeat_ns)
        read_queue_give_up(&replica->reads);
    answer_expired_waiting(replica, now.monotonic_ns);
    while ((submission = pending_take_expired(replica->pending, now.monotonic_ns)) != NULL)
        answer(replica, submission, ERROR_OUTCOME_UNKNOWN, NULL);
    read_queue_expire(&replica->reads, now.monotonic_ns);
    if (replica->drain_ns != 0 && now.monotonic_ns >= replica->drain_ns)
        answer_all(replica);
    replica_run(replica, now);
}

uint64_t replica_deadline_ns(const struct replica *replica)
{
    return replica->deadline_ns;
}

void replica_result(struct replica *replica, const struct origin *origin, struct blob *result,
                    uint64_t committed_ns)
{
    if (result == NULL || origin->node != replica->identity.node ||
        origin->boot != replica->identity.boot_count)
        return;
    struct submission *submission = pending_execute(replica->pending, origin->sequence);
    if (submission == NULL)
        return;
    submission->committed_ns = committed_ns;
    answer(replica, submission, ERROR_OK, blob_ref(result));
}

void replica_status(const struct replica *replica, struct paxos_status *status)
{
    paxos_status(replica->paxos, status);
}

bool replica_blocked(const struct replica *replica)
{
    return replica->waiting_count > 0 || replica->sent < pending_next(replica->pending) ||
           !fifo_empty(&replica->reads.ready);
}

size_t replica_outstanding(const struct replica *replica)
{
    return atomic_load(&replica->outstanding);
}

void replica_free(struct replica *replica)
{
    if (replica == NULL)
        return;
    answer_all(replica);
    forwarded_drop(&replica->forwarded);
    pending_free(replica->pending);
    paxos_free(replica->paxos);
    buffer_deinit(&replica->batch);
    buffer_deinit(&replica->frame);
    free(replica);
}
