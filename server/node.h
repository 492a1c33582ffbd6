// SPDX-License-Identifier: Apache-2.0
// One node: every part of the daemon put together and taken apart again.
#pragma once

#include "server/options.h"

struct node;

// Opens the data directory, recovers, starts the threads and listens. Errors: with a sentence for
// the operator. Ownership: node_stop.
enum error node_start(const struct options *options, struct node **node, struct failure *failure);
// Answers what is under way, ends the threads and closes everything. NULL is allowed.
void node_stop(struct node *node);
