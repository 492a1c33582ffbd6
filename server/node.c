// SPDX-License-Identifier: Apache-2.0
// Assembly. Events flow in a ring: api -> core loop -> journal thread -> core loop -> apply thread
// -> api; the bulk thread looks after the files.
#include "server/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "server/applier.h"
#include "server/core_loop.h"
#include "server/fatal.h"
#include "server/journal_writer.h"
#include "server/keeper.h"
#include "server/recovery.h"
#include "storage/storage.h"

struct node {
    struct identity identity;
    struct disk *disk;
    struct journal *journal;
    struct live *live;
    struct replica *replica; // owned by the loop
    struct core_loop *loop;
    struct journal_writer *writer;
    struct applier *applier;
    struct keeper *keeper;
    struct api *api;
    atomic_bool draining;
    atomic_bool disk_full;
};

// ---- Ports: what the parts are to each other ---------------------------------------------------

static void persist(void *context, const struct paxos_output *output)
{
    struct node *node = context;

    journal_writer_persist(node->writer, output);
}

static void apply(void *context, const struct entry *entry)
{
    struct node *node = context;

    applier_execute(node->applier, entry);
}

static void fault(void *context, enum paxos_fault what)
{
    (void)context;
    fatal_exit(what == PAXOS_DECIDED_MISSING ? "something decided is in no log of a quorum"
                                             : "a peer has another history than this node",
               ERROR_CORRUPT);
}

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

static void on_applied(void *context, paxos_slot slot)
{
    struct node *node = context;

    core_loop_applied(node->loop, slot);
}

static void on_disk_full(void *context, bool full)
{
    struct node *node = context;

    atomic_store(&node->disk_full, full);
    core_loop_set_disk_full(node->loop, full);
}

static void submit(void *context, struct submission *submission)
{
    struct node *node = context;

    core_loop_submit(node->loop, submission);
}

static enum error read_allowed(void *context)
{
    struct node *node = context;

    return core_loop_serving(node->loop) ? ERROR_OK : ERROR_NO_LEADER;
}

static uint64_t applied_zxid(struct node *node)
{
    struct live_view live;

    if (live_acquire(node->live, &live) != ERROR_OK)
        return 0;
    uint64_t zxid = view_position(live.view)->zxid;
    live_release(node->live, &live);
    return zxid;
}

static enum member_role role_of(const struct paxos_status *status)
{
    switch (status->role) {
    case PAXOS_FOLLOWER:
        return ROLE_FOLLOWER;
    case PAXOS_CANDIDATE:
        return ROLE_CANDIDATE;
    case PAXOS_LEADER:
        return ROLE_LEADER;
    }
    UNREACHABLE();
}

static void status(void *context, struct node_status *out)
{
    struct node *node = context;
    struct paxos_status paxos;

    core_loop_status(node->loop, &paxos);
    *out = (struct node_status){
        .node = node->identity.node,
        .leader = paxos.leader,
        .ballot = paxos.ballot,
        .config_epoch = paxos.epoch,
        .zxid = applied_zxid(node),
        .decided = paxos.decided,
        .applied = paxos.applied,
        .serving = paxos.serving,
        .draining = atomic_load(&node->draining),
        .disk_full = atomic_load(&node->disk_full),
        .member_count = 1,
    };
    memcpy(out->cluster, node->identity.cluster, sizeof out->cluster);
    out->members[0] = (struct member_status){
        .id = node->identity.node, .role = role_of(&paxos), .zxid = out->zxid, .healthy = true};
    if (out->draining) {
        out->serving = false;
        snprintf(out->reason, sizeof out->reason, "the node is shutting down");
    } else if (!out->serving) {
        snprintf(out->reason, sizeof out->reason, "the node has not become leader yet");
    }
}

// ---- Start, in the order of the parts' needs
// -----------------------------------------------------

static enum error open_directory(struct node *node, const struct options *options,
                                 struct failure *failure)
{
    uint16_t id = (uint16_t)options->id;
    enum error error = disk_posix_open(options->data_dir, &node->disk, failure);

    if (error != ERROR_OK)
        return error;
    error = identity_boot(node->disk, id, &node->identity, failure);
    if (error != ERROR_MISSING)
        return error;
    error = identity_format(node->disk, id > 0 ? id : 1, &node->identity, failure);
    if (error != ERROR_OK)
        return error;
    log_write(LOG_INFO, "data directory formatted", "directory=%s node=%u", options->data_dir,
              node->identity.node);
    return identity_boot(node->disk, id, &node->identity, failure);
}

// A cluster of one is founded at once.
static enum error found_alone(struct node *node, struct failure *failure)
{
    struct member self = {.node = node->identity.node};
    uint8_t cluster[16];

    if (node->identity.member_count > 0)
        return ERROR_OK;
    memcpy(self.incarnation, node->identity.incarnation, sizeof self.incarnation);
    random_bytes(cluster, sizeof cluster);
    return identity_found(node->disk, &node->identity, cluster, &self, 1, failure);
}

static enum error open_state(const struct options *options, struct state **state,
                             struct failure *failure)
{
    struct buffer path = {0};

    if (options->live_dir[0] != '\0')
        buffer_text(&path, options->live_dir);
    else
        buffer_printf(&path, "%s/live", options->data_dir);
    buffer_u8(&path, 0);
    enum error error = state_open((const char *)path.data, options->map_bytes, state, failure);
    buffer_deinit(&path);
    return error;
}

// A cluster of one: nobody to send to, nobody to wait for.
static struct paxos_config core_config(const struct identity *identity)
{
    return (struct paxos_config){.epoch = 1, .voters = {identity->node}, .voter_count = 1};
}

static void start_threads(struct node *node, const struct options *options,
                          const struct recovery_result *recovered)
{
    struct replica_ports replica_ports = {
        .context = node, .persist = persist, .apply = apply, .fault = fault};
    struct replica_settings replica_settings = {.seed = random_u64()};
    struct applier_events events = {.context = node, .result = on_result, .applied = on_applied};
    struct keeper_settings settings = {.checkpoint_journal_bytes =
                                           options->checkpoint_journal_bytes,
                                       .disk_reserve_bytes = options->disk_reserve_bytes};
    struct keeper_ports keeper_ports = {.disk = node->disk,
                                        .identity = node->identity,
                                        .journal = node->journal,
                                        .live = node->live,
                                        .context = node,
                                        .disk_full = on_disk_full};

    node->loop = core_loop_new();
    node->replica =
        replica_new(recovered->paxos, &node->identity, &replica_settings, &replica_ports);
    node->writer = journal_writer_start(node->journal, on_persisted, node);
    node->applier = applier_start(node->live, &events);
    node->keeper =
        keeper_start(&settings, &keeper_ports, &recovered->checkpoint, recovered->older_checkpoint);
    core_loop_start(node->loop, node->replica);
}

static enum error start_api(struct node *node, const struct options *options,
                            struct failure *failure)
{
    struct api_options api_options = {.listen = options->listen,
                                      .allowed_hosts = options->allowed_hosts.values,
                                      .allowed_origins = options->allowed_origins.values,
                                      .limits = options_api_limits(options)};
    struct api_backend backend = {.context = node,
                                  .live = node->live,
                                  .submit = submit,
                                  .status = status,
                                  .read_allowed = read_allowed};

    enum error error = api_start(&api_options, &backend, &node->api, failure);
    if (error != ERROR_OK)
        return error;
    const char *colon = strrchr(options->listen, ':');
    log_write(LOG_INFO, "listening", "address=%.*s:%u", (int)(colon - options->listen),
              options->listen, api_port(node->api));
    return ERROR_OK;
}

enum error node_start(const struct options *options, struct node **started, struct failure *failure)
{
    struct node *node = memory_zalloc(sizeof *node);
    struct recovery_result recovered;
    struct state *state = NULL;

    enum error error = open_directory(node, options, failure);
    if (error == ERROR_OK)
        error = found_alone(node, failure);
    if (error == ERROR_OK)
        error = open_state(options, &state, failure);
    if (error == ERROR_OK) {
        struct recovery_settings settings = {.config = core_config(&node->identity)};
        error = recovery_run(node->disk, &node->identity, &settings, state, &recovered, failure);
        if (error != ERROR_OK)
            state_close(state);
    }
    if (error == ERROR_OK) {
        node->journal = recovered.journal;
        node->live = live_new(state);
        start_threads(node, options, &recovered);
        core_loop_wait_serving(node->loop);
        error = start_api(node, options, failure);
    }
    if (error != ERROR_OK) {
        node_stop(node);
        return error;
    }
    *started = node;
    return ERROR_OK;
}

// ---- Stop: no new requests, answers for the old ones, then the threads in the order of the ring
// ---

void node_stop(struct node *node)
{
    if (node == NULL)
        return;
    atomic_store(&node->draining, true);
    if (node->api != NULL)
        api_drain(node->api);
    api_stop(node->api);
    keeper_stop(node->keeper);
    if (node->loop != NULL)
        core_loop_stop(node->loop);
    journal_writer_stop(node->writer);
    applier_stop(node->applier);
    core_loop_free(node->loop);
    live_free(node->live);
    journal_close(node->journal);
    disk_posix_close(node->disk);
    free(node);
}
