// SPDX-License-Identifier: Apache-2.0
// Who believes whom, and the disks that are exchanged behind a node's back.
#pragma once

#include "tests/sim/node.h"

// The first packet of a run arrives. Fails the run when a node whose disk was exchanged is taken in, or
// another refused.
bool introduction_passes(struct node *receiver, const struct node_met *who, bool outcast);
struct node_met introduction_of(const struct node *node);
// The node is about to start: its disk may be copied, to be put back later.
void introduction_keep_copy(struct node *node);
// The node is down: its disk becomes a blank or an older one. It takes part no more.
void introduction_exchange_disk(struct node *node);
