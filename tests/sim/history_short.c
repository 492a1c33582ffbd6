// SPDX-License-Identifier: Apache-2.0
// The shipped history of changes, but as short as the seed says, in the place of storage/history.c: readers
// fall off its end, and single changes are too large for it.
#include "storage/history.h"
#include "tests/sim/world.h"

#ifndef HISTORY_SOURCE
#define HISTORY_SOURCE "storage/history.c"
#endif
#define HISTORY_ZXIDS_MAX world_current->swarm.history_zxids
#define HISTORY_BYTES_MAX world_current->swarm.history_bytes
#define HISTORY_DATA_MAX  world_current->swarm.history_data
#include HISTORY_SOURCE
