// SPDX-License-Identifier: Apache-2.0
// What goes wrong, and when: the seed's mix of faults, and healing.
#pragma once

#include "tests/sim/node.h"

// Draws the limits and the mix.
void swarm_draw(struct world *world, size_t nodes);
void faults_start(struct world *world);
// Everything heals, or (liveness) only a random quorum.
void faults_end(struct world *world, bool in_part);
// Single faults.
void faults_kill(struct node *node);
void faults_power(struct node *node);
void faults_transfer(struct node *node);
// Three times in four somebody who takes itself for the leader.
struct node *faults_leader(struct world *world);
// Some links were cut: they heal after a while.
void faults_heal_later(struct world *world);
// Cuts all links of a node but those to another (NOBODY: all), for a while.
void faults_isolate(struct world *world, uint16_t who, uint16_t but);
void faults_on_due(struct world *world, struct event *event);
void faults_on_power(struct world *world, struct event *event);
void faults_on_heal(struct world *world, struct event *event);
