// SPDX-License-Identifier: Apache-2.0
// Faults that wait for their moment: a message of a certain type is about to leave, and just then the
// sender dies, the receiver's disk hangs, the message is lost. What hits once in a million seeds by
// chance hits often so.
#pragma once

#include "paxos/message.h"
#include "tests/sim/node.h"

// Draws which message ends the faults of this run, if any does.
void ambush_draw(struct world *world);
// Lays one: drawn type, drawn action.
void ambush_lay(struct world *world);
// A message is about to leave.
enum passage {
    PASSAGE_FREE,
    PASSAGE_LOST,
    PASSAGE_NEVER, // it is lost, and all that the sender would send after it: it is about to die
    PASSAGE_LAST,  // it leaves, but nothing after it
};
enum passage ambush_on_send(struct node *node, uint16_t to, uint8_t type);
void ambush_on_spring(struct world *world, struct event *event);
void ambush_on_calm(struct world *world, struct event *event);
