// SPDX-License-Identifier: Apache-2.0
// The thread that looks a few times a second, on the leader, which containers and TTL znodes are due,
// and proposes to delete them. What is proposed in vain is proposed again.
#pragma once

#include "api/api.h"
#include "storage/live.h"

struct reaper;

struct reaper_ports {
    void *context;
    struct live *live;
    bool (*leads)(void *context);
    void (*submit)(void *context, struct submission *submission);
};

struct reaper *reaper_start(const struct reaper_ports *ports);
// Ends the thread: nothing more is proposed.
void reaper_stop(struct reaper *reaper);
// Requires that no proposal is under way any more. NULL is allowed.
void reaper_free(struct reaper *reaper);
