// SPDX-License-Identifier: Apache-2.0
// Group commit. The queue is bounded by the window of the core, which stops proposing when it is
// full.
#include "server/journal_writer.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mailbox.h"
#include "base/memory.h"
#include "server/fatal.h"

// The records of one step of the core.
struct job {
    struct fifo_link link;
    uint64_t persist_sequence;
    struct paxos_scalars scalars;
    size_t record_count;
    size_t value_bytes;
    struct paxos_record records[];
};

struct journal_writer {
    struct journal *journal;
    journal_writer_done done;
    void *context;
    pthread_t thread;
    struct mailbox jobs;
    struct paxos_record *group; // scratch: the records of the group being written
    size_t group_capacity;
};

static size_t job_value_bytes(const struct paxos_output *output)
{
    size_t bytes = 0;

    for (size_t i = 0; i < output->record_count; i++) {
        if (output->records[i].type == RECORD_APPEND)
            bytes += output->records[i].entry.value->length;
    }
    return bytes;
}

void journal_writer_persist(struct journal_writer *writer, const struct paxos_output *output)
{
    size_t bytes = output->record_count * sizeof output->records[0];
    struct job *job = memory_alloc(sizeof *job + bytes);

    job->persist_sequence = output->persist_sequence;
    job->scalars = output->scalars;
    job->record_count = output->record_count;
    job->value_bytes = job_value_bytes(output);
    for (size_t i = 0; i < output->record_count; i++) {
        job->records[i] = output->records[i];
        if (job->records[i].type == RECORD_APPEND)
            blob_ref(job->records[i].entry.value);
    }
    mailbox_push(&writer->jobs, &job->link);
}

static void free_job(struct job *job)
{
    for (size_t i = 0; i < job->record_count; i++) {
        if (job->records[i].type == RECORD_APPEND)
            blob_unref(job->records[i].entry.value);
    }
    free(job);
}

// Takes as many jobs off the front as fit into one flush group, at least one.
static struct fifo take_group(struct fifo *jobs)
{
    struct fifo group = {0};
    size_t records = 0, bytes = 0;

    while (!fifo_empty(jobs)) {
        struct job *job = CONTAINER_OF(jobs->head, struct job, link);
        records += job->record_count;
        bytes += job->value_bytes;
        if (!fifo_empty(&group) &&
            (records > JOURNAL_GROUP_RECORDS_MAX || bytes > JOURNAL_GROUP_BYTES_MAX))
            break;
        fifo_push(&group, fifo_pop(jobs));
    }
    return group;
}

static struct paxos_record *reserve_group(struct journal_writer *writer, size_t count)
{
    if (count > writer->group_capacity) {
        writer->group_capacity = count * 2;
        writer->group =
            memory_realloc(writer->group, writer->group_capacity * sizeof *writer->group);
    }
    return writer->group;
}

// Writes one group and returns the sequence that is durable afterwards.
static uint64_t write_group(struct journal_writer *writer, const struct fifo *group)
{
    struct paxos_scalars scalars = CONTAINER_OF(group->head, struct job, link)->scalars;
    uint64_t persist_sequence = 0;
    size_t count = 0;

    for (struct fifo_link *link = group->head; link != NULL; link = link->next) {
        struct job *job = CONTAINER_OF(link, struct job, link);
        struct paxos_record *records = reserve_group(writer, count + job->record_count);
        for (size_t i = 0; i < job->record_count; i++)
            records[count + i] = job->records[i];
        count += job->record_count;
        scalars.decided = job->scalars.decided;
        persist_sequence = job->persist_sequence;
    }
    enum error error = journal_append(writer->journal, writer->group, count, &scalars);
    if (error != ERROR_OK)
        fatal_exit("the journal could not be written", error);
    return persist_sequence;
}

static void *run(void *argument)
{
    struct journal_writer *writer = argument;
    struct fifo jobs;

    pthread_setname_np(pthread_self(), "journal");
    while (mailbox_wait(&writer->jobs, &jobs)) {
        while (!fifo_empty(&jobs)) {
            struct fifo group = take_group(&jobs);
            struct fifo_link *link;
            uint64_t began_ns = clock_monotonic_ns();
            uint64_t persist_sequence = write_group(writer, &group);
            writer->done(writer->context, persist_sequence, clock_monotonic_ns() - began_ns);
            while ((link = fifo_pop(&group)) != NULL)
                free_job(CONTAINER_OF(link, struct job, link));
        }
    }
    return NULL;
}

struct journal_writer *journal_writer_start(struct journal *journal, journal_writer_done done,
                                            void *context)
{
    struct journal_writer *writer = memory_zalloc(sizeof *writer);

    writer->journal = journal;
    writer->done = done;
    writer->context = context;
    mailbox_init(&writer->jobs);
    int failed = pthread_create(&writer->thread, NULL, run, writer);
    ASSERT(failed == 0);
    return writer;
}

void journal_writer_stop(struct journal_writer *writer)
{
    if (writer == NULL)
        return;
    mailbox_close(&writer->jobs);
    pthread_join(writer->thread, NULL);
    mailbox_deinit(&writer->jobs);
    free(writer->group);
    free(writer);
}
