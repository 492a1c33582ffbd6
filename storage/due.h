// SPDX-License-Identifier: Apache-2.0
// What is to happen at a log time: rows of TABLE_DUE, keyed by kind (1 byte), deadline (8, big-endian)
// and what it is about, so that each kind is a list of its own in the order of deadlines. Private to
// storage/.
#pragma once

#include "storage/tree.h"

enum due_kind {
    DUE_KEY = 1,       // 16 bytes of hash -> nothing (keys.c)
    DUE_CONTAINER = 2, // node id (8, big-endian) -> path
    DUE_TTL = 3,       // the same
};
enum { DUE_PREFIX_BYTES = 9 };

// Whether a container or TTL node stands in the table: it has no children and, if it is a container,
// has had one (rule C20; without a limit for those never used, like 3.9).
bool due_is_waiting(const struct node *node);
// Adds or removes the row of such a node, under node->due_us; others are left alone.
enum error due_add(struct transaction *transaction, const struct node *node, const char *path,
                   size_t length);
enum error due_remove(struct transaction *transaction, const struct node *node);
bool due_row_plausible(struct bytes key, struct bytes value);
