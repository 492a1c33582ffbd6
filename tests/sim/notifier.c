// SPDX-License-Identifier: Apache-2.0
// As server/node.c plugs the api into a node, as far as watches need it.
#include "tests/sim/notifier.h"

#include <stdlib.h>

#include "api/event_id.h"
#include "api/request.h"
#include "base/assert.h"
#include "base/memory.h"
#include "tests/sim/watcher.h"

struct notifier {
    struct service service;
    struct hub *hub;
    uint64_t round;  // number of the event that is valid
    uint64_t due_ns; // its time
    bool scheduled;  // it is not an empty one
};

// ---- The backend ---------------------------------------------------------------------------------

static bool read_at_once(void *context)
{
    const struct node *node = context;

    return node->world->swarm.nodes == 1 && node->status.serving;
}

static bool in_contact(void *context)
{
    const struct node *node = context;

    return node->status.leader != 0;
}

struct barrier {
    struct replica_read read;
    struct read_wait *wait;
};

static void passed(struct replica_read *read, enum error error)
{
    struct barrier *barrier = CONTAINER_OF(read, struct barrier, read);

    barrier->wait->complete(barrier->wait, error);
    free(barrier);
}

static void read_later(void *context, struct read_wait *wait)
{
    struct node *node = context;
    struct barrier *barrier = memory_zalloc(sizeof *barrier);
    uint64_t left_ns = wait->deadline_ns - node->world->now_ns;

    ASSERT(wait->barrier && wait->renew == 0);
    barrier->wait = wait;
    barrier->read.deadline_ns = node_time(node).monotonic_ns + left_ns;
    barrier->read.complete = passed;
    replica_read(node->replica, &barrier->read);
    node_wake(node);
}

// ---- Rounds --------------------------------------------------------------------------------------

static void schedule(struct node *node, uint64_t delay_ns)
{
    struct notifier *notifier = node->notifier;

    notifier->round++;
    notifier->due_ns = node->world->now_ns + delay_ns;
    world_schedule(
        node->world, delay_ns,
        (struct event){
            .kind = EVENT_NOTIFY, .node = node->index, .run = node->run, .a = notifier->round});
}

void notifier_look(struct node *node)
{
    if (node->notifier->scheduled)
        return;
    node->notifier->scheduled = true;
    schedule(node, choose_delay(choices_of(node->world), 100 * MICROSECOND_NS));
}

bool notifier_busy(const struct node *node)
{
    return node->notifier->scheduled;
}

void notifier_changed(struct node *node)
{
    struct live_view live;

    ASSERT(live_acquire(node->live, &live) == ERROR_OK);
    uint64_t zxid = view_position(live.view)->zxid;
    live_release(node->live, &live);
    hub_changed(node->notifier->hub, zxid);
    notifier_look(node);
}

void notifier_on_run(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];

    if (event->a != node->notifier->round)
        return;
    node->notifier->scheduled = false;
    int timeout_ms = hub_round(node->notifier->hub);
    if (timeout_ms >= 0 && !node->notifier->scheduled)
        schedule(node, (uint64_t)timeout_ms * MILLISECOND_NS);
}

// ---- Life ----------------------------------------------------------------------------------------

void notifier_start(struct node *node)
{
    struct notifier *notifier = memory_zalloc(sizeof *notifier);
    struct live_view live;

    node->notifier = notifier;
    ASSERT(live_acquire(node->live, &live) == ERROR_OK);
    notifier->hub = hub_start(node->live, view_position(live.view)->zxid);
    live_release(node->live, &live);
    notifier->service.live = node->live;
    atomic_store(&notifier->service.open, true);
    notifier->service.hub = notifier->hub;
    notifier->service.cluster_tag = event_id_tag(node->identity.cluster);
    notifier->service.limits.wait_default_ms = node->world->swarm.patience_ns / MILLISECOND_NS;
    notifier->service.backend = (struct api_backend){.context = node,
                                                     .read_at_once = read_at_once,
                                                     .read = read_later,
                                                     .in_contact = in_contact};
}

void notifier_stop(struct node *node)
{
    hub_stop(node->notifier->hub);
    hub_free(node->notifier->hub);
    free(node->notifier);
    node->notifier = NULL;
}

struct service *notifier_service(struct node *node)
{
    return &node->notifier->service;
}
