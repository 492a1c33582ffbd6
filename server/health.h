// SPDX-License-Identifier: Apache-2.0
// `curlewd health`: asks the node of this machine whether it is ready. It is what an orchestrator runs
// inside the container, where there is no other HTTP client.
#pragma once

#include "server/options.h"

// Prints one line on standard output and returns the exit status: 0 when the node that listens at
// options->listen is ready, else 1. Ends the process with status 1 when that is not known after 2 s.
int health_run(const struct options *options);
