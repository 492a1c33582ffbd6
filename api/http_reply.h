// SPDX-License-Identifier: Apache-2.0
// From a finished reply to the library's response.
#pragma once

#include <microhttpd.h>

#include "api/kept_replies.h"
#include "api/request.h"

// Queues the reply. *used is what must go back with kept_replies_give once the request has ended;
// NULL when that is nothing. Without one, the request's buffers must live as long.
enum MHD_Result http_reply_queue(struct MHD_Connection *connection, const struct request *request,
                                 struct kept_replies *kept, struct kept_reply **used);
// Queues the head of a stream with the response that makes its body, whose reference passes over.
enum MHD_Result http_reply_queue_stream(struct MHD_Connection *connection,
                                        const struct request *request,
                                        struct MHD_Response *response);
