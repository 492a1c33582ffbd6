// SPDX-License-Identifier: Apache-2.0
// The notifier of a simulated node, and what the api asks of its backend for watches: the shipped hub,
// whose thread is an event.
#pragma once

#include "tests/sim/node.h"

struct hub;
struct service;

void notifier_start(struct node *node);
// Nobody watches here any more, and the replica is gone.
void notifier_stop(struct node *node);
// The live state is visible up to its newest zxid.
void notifier_changed(struct node *node);
// Somebody has begun to wait.
void notifier_look(struct node *node);
// Whether it has something to look at.
bool notifier_busy(const struct node *node);
void notifier_on_run(struct world *world, struct event *event);
struct service *notifier_service(struct node *node);

// ---- hub_events.c: the thread of the hub, one round at a time ----------------------------------

// Returns in how many milliseconds the next one is due, if nothing changes before: -1: never.
int hub_round(struct hub *hub);
