// SPDX-License-Identifier: Apache-2.0
// The rules of the operations: preconditions and their errors in ZooKeeper's order (rules 4.1),
// then the change. An operation checks everything before it changes anything, so one that fails has
// left no trace. Private to storage/.
#pragma once

#include "storage/tree.h"

// Executes one op at the stamp's zxid. The result's path is borrowed from the op or the tree's
// scratch. result->error is what the client learns and is returned as well; IO, DISK_FULL and
// CORRUPT are no answers but the end of this replica.
enum error operation_execute(struct tree *tree, const struct op *op, const struct stamp *stamp,
                             struct op_result *result);
// Whether an error of operation_execute is such an end.
bool operation_error_is_fatal(enum error error);
