// SPDX-License-Identifier: Apache-2.0
// Layout: protocol u32, then for protocol 1: cluster 16 bytes, node u16, to u16, incarnation 16 bytes,
// boot u64, run u64, runs 16 u64, epoch u64, members low u64 and high u64, serial u64.
#include "paxos/net/hello.h"

#include <stdio.h>
#include <string.h>

void hello_encode(struct buffer *into, const struct introduction *introduction)
{
    const struct hello *hello = &introduction->hello;

    buffer_u32(into, hello->protocol);
    buffer_append(into, hello->cluster, sizeof hello->cluster);
    buffer_u16(into, hello->node);
    buffer_u16(into, hello->to);
    buffer_append(into, hello->incarnation, sizeof hello->incarnation);
    buffer_u64(into, hello->boot);
    buffer_u64(into, hello->run);
    for (size_t i = 0; i < PAXOS_RUNS_KEPT; i++)
        buffer_u64(into, hello->runs.of[i]);
    buffer_u64(into, hello->epoch);
    buffer_u64(into, hello->members.low);
    buffer_u64(into, hello->members.high);
    buffer_u64(into, introduction->serial);
}

static void get_array(struct reader *reader, uint8_t into[16])
{
    const uint8_t *at = reader_bytes(reader, 16);

    if (at != NULL)
        memcpy(into, at, 16);
}

bool hello_decode(const void *data, size_t length, struct introduction *introduction)
{
    struct hello *hello = &introduction->hello;
    struct reader reader;

    *introduction = (struct introduction){0};
    reader_init(&reader, data, length);
    hello->protocol = reader_u32(&reader);
    if (hello->protocol != PEER_PROTOCOL)
        return !reader.failed;
    get_array(&reader, hello->cluster);
    hello->node = reader_u16(&reader);
    hello->to = reader_u16(&reader);
    get_array(&reader, hello->incarnation);
    hello->boot = reader_u64(&reader);
    hello->run = reader_u64(&reader);
    for (size_t i = 0; i < PAXOS_RUNS_KEPT; i++)
        hello->runs.of[i] = reader_u64(&reader);
    hello->epoch = reader_u64(&reader);
    hello->members.low = reader_u64(&reader);
    hello->members.high = reader_u64(&reader);
    introduction->serial = reader_u64(&reader);
    return reader_done(&reader);
}

static bool is_other(uint16_t node, const struct peer_address *others, size_t other_count)
{
    for (size_t i = 0; i < other_count; i++) {
        if (others[i].node == node)
            return true;
    }
    return false;
}

bool hello_suits(const struct hello *own, const struct hello *theirs, uint16_t expected,
                 const struct peer_address *others, size_t other_count, char sentence[SENTENCE_MAX])
{
    unsigned we = own->node, they = theirs->node;

    if (theirs->protocol != PEER_PROTOCOL)
        snprintf(
            sentence, SENTENCE_MAX,
            "a node that speaks protocol %u met node %u, which speaks %u: run the same release "
            "on all nodes",
            theirs->protocol, we, PEER_PROTOCOL);
    else if (they == own->node)
        snprintf(
            sentence, SENTENCE_MAX,
            "two nodes met that both have the id %u: give each node its own id, and check that "
            "no address of another node leads to itself",
            we);
    else if (!is_other(theirs->node, others, other_count))
        snprintf(sentence, SENTENCE_MAX,
                 "node %u is not among the members that node %u was started with: start all nodes "
                 "with the same members",
                 they, we);
    else if (theirs->to != own->node)
        snprintf(sentence, SENTENCE_MAX,
                 "node %u has node %u's address for node %u: correct the address of node %u where "
                 "node %u is started",
                 they, we, theirs->to, theirs->to, they);
    else if (expected != 0 && theirs->node != expected)
        snprintf(sentence, SENTENCE_MAX,
                 "node %u has node %u's address for node %u: correct the address of node %u where "
                 "node %u is started",
                 we, they, expected, expected, we);
    else
        return true;
    return false;
}
