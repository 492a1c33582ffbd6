// SPDX-License-Identifier: Apache-2.0
// The clocks of the machine. Only the edges read them; the core gets time inside its inputs.
#pragma once

#include <stdint.h>

// Runs on through suspend and is never set: for every duration. Nanoseconds.
uint64_t clock_monotonic_ns(void);
// For people to read. Milliseconds since 1970-01-01 UTC.
uint64_t clock_wall_ms(void);
