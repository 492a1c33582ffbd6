// SPDX-License-Identifier: Apache-2.0
// Hands a mutation to the backend and parks the request until it is answered.
#pragma once

#include "api/request.h"
#include "storage/command.h"

// Sets the parts of a command that come from headers: key, identity, retention, actor. Errors: BAD_HEADER.
enum error submit_prepare(struct request *request, struct command *command,
                          struct problem *problem);
// Submits an encoded command (copied) and parks; finish makes the reply once the backend has
// completed it. shrinks: the command only deletes. Makes a problem instead when that is impossible.
void submit_command(struct request *request, const struct buffer *encoded, bool shrinks,
                    void (*finish)(struct request *request));
