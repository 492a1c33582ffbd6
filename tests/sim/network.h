// SPDX-License-Identifier: Apache-2.0
// The network: directed links that delay, lose, repeat, overtake and damage, and that can be cut.
#pragma once

#include "tests/sim/node.h"

void network_make(struct world *world);
void network_free(struct world *world);

// Between the nodes with these ids.
void network_send(struct world *world, uint16_t from, uint16_t to, const void *data, size_t length);
// Nodes by index. A cut link loses everything, also what is under way.
// The process has started: it has met nobody yet.
void network_node_up(struct world *world, uint16_t index);
void network_cut(struct world *world, uint16_t from, uint16_t to, bool cut);
bool network_is_cut(const struct world *world, uint16_t from, uint16_t to);
void network_heal_all(struct world *world);
// What is sent from now on arrives at that time or later, in order.
void network_stall(struct world *world, uint16_t from, uint16_t to, uint64_t until_ns);
// The next packet arrives once more at that time, or only then, overtaken by others.
void network_repeat(struct world *world, uint16_t from, uint16_t to, uint64_t at_ns, bool instead);
// The connection between two nodes is reset: what is under way is lost, both are told.
void network_reset(struct world *world, uint16_t a, uint16_t b);
// The process is gone. `told`: the others' connections are closed by its machine.
void network_node_down(struct world *world, uint16_t index, bool told);
// Some of the packets that this node got lately come to it once more.
void network_replay(struct world *world, uint16_t index);
void network_deliver(struct world *world, struct event *event);
