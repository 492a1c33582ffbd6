// SPDX-License-Identifier: Apache-2.0
// The submissions of this node that are in the log but not yet answered, by their sequence. The
// core loop puts them in, the apply thread takes them out; whoever takes one out answers it, so
// each is answered exactly once.
#pragma once

#include "api/api.h"

struct pending;

enum { PENDING_CAPACITY = 16384 };

struct pending *pending_new(void);
// Requires that nothing is pending.
void pending_free(struct pending *pending);
// The sequence that the next submission put in will get.
uint64_t pending_next(struct pending *pending);
// Whether `count` more submissions fit. Only the core loop asks and puts, so the answer holds.
bool pending_has_room(struct pending *pending, size_t count);
// Puts the submission in under the next sequence. Requires room.
void pending_put(struct pending *pending, struct submission *submission);
// Takes out the submission of this sequence; NULL when it was taken before or is none of ours.
struct submission *pending_take(struct pending *pending, uint64_t sequence);
// Takes out one whose deadline has passed; NULL when there is none.
struct submission *pending_take_expired(struct pending *pending, uint64_t now_ns);
