// SPDX-License-Identifier: Apache-2.0
// Clients: each sends one request at a time to some node and remembers what it was told.
#pragma once

#include "api/api.h"
#include "tests/sim/node.h"

enum operation_status {
    OPERATION_PENDING,
    OPERATION_OK,      // answered with a result
    OPERATION_REFUSED, // certainly never applied
    OPERATION_UNKNOWN, // applied or not, now or later
};

// A request and what came of it. A keyed one may have been submitted several times.
struct operation {
    bool read;
    bool keyed;
    uint32_t key;          // znode that is read or written
    struct blob *command;  // NULL for reads
    uint64_t command_hash; // unique
    uint64_t invoked_ns;
    uint64_t completed_ns;
    uint64_t floor_zxid; // highest zxid that anybody had been told before it was invoked
    enum operation_status status;
    enum error error;
    unsigned unknown_attempts;
    struct blob *result; // OK
    uint64_t zxid;       // OK: of the change or of the state that was looked at
    bool changed;        // OK: the state was changed
    // Reads: what was seen, and where.
    paxos_slot slot;
    bool existed;
    uint64_t content; // hash of data and stat
    // The znode as a register: the number that a read saw or a write leaves there, 0 = no znode.
    uint64_t value;
    bool writes;
};

struct history {
    struct operation *operations;
    size_t count;
    size_t capacity;
    uint64_t told_zxid; // highest zxid in any answer so far
};

void workload_make(struct world *world);
void workload_free(struct world *world);
// No new requests from now on; keyed ones are still finished.
void workload_finish(struct world *world);
// Whether a request is still under way.
bool workload_busy(const struct world *world);
const struct history *workload_history(const struct world *world);
void workload_on_client(struct world *world, struct event *event);
void workload_on_flood(struct world *world, struct event *event);

// What a read of this znode sees, as a hash; 0 when it does not exist. *value gets its number.
uint64_t workload_look(struct view *view, uint32_t key, uint64_t *value);
