// SPDX-License-Identifier: Apache-2.0
// What the api asks of its node: commands, barriers and waits, renewals, and how the node fares.
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "server/node_internal.h"
#include "server/node_status.h"

enum { CONTACT_US = 2000000 }; // since a quorum was heard from, for bookmarks

static void submit(void *context, struct submission *submission)
{
    struct node *node = context;

    core_loop_submit(node->loop, submission);
}

static bool read_at_once(void *context)
{
    struct node *node = context;

    return node_is_alone(node) && core_loop_serving(node->loop);
}

// A barrier on its way, for one read.
struct barrier {
    struct replica_read read;
    struct read_wait *wait;
};

static void barrier_passed(struct replica_read *read, enum error error)
{
    struct barrier *barrier = CONTAINER_OF(read, struct barrier, read);

    barrier->wait->complete(barrier->wait, error);
    free(barrier);
}

static void read_later(void *context, struct read_wait *wait)
{
    struct node *node = context;

    if (wait->renew != 0) {
        sessions_renew(node->sessions, wait);
        return;
    }
    if (!wait->barrier) {
        waiters_add(&node->waiters, wait);
        return;
    }
    struct barrier *barrier = memory_zalloc(sizeof *barrier);
    barrier->wait = wait;
    barrier->read.deadline_ns = wait->deadline_ns;
    barrier->read.complete = barrier_passed;
    core_loop_read(node->loop, &barrier->read);
}

static bool touch(void *context, uint64_t session, const uint8_t *proof)
{
    struct node *node = context;

    return sessions_touch(node->sessions, session, proof);
}

static void name_stream(void *context, struct session_binding *binding)
{
    struct node *node = context;

    sessions_name_stream(node->sessions, binding);
}

static void depart(void *context, uint64_t session, const struct session_binding *binding,
                   uint32_t grace_ms)
{
    struct node *node = context;

    sessions_depart(node->sessions, session, binding, grace_ms);
}

static uint64_t staleness_ms(void *context)
{
    struct node *node = context;

    if (node_is_alone(node))
        return 0;
    uint64_t age_us = core_loop_age_us(node->loop);
    return age_us == UINT64_MAX ? UINT64_MAX : age_us / 1000;
}

static bool in_contact(void *context)
{
    struct node *node = context;

    return node_is_alone(node) || core_loop_age_us(node->loop) < CONTACT_US;
}

static void status(void *context, struct node_status *out)
{
    struct node *node = context;
    struct core_loop_status loop;

    if (!atomic_load(&node->serving)) {
        start_status_fill(&node->start, out);
        return;
    }
    struct node_facts facts = {.identity = &node->identity,
                               .list = &node->list,
                               .zxid = atomic_load_explicit(&node->zxid, memory_order_acquire),
                               .age_us = core_loop_age_us(node->loop),
                               .draining = atomic_load(&node->draining),
                               .disk_full = atomic_load(&node->disk_full),
                               .now_ns = clock_monotonic_ns()};

    core_loop_status(node->loop, &loop);
    node_status_fill(&facts, &loop, out);
}

static void metrics(void *context, struct buffer *text)
{
    struct node *node = context;
    struct node_status now = {0};

    status(context, &now);
    struct node_metrics_sources sources = {.identity = &node->identity,
                                           .metrics = &node->metrics,
                                           .ready = now.serving,
                                           .disk_full = now.disk_full,
                                           .staleness_ms = UINT64_MAX};

    if (atomic_load(&node->serving)) {
        sources.loop = node->loop;
        sources.live = node->live;
        sources.journal = node->journal;
        sources.disk = node->disk;
        sources.staleness_ms = staleness_ms(context);
    }
    node_metrics_write(&sources, text);
}

struct api_backend node_backend(struct node *node)
{
    return (struct api_backend){.context = node,
                                .submit = submit,
                                .status = status,
                                .read_at_once = read_at_once,
                                .read = read_later,
                                .staleness_ms = staleness_ms,
                                .metrics = metrics,
                                .touch = touch,
                                .name_stream = name_stream,
                                .depart = depart,
                                .in_contact = in_contact};
}
