// SPDX-License-Identifier: Apache-2.0
// Cores in memory: see the header. Executing an entry checks that no other node has executed another
// one at that slot.
#include "tests/lib/paxos_cluster.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

enum { HEARTBEAT_US = 100000, RETRANSMIT_US = 50000 };

static struct cluster_node *node_of(struct cluster *cluster, uint16_t node)
{
    return &cluster->nodes[node - 1];
}

static uint64_t next_random(struct cluster *cluster)
{
    cluster->random = cluster->random * 6364136223846793005u + 1442695040888963407u;
    return cluster->random >> 20;
}

static struct paxos *new_core(const struct cluster *cluster, uint16_t node, uint64_t boot)
{
    struct paxos_config config = {.node = node,
                                  .boot = boot,
                                  .epoch = 1,
                                  .voter_count = cluster->count,
                                  .window = cluster->window,
                                  .heartbeat_us = HEARTBEAT_US,
                                  .retransmit_us = RETRANSMIT_US};

    for (size_t i = 0; i < cluster->count; i++)
        config.voters[i] = (uint16_t)(i + 1);
    return paxos_new(&config);
}

void cluster_init(struct cluster *cluster, size_t count)
{
    memset(cluster, 0, sizeof *cluster);
    cluster->count = count;
    cluster->random = 7;
    for (uint16_t i = 1; i <= count; i++) {
        node_of(cluster, i)->boot = 1;
        node_of(cluster, i)->paxos = new_core(cluster, i, 1);
    }
}

void cluster_deinit(struct cluster *cluster)
{
    for (; cluster->queue_count > 0; cluster->queue_count--)
        free(cluster->queue[cluster->queue_first++ % CLUSTER_QUEUE].data);
    for (size_t i = 0; i < cluster->count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        for (size_t j = 0; j < node->disk_count; j++)
            blob_unref(node->disk[j].entry.value);
        free(node->disk);
        free(node->disk_sequence);
        paxos_free(node->paxos);
    }
}

static void keep_records(struct cluster_node *node)
{
    for (size_t i = 0; i < node->output.record_count; i++) {
        if (node->disk_count == node->disk_capacity) {
            node->disk_capacity = node->disk_capacity * 2 + 64;
            node->disk = memory_realloc(node->disk, node->disk_capacity * sizeof *node->disk);
            node->disk_sequence =
                memory_realloc(node->disk_sequence, node->disk_capacity * sizeof(uint64_t));
        }
        struct paxos_record *record = &node->disk[node->disk_count];
        *record = node->output.records[i];
        if (record->type == RECORD_APPEND)
            blob_ref(record->entry.value);
        node->disk_sequence[node->disk_count++] = node->output.persist_sequence;
    }
}

static const struct entry *entry_of(const void *context, paxos_slot slot)
{
    return paxos_entry(context, slot);
}

static void post(struct cluster *cluster, const struct cluster_node *node,
                 const struct paxos_message *message)
{
    struct buffer bytes = {0};

    if (cluster->cut[message->from][message->to])
        return;
    ASSERT(cluster->queue_count < CLUSTER_QUEUE);
    paxos_message_encode(&bytes, message, entry_of, node->paxos);
    size_t at = (cluster->queue_first + cluster->queue_count++) % CLUSTER_QUEUE;
    cluster->queue[at].data = bytes.data;
    cluster->queue[at].length = bytes.length;
    cluster->queue[at].from = message->from;
    cluster->queue[at].to = message->to;
}

static void execute(struct cluster *cluster, struct cluster_node *node)
{
    if (node->output.install != 0) {
        ASSERT(node->output.install == node->checkpoint.slot);
        node->apply_issued = node->output.install;
    }
    for (paxos_slot slot = node->output.apply_from; slot != 0 && slot <= node->output.apply_to;
         slot++) {
        struct hash128 hash = paxos_entry(node->paxos, slot)->hash;
        struct hash128 *known = &cluster->executed[slot];
        ASSERT(slot == node->apply_issued + 1 && slot < CLUSTER_SLOTS_MAX);
        if (known->low == 0 && known->high == 0)
            *known = hash;
        ASSERT(hash128_equal(*known, hash));
        node->apply_issued = slot;
    }
}

void cluster_step(struct cluster *cluster, uint16_t id, struct paxos_input input)
{
    struct cluster_node *node = node_of(cluster, id);

    if (node->paxos == NULL)
        return;
    input.now_us = cluster->now_us;
    input.wall_ms = 1000000 + cluster->now_us / 1000;
    input.random = next_random(cluster);
    paxos_step(node->paxos, &input, &node->output);
    if (node->output.fault != PAXOS_NO_FAULT)
        node->fault = node->output.fault;
    if (node->output.record_count > 0) {
        node->persist_issued = node->output.persist_sequence;
        node->decided = node->output.scalars.decided;
    }
    keep_records(node);
    for (size_t i = 0; i < node->output.message_count; i++)
        post(cluster, node, &node->output.messages[i]);
    for (size_t i = 0; i < node->output.read_count; i++) {
        node->reads_answered++;
        node->read_slot = node->output.reads[i].slot;
    }
    execute(cluster, node);
}

void cluster_flush(struct cluster *cluster, uint16_t id)
{
    struct cluster_node *node = node_of(cluster, id);

    while (node->persist_done < node->persist_issued) {
        node->persist_done = node->persist_issued;
        cluster_step(
            cluster, id,
            (struct paxos_input){.type = PAXOS_PERSISTED, .persist_sequence = node->persist_done});
    }
}

static bool finish_local(struct cluster *cluster)
{
    bool any = false;

    for (uint16_t i = 1; i <= cluster->count; i++) {
        struct cluster_node *node = node_of(cluster, i);
        if (node->paxos == NULL)
            continue;
        if (!node->slow_disk && node->persist_done < node->persist_issued) {
            cluster_flush(cluster, i);
            any = true;
        }
        if (node->applied < node->apply_issued) {
            node->applied = node->apply_issued;
            cluster_step(cluster, i,
                         (struct paxos_input){.type = PAXOS_APPLIED, .slot = node->applied});
            any = true;
        }
    }
    return any;
}

static bool deliver_one(struct cluster *cluster)
{
    struct paxos_message message;

    if (cluster->queue_count == 0)
        return false;
    size_t at = cluster->queue_first++ % CLUSTER_QUEUE;
    cluster->queue_count--;
    uint16_t to = cluster->queue[at].to;
    enum error error =
        paxos_message_decode(cluster->queue[at].data, cluster->queue[at].length, &message);
    ASSERT(error == ERROR_OK);
    if (!cluster->cut[message.from][to])
        cluster_step(cluster, to, (struct paxos_input){.type = PAXOS_MESSAGE, .message = &message});
    paxos_message_release(&message);
    free(cluster->queue[at].data);
    return true;
}

void cluster_settle(struct cluster *cluster)
{
    while (finish_local(cluster) || deliver_one(cluster))
        ;
}

void cluster_run_ms(struct cluster *cluster, unsigned ms)
{
    for (; ms > 0; ms--) {
        cluster->now_us += 1000;
        for (uint16_t i = 1; i <= cluster->count; i++)
            cluster_step(cluster, i, (struct paxos_input){.type = PAXOS_TICK});
        cluster_settle(cluster);
    }
}

uint16_t cluster_leader(const struct cluster *cluster)
{
    struct ballot best = {0};
    uint16_t leader = 0;

    for (uint16_t i = 1; i <= cluster->count; i++) {
        struct paxos_status status;
        if (cluster->nodes[i - 1].paxos == NULL)
            continue;
        paxos_status(cluster->nodes[i - 1].paxos, &status);
        if (status.serving && ballot_compare(status.ballot, best) > 0) {
            best = status.ballot;
            leader = i;
        }
    }
    return leader;
}

uint16_t cluster_elect(struct cluster *cluster)
{
    for (uint16_t i = 1; i <= cluster->count; i++)
        cluster_step(cluster, i, (struct paxos_input){.type = PAXOS_START});
    for (int i = 0; i < 2000 && cluster_leader(cluster) == 0; i++)
        cluster_run_ms(cluster, 1);
    return cluster_leader(cluster);
}

paxos_slot cluster_propose(struct cluster *cluster, uint16_t node, const char *value)
{
    struct blob *blob = blob_copy(value, strlen(value));

    cluster_step(cluster, node, (struct paxos_input){.type = PAXOS_PROPOSE, .value = blob});
    blob_unref(blob);
    return node_of(cluster, node)->output.proposed;
}

void cluster_install(struct cluster *cluster, uint16_t id, uint16_t from)
{
    struct cluster_node *giver = node_of(cluster, from);
    const struct entry *entry = paxos_entry(giver->paxos, giver->applied);
    struct paxos_status status;

    paxos_status(giver->paxos, &status);
    struct paxos_install install = {.position = {.slot = entry->slot,
                                                 .hash = entry->hash,
                                                 .log_time_us = entry->log_time_us,
                                                 .wall_ms = entry->wall_ms},
                                    .ballot = status.ballot};
    node_of(cluster, id)->checkpoint = install.position;
    cluster_step(cluster, id, (struct paxos_input){.type = PAXOS_INSTALL, .install = &install});
}

void cluster_kill(struct cluster *cluster, uint16_t id)
{
    struct cluster_node *node = node_of(cluster, id);

    while (node->disk_count > 0 && node->disk_sequence[node->disk_count - 1] > node->persist_done)
        blob_unref(node->disk[--node->disk_count].entry.value);
    paxos_free(node->paxos);
    node->paxos = NULL;
    for (uint16_t i = 1; i <= cluster->count; i++)
        cluster_step(cluster, i, (struct paxos_input){.type = PAXOS_PEER_DOWN, .node = id});
}

void cluster_restart(struct cluster *cluster, uint16_t id)
{
    struct cluster_node *node = node_of(cluster, id);
    struct paxos_scalars scalars = {0};
    struct failure failure = {0};
    paxos_slot from, to;

    node->paxos = new_core(cluster, id, ++node->boot);
    node->persist_issued = node->persist_done = 0;
    node->apply_issued = node->applied = node->checkpoint.slot;
    enum error error = paxos_recover_start(node->paxos, &scalars, &node->checkpoint, &failure);
    ASSERT(error == ERROR_OK);
    for (size_t i = 0; i < node->disk_count; i++) {
        node->disk_sequence[i] = 0;
        error = paxos_recover_record(node->paxos, &node->disk[i], &failure);
        ASSERT(error == ERROR_OK);
    }
    error = paxos_recover_group(node->paxos, 0, &from, &to, &failure);
    ASSERT(error == ERROR_OK);
    error = paxos_recover_end(node->paxos, &failure);
    ASSERT(error == ERROR_OK);
    cluster_step(cluster, id, (struct paxos_input){.type = PAXOS_START});
}

void cluster_cut(struct cluster *cluster, uint16_t a, uint16_t b, bool cut)
{
    cluster->cut[a][b] = cluster->cut[b][a] = cut;
}

bool cluster_executed(const struct cluster *cluster, paxos_slot slot)
{
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->nodes[i].paxos != NULL && cluster->nodes[i].applied < slot)
            return false;
    }
    return true;
}
