// SPDX-License-Identifier: Apache-2.0
// What the api counts of its requests, and GET /metrics, where the backend's numbers stand beside them.
// Labels come from small fixed sets: never a path, a session or an address.
#pragma once

#include "api/problem.h"
#include "base/exposition.h"

struct request;

// What requests are told apart by.
enum request_kind {
    KIND_READ,    // of znodes
    KIND_WRITE,   // create and set
    KIND_DELETE,  // also recursive
    KIND_MULTI,   //
    KIND_WATCH,   // long polls, and streams until their first byte
    KIND_SESSION, // open, renew, show, list, close
    KIND_SERVICE, // health, cluster, metrics, and what no resource was found for
    KIND_COUNT
};

enum request_result {
    RESULT_DONE,    // status below 400
    RESULT_REFUSED, // 4xx: the request's fault
    RESULT_FAILED,  // 5xx: the service's
    RESULT_COUNT
};

struct api_metrics {
    struct histogram requests[KIND_COUNT][RESULT_COUNT];
    struct counter submissions_failed[ERROR_COUNT]; // by why there was no result
    struct counter replays;                         // of outcomes kept with an Idempotency-Key
    struct counter events;                          // written to streams
    struct counter resets;                          // of streams
    struct counter opened, closed;                  // connections of clients
    struct counter refused;                         // likewise: there were too many
};

// Takes note of a reply that was made. Thread: any.
void metrics_replied(const struct request *request);
