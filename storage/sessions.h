// SPDX-License-Identifier: Apache-2.0
// The rows of sessions and of what they own, and the operations on them. Private to storage/.
//
// TABLE_SESSION: id (8 bytes, big-endian) -> record. TABLE_EPHEMERAL: session (8, big-endian), node id
// (8, big-endian) -> path; ids grow, so a session's rows stand in the order of creation.
#pragma once

#include "storage/session.h"
#include "storage/tree.h"

enum { SESSION_RECORD_BYTES = 78 };

// Whether the session exists and the proof is its own. Errors: SESSION_EXPIRED, SESSION_DENIED.
enum error session_check(struct transaction *transaction, uint64_t id, const uint8_t *proof);
// Counts a new ephemeral in its session, or forgets one that was deleted by itself.
enum error session_own(struct transaction *transaction, const struct node *node, const char *path,
                       size_t length);
enum error session_disown(struct transaction *transaction, const struct node *node);
// Executes an operation on a session; like operation_execute.
enum error session_execute(struct tree *tree, const struct op *op, const struct stamp *stamp,
                           struct op_result *result);

// Rows that are loaded. Errors: CORRUPT.
enum error session_decode(struct bytes key, struct bytes value, struct session_info *info);
bool ephemeral_row_plausible(struct bytes key, struct bytes value);
