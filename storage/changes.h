// SPDX-License-Identifier: Apache-2.0
// How changes come into the history: noted one by one while a command is executed, kept as rows when
// it has succeeded, and dropped when they are too many. Private to storage/.
//
// A row is keyed by zxid (8 bytes, big-endian) and part (4, big-endian): what one zxid changed is one
// sequence of bytes, in parts that are small enough for LMDB to put several on a page.
#pragma once

#include "storage/history.h"
#include "storage/tables.h"

enum {
    HISTORY_KEY_BYTES = 12,
    HISTORY_PART_BYTES = 1980,
};

// The changes of the command that is being executed.
struct changes {
    struct buffer row;  // u32 length of what follows, then the changes; empty when there are none
    struct buffer path; // of the last one: a path is kept as what differs from the one before
    bool too_long;      // for the history
};

// All but zxid and last are noted.
void changes_note(struct changes *changes, const struct change *change);
void changes_forget(struct changes *changes);
void changes_deinit(struct changes *changes);

// Keeps what was noted as the changes of zxid, which is above all others, and forgets it.
enum error history_keep(struct transaction *transaction, struct state_position *position,
                        struct changes *changes, uint64_t zxid);
// Drops the oldest changes until the rest is within the bounds. What remains depends on what was
// kept alone, not on how often this is called.
enum error history_trim(struct transaction *transaction, struct state_position *position);

// Checks rows that are loaded, in order. Zeroed before the first.
struct history_load {
    uint64_t zxid;
    uint32_t part;
    uint64_t missing; // bytes of the zxid that are still to come
};
enum error history_check_row(struct history_load *load, struct bytes key, struct bytes value);
