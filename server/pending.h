// SPDX-License-Identifier: Apache-2.0
// The submissions of this node that have a sequence and are not executed yet. The core loop puts them
// in; the apply thread takes them out as their results come; whoever takes a submission out answers
// it, so each is answered exactly once.
//
// A command stays until it was executed, also when its submission was answered meanwhile because it
// waited for too long: it may have to be sent again, since execution skips nothing of an origin.
#pragma once

#include "api/api.h"

struct pending;

enum { PENDING_CAPACITY = 16384 };

struct pending *pending_new(void);
// Requires that no submission is in it.
void pending_free(struct pending *pending);
// The sequence that the next submission put in will get.
uint64_t pending_next(struct pending *pending);
// The lowest sequence that was not executed: pending_next when all were.
uint64_t pending_oldest(struct pending *pending);
// Whether `count` more submissions fit. Only the core loop asks and puts, so the answer holds.
bool pending_has_room(struct pending *pending, size_t count);
// Puts the submission in under the next sequence. Requires room.
void pending_put(struct pending *pending, struct submission *submission);
// Length of a sequence's command; 0 when it was executed.
size_t pending_command_length(struct pending *pending, uint64_t sequence);
// The commands [*first, end), a reference to each, into `commands`; *first moves to the oldest that was
// not executed. Returns how many.
uint32_t pending_commands(struct pending *pending, uint64_t *first, uint64_t end,
                          struct blob **commands);
// The command of this sequence was executed. Returns its submission, NULL when that was answered
// before, or is none of ours.
struct submission *pending_execute(struct pending *pending, uint64_t sequence);
// Takes out a submission whose deadline has passed; NULL when there is none.
struct submission *pending_take_expired(struct pending *pending, uint64_t now_ns);
