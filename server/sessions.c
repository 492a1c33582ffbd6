// SPDX-License-Identifier: Apache-2.0
// Ports, one line each.
#include "server/sessions.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "server/departures.h"
#include "server/fatal.h"
#include "server/reaper.h"
#include "server/session_keeper.h"

struct sessions {
    struct core_loop *loop;
    struct live *live;
    struct counter *expirations;
    uint16_t node;
    uint64_t boot;
    atomic_uint_fast64_t streams; // so far
    struct session_keeper *keeper;
    struct reaper *reaper;
    struct departures *departures;
};

// ---- Ports of the keeper and the reaper ----------------------------------------------------------

static void look(void *context, struct paxos_status *status)
{
    struct sessions *sessions = context;

    core_loop_look(sessions->loop, status);
}

static void send_frame(void *context, uint16_t to, const void *data, size_t length)
{
    struct sessions *sessions = context;

    core_loop_send(sessions->loop, to, data, length);
}

static void submit(void *context, struct submission *submission)
{
    struct sessions *sessions = context;

    core_loop_submit(sessions->loop, submission);
}

static void barrier(void *context, struct replica_read *read)
{
    struct sessions *sessions = context;

    core_loop_read(sessions->loop, read);
}

static void wake(void *context)
{
    struct sessions *sessions = context;

    core_loop_wake(sessions->loop);
}

static void expired(void *context)
{
    struct sessions *sessions = context;

    counter_add(sessions->expirations, 1);
}

static bool leads(void *context)
{
    struct sessions *sessions = context;

    return core_loop_serving(sessions->loop);
}

// ---- Life ----------------------------------------------------------------------------------------

static void require(enum error error)
{
    if (error != ERROR_OK)
        fatal_exit("the sessions could not be read", error);
}

struct sessions *sessions_start(struct core_loop *loop, struct live *live,
                                const struct sessions_settings *settings)
{
    struct sessions *sessions = memory_zalloc(sizeof *sessions);
    struct session_keeper_settings keeper = {.alone = settings->alone,
                                             .contact_ns = settings->contact_ns};
    struct session_keeper_ports ports = {.context = sessions,
                                         .look = look,
                                         .send = send_frame,
                                         .submit = submit,
                                         .barrier = barrier,
                                         .wake = wake,
                                         .expired = expired};
    struct reaper_ports reaper = {
        .context = sessions, .live = live, .leads = leads, .submit = submit};
    struct departures_ports departures = {.context = sessions, .submit = submit, .wake = wake};

    sessions->loop = loop;
    sessions->live = live;
    sessions->expirations = settings->expirations;
    sessions->node = settings->node;
    sessions->boot = settings->boot;
    sessions->departures = departures_new(&departures);
    sessions->keeper = session_keeper_new(&keeper, &ports);
    require(session_keeper_load(sessions->keeper, live));
    sessions->reaper = reaper_start(&reaper);
    return sessions;
}

void sessions_drain(struct sessions *sessions)
{
    if (sessions == NULL)
        return;
    reaper_stop(sessions->reaper);
    session_keeper_drain(sessions->keeper);
    departures_drain(sessions->departures);
}

void sessions_free(struct sessions *sessions)
{
    if (sessions == NULL)
        return;
    reaper_free(sessions->reaper);
    session_keeper_free(sessions->keeper);
    departures_free(sessions->departures);
    free(sessions);
}

// ---- Events --------------------------------------------------------------------------------------

void sessions_changed(struct sessions *sessions, const struct state *state)
{
    require(session_keeper_changed(sessions->keeper, sessions->live, state));
}

void sessions_installed(struct sessions *sessions)
{
    require(session_keeper_load(sessions->keeper, sessions->live));
}

void sessions_tick(struct sessions *sessions)
{
    session_keeper_tick(sessions->keeper, clock_monotonic_ns());
}

void sessions_after_tick(struct sessions *sessions)
{
    session_keeper_advance(sessions->keeper, clock_monotonic_ns());
}

void sessions_turn(struct sessions *sessions)
{
    uint64_t now_ns = clock_monotonic_ns();

    session_keeper_turn(sessions->keeper, now_ns);
    departures_turn(sessions->departures, now_ns);
}

// An answer leaves with the next turn.
void sessions_receive(struct sessions *sessions, uint16_t from, const void *data, size_t length)
{
    session_keeper_receive(sessions->keeper, from, data, length);
    core_loop_wake(sessions->loop);
}

bool sessions_touch(struct sessions *sessions, uint64_t id, const uint8_t *proof)
{
    return session_keeper_touch(sessions->keeper, id, proof);
}

void sessions_renew(struct sessions *sessions, struct read_wait *wait)
{
    session_keeper_renew(sessions->keeper, wait);
}

void sessions_name_stream(struct sessions *sessions, struct session_binding *binding)
{
    binding->node = sessions->node;
    binding->boot = sessions->boot;
    binding->counter = atomic_fetch_add(&sessions->streams, 1) + 1;
}

void sessions_depart(struct sessions *sessions, uint64_t id, const struct session_binding *binding,
                     uint32_t grace_ms)
{
    departures_add(sessions->departures, id, binding, grace_ms, clock_monotonic_ns());
}
