// SPDX-License-Identifier: Apache-2.0
// Streams as the HTTP library sees them.
#pragma once

#include <microhttpd.h>

#include "api/connection.h"

// Queues the reply whose body is the request's stream.
enum MHD_Result http_stream_queue(struct connection *connection, struct hangups *hangups);
