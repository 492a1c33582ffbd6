// SPDX-License-Identifier: Apache-2.0
// The thread that brings lagging peers up to date and receives checkpoints: server/transfer.c with a
// queue in front. Reading and writing files for a peer waits for nobody but the disk.
#pragma once

#include "server/transfer.h"

struct courier;

// The ports are called by the courier's thread. A disk that fails ends the process (exit status 71).
struct courier *courier_start(const struct transfer_settings *settings,
                              const struct transfer_ports *ports);
// NULL is allowed.
void courier_stop(struct courier *courier);

// As transfer_lagging. Dropped while one for the same peer waits, because each answer makes the peer ask
// again and every repeated question would start another circle; and when too many jobs wait. The core
// says so again. Thread: the core loop.
void courier_lagging(struct courier *courier, uint16_t to, paxos_slot from, struct ballot ballot,
                     paxos_slot executed);
// As transfer_receive; the bytes are copied. Dropped when too many wait: they are asked for again.
// Thread: the core loop.
void courier_receive(struct courier *courier, uint16_t from, const void *data, size_t length,
                     paxos_slot executed);
// As transfer_tick. Thread: the core loop.
void courier_tick(struct courier *courier);
