// SPDX-License-Identifier: Apache-2.0
// The apply thread of a node, as server/applier.c is one: runs of entries in one transaction, answers
// once it is visible.
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/sim/attendance.h"
#include "tests/sim/node.h"
#include "tests/sim/notifier.h"
#include "tests/sim/oracle.h"

struct job {
    struct fifo_link link;
    paxos_slot install; // load this checkpoint; 0: execute the entry
    struct entry entry;
};

struct result_of {
    struct origin origin;
    struct blob *result;
};

// The results of a run, handed out when its transaction is over.
struct outcomes {
    struct result_of *all;
    size_t count;
    size_t capacity;
    uint64_t hash; // of the results of one entry
};

static void schedule(struct node *node)
{
    if (node->apply.scheduled || fifo_empty(&node->apply.jobs))
        return;
    node->apply.scheduled = true;
    world_schedule(node->world, choose_delay(choices_of(node->world), node->world->swarm.apply_ns),
                   (struct event){.kind = EVENT_APPLY, .node = node->index, .run = node->run});
}

void apply_entry(struct node *node, const struct entry *entry)
{
    struct job *job = memory_zalloc(sizeof *job);

    oracle_executing(node, entry);
    job->entry = *entry;
    blob_ref(entry->value);
    fifo_push(&node->apply.jobs, &job->link);
    schedule(node);
}

void apply_install(struct node *node, paxos_slot slot)
{
    struct job *job = memory_zalloc(sizeof *job);

    job->install = slot;
    fifo_push(&node->apply.jobs, &job->link);
    schedule(node);
}

static struct job *first_job(const struct node *node)
{
    return CONTAINER_OF(node->apply.jobs.head, struct job, link);
}

static void keep_outcome(void *context, const struct origin *origin, struct blob *result)
{
    struct outcomes *outcomes = context;

    if (result == NULL)
        return;
    if (outcomes->count == outcomes->capacity) {
        outcomes->capacity = outcomes->capacity * 2 + 16;
        outcomes->all = memory_realloc(outcomes->all, outcomes->capacity * sizeof *outcomes->all);
    }
    outcomes->hash = hash64(result->data, result->length, outcomes->hash);
    outcomes->all[outcomes->count++] =
        (struct result_of){.origin = *origin, .result = blob_ref(result)};
}

static paxos_slot execute_one(struct node *node, struct outcomes *outcomes)
{
    struct job *job = CONTAINER_OF(fifo_pop(&node->apply.jobs), struct job, link);
    paxos_slot slot = job->entry.slot;

    outcomes->hash = 0;
    enum error error = state_execute(node->state, &job->entry, keep_outcome, outcomes);
    if (error != ERROR_OK)
        world_fail(node->world, SIM_CORRECTNESS, "executes", "node %u cannot execute slot %lu: %s",
                   node->id, slot, error_entry(error)->title);
    oracle_executed(node, slot, state_writing_position(node->state), outcomes->hash);
    blob_unref(job->entry.value);
    free(job);
    return slot;
}

static void hand_out(struct node *node, struct outcomes *outcomes)
{
    for (size_t i = 0; i < outcomes->count; i++) {
        replica_result(node->replica, &outcomes->all[i].origin, outcomes->all[i].result, 0);
        blob_unref(outcomes->all[i].result);
    }
    free(outcomes->all);
}

static void executed(struct node *node, paxos_slot slot)
{
    world_schedule(
        node->world, choose_delay(choices_of(node->world), 20 * MICROSECOND_NS),
        (struct event){.kind = EVENT_APPLIED, .node = node->index, .run = node->run, .a = slot});
    schedule(node);
}

// Opens a state and loads the checkpoint into it. NULL: the disk failed, or what it says was damaged.
static struct state *load(struct node *node, paxos_slot slot)
{
    struct checkpoint_info info;
    struct failure failure = {0};
    struct state *state;

    ASSERT(state_open("", 0, &state, &failure) == ERROR_OK);
    enum error error = checkpoint_load(node->disk, &node->identity, slot, state, &info, &failure);
    if (error == ERROR_OK)
        return state;
    state_close(state);
    if (!node->damaged)
        world_fail(node->world, SIM_CORRECTNESS, "installs", "node %u: %s", node->id, failure.text);
    return NULL;
}

static void install(struct node *node)
{
    struct job *job = first_job(node);
    paxos_slot slot = job->install;
    struct view *view;
    uint64_t next;

    fifo_pop(&node->apply.jobs);
    free(job);
    struct state *state = load(node, slot);
    if (state == NULL) {
        node_fatal(node, ERROR_CORRUPT);
        return;
    }
    live_replace(node->live, state);
    node->state = state;
    attendance_installed(node);
    notifier_changed(node);
    ASSERT(view_open(state, &view) == ERROR_OK);
    oracle_position(node, view_position(view));
    ASSERT(view_origin(view, node->id, node->identity.boot_count, &next) == ERROR_OK);
    view_close(view);
    replica_installed(node->replica, next);
    enum error error = bulk_installed(node, slot);
    if (error != ERROR_OK)
        node_fatal(node, error);
    else
        executed(node, slot);
}

void apply_on_run(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];
    struct outcomes outcomes = {0};
    uint32_t most = 1 + choose(choices_of(world), 8);
    paxos_slot slot = 0;

    node->apply.scheduled = false;
    if (first_job(node)->install != 0) {
        install(node);
        return;
    }
    ASSERT(state_begin(node->state) == ERROR_OK);
    for (uint32_t i = 0;
         i < most && !fifo_empty(&node->apply.jobs) && first_job(node)->install == 0; i++)
        slot = execute_one(node, &outcomes);
    ASSERT(state_commit(node->state) == ERROR_OK);
    attendance_changed(node);
    hand_out(node, &outcomes);
    notifier_changed(node);
    executed(node, slot);
}

void apply_on_applied(struct world *world, struct event *event)
{
    struct node *node = &world->nodes[event->node];

    if (event->a <= node->apply.reached)
        return;
    node->apply.reached = event->a;
    replica_applied(node->replica, event->a, node_time(node));
    node_stepped(node);
    node_wake(node);
}

void apply_abandon(struct node *node)
{
    struct fifo_link *link;

    while ((link = fifo_pop(&node->apply.jobs)) != NULL) {
        struct job *job = CONTAINER_OF(link, struct job, link);
        blob_unref(job->entry.value); // NULL for a checkpoint
        free(job);
    }
    node->apply.scheduled = false;
    node->apply.reached = 0;
}
