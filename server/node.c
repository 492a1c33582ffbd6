// SPDX-License-Identifier: Apache-2.0
// Assembly: the parts of a node are started in the order of their needs, and stopped in that of the ring
// that node_ports.c describes.
#include "server/node.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "server/directory.h"
#include "server/fatal.h"
#include "server/founding.h"
#include "server/genesis.h"
#include "server/node_internal.h"
#include "server/recovery.h"
#include "storage/storage.h"

enum {
    STALL_HEARTBEATS = 10,
    SILENCE_HEARTBEATS = 10,
    SILENCE_MIN_MS = 1000,
    TRANSFER_ENTRIES_MAX = 200000, // further behind a checkpoint is quicker
    TRANSFER_SILENCE_MS = 1000,    // after which a range of a checkpoint is asked for again
};

// ---- What was stored ------------------------------------------------------------------------

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
                                         .silence_ms = silence_ms(node->options),
                                         .start = &node->start};

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
                                 .disk_full = node_on_disk_full};

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
    struct transfer_ports ports = node_transfer_ports(node);

    node->courier = courier_start(&settings, &ports);
}

static enum error open_network(struct node *node, struct failure *failure)
{
    struct network_settings settings = {
        .list = &node->list, .tls = tls_of(node->options), .silence_ms = silence_ms(node->options)};
    struct network_ports ports = node_network_ports(node);

    return network_open(core_loop_uv(node->loop), &settings, node->disk, &node->identity, &ports,
                        &node->network, failure);
}

static void start_applier(struct node *node)
{
    struct applier_events events = node_applier_events(node);
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
    struct replica_ports ports = node_replica_ports(node);
    struct replica_settings settings = {.heartbeat_us = node->options->heartbeat_ms * 1000,
                                        .seed = random_u64()};
    struct core_loop_ports loop_ports = node_loop_ports(node);
    struct sessions_settings sessions_settings = {.node = node->identity.node,
                                                  .boot = node->identity.boot_count,
                                                  .alone = node->list.count <= 1,
                                                  .contact_ns = silence_ms(node->options) * 1000000,
                                                  .expirations = &node->metrics.expirations};
    struct core_loop_settings loop_settings = {.identity = &node->identity,
                                               .stall_ns = node->options->heartbeat_ms *
                                                           STALL_HEARTBEATS * 1000000};

    node->loop = core_loop_new(&loop_settings, &loop_ports);
    node->replica = replica_new(recovered->paxos, &node->identity, &settings, &ports);
    node->writer = journal_writer_start(node->journal, node_on_persisted, node);
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

static void log_address(const struct node *node, const char *message)
{
    const char *listen = node->options->listen;

    log_write(LOG_INFO, message, "address=%.*s:%u", (int)(strrchr(listen, ':') - listen), listen,
              api_port(node->api));
}

static enum error start_api(struct node *node, struct failure *failure)
{
    const struct options *options = node->options;
    struct api_options api_options = {.listen = options->listen,
                                      .allowed_hosts = options->allowed_hosts.values,
                                      .allowed_origins = options->allowed_origins.values,
                                      .limits = options_api_limits(options)};
    struct api_backend backend = node_backend(node);

    start_status_init(&node->start, node->identity.node, &node->list);
    start_status_say(&node->start, "the node is starting: it reads its journal");
    enum error error = api_start(&api_options, &backend, &node->api, failure);
    if (error == ERROR_OK)
        log_address(node, "the client port is open, the node is starting");
    return error;
}

// What was applied until now is told once; from then on the apply thread does.
static void open_api(struct node *node)
{
    atomic_store(&node->serving, true);
    api_open(node->api, node->live);
    api_changed(node->api, atomic_load(&node->zxid));
    log_address(node, "listening");
}

enum error node_start(const struct options *options, struct node **started, struct failure *failure)
{
    struct node *node = memory_zalloc(sizeof *node);
    struct directory_owner owner = {
        .path = options->data_dir, .id = (uint16_t)options->id, .list = &node->list};
    struct recovery_result recovered;

    node->options = options;
    waiters_init(&node->waiters);
    enum error error = peer_list_parse(options->peers, &node->list, failure);
    if (error == ERROR_OK)
        error = directory_open(&owner, &node->disk, &node->identity, failure);
    if (error == ERROR_OK)
        error = start_api(node, failure);
    if (error == ERROR_OK)
        error = found(node, failure);
    if (error == ERROR_OK)
        error = recover(node, &recovered, failure);
    if (error == ERROR_OK)
        error = start_threads(node, &recovered, failure);
    if (error == ERROR_OK) {
        if (node_is_alone(node))
            core_loop_wait_serving(node->loop);
        open_api(node);
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
