// SPDX-License-Identifier: Apache-2.0
// Every sentence here is read by an operator who has to act on it.
#include "server/genesis.h"

#include <string.h>

#include "base/assert.h"
#include "base/random.h"
#include "server/forward.h"
#include "storage/identity.h"

enum { CHECKSUM_BYTES = 8 };

bool hello_is_blank(const struct hello *hello)
{
    static const uint8_t none[sizeof hello->cluster];

    return memcmp(hello->cluster, none, sizeof none) == 0;
}

struct hello genesis_hello(const struct identity *identity, const struct peer_list *list)
{
    struct hello hello = {.protocol = PEER_PROTOCOL,
                          .node = identity->node,
                          .boot = identity->boot_count,
                          .run = identity->runs.of[identity->boot_count % PAXOS_RUNS_KEPT],
                          .runs = identity->runs,
                          .epoch = 1,
                          .members = peer_list_hash(list)};

    memcpy(hello.cluster, identity->cluster, sizeof hello.cluster);
    memcpy(hello.incarnation, identity->incarnation, sizeof hello.incarnation);
    return hello;
}

// ---- Who may come in -----------------------------------------------------------------------------

static bool names(const struct identity *identity, const struct hello *hello)
{
    const struct cluster_member *member = identity_member(identity, hello->node);

    return member != NULL &&
           memcmp(member->incarnation, hello->incarnation, sizeof hello->incarnation) == 0;
}

// The other one is blank, this node is not.
static enum genesis_verdict judge_blank(const struct identity *identity, const struct hello *hello,
                                        struct failure *failure)
{
    if (names(identity, hello))
        return GENESIS_GIVE;
    failure_set(failure, ERROR_FOREIGN,
                "the data directory of node %u is blank, but the cluster knows another one of it: "
                "what it voted for is gone, so it cannot vote again; put its directory back",
                (unsigned)hello->node);
    return GENESIS_REFUSE;
}

enum genesis_verdict genesis_judge(const struct identity *identity, const struct peer_list *list,
                                   const struct hello *hello, struct failure *failure)
{
    bool founded = identity->member_count > 0;

    if (!hash128_equal(hello->members, peer_list_hash(list))) {
        failure_set(failure, ERROR_FOREIGN,
                    "nodes %u and %u were started with different lists of members; give every node "
                    "the same --peers",
                    (unsigned)identity->node, (unsigned)hello->node);
        return GENESIS_REFUSE;
    }
    if (founded && hello_is_blank(hello))
        return judge_blank(identity, hello, failure);
    if (!founded || memcmp(hello->cluster, identity->cluster, sizeof hello->cluster) == 0)
        return GENESIS_ACCEPT;
    failure_set(failure, ERROR_FOREIGN,
                "node %u belongs to another cluster than node %u: one of the two has the data "
                "directory, or the address, of something else",
                (unsigned)hello->node, (unsigned)identity->node);
    return GENESIS_REFUSE;
}

// ---- The genesis itself --------------------------------------------------------------------------

static void add_member(struct genesis *genesis, uint16_t node, const uint8_t *incarnation)
{
    size_t at = genesis->count++;

    for (; at > 0 && genesis->members[at - 1].node > node; at--)
        genesis->members[at] = genesis->members[at - 1];
    genesis->members[at] = (struct cluster_member){.node = node};
    memcpy(genesis->members[at].incarnation, incarnation, sizeof genesis->members[at].incarnation);
}

void genesis_make(const struct identity *identity, const struct hello *others, size_t count,
                  struct genesis *genesis)
{
    *genesis = (struct genesis){0};
    random_bytes(genesis->cluster, sizeof genesis->cluster);
    add_member(genesis, identity->node, identity->incarnation);
    for (size_t i = 0; i < count; i++) {
        ASSERT(hello_is_blank(&others[i]) && others[i].node > identity->node);
        add_member(genesis, others[i].node, others[i].incarnation);
    }
}

void genesis_of(const struct identity *identity, struct genesis *genesis)
{
    ASSERT(identity->member_count > 0);
    *genesis = (struct genesis){0};
    memcpy(genesis->cluster, identity->cluster, sizeof genesis->cluster);
    for (size_t i = 0; i < identity->member_count; i++)
        add_member(genesis, identity->members[i].node, identity->members[i].incarnation);
}

void genesis_encode(const struct genesis *genesis, struct buffer *into)
{
    buffer_clear(into);
    buffer_u8(into, FRAME_GENESIS);
    buffer_append(into, genesis->cluster, sizeof genesis->cluster);
    buffer_u8(into, (uint8_t)genesis->count);
    for (size_t i = 0; i < genesis->count; i++) {
        buffer_u16(into, genesis->members[i].node);
        buffer_append(into, genesis->members[i].incarnation,
                      sizeof genesis->members[i].incarnation);
    }
    buffer_u64(into, hash64(into->data, into->length, 0));
}

static bool decode(const void *data, size_t length, struct genesis *genesis)
{
    struct reader reader;

    if (length < CHECKSUM_BYTES + 1 ||
        bytes_get_u64((const uint8_t *)data + length - CHECKSUM_BYTES) !=
            hash64(data, length - CHECKSUM_BYTES, 0))
        return false;
    *genesis = (struct genesis){0};
    reader_init(&reader, data, length - CHECKSUM_BYTES);
    bool right = reader_u8(&reader) == FRAME_GENESIS;
    const uint8_t *cluster = reader_bytes(&reader, sizeof genesis->cluster);
    size_t count = reader_u8(&reader);
    if (!right || cluster == NULL || count > PAXOS_VOTERS_MAX)
        return false;
    memcpy(genesis->cluster, cluster, sizeof genesis->cluster);
    for (size_t i = 0; i < count; i++) {
        uint16_t node = reader_u16(&reader);
        const uint8_t *incarnation = reader_bytes(&reader, sizeof genesis->members[i].incarnation);
        if (incarnation == NULL || (i > 0 && node <= genesis->members[i - 1].node))
            return false;
        add_member(genesis, node, incarnation);
    }
    return reader_done(&reader);
}

static bool same_nodes(const struct cluster_member *members, size_t count,
                       const struct peer_list *list)
{
    if (count != list->count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (members[i].node != list->entries[i].node)
            return false;
    }
    return true;
}

enum error genesis_decode(const void *data, size_t length, const struct identity *identity,
                          const struct peer_list *list, struct genesis *genesis,
                          struct failure *failure)
{
    ASSERT(identity->member_count == 0);
    if (!decode(data, length, genesis))
        return failure_set(failure, ERROR_CORRUPT, "a genesis that makes no sense was received");
    if (!same_nodes(genesis->members, genesis->count, list))
        return failure_set(failure, ERROR_FOREIGN,
                           "the cluster was founded with other members than this node's --peers "
                           "names");
    for (size_t i = 0; i < genesis->count; i++) {
        if (genesis->members[i].node == identity->node &&
            memcmp(genesis->members[i].incarnation, identity->incarnation,
                   sizeof identity->incarnation) == 0)
            return ERROR_OK;
    }
    return failure_set(failure, ERROR_FOREIGN,
                       "the cluster was founded with another data directory of this node");
}

static void write_ids(struct buffer *into, const struct cluster_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_printf(into, "%s%u", i > 0 ? "," : "", (unsigned)members[i].node);
    buffer_u8(into, 0);
}

enum error genesis_check_list(const struct identity *identity, const struct peer_list *list,
                              struct failure *failure)
{
    struct cluster_member listed[PAXOS_VOTERS_MAX] = {0};
    struct buffer stored = {0}, given = {0};
    size_t count = list->count > 0 ? list->count : 1;

    listed[0].node = identity->node;
    for (size_t i = 0; i < list->count; i++)
        listed[i].node = list->entries[i].node;
    bool same = count == identity->member_count;
    for (size_t i = 0; same && i < count; i++)
        same = listed[i].node == identity->members[i].node;
    if (same)
        return ERROR_OK;
    write_ids(&stored, identity->members, identity->member_count);
    write_ids(&given, listed, count);
    failure_set(
        failure, ERROR_FOREIGN,
        "the data directory belongs to a cluster of the nodes %s, but --peers names %s: the "
        "members cannot be changed by editing the list, which gives addresses only; start "
        "with the nodes %s",
        (const char *)stored.data, (const char *)given.data, (const char *)stored.data);
    buffer_deinit(&stored);
    buffer_deinit(&given);
    return ERROR_FOREIGN;
}
