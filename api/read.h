// SPDX-License-Identifier: Apache-2.0
// How a read gets at the state: linearizable or local, not before a position.
#pragma once

#include "api/request.h"

// Opens a view that satisfies ?consistency and ?min_zxid and notes its zxid in the reply. When it
// answers false there is no view: the reply is a problem, or the request is parked and its handler runs
// again later. Close with live_release before
// anything is sent.
bool read_begin(struct request *request, struct live_view *view);
void read_end(struct request *request, struct live_view *view);
