// SPDX-License-Identifier: Apache-2.0
// A libuv loop with one descriptor to wake it, one timer, and the sockets of the peers. Frames go into the
// replica as they are read; when the loop has looked at everything there is one turn. It carries in what
// other threads have handed over, in this order: what was executed, what is durable (both make room), then
// what is new. What a turn has made is written to the peers at its end.
//
// uv_async is not used: its receiver spins until the sender has returned from the system call that
// woke it, and where both share a processor the sender cannot.
#include "server/core_loop.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    TICK_NS = 50000000,
    APPLIED_BURST = 64, // executed slots that are worth a turn of their own
    DRAIN_MS = 2000,    // for what waits when the node is about to end
    LINGER_MS = 500,    // for the last frames to leave
};

// A frame for the bulk channel.
struct parcel {
    struct fifo_link link;
    uint16_t to;
    size_t length;
    uint8_t data[];
};

// What other threads have handed over since the last turn.
struct inbox {
    struct fifo submissions;
    struct fifo reads;
    struct fifo parcels;
    uint64_t persisted; // highest sequence
    paxos_slot applied; // highest slot
    struct paxos_install install;
    bool has_install;
    bool drain;
    bool stopping;
    bool signalled; // whoever set this writes to wake_fd; the turn that takes the inbox clears it
};

struct core_loop {
    struct core_loop_settings settings;
    struct core_loop_ports ports;
    uv_loop_t uv;
    int wake_fd; // eventfd
    uv_poll_t wake;
    uv_timer_t timer;
    uv_check_t after_poll; // the turn
    pthread_t thread;
    bool started;
    bool closing;
    struct replica *replica;
    struct network *network; // NULL: a cluster of one
    pthread_mutex_t lock;    // inbox, status, waits_for_applied, applied
    pthread_cond_t serves;   // status.paxos.serving became true
    struct inbox inbox;
    struct core_loop_status status;
    bool waits_for_applied; // the replica cannot go on before more is executed
    atomic_bool serving;
    atomic_bool disk_full;
    atomic_uint_fast64_t fresh_us; // of freshness
    uint64_t persisted;            // already carried into the replica
    paxos_slot applied;            // likewise
    bool due;                      // a turn: somebody woke the loop, or frames came in
    bool ticked;                   // after_tick is to be called
    uint64_t tick_ns;              // when the last tick was
    uint64_t persisting;           // newest sequence that the journal has
    uint64_t persisting_ns;        // since when it has owed one
    bool healthy;
    uint16_t noted_leader;
    struct freshness freshness;
    struct core_loop_peer peers[PAXOS_VOTERS_MAX];
    size_t peer_count;
};

static struct replica_time now(void)
{
    return (struct replica_time){.monotonic_ns = clock_monotonic_ns(), .wall_ms = clock_wall_ms()};
}

// Whether the caller is the one to write to wake_fd. Requires the lock.
static bool claim_wake(struct core_loop *loop)
{
    bool first = !loop->inbox.signalled;

    loop->inbox.signalled = true;
    return first;
}

static void wake_up(struct core_loop *loop)
{
    eventfd_write(loop->wake_fd, 1);
}

// ---- The end of a turn -------------------------------------------------------------------------

static void log_leader(const struct core_loop *loop, const struct paxos_status *status)
{
    if (status->leader == 0)
        log_write(LOG_WARNING, "there is no leader", "before=%u", (unsigned)loop->noted_leader);
    else
        log_write(LOG_INFO, "the leader is", "node=%u ballot=%" PRIu64 ".%u",
                  (unsigned)status->leader, status->ballot.round, (unsigned)status->ballot.node);
}

// What an operator asks first after an incident: who led when.
static void note_leader(struct core_loop *loop, const struct paxos_status *status)
{
    if (status->leader == loop->noted_leader)
        return;
    if (status->leader != 0)
        loop->ports.elected(loop->ports.context);
    if (loop->network != NULL)
        log_leader(loop, status);
    loop->noted_leader = status->leader;
}

// What was executed only frees memory, so it comes with the next turn, unless the replica waits for
// it. An event that came in while this turn was under way did not know that it does.
static void publish_status(struct core_loop *loop)
{
    struct paxos_status status;

    replica_status(loop->replica, &status);
    note_leader(loop, &status);
    freshness_executed(&loop->freshness, status.applied);
    atomic_store_explicit(&loop->fresh_us, loop->freshness.fresh_us, memory_order_relaxed);
    pthread_mutex_lock(&loop->lock);
    loop->status.paxos = status;
    loop->waits_for_applied =
        (status.role == PAXOS_LEADER && !status.serving) || replica_blocked(loop->replica);
    bool again = loop->waits_for_applied && loop->inbox.applied > loop->applied;
    again = again && claim_wake(loop);
    pthread_mutex_unlock(&loop->lock);
    atomic_store_explicit(&loop->serving, status.serving, memory_order_release);
    if (status.serving)
        pthread_cond_broadcast(&loop->serves);
    if (again)
        wake_up(loop);
}

static void on_timer(uv_timer_t *timer);

// libuv counts milliseconds from the time at which it last looked.
static void set_timer(struct core_loop *loop)
{
    uint64_t due_ns = replica_deadline_ns(loop->replica);
    uint64_t now_ns = clock_monotonic_ns();

    if (due_ns > loop->tick_ns + TICK_NS)
        due_ns = loop->tick_ns + TICK_NS;
    uint64_t delay_ms = due_ns > now_ns ? (due_ns - now_ns + 999999) / 1000000 : 0;
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->timer, on_timer, delay_ms, 0);
}

static void close_handles(struct core_loop *loop)
{
    loop->closing = true;
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->after_poll, NULL);
    if (loop->network != NULL)
        network_close(loop->network, LINGER_MS);
}

static void end_turn(struct core_loop *loop, bool stopping)
{
    replica_run(loop->replica, now());
    publish_status(loop);
    if (loop->network != NULL)
        network_flush(loop->network);
    if (stopping && replica_outstanding(loop->replica) == 0)
        close_handles(loop);
    else
        set_timer(loop);
}

// ---- Events of other threads -------------------------------------------------------------------

static void send_parcels(struct core_loop *loop, struct fifo *parcels)
{
    struct fifo_link *link;

    while ((link = fifo_pop(parcels)) != NULL) {
        struct parcel *parcel = CONTAINER_OF(link, struct parcel, link);
        if (loop->network != NULL)
            network_send(loop->network, parcel->to, PEER_BULK, parcel->data, parcel->length);
        free(parcel);
    }
}

static void carry_in(struct core_loop *loop, struct inbox *inbox)
{
    struct fifo_link *link;

    if (inbox->persisted > loop->persisted) {
        loop->persisted = inbox->persisted;
        loop->persisting_ns = clock_monotonic_ns();
        replica_persisted(loop->replica, inbox->persisted, now());
    }
    replica_set_disk_full(loop->replica, atomic_load(&loop->disk_full));
    if (inbox->has_install &&
        loop->ports.ask_install(loop->ports.context, inbox->install.position.slot))
        loop->ports.install_answered(loop->ports.context,
                                     replica_install(loop->replica, &inbox->install, now()));
    if (inbox->drain)
        replica_drain(loop->replica, clock_monotonic_ns() + DRAIN_MS * 1000000ull, now());
    while ((link = fifo_pop(&inbox->submissions)) != NULL)
        replica_submit(loop->replica, CONTAINER_OF(link, struct submission, link));
    while ((link = fifo_pop(&inbox->reads)) != NULL)
        replica_read(loop->replica, CONTAINER_OF(link, struct replica_read, link));
    send_parcels(loop, &inbox->parcels);
}

static struct inbox take_inbox(struct core_loop *loop, bool *applied)
{
    pthread_mutex_lock(&loop->lock);
    struct inbox inbox = loop->inbox;
    inbox.submissions = fifo_take(&loop->inbox.submissions);
    inbox.reads = fifo_take(&loop->inbox.reads);
    inbox.parcels = fifo_take(&loop->inbox.parcels);
    loop->inbox.has_install = loop->inbox.drain = loop->inbox.signalled = false;
    *applied = inbox.applied > loop->applied;
    if (*applied)
        loop->applied = inbox.applied;
    pthread_mutex_unlock(&loop->lock);
    return inbox;
}

static void turn(struct core_loop *loop)
{
    bool applied;
    struct inbox inbox = take_inbox(loop, &applied);

    loop->due = false;
    if (applied)
        replica_applied(loop->replica, inbox.applied, now());
    carry_in(loop, &inbox);
    loop->ports.turn(loop->ports.context);
    end_turn(loop, inbox.stopping);
}

static void on_wake(uv_poll_t *wake, int status, int events)
{
    struct core_loop *loop = wake->data;
    eventfd_t ignored;

    (void)status;
    (void)events;
    eventfd_read(loop->wake_fd, &ignored);
    loop->due = true;
}

static void on_after_poll(uv_check_t *check)
{
    struct core_loop *loop = check->data;

    if (loop->due && !loop->closing)
        turn(loop);
    if (loop->ticked && !loop->closing)
        loop->ports.after_tick(loop->ports.context);
    loop->ticked = false;
}

// ---- Time --------------------------------------------------------------------------------------

// A disk that owes a flush, or a loop that did not come round, for too long: somebody else leads better.
static void check_health(struct core_loop *loop, uint64_t gap_ns)
{
    uint64_t stall_ns = loop->settings.stall_ns;
    bool owes =
        loop->persisting > loop->persisted && clock_monotonic_ns() - loop->persisting_ns > stall_ns;
    bool healthy = stall_ns == 0 || (!owes && gap_ns < stall_ns);

    if (healthy == loop->healthy)
        return;
    loop->healthy = healthy;
    replica_set_healthy(loop->replica, healthy, now());
}

static void send_report(struct core_loop *loop, const struct core_loop_peer *peer,
                        struct report *report, uint64_t now_us)
{
    struct buffer frame = {0};

    report->sent_us = now_us;
    report->echo_us = peer->report.sent_us;
    report->held_us = peer->heard_ns != 0 ? now_us - peer->heard_ns / 1000 : 0;
    report_encode(report, &frame);
    network_send(loop->network, peer->node, PEER_CONTROL, frame.data, frame.length);
    buffer_deinit(&frame);
}

static void send_reports(struct core_loop *loop)
{
    struct report report = {0};
    struct paxos_status status;
    uint64_t now_us = clock_monotonic_ns() / 1000;

    replica_status(loop->replica, &status);
    report.role = status.role;
    report.serving = status.serving;
    report.ballot = status.ballot;
    report.applied = status.applied;
    report.confirmed = status.confirmed_us != 0 && status.confirmed_us <= now_us;
    report.confirmed_age_us = report.confirmed ? now_us - status.confirmed_us : 0;
    report.confirmed_decided = status.confirmed_decided;
    loop->ports.describe(loop->ports.context, &report);
    if (status.role == PAXOS_LEADER)
        freshness_note(&loop->freshness, &report, now_us);
    for (size_t i = 0; i < loop->peer_count; i++)
        send_report(loop, &loop->peers[i], &report, now_us);
}

static void publish_peers(struct core_loop *loop)
{
    for (size_t i = 0; i < loop->peer_count; i++)
        network_state(loop->network, loop->peers[i].node, &loop->peers[i].connection);
    pthread_mutex_lock(&loop->lock);
    loop->status.peer_count = loop->peer_count;
    memcpy(loop->status.peers, loop->peers, sizeof loop->peers);
    pthread_mutex_unlock(&loop->lock);
}

static void tick(struct core_loop *loop, uint64_t now_ns)
{
    uint64_t gap_ns = loop->tick_ns > 0 ? now_ns - loop->tick_ns : 0;

    loop->tick_ns = now_ns;
    loop->ticked = true;
    loop->ports.tick(loop->ports.context);
    if (loop->network == NULL)
        return;
    check_health(loop, gap_ns);
    send_reports(loop);
    publish_peers(loop);
}

static void on_timer(uv_timer_t *timer)
{
    struct core_loop *loop = timer->data;
    uint64_t now_ns = clock_monotonic_ns();

    if (now_ns >= loop->tick_ns + TICK_NS)
        tick(loop, now_ns);
    replica_tick(loop->replica, now());
    turn(loop);
}

// ---- On the loop's own thread ------------------------------------------------------------------

void core_loop_send(struct core_loop *loop, uint16_t to, const void *data, size_t length)
{
    if (loop->network != NULL)
        network_send(loop->network, to, PEER_CONTROL, data, length);
}

void core_loop_persisting(struct core_loop *loop, uint64_t persist_sequence)
{
    if (loop->persisting <= loop->persisted)
        loop->persisting_ns = clock_monotonic_ns();
    loop->persisting = persist_sequence;
}

void core_loop_receive(struct core_loop *loop, uint16_t from, const void *data, size_t length)
{
    loop->due = true;
    replica_receive(loop->replica, from, data, length, now());
}

static struct core_loop_peer *peer_of(struct core_loop *loop, uint16_t node)
{
    for (size_t i = 0; i < loop->peer_count; i++) {
        if (loop->peers[i].node == node)
            return &loop->peers[i];
    }
    return NULL;
}

void core_loop_report(struct core_loop *loop, uint16_t from, const struct report *report)
{
    struct core_loop_peer *peer = peer_of(loop, from);

    if (peer == NULL)
        return;
    peer->report = *report;
    peer->heard_ns = clock_monotonic_ns();
    uint64_t round_trip_us = report_round_trip_us(report, peer->heard_ns / 1000);
    if (round_trip_us > 0)
        loop->ports.round_trip(loop->ports.context, (size_t)(peer - loop->peers),
                               round_trip_us * 1000);
    if (report->role == PAXOS_LEADER)
        freshness_note(&loop->freshness, report, peer->heard_ns / 1000);
}

void core_loop_peer_up(struct core_loop *loop, uint16_t node)
{
    loop->due = true;
    replica_peer_up(loop->replica, node, now());
}

void core_loop_peer_down(struct core_loop *loop, uint16_t node)
{
    loop->due = true;
    replica_peer_down(loop->replica, node, now());
}

void core_loop_look(const struct core_loop *loop, struct paxos_status *status)
{
    replica_status(loop->replica, status);
}

// ---- Life --------------------------------------------------------------------------------------

static void *run(void *argument)
{
    struct core_loop *loop = argument;

    pthread_setname_np(pthread_self(), "core");
    replica_start(loop->replica, now());
    end_turn(loop, false);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    return NULL;
}

static void note_peers(struct core_loop *loop, const struct identity *identity)
{
    for (size_t i = 0; i < identity->member_count; i++) {
        if (identity->members[i].node != identity->node)
            loop->peers[loop->peer_count++].node = identity->members[i].node;
    }
}

struct core_loop *core_loop_new(const struct core_loop_settings *settings,
                                const struct core_loop_ports *ports)
{
    struct core_loop *loop = memory_zalloc(sizeof *loop);

    loop->settings = *settings;
    loop->ports = *ports;
    loop->healthy = true;
    note_peers(loop, settings->identity);
    pthread_mutex_init(&loop->lock, NULL);
    pthread_cond_init(&loop->serves, NULL);
    int failed = uv_loop_init(&loop->uv);
    ASSERT(failed == 0);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(loop->wake_fd >= 0);
    failed = uv_poll_init(&loop->uv, &loop->wake, loop->wake_fd);
    ASSERT(failed == 0);
    uv_timer_init(&loop->uv, &loop->timer);
    uv_check_init(&loop->uv, &loop->after_poll);
    loop->wake.data = loop->timer.data = loop->after_poll.data = loop;
    return loop;
}

uv_loop_t *core_loop_uv(struct core_loop *loop)
{
    return &loop->uv;
}

void core_loop_start(struct core_loop *loop, struct replica *replica, struct network *network)
{
    loop->replica = replica;
    loop->network = network;
    uv_poll_start(&loop->wake, UV_READABLE, on_wake);
    uv_check_start(&loop->after_poll, on_after_poll);
    int failed = pthread_create(&loop->thread, NULL, run, loop);
    ASSERT(failed == 0);
    loop->started = true;
}

// ---- Handing events over -----------------------------------------------------------------------

static void wake_after(struct core_loop *loop, bool first)
{
    pthread_mutex_unlock(&loop->lock);
    if (first)
        wake_up(loop);
}

void core_loop_submit(struct core_loop *loop, struct submission *submission)
{
    pthread_mutex_lock(&loop->lock);
    fifo_push(&loop->inbox.submissions, &submission->link);
    wake_after(loop, claim_wake(loop));
}

void core_loop_read(struct core_loop *loop, struct replica_read *read)
{
    pthread_mutex_lock(&loop->lock);
    fifo_push(&loop->inbox.reads, &read->link);
    wake_after(loop, claim_wake(loop));
}

void core_loop_wake(struct core_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    wake_after(loop, claim_wake(loop));
}

void core_loop_persisted(struct core_loop *loop, uint64_t persist_sequence)
{
    pthread_mutex_lock(&loop->lock);
    loop->inbox.persisted = persist_sequence;
    wake_after(loop, claim_wake(loop));
}

void core_loop_applied(struct core_loop *loop, paxos_slot slot)
{
    pthread_mutex_lock(&loop->lock);
    loop->inbox.applied = slot;
    bool urgent = loop->waits_for_applied || slot - loop->applied >= APPLIED_BURST;
    wake_after(loop, urgent && claim_wake(loop));
}

void core_loop_install(struct core_loop *loop, const struct paxos_install *install)
{
    pthread_mutex_lock(&loop->lock);
    loop->inbox.install = *install;
    loop->inbox.has_install = true;
    wake_after(loop, claim_wake(loop));
}

void core_loop_send_bulk(struct core_loop *loop, uint16_t to, const void *data, size_t length)
{
    struct parcel *parcel = memory_alloc(sizeof *parcel + length);

    parcel->to = to;
    parcel->length = length;
    memcpy(parcel->data, data, length);
    pthread_mutex_lock(&loop->lock);
    fifo_push(&loop->inbox.parcels, &parcel->link);
    wake_after(loop, claim_wake(loop));
}

void core_loop_drain(struct core_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->inbox.drain = true;
    wake_after(loop, claim_wake(loop));
}

void core_loop_set_disk_full(struct core_loop *loop, bool full)
{
    atomic_store(&loop->disk_full, full);
}

void core_loop_status(struct core_loop *loop, struct core_loop_status *status)
{
    pthread_mutex_lock(&loop->lock);
    *status = loop->status;
    pthread_mutex_unlock(&loop->lock);
}

size_t core_loop_outstanding(const struct core_loop *loop)
{
    return replica_outstanding(loop->replica);
}

bool core_loop_serving(struct core_loop *loop)
{
    return atomic_load_explicit(&loop->serving, memory_order_acquire);
}

uint64_t core_loop_age_us(struct core_loop *loop)
{
    uint64_t fresh_us = atomic_load_explicit(&loop->fresh_us, memory_order_relaxed);

    return freshness_age_us(fresh_us, clock_monotonic_ns() / 1000);
}

void core_loop_wait_serving(struct core_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    while (!loop->status.paxos.serving)
        pthread_cond_wait(&loop->serves, &loop->lock);
    pthread_mutex_unlock(&loop->lock);
}

void core_loop_stop(struct core_loop *loop)
{
    if (!loop->started)
        return;
    pthread_mutex_lock(&loop->lock);
    loop->inbox.stopping = true;
    pthread_mutex_unlock(&loop->lock);
    wake_up(loop);
    pthread_join(loop->thread, NULL);
    loop->started = false;
}

static void free_inbox(struct core_loop *loop)
{
    struct fifo_link *link;

    while ((link = fifo_pop(&loop->inbox.parcels)) != NULL)
        free(CONTAINER_OF(link, struct parcel, link));
    while ((link = fifo_pop(&loop->inbox.reads)) != NULL) {
        struct replica_read *read = CONTAINER_OF(link, struct replica_read, link);
        read->complete(read, ERROR_DRAINING);
    }
}

void core_loop_free(struct core_loop *loop)
{
    if (loop == NULL)
        return;
    ASSERT(!loop->started);
    free_inbox(loop);
    replica_free(loop->replica);
    if (!loop->closing)
        close_handles(loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    network_free(loop->network);
    int busy = uv_loop_close(&loop->uv);
    ASSERT(busy == 0);
    close(loop->wake_fd);
    pthread_cond_destroy(&loop->serves);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}
