// SPDX-License-Identifier: Apache-2.0
// Assembly. Events flow in a ring: api -> core loop -> journal thread -> core loop -> apply thread
// -> api; the peers hang on the core loop, the bulk and courier threads look after the files.
#include "server/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "server/applier.h"
#include "server/core_loop.h"
#include "server/courier.h"
#include "server/fatal.h"
#include "server/founding.h"
#include "server/genesis.h"
#include "server/installer.h"
#include "server/journal_writer.h"
#include "server/keeper.h"
#include "server/node_status.h"
#include "server/recovery.h"
#include "server/sessions.h"
#include "server/waiters.h"
#include "storage/storage.h"

enum {
    STALL_HEARTBEATS = 10,
    SILENCE_HEARTBEATS = 10,
    SILENCE_MIN_MS = 1000,
    TRANSFER_ENTRIES_MAX = 200000, // further behind a checkpoint is quicker
    CONTACT_US = 2000000,          // since a quorum was heard from, for bookmarks
    TRANSFER_SILENCE_MS = 1000,    // after which a range of a checkpoint is asked for again
};

struct node {
    const struct options *options;
    struct peer_list list;
    struct identity identity;
    struct disk *disk;
    struct journal *journal;
    struct live *live;
    struct buffer live_names[2];
    struct installer installer;
    struct checkpoint_info installed; // by the apply thread
    struct replica *replica;          // owned by the loop
    struct network *network;          // owned by the loop; NULL: a cluster of one
    struct core_loop *loop;
    struct journal_writer *writer;
    struct applier *applier;
    struct keeper *keeper;
    struct courier *courier; // NULL: a cluster of one
    struct sessions *sessions;
    _Atomic(struct api *) api; // NULL: not started yet
    struct waiters waiters;
    atomic_uint_fast64_t zxid;
    atomic_bool draining;
    atomic_bool disk_full;
};

// ---- Ports of the replica ----------------------------------------------------------------------

static void persist(void *context, const struct paxos_output *output)
{
    struct node *node = context;

    core_loop_persisting(node->loop, output->persist_sequence);
    journal_writer_persist(node->writer, output);
}

static void apply(void *context, const struct entry *entry)
{
    struct node *node = context;

    applier_execute(node->applier, entry);
}

static void install(void *context, paxos_slot slot)
{
    struct node *node = context;

    applier_install(node->applier, slot);
}

static void send_frame(void *context, uint16_t to, const void *data, size_t length)
{
    struct node *node = context;

    core_loop_send(node->loop, to, data, length);
}

static void catch_up(void *context, uint16_t to, paxos_slot from)
{
    struct node *node = context;
    struct paxos_status status;

    core_loop_look(node->loop, &status);
    if (node->courier != NULL)
        courier_lagging(node->courier, to, from, status.ballot, status.applied);
}

static void fault(void *context, enum paxos_fault what)
{
    (void)context;
    fatal_exit(what == PAXOS_DECIDED_MISSING ? "something decided is in no log of a quorum"
                                             : "a peer has another history than this node",
               ERROR_CORRUPT);
}

// ---- Ports of the threads ----------------------------------------------------------------------

static void on_persisted(void *context, uint64_t persist_sequence)
{
    struct node *node = context;

    core_loop_persisted(node->loop, persist_sequence);
}

static void on_result(void *context, const struct origin *origin, struct blob *result)
{
    struct node *node = context;

    replica_result(node->replica, origin, result);
}

static void on_applied(void *context, paxos_slot slot, uint64_t zxid)
{
    struct node *node = context;

    atomic_store_explicit(&node->zxid, zxid, memory_order_release);
    waiters_advance(&node->waiters, zxid);
    struct api *api = atomic_load_explicit(&node->api, memory_order_acquire);
    if (api != NULL)
        api_changed(api, zxid);
    core_loop_applied(node->loop, slot);
}

static void on_sessions(void *context, const struct state *state)
{
    struct node *node = context;

    sessions_changed(node->sessions, state);
    struct api *api = atomic_load_explicit(&node->api, memory_order_acquire);
    for (size_t i = 0; api != NULL && i < state_changed_sessions(state); i++)
        api_session_changed(api, state_changed_session(state, i));
}

static struct state *load_checkpoint(void *context, paxos_slot slot)
{
    struct node *node = context;
    struct failure failure = {0};
    struct state *state = NULL;
    enum error error = installer_load(&node->installer, slot, &state, &node->installed, &failure);

    if (error != ERROR_OK)
        fatal_exit(failure.text, error);
    return state;
}

static void on_installed(void *context)
{
    struct node *node = context;
    struct live_view live;
    uint64_t next = 0;

    if (live_acquire(node->live, &live) != ERROR_OK ||
        view_origin(live.view, node->identity.node, node->identity.boot_count, &next) != ERROR_OK)
        fatal_exit("the installed state could not be read", ERROR_IO);
    live_release(node->live, &live);
    sessions_installed(node->sessions);
    struct api *api = atomic_load_explicit(&node->api, memory_order_acquire);
    if (api != NULL)
        api_session_changed(api, 0);
    replica_installed(node->replica, next);
    keeper_installed(node->keeper, &node->installed);
    log_write(LOG_INFO, "a checkpoint of another node was installed",
              "slot=%" PRIu64 " zxid=%" PRIu64, node->installed.position.applied,
              node->installed.position.zxid);
}

static void on_disk_full(void *context, bool full)
{
    struct node *node = context;

    atomic_store(&node->disk_full, full);
    core_loop_set_disk_full(node->loop, full);
}

// ---- Ports of the courier ----------------------------------------------------------------------

static void send_bulk(void *context, uint16_t to, const void *data, size_t length)
{
    struct node *node = context;

    core_loop_send_bulk(node->loop, to, data, length);
}

// The keeper must know of the file before the core does: nobody may remove it from then on.
static void on_received(void *context, const struct checkpoint_info *info, struct ballot ballot)
{
    struct node *node = context;
    struct paxos_install received = {.position = {.slot = info->position.applied,
                                                  .hash = info->position.hash,
                                                  .log_time_us = info->position.log_time_us,
                                                  .wall_ms = info->position.wall_ms},
                                     .ballot = ballot};
    struct checkpoint_file file;

    keeper_keep(node->keeper, info->position.applied);
    if (checkpoint_find(node->disk, info->position.applied, &file) == ERROR_OK)
        core_loop_install(node->loop, &received);
}

static paxos_slot newest_checkpoint(void *context)
{
    struct node *node = context;

    return keeper_newest(node->keeper);
}

// ---- Ports of the network ----------------------------------------------------------------------

static void on_consensus(void *context, uint16_t from, const void *data, size_t length)
{
    struct node *node = context;

    core_loop_receive(node->loop, from, data, length);
}

static void on_transfer(void *context, uint16_t from, const void *data, size_t length)
{
    struct node *node = context;
    struct paxos_status status;

    core_loop_look(node->loop, &status);
    courier_receive(node->courier, from, data, length, status.applied);
}

static void on_report(void *context, uint16_t from, const struct report *report)
{
    struct node *node = context;

    core_loop_report(node->loop, from, report);
}

static void on_touch(void *context, uint16_t from, const void *data, size_t length)
{
    struct node *node = context;

    sessions_receive(node->sessions, from, data, length);
}

static void on_peer_up(void *context, uint16_t peer)
{
    struct node *node = context;

    log_write(LOG_INFO, "peer connected", "peer=%u", (unsigned)peer);
    core_loop_peer_up(node->loop, peer);
}

static void on_peer_down(void *context, uint16_t peer)
{
    struct node *node = context;

    log_write(LOG_WARNING, "peer disconnected", "peer=%u", (unsigned)peer);
    core_loop_peer_down(node->loop, peer);
}

static void on_tick(void *context)
{
    struct node *node = context;

    waiters_expire(&node->waiters, clock_monotonic_ns());
    sessions_tick(node->sessions);
    if (node->courier != NULL)
        courier_tick(node->courier);
}

static void after_tick(void *context)
{
    struct node *node = context;

    sessions_after_tick(node->sessions);
}

static void on_turn(void *context)
{
    struct node *node = context;

    sessions_turn(node->sessions);
}

static void describe(void *context, struct report *report)
{
    struct node *node = context;

    report->zxid = atomic_load(&node->zxid);
    report->draining = atomic_load(&node->draining);
    report->disk_full = atomic_load(&node->disk_full);
}

// ---- The backend of the api --------------------------------------------------------------------

static void submit(void *context, struct submission *submission)
{
    struct node *node = context;

    core_loop_submit(node->loop, submission);
}

static bool is_alone(const struct node *node)
{
    return node->network == NULL;
}

static bool read_at_once(void *context)
{
    struct node *node = context;

    return is_alone(node) && core_loop_serving(node->loop);
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

    if (is_alone(node))
        return 0;
    uint64_t age_us = core_loop_age_us(node->loop);
    return age_us == UINT64_MAX ? UINT64_MAX : age_us / 1000;
}

static bool in_contact(void *context)
{
    struct node *node = context;

    return is_alone(node) || core_loop_age_us(node->loop) < CONTACT_US;
}

static void status(void *context, struct node_status *out)
{
    struct node *node = context;
    struct core_loop_status loop;
    struct node_facts facts = {.identity = &node->identity,
                               .list = &node->list,
                               .zxid = atomic_load_explicit(&node->zxid, memory_order_acquire),
                               .draining = atomic_load(&node->draining),
                               .disk_full = atomic_load(&node->disk_full),
                               .now_ns = clock_monotonic_ns()};

    core_loop_status(node->loop, &loop);
    node_status_fill(&facts, &loop, out);
}

// ---- The data directory ------------------------------------------------------------------------

// The number of a node whose directory is blank: given, or found by the host's name.
static enum error choose_id(const struct node *node, uint16_t *id, struct failure *failure)
{
    char host[PEER_HOST_MAX] = "";

    *id = (uint16_t)node->options->id;
    if (*id == 0 && node->list.count > 0) {
        gethostname(host, sizeof host - 1);
        *id = peer_list_by_host(&node->list, host);
    } else if (*id == 0) {
        *id = 1;
    }
    if (*id == 0)
        return failure_set(failure, ERROR_USAGE,
                           "this host's name, %s, is not in --peers: give the number of this node "
                           "with --id",
                           host);
    if (node->list.count > 0 && peer_list_find(&node->list, *id) == NULL)
        return failure_set(failure, ERROR_USAGE, "--peers has no node %u, which --id names",
                           (unsigned)*id);
    return ERROR_OK;
}

static enum error format(struct node *node, struct failure *failure)
{
    uint16_t id;
    enum error error = choose_id(node, &id, failure);

    if (error == ERROR_OK)
        error = identity_format(node->disk, id, &node->identity, failure);
    if (error != ERROR_OK)
        return error;
    log_write(LOG_INFO, "data directory formatted", "directory=%s node=%u", node->options->data_dir,
              id);
    return identity_boot(node->disk, id, &node->identity, failure);
}

// In containers the volumes may have been swapped: the host's name then says another number.
static enum error check_host(const struct node *node, struct failure *failure)
{
    char host[PEER_HOST_MAX] = "";

    if (node->options->id != 0)
        return ERROR_OK;
    gethostname(host, sizeof host - 1);
    uint16_t named = peer_list_by_host(&node->list, host);
    if (named == 0 || named == node->identity.node)
        return ERROR_OK;
    return failure_set(failure, ERROR_FOREIGN,
                       "the data directory belongs to node %u, but this host, %s, is node %u in "
                       "--peers: the directories (volumes) of two nodes were swapped",
                       (unsigned)node->identity.node, host, (unsigned)named);
}

static enum error open_directory(struct node *node, struct failure *failure)
{
    uint16_t id = (uint16_t)node->options->id;
    enum error error = disk_posix_open(node->options->data_dir, &node->disk, failure);

    if (error == ERROR_OK)
        error = identity_boot(node->disk, id, &node->identity, failure);
    if (error == ERROR_MISSING)
        error = format(node, failure);
    return error == ERROR_OK ? check_host(node, failure) : error;
}

static struct peer_tls tls_of(const struct options *options)
{
    if (options->peer_certificate[0] == '\0')
        return (struct peer_tls){0};
    return (struct peer_tls){.certificate = options->peer_certificate,
                             .key = options->peer_key,
                             .authority = options->peer_authority};
}

static uint64_t silence_ms(const struct options *options)
{
    uint64_t silence = options->heartbeat_ms * SILENCE_HEARTBEATS;

    return silence > SILENCE_MIN_MS ? silence : SILENCE_MIN_MS;
}

// A cluster of one is founded at once, a larger one when all its nodes have met.
static enum error found(struct node *node, struct failure *failure)
{
    struct cluster_member self = {.node = node->identity.node};
    uint8_t cluster[16];
    struct founding_settings settings = {.disk = node->disk,
                                         .list = &node->list,
                                         .tls = tls_of(node->options),
                                         .silence_ms = silence_ms(node->options)};

    if (node->identity.member_count > 0)
        return genesis_check_list(&node->identity, &node->list, failure);
    if (node->list.count > 1)
        return founding_run(&settings, &node->identity, failure);
    memcpy(self.incarnation, node->identity.incarnation, sizeof self.incarnation);
    random_bytes(cluster, sizeof cluster);
    return identity_found(node->disk, &node->identity, cluster, &self, 1, failure);
}

static enum error open_state(struct node *node, struct state **state, struct failure *failure)
{
    const struct options *options = node->options;

    if (options->live_dir[0] != '\0') {
        buffer_text(&node->live_names[0], options->live_dir);
        buffer_printf(&node->live_names[1], "%s/installed", options->live_dir);
    } else {
        buffer_printf(&node->live_names[0], "%s/live", options->data_dir);
        buffer_printf(&node->live_names[1], "%s/live/installed", options->data_dir);
    }
    for (size_t i = 0; i < 2; i++) {
        buffer_u8(&node->live_names[i], 0);
        node->installer.directories[i] = (const char *)node->live_names[i].data;
    }
    node->installer.disk = node->disk;
    node->installer.identity = &node->identity;
    node->installer.map_bytes = options->map_bytes;
    return state_open(node->installer.directories[0], options->map_bytes, state, failure);
}

static struct paxos_config core_config(const struct node *node)
{
    const struct identity *identity = &node->identity;
    struct paxos_config config = {.epoch = 1, .voter_count = identity->member_count};

    for (size_t i = 0; i < identity->member_count; i++)
        config.voters[i] = identity->members[i].node;
    config.heartbeat_us = node->options->heartbeat_ms * 1000;
    config.retransmit_us = config.heartbeat_us;
    return config;
}

static enum error recover(struct node *node, struct recovery_result *recovered,
                          struct failure *failure)
{
    struct recovery_settings settings = {.config = core_config(node)};
    struct state *state = NULL;
    enum error error = open_state(node, &state, failure);

    if (error != ERROR_OK)
        return error;
    error = recovery_run(node->disk, &node->identity, &settings, state, recovered, failure);
    if (error != ERROR_OK) {
        state_close(state);
        return error;
    }
    node->journal = recovered->journal;
    node->live = live_new(state);
    return ERROR_OK;
}

// ---- Start, in the order of the parts' needs ---------------------------------------------------

static void start_keeper(struct node *node, const struct recovery_result *recovered)
{
    struct keeper_settings settings = {.checkpoint_journal_bytes =
                                           node->options->checkpoint_journal_bytes,
                                       .disk_reserve_bytes = node->options->disk_reserve_bytes};
    struct keeper_ports ports = {.disk = node->disk,
                                 .identity = node->identity,
                                 .journal = node->journal,
                                 .live = node->live,
                                 .context = node,
                                 .disk_full = on_disk_full};

    node->keeper =
        keeper_start(&settings, &ports, &recovered->checkpoint, recovered->older_checkpoint);
}

static void start_courier(struct node *node)
{
    struct transfer_settings settings = {.disk = node->disk,
                                         .identity = &node->identity,
                                         .journal = node->journal,
                                         .epoch = 1,
                                         .entries_max = TRANSFER_ENTRIES_MAX,
                                         .silence_ns = TRANSFER_SILENCE_MS * 1000000ull,
                                         .reserve_bytes = node->options->disk_reserve_bytes};
    struct transfer_ports ports = {.context = node,
                                   .send = send_bulk,
                                   .install = on_received,
                                   .newest_checkpoint = newest_checkpoint};

    node->courier = courier_start(&settings, &ports);
}

static enum error open_network(struct node *node, struct failure *failure)
{
    struct network_settings settings = {
        .list = &node->list, .tls = tls_of(node->options), .silence_ms = silence_ms(node->options)};
    struct network_ports ports = {.context = node,
                                  .consensus = on_consensus,
                                  .transfer = on_transfer,
                                  .report = on_report,
                                  .touch = on_touch,
                                  .up = on_peer_up,
                                  .down = on_peer_down};

    return network_open(core_loop_uv(node->loop), &settings, node->disk, &node->identity, &ports,
                        &node->network, failure);
}

static void start_applier(struct node *node)
{
    struct applier_events events = {.context = node,
                                    .result = on_result,
                                    .sessions = on_sessions,
                                    .load = load_checkpoint,
                                    .installed = on_installed,
                                    .applied = on_applied};
    struct live_view live;

    if (live_acquire(node->live, &live) != ERROR_OK)
        fatal_exit("the recovered state could not be read", ERROR_IO);
    uint64_t zxid = view_position(live.view)->zxid;
    live_release(node->live, &live);
    atomic_store(&node->zxid, zxid);
    waiters_advance(&node->waiters, zxid);
    node->applier = applier_start(node->live, &events);
}

static enum error start_threads(struct node *node, const struct recovery_result *recovered,
                                struct failure *failure)
{
    struct replica_ports ports = {.context = node,
                                  .persist = persist,
                                  .apply = apply,
                                  .install = install,
                                  .send = send_frame,
                                  .catch_up = catch_up,
                                  .fault = fault};
    struct replica_settings settings = {.heartbeat_us = node->options->heartbeat_ms * 1000,
                                        .seed = random_u64()};
    struct core_loop_ports loop_ports = {.context = node,
                                         .tick = on_tick,
                                         .after_tick = after_tick,
                                         .turn = on_turn,
                                         .describe = describe};
    struct sessions_settings sessions_settings = {.node = node->identity.node,
                                                  .boot = node->identity.boot_count,
                                                  .alone = node->list.count <= 1,
                                                  .contact_ns =
                                                      silence_ms(node->options) * 1000000};
    struct core_loop_settings loop_settings = {.identity = &node->identity,
                                               .stall_ns = node->options->heartbeat_ms *
                                                           STALL_HEARTBEATS * 1000000};

    node->loop = core_loop_new(&loop_settings, &loop_ports);
    node->replica = replica_new(recovered->paxos, &node->identity, &settings, &ports);
    node->writer = journal_writer_start(node->journal, on_persisted, node);
    node->sessions = sessions_start(node->loop, node->live, &sessions_settings);
    start_applier(node);
    start_keeper(node, recovered);
    enum error error = ERROR_OK;
    if (node->list.count > 1) {
        start_courier(node);
        error = open_network(node, failure);
    }
    core_loop_start(node->loop, node->replica, node->network);
    return error;
}

static enum error start_api(struct node *node, struct failure *failure)
{
    const struct options *options = node->options;
    struct api_options api_options = {.listen = options->listen,
                                      .allowed_hosts = options->allowed_hosts.values,
                                      .allowed_origins = options->allowed_origins.values,
                                      .limits = options_api_limits(options)};
    struct api_backend backend = {.context = node,
                                  .live = node->live,
                                  .submit = submit,
                                  .status = status,
                                  .read_at_once = read_at_once,
                                  .read = read_later,
                                  .staleness_ms = staleness_ms,
                                  .touch = touch,
                                  .name_stream = name_stream,
                                  .depart = depart,
                                  .in_contact = in_contact};
    struct api *api;

    enum error error = api_start(&api_options, &backend, &api, failure);
    if (error != ERROR_OK)
        return error;
    atomic_store(&node->api, api);
    api_changed(api, atomic_load(&node->zxid)); // what was applied until now
    const char *colon = strrchr(options->listen, ':');
    log_write(LOG_INFO, "listening", "address=%.*s:%u", (int)(colon - options->listen),
              options->listen, api_port(api));
    return ERROR_OK;
}

enum error node_start(const struct options *options, struct node **started, struct failure *failure)
{
    struct node *node = memory_zalloc(sizeof *node);
    struct recovery_result recovered;

    node->options = options;
    waiters_init(&node->waiters);
    enum error error = peer_list_parse(options->peers, &node->list, failure);
    if (error == ERROR_OK)
        error = open_directory(node, failure);
    if (error == ERROR_OK)
        error = found(node, failure);
    if (error == ERROR_OK)
        error = recover(node, &recovered, failure);
    if (error == ERROR_OK)
        error = start_threads(node, &recovered, failure);
    if (error == ERROR_OK) {
        if (is_alone(node))
            core_loop_wait_serving(node->loop);
        error = start_api(node, failure);
    }
    if (error != ERROR_OK) {
        node_stop(node);
        return error;
    }
    *started = node;
    return ERROR_OK;
}

// ---- Stop: leadership goes first, then no new requests, answers for the old ones, then the threads in
// the order of the ring --------------------------------------------------------------------------

void node_stop(struct node *node)
{
    if (node == NULL)
        return;
    atomic_store(&node->draining, true);
    sessions_drain(node->sessions);
    if (node->loop != NULL)
        core_loop_drain(node->loop);
    if (node->api != NULL)
        api_drain(node->api);
    api_stop(node->api);
    if (node->loop != NULL)
        core_loop_stop(node->loop);
    courier_stop(node->courier);
    journal_writer_stop(node->writer);
    applier_stop(node->applier);
    keeper_stop(node->keeper);
    api_free(node->api);
    core_loop_free(node->loop);
    sessions_free(node->sessions);
    waiters_deinit(&node->waiters);
    live_free(node->live);
    for (size_t i = 0; i < 2; i++)
        buffer_deinit(&node->live_names[i]);
    journal_close(node->journal);
    disk_posix_close(node->disk);
    free(node);
}
