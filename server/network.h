// SPDX-License-Identifier: Apache-2.0
// The peers of a running node: who is let in, and where their frames go. Lives in the core loop.
#pragma once

#include "paxos/net/peers.h"
#include "server/peer_list.h"
#include "server/report.h"
#include "storage/disk.h"

struct network;

struct network_settings {
    const struct peer_list *list; // borrowed
    struct peer_tls tls;
    uint64_t silence_ms;
};

// What peers_open wants of a list, for this identity.
struct network_addresses {
    struct peer_address self;
    struct peer_address others[PAXOS_VOTERS_MAX];
};
struct peers_settings network_peers(const struct network_settings *settings,
                                    const struct identity *identity,
                                    struct network_addresses *addresses);

struct network_ports {
    void *context;
    // A frame of the consensus channel or a LEARN: for replica_receive.
    void (*consensus)(void *context, uint16_t from, const void *data, size_t length);
    // A frame of server/transfer.c.
    void (*transfer)(void *context, uint16_t from, const void *data, size_t length);
    void (*report)(void *context, uint16_t from, const struct report *report);
    // A frame of server/touch_frame.h.
    void (*touch)(void *context, uint16_t from, const void *data, size_t length);
    void (*up)(void *context, uint16_t node);
    void (*down)(void *context, uint16_t node);
};

// Opens the peers on the loop. The identity, which belongs to a cluster, is changed by the network alone
// from now on: it notes whom it met. Errors: those of peers_open. Ownership: network_free after
// network_close.
enum error network_open(uv_loop_t *loop, const struct network_settings *settings, struct disk *disk,
                        struct identity *identity, const struct network_ports *ports,
                        struct network **network, struct failure *failure);
// The handles are gone when the loop has run.
void network_close(struct network *network, uint64_t linger_ms);
void network_free(struct network *network);
void network_send(struct network *network, uint16_t to, enum peer_channel channel, const void *data,
                  size_t length);
void network_flush(struct network *network);
void network_state(const struct network *network, uint16_t node, struct peer_state *state);
