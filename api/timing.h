// SPDX-License-Identifier: Apache-2.0
// Where the time of a request went: for the header Server-Timing (W3C Server Timing), and for the line
// that the log has of a slow one.
//
// Phases of a write: `queue` until it was proposed, or sent to the leader; `commit` until it was decided
// and durable here; `execute` until it was executed; then its reply is made and sent. Of a read that
// waited: `barrier`.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct request;

// When a request got so far (clock_monotonic_ns); 0: not yet, or it did not go that way. The phases of a
// write between its begin and its end are in its submission.
struct timing {
    uint64_t begun_ns;     // its head was here
    uint64_t completed_ns; // the backend had done its part
    uint64_t replied_ns;   // its reply, or the first of a stream, was made
};

enum { TIMING_MAX = 96 };

// Writes the value of Server-Timing. Returns false, and writes nothing, for a request that did not wait for
// the backend.
bool timing_header(const struct request *request, char into[TIMING_MAX]);
// Logs a request whose reply was sent only now, if that took long and it was not asked to wait.
void timing_log(const struct request *request, uint64_t sent_ns);
