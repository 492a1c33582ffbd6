// SPDX-License-Identifier: Apache-2.0
// The HTTP engine: everything that knows libmicrohttpd stays behind this.
#pragma once

#include "api/admission.h"
#include "api/request.h"
#include "base/failure.h"

struct http;

// Starts the worker threads. Sets service's park and unpark. Errors: IO.
enum error http_start(struct service *service, struct admission *admission, struct http **http,
                      struct failure *failure);
// Takes an accepted, non-blocking socket that was counted in. Closes it and counts it out when it
// cannot be served. waits: its first request is one for the workers of streams. Thread: acceptor.
void http_adopt(struct http *http, int fd, const struct sockaddr *address, socklen_t length,
                bool waits);
// Gives slow senders up. Called every now and then. Thread: any.
void http_expire(struct http *http);
// Waits until requests under way are answered, ends the workers and frees everything. Nothing may
// be adopted any more. Parked requests must be completed by the backend meanwhile.
void http_stop(struct http *http);
