// SPDX-License-Identifier: Apache-2.0
// The event loop of a simulated cluster, its phases, and how a failed run is told.
#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "tests/sim/ambush.h"
#include "tests/sim/attendance.h"
#include "tests/sim/faults.h"
#include "tests/sim/network.h"
#include "tests/sim/notifier.h"
#include "tests/sim/oracle.h"
#include "tests/sim/watcher.h"
#include "tests/sim/workload.h"

#define CONVERGE_NS (60 * SECOND_NS)      // all must be done so long after that
#define LOOK_NS     (20 * MILLISECOND_NS) // how often convergence is looked at

enum {
    REGISTERS_EVERY = 8,     // seeds: the search for an order is slow
    INSTANT_EVENTS = 100000, // of one moment: whoever causes more does not let time pass
    SECOND_EVENTS = 1000000, // of a second: whoever causes more goes in circles
};

struct world *world_current;

static const char *const event_names[EVENT_COUNT] = {
#define EVENT_NAME(NAME, name, handler) #name,
    SIM_EVENTS(EVENT_NAME)
#undef EVENT_NAME
};

static void (*const event_handlers[EVENT_COUNT])(struct world *world, struct event *event) = {
#define EVENT_HANDLER(NAME, name, handler) handler,
    SIM_EVENTS(EVENT_HANDLER)
#undef EVENT_HANDLER
};

const char *sim_mode_name(enum sim_mode mode)
{
    static const char *const names[MODE_COUNT] = {
#define MODE_NAME(NAME, name) #name,
        SIM_MODES(MODE_NAME)
#undef MODE_NAME
    };

    return names[mode];
}

const char *ambush_name(enum ambush_action action)
{
    static const char *const names[AMBUSH_COUNT] = {
#define AMBUSH_NAME(NAME, name) #name,
        SIM_AMBUSHES(AMBUSH_NAME)
#undef AMBUSH_NAME
    };

    return names[action];
}

// ---- Failure and log ---------------------------------------------------------------------------

void world_end(struct world *world)
{
    if (world->made != NULL)
        world->made(&world->choices);
}

void world_fail(struct world *world, enum sim_exit status, const char *oracle, const char *format,
                ...)
{
    va_list arguments;

    printf("FAIL mode=%s seed=%" PRIu64 " nodes=%zu oracle=%s time_ms=%" PRIu64 " reason=\"",
           sim_mode_name(world->mode), world->seed, world->swarm.nodes, oracle,
           world->now_ns / MILLISECOND_NS);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\" replay=\"tests/sim/sim --mode %s --seed %" PRIu64 " --log full\"\n",
           sim_mode_name(world->mode), world->seed);
    fflush(stdout);
    world_end(world);
    exit((int)status);
}

void world_log(struct world *world, const struct node *node, const char *format, ...)
{
    va_list arguments;

    if (!world->log)
        return;
    printf("%10.3f ms  ", (double)world->now_ns / 1e6);
    if (node != NULL)
        printf("n%u.%u  ", node->id, node->run);
    else
        printf("-     ");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void world_note(struct world *world, const void *data, size_t length)
{
    world->digest = hash64(data, length, world->digest);
}

void world_count(struct world *world, enum sim_counter counter)
{
    world->counters[counter]++;
}

// ---- The queue: a binary heap ------------------------------------------------------------------

static bool before(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void push(struct event_queue *queue, struct event event)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity * 2 + 256;
        queue->heap = memory_realloc(queue->heap, queue->capacity * sizeof *queue->heap);
    }
    size_t at = queue->count++;
    while (at > 0 && before(&event, &queue->heap[(at - 1) / 2])) {
        queue->heap[at] = queue->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->heap[at] = event;
}

static struct event pop(struct event_queue *queue)
{
    struct event first = queue->heap[0];
    struct event last = queue->heap[--queue->count];
    size_t at = 0;

    for (size_t child = 1; child < queue->count; child = 2 * at + 1) {
        if (child + 1 < queue->count && before(&queue->heap[child + 1], &queue->heap[child]))
            child++;
        if (!before(&queue->heap[child], &last))
            break;
        queue->heap[at] = queue->heap[child];
        at = child;
    }
    queue->heap[at] = last;
    return first;
}

void world_schedule(struct world *world, uint64_t delay_ns, struct event event)
{
    event.at_ns = world->now_ns + delay_ns;
    event.order = world->queue.order++;
    push(&world->queue, event);
}

// ---- Events ------------------------------------------------------------------------------------

static bool belongs_to_the_dead(const struct world *world, const struct event *event)
{
    if (event->node == NOBODY || event->run == 0)
        return false;
    const struct node *node = &world->nodes[event->node];
    return !node->up || node->run != event->run;
}

static void happen(struct world *world, struct event *event)
{
    uint64_t what[] = {world->now_ns, (uint64_t)event->kind, event->node, event->a, event->b};

    world_note(world, what, sizeof what);
    if (world->log && event->kind != EVENT_TICK && event->kind != EVENT_TURN)
        world_log(world, event->node == NOBODY ? NULL : &world->nodes[event->node],
                  "%s a=%" PRIu64 " b=%" PRIu64, event_names[event->kind], event->a, event->b);
    world_count(world, COUNT_EVENTS);
    event_handlers[event->kind](world, event);
}

static void dispatch(struct world *world)
{
    struct event event = pop(&world->queue);

    world->instant_events = event.at_ns == world->now_ns ? world->instant_events + 1 : 0;
    if (event.at_ns / SECOND_NS != world->now_ns / SECOND_NS)
        world->second_events = 0;
    world->now_ns = event.at_ns;
    if (world->instant_events > INSTANT_EVENTS || ++world->second_events > SECOND_EVENTS)
        world_fail(world, SIM_LIVENESS, "spins", "%s of node %d, among others, over and over",
                   event_names[event.kind], event.node == NOBODY ? 0 : event.node + 1);
    if (belongs_to_the_dead(world, &event)) {
        free(event.data);
        return;
    }
    if (event.node != NOBODY && event.run != 0 &&
        world->nodes[event.node].paused_until_ns > world->now_ns) {
        world_schedule(world, world->nodes[event.node].paused_until_ns - world->now_ns, event);
        return;
    }
    happen(world, &event);
    free(event.data);
}

static void run_until(struct world *world, uint64_t until_ns)
{
    while (world->queue.count > 0 && world->queue.heap[0].at_ns <= until_ns) {
        dispatch(world);
        if (world->calm && !world->healing)
            return;
    }
    world->now_ns = until_ns;
}

// ---- Phases ------------------------------------------------------------------------------------

// Whether a node that serves still has sessions, which nobody renews any more.
static bool has_sessions(const struct node *node)
{
    struct view *view;

    if (!node->up || !node->status.serving)
        return false;
    ASSERT(view_open(node->state, &view) == ERROR_OK);
    bool has = view_position(view)->session_count > 0;
    view_close(view);
    return has;
}

// Why the cluster has not converged yet; NULL when it has.
static const char *pending(const struct world *world)
{
    bool served = false, sessions = false;

    for (size_t i = 0; i < world->swarm.nodes; i++) {
        const struct node *node = &world->nodes[i];
        served |= node->up && node->status.serving;
        if ((world->core & 1u << i) == 0)
            continue;
        if (!node->up)
            return "a node of the core is down";
        sessions |= has_sessions(node);
        if (node->status.applied < oracle_last(world))
            return "a node of the core has not executed everything";
        if (replica_outstanding(node->replica) > 0)
            return "a submission is not answered";
    }
    if (world->core != 0 && !served)
        return "nobody leads";
    if (sessions && world->swarm.outlasts)
        return "a session that nobody renews has not expired";
    if (workload_busy(world))
        return "a client waits";
    return watchers_settled(world) ? NULL : "a watcher was not told everything";
}

// A leader that only a part of the core hears may keep the others from electing one that all hear,
// and they do not learn what it decides: then the core must serve, but not converge.
static void serve_in_part(struct world *world)
{
    uint64_t until_ns = world->now_ns + CONVERGE_NS;
    uint64_t before = workload_history(world)->told_zxid;

    while (workload_history(world)->told_zxid <= before) {
        if (world->now_ns >= until_ns)
            world_fail(world, SIM_LIVENESS, "serves", "no write is acknowledged");
        run_until(world, world->now_ns + LOOK_NS);
    }
    faults_end(world, false);
}

static void converge(struct world *world)
{
    uint64_t until_ns = world->now_ns + CONVERGE_NS;

    workload_finish(world);
    while (pending(world) != NULL) {
        if (world->now_ns >= until_ns)
            world_fail(world, SIM_LIVENESS, "converges", "%s", pending(world));
        run_until(world, world->now_ns + LOOK_NS);
    }
}

static void make(struct world *world, size_t nodes)
{
    swarm_draw(world, nodes);
    oracle_make(world);
    network_make(world);
    nodes_make(world);
    workload_make(world);
    watchers_make(world);
    faults_start(world);
}

static void drop_events(struct world *world)
{
    for (size_t i = 0; i < world->queue.count; i++)
        free(world->queue.heap[i].data);
    free(world->queue.heap);
}

static void destroy(struct world *world)
{
    nodes_free(world);
    workload_free(world);
    watchers_free(world);
    network_free(world);
    oracle_free(world);
    drop_events(world);
}

uint64_t world_run(const struct world_options *options)
{
    struct world world = {.seed = options->seed,
                          .mode = options->mode,
                          .counters = options->counters,
                          .log = options->log,
                          .made = options->made,
                          .digest = options->seed};

    world_current = &world;
    if (options->choices != NULL)
        choices_replay(&world.choices, options->choices, options->choice_count);
    else
        choices_seed(&world.choices, options->seed * MODE_COUNT + options->mode);
    make(&world, options->nodes);
    run_until(&world, world.swarm.faults_ns);
    faults_end(&world, world.mode == MODE_LIVENESS);
    run_until(&world, world.now_ns + world.swarm.work_ns);
    if (!world.whole_core)
        serve_in_part(&world);
    converge(&world);
    oracle_check_history(&world);
    if (world.seed % REGISTERS_EVERY == 0)
        oracle_check_registers(&world);
    destroy(&world);
    world_count(&world, COUNT_SEEDS);
    world_end(&world);
    choices_deinit(&world.choices);
    world_current = NULL;
    return world.digest;
}
