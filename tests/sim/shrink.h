// SPDX-License-Identifier: Apache-2.0
// Makes a failing run small: tries to leave out or zero parts of its choices as long as it goes on
// failing in the same way.
#pragma once

#include "tests/sim/world.h"

// Runs the seed, and if it fails shrinks its choices for at most so many seconds; prints the result
// and writes the choices to the file, one number per line. Returns what the run ends with.
int shrink_seed(const struct world_options *options, unsigned seconds, const char *file);
// Reads a file that shrink_seed wrote. Returns the choices (free them) or NULL.
uint32_t *shrink_read(const char *file, size_t *count);
