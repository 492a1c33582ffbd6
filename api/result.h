// SPDX-License-Identifier: Apache-2.0
// From the result of a command to a problem that says what happened, with the actual values.
#pragma once

#include "api/request.h"
#include "storage/command.h"

// Opens what the backend answered. When there is no result, or an undecodable one, the reply
// becomes a problem and false is returned. Otherwise zxid and Idempotency-Replayed are set.
bool result_open(struct request *request, struct result *result);
// Fills a problem in for an op that failed with error; `outcome` is its result, NULL when the
// command failed before it was executed. The problem borrows the op's path. multi: the op was part
// of one, so that what only single requests can do is not recommended.
void result_explain(struct problem *problem, enum error error, const struct op *op,
                    const struct op_result *outcome, bool multi);
