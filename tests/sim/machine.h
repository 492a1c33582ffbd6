// SPDX-License-Identifier: Apache-2.0
// The simulated machine: see machine.c.
#pragma once

// The next random bytes are all of this value: an incarnation that the other nodes know beforehand.
void machine_next_bytes(uint8_t value);
