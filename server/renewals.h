// SPDX-License-Identifier: Apache-2.0
// Renewals of sessions on their way to the leader: not asked yet, or asked of it in a frame with a number.
// What is not answered is asked again, with a new number: an answer that is late renews nothing twice.
//
// Thread: one.
#pragma once

#include "api/api.h"
#include "server/replica.h"

struct renewal {
    struct fifo_link link;
    struct read_wait *wait; // of the api
    struct ballot ballot;   // of the leader that has taken note
    uint64_t number;        // of the frame; 0: not asked
    uint64_t asked_ns;
    struct replica_read read; // the barrier behind it
    void *keeper;
};

// A zeroed struct renewals is empty.
struct renewals {
    struct fifo fresh;
    struct fifo asked;
    uint64_t number; // of the last frame
};

// Moves up to `most` fresh ones to the asked. Their ids go to `ids`; returns how many, and in *number
// that of the frame.
uint32_t renewals_ask(struct renewals *renewals, uint64_t *ids, uint32_t most, uint64_t now_ns,
                      uint64_t *number);
// The leader of the ballot has taken note of these, a part of those of frame `number` in their order:
// they are moved to `noted`.
void renewals_noted(struct renewals *renewals, uint64_t number, struct ballot ballot,
                    const uint64_t *ids, uint32_t count, struct fifo *noted);
// Those that were asked before then are to be asked again.
void renewals_rewind(struct renewals *renewals, uint64_t asked_before_ns);
// Moves those whose deadline has passed to `expired`.
void renewals_expire(struct renewals *renewals, uint64_t now_ns, struct fifo *expired);
