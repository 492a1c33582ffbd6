// SPDX-License-Identifier: Apache-2.0
// The state once more, as plainly as possible: which znodes exist, who owns them, which sessions live.
// It follows the decided log command by command and says what each change must have been; whoever
// answered or kept something else is wrong.
#pragma once

#include "storage/command.h"
#include "storage/state.h"
#include "tests/sim/world.h"

struct model;

struct model_change {
    uint64_t zxid;
    uint8_t kind;     // enum change_kind
    const char *path; // lives as long as the model
};

struct model_session {
    uint64_t id;
    uint32_t timeout_ms;
    uint64_t generation;
    struct session_binding binding;
    bool lives;
};

struct model *model_new(struct world *world);
void model_free(struct model *model);

// A command of this slot was executed, for the first time, with this result. Fails the run if the result
// cannot be.
void model_execute(struct model *model, const struct entry *entry, const uint8_t *data,
                   size_t length, const struct result *result);
// Compares what the model did since the last call with the state behind it, znodes, sessions and
// history, and fails the run if they differ.
void model_compare(struct model *model, struct view *view);
// Compares everything.
void model_compare_all(struct model *model, struct view *view);

// Every change, in order.
const struct model_change *model_changes(const struct model *model, size_t *count);
