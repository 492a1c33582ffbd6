// SPDX-License-Identifier: Apache-2.0
// What requests about one session have in common.
#pragma once

#include "api/request.h"

// Whether the credential that was given names the session of the path; else the reply is a problem. That
// its secret is right is seen when it is used.
bool session_is_holder(struct request *request);
