// SPDX-License-Identifier: Apache-2.0
// The journal thread of a node, as server/journal_writer.c is one: one flush group in flight, what is
// queued meanwhile rides in the next. The real journal is written at the moment at which the flush
// ends; a crash before that moment writes as much of it as chance has it.
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/sim/node.h"
#include "tests/sim/oracle.h"

struct job {
    struct fifo_link link;
    uint64_t persist_sequence;
    struct paxos_scalars scalars;
    size_t record_count;
    size_t value_bytes;
    struct paxos_record records[];
};

static struct job *job_of(struct fifo_link *link)
{
    return CONTAINER_OF(link, struct job, link);
}

static void free_jobs(struct fifo *jobs)
{
    struct fifo_link *link;

    while ((link = fifo_pop(jobs)) != NULL) {
        struct job *job = job_of(link);
        for (size_t i = 0; i < job->record_count; i++) {
            if (job->records[i].type == RECORD_APPEND)
                blob_unref(job->records[i].entry.value);
        }
        free(job);
    }
}

// As many jobs as fit into one group, at least one.
static void take_group(struct flush *flush)
{
    size_t records = 0, bytes = 0;

    while (!fifo_empty(&flush->jobs)) {
        struct job *job = job_of(flush->jobs.head);
        records += job->record_count;
        bytes += job->value_bytes;
        if (!fifo_empty(&flush->group) &&
            (records > JOURNAL_GROUP_RECORDS_MAX / 4 || bytes > (64 << 10)))
            break;
        fifo_push(&flush->group, fifo_pop(&flush->jobs));
    }
}

static uint64_t duration(struct node *node)
{
    struct world *world = node->world;
    uint64_t delay_ns = choose_delay(choices_of(world), world->swarm.flush_ns);

    if (!world->healing && choose_chance(choices_of(world), world->swarm.slow_flush)) {
        world_count(world, COUNT_SLOW_FLUSHES);
        delay_ns += choose_delay(choices_of(world), 300 * MILLISECOND_NS);
    }
    if (node->stuck_until_ns > world->now_ns + delay_ns)
        delay_ns = node->stuck_until_ns - world->now_ns;
    return delay_ns;
}

static void start_next(struct node *node)
{
    if (!fifo_empty(&node->flush.group) || fifo_empty(&node->flush.jobs))
        return;
    take_group(&node->flush);
    world_schedule(node->world, duration(node),
                   (struct event){.kind = EVENT_FLUSH_END, .node = node->index, .run = node->run});
}

void flush_persist(struct node *node, const struct paxos_output *output)
{
    struct job *job = memory_alloc(sizeof *job + output->record_count * sizeof output->records[0]);

    job->persist_sequence = output->persist_sequence;
    job->scalars = output->scalars;
    job->record_count = output->record_count;
    job->value_bytes = 0;
    for (size_t i = 0; i < output->record_count; i++) {
        job->records[i] = output->records[i];
        if (job->records[i].type != RECORD_APPEND)
            continue;
        blob_ref(job->records[i].entry.value);
        job->value_bytes += job->records[i].entry.value->length;
    }
    fifo_push(&node->flush.jobs, &job->link);
    start_next(node);
}

// Writes the group in flight to the journal, and what it says to a shadow.
static enum error write_group(struct node *node, struct shadow *shadow)
{
    struct paxos_scalars scalars = job_of(node->flush.group.head)->scalars;
    struct paxos_record *records = NULL;
    size_t count = 0;

    for (struct fifo_link *link = node->flush.group.head; link != NULL; link = link->next) {
        struct job *job = job_of(link);
        records = memory_realloc(records, (count + job->record_count) * sizeof *records);
        for (size_t i = 0; i < job->record_count; i++) {
            records[count++] = job->records[i];
            if (!shadow_record(shadow, &job->records[i]))
                world_fail(node->world, SIM_CORRECTNESS, "records",
                           "node %u: a record of type %u does not follow", node->id,
                           job->records[i].type);
        }
        scalars.decided = job->scalars.decided;
    }
    enum error error = journal_append(node->journal, records, count, &scalars);
    free(records);
    return error;
}

static void remember_torn(struct node *node)
{
    if (!node->has_torn)
        shadow_copy(&node->torn, &node->shadow);
    node->has_torn = true;
}

void flush_on_end(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];
    uint64_t persist_sequence = 0;

    remember_torn(node);
    enum error error = write_group(node, &node->torn);
    if (error != ERROR_OK) {
        free_jobs(&node->flush.group);
        node_fatal(node, error);
        return;
    }
    node->has_torn = false;
    shadow_copy(&node->shadow, &node->torn);
    for (struct fifo_link *link = node->flush.group.head; link != NULL; link = link->next)
        persist_sequence = job_of(link)->persist_sequence;
    free_jobs(&node->flush.group);
    world_schedule(
        world, choose_delay(choices_of(world), 20 * MICROSECOND_NS),
        (struct event){
            .kind = EVENT_PERSISTED, .node = node->index, .run = node->run, .a = persist_sequence});
    start_next(node);
}

void flush_on_persisted(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];

    if (event->a <= node->flush.reached)
        return;
    node->flush.reached = event->a;
    replica_persisted(node->replica, event->a, node_time(node));
    node_stepped(node);
    node_wake(node);
}

void flush_abandon(struct node *node)
{
    enum { OPERATIONS = 6 };
    struct choice_stream *choices = choices_of(node->world);

    if (!fifo_empty(&node->flush.group)) {
        uint32_t reached = choose(choices, OPERATIONS);
        if (reached > 0) {
            world_count(node->world, COUNT_TORN_FLUSHES);
            disk_fake_fail(node->disk, reached + 1, ERROR_IO, true);
            remember_torn(node);
            write_group(node, &node->torn);
            disk_fake_fail(node->disk, 0, ERROR_OK, false);
        }
    }
    free_jobs(&node->flush.group);
    free_jobs(&node->flush.jobs);
    node->flush.reached = 0;
}
