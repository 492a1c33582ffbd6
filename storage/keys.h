// SPDX-License-Identifier: Apache-2.0
// Idempotency keys: the outcomes that are kept so that a repeated request gets the first answer.
// Private to storage/.
#pragma once

#include "storage/due.h"
#include "storage/state_internal.h"

// A row of the idempotency table.
struct kept_outcome {
    const uint8_t *key;
    size_t key_length;
    struct hash128 identity;
    uint64_t deadline_us; // log time until which it is kept
    struct bytes result;  // encoded
};

// Whether a row of `due` can be one that reaping understands.
bool keys_due_plausible(struct bytes key, struct bytes value);
// Errors: CORRUPT.
enum error kept_outcome_decode(struct bytes value, struct kept_outcome *outcome);
// The row of a key. MISSING, also when another key has the same hash or when the time is over.
enum error keys_find(struct transaction *transaction, const void *key, size_t key_length,
                     uint64_t now_us, struct kept_outcome *outcome);
// A copy of a kept result that says that it is one.
struct blob *keys_replay(struct bytes result);

// Drops outcomes whose time is over, at most `limit`.
enum error keys_reap(struct state *state, uint64_t now_us, unsigned limit);
// Decides about a command with a key: MISSING when it has to be executed; ERROR_OK with the kept
// result (one reference); KEY_REUSED or KEYS_FULL. Others are the end of this replica.
enum error keys_admit(struct state *state, const struct command *command, uint64_t now_us,
                      struct blob **result);
// Keeps a result. Requires that keys_admit said MISSING.
enum error keys_keep(struct state *state, const struct command *command, uint64_t now_us,
                     const struct blob *result);
