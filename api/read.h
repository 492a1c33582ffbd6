// SPDX-License-Identifier: Apache-2.0
// How a read gets at the state: linearizable or local, not before a position.
#pragma once

#include "api/request.h"

// Opens a view that satisfies ?consistency and ?min_zxid and notes its zxid in the reply. If the request
// has a credential and is not local, its session lives in the view. When it
// answers false there is no view: the reply is a problem, or the request is parked and its handler runs
// again later. Close with live_release before
// anything is sent.
bool read_begin(struct request *request, struct live_view *view);
// Whether the request has no credential or one of a session that lives. When it answers false the reply is
// a problem, or the request is parked and its handler runs again later.
bool read_admit(struct request *request);
// Parks the request until a barrier has passed, before which the leader has heard of the session (0: of
// none). Its handler runs again then, with read_waited and read.renew set.
void read_renewed(struct request *request, uint64_t session);
void read_end(struct request *request, struct live_view *view);
