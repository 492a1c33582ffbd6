// SPDX-License-Identifier: Apache-2.0
// Problem replies as bytes on the wire, for where the HTTP library is not or not any more: refused
// connections, senders that are too slow.
#pragma once

#include "api/request.h"

enum { CANNED_MAX = 1536 };

// Writes a whole HTTP reply that closes the connection and returns its length.
size_t canned_reply(struct service *service, enum error error, const char *detail,
                    char into[CANNED_MAX]);
