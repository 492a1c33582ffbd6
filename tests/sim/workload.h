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

// What a request is about.
enum operation_asks {
    ASKS_WRITE,
    ASKS_READ,
    // Of sessions:
    ASKS_OPEN,
    ASKS_RENEWAL, // a read of the session, once the leader has heard of it
    ASKS_BIND,
    ASKS_CLOSE,
};

enum { NO_KEY = UINT32_MAX };

// A request and what came of it. A keyed one may have been submitted several times.
struct operation {
    enum operation_asks asks;
    bool read;
    bool keyed;
    uint32_t key;          // znode that is read or written, or NO_KEY
    uint64_t session;      // whose credential it has; the new one once it is opened; 0: none
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
    bool gone;           // OK: and the session does not exist any more
    // Reads: what was seen, and where.
    paxos_slot slot;
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

// A number that nothing else has.
uint64_t workload_number(struct world *world);
// Gives the command an Idempotency-Key of its own.
void workload_key(struct world *world, struct command *command, uint8_t key[8]);

// What a read of this znode sees, as a hash; 0 when it does not exist. *value gets its number.
uint64_t workload_look(struct view *view, uint32_t key, uint64_t *value);
