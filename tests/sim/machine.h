// SPDX-License-Identifier: Apache-2.0
// The simulated machine: see machine.c.
#pragma once

// The next random bytes name the cluster: all nodes of a simulation get the same.
void machine_same_cluster(void);
