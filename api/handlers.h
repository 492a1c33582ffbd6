// SPDX-License-Identifier: Apache-2.0
// The handlers that the route table names. Each makes the reply or parks the request.
#pragma once

#include "api/request.h"

void znode_get(struct request *request);
void znode_put(struct request *request);
void znode_post(struct request *request);
void znode_delete(struct request *request);
void multi_post(struct request *request);
void watch_get(struct request *request);
void sessions_get(struct request *request);
void sessions_post(struct request *request);
void session_get(struct request *request);
void session_put(struct request *request);
void session_delete(struct request *request);
void session_stream_get(struct request *request);
void cluster_get(struct request *request);
void livez_get(struct request *request);
void readyz_get(struct request *request);
void metrics_get(struct request *request);
void openapi_get(struct request *request);
void problem_get(struct request *request);
void root_get(struct request *request);
