// SPDX-License-Identifier: Apache-2.0
// From a complete request to its handler. The HTTP side calls these in this order, each at most
// once per request; unit tests can do the same without HTTP.
#pragma once

#include "api/request.h"

// Looks at the head: method, target, headers. Returns false when the connection cannot go on behind
// this request (ambiguous framing): the reply is made and the body must not be read. Otherwise the
// body follows; a reply can have been made already, then the body is thrown away.
bool dispatch_head(struct request *request, const char *method, const char *http_version);
// The body is complete: calls the handler, unless a reply was made. Afterwards either the reply is
// made or the request is parked.
void dispatch_run(struct request *request);
