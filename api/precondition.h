// SPDX-License-Identifier: Apache-2.0
// The request headers that decide whether a mutation happens and how: If-Match, If-None-Match,
// Idempotency-Key, Prefer (RFC 9110 section 13, RFC 7240).
#pragma once

#include "api/headers.h"
#include "api/problem.h"
#include "storage/command.h"

// Sets the op's flags and match list from If-Match and If-None-Match. Errors: BAD_HEADER.
enum error precondition_parse(const struct headers *headers, struct op *op,
                              struct problem *problem);
// For requests to which neither can apply: fails when one is there. Errors: BAD_HEADER.
enum error precondition_refuse(const struct headers *headers, struct problem *problem);
// Whether the znode satisfies If-Match on a read; without the header it does. Errors: BAD_HEADER,
// PRECONDITION_FAILED.
enum error precondition_read(const struct headers *headers, const struct stat_fields *stat,
                             struct problem *problem);
// Takes the key out of Idempotency-Key, quoted or bare; key is NULL when there is none. It points
// into the header. Errors: BAD_HEADER.
enum error idempotency_key_parse(const struct headers *headers, const uint8_t **key, size_t *length,
                                 struct problem *problem);
// Reads wait=SECONDS of Prefer into *wait_ms, which keeps its value otherwise, and bounds it by
// max_ms. Other preferences are ignored, as RFC 7240 demands. Errors: BAD_HEADER.
enum error prefer_wait_parse(const struct headers *headers, uint64_t max_ms, uint64_t *wait_ms,
                             struct problem *problem);
