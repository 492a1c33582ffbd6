// SPDX-License-Identifier: Apache-2.0
// Turns a reply into what the HTTP library sends.
#pragma once

#include <microhttpd.h>

#include "api/request.h"

// Queues the request's reply, whose body must stay until the request is reset. MHD_NO: close.
enum MHD_Result http_reply_queue(struct MHD_Connection *connection, const struct request *request);
