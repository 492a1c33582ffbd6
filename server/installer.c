// SPDX-License-Identifier: Apache-2.0
// Two directories are used in turn, so that readers finish with the old tree in peace.
#include "server/installer.h"

#include <time.h>

enum { LOCKED_RETRIES = 500, LOCKED_PAUSE_NS = 10000000 };

// The tree before the last may still be read for a moment, and then holds the directory.
static enum error open_other(struct installer *installer, struct state **state,
                             struct failure *failure)
{
    const char *directory = installer->directories[1 - installer->current];
    const struct timespec pause = {.tv_nsec = LOCKED_PAUSE_NS};
    enum error error = state_open(directory, installer->map_bytes, state, failure);

    for (int i = 0; error == ERROR_LOCKED && i < LOCKED_RETRIES; i++) {
        nanosleep(&pause, NULL);
        error = state_open(directory, installer->map_bytes, state, failure);
    }
    return error;
}

enum error installer_load(struct installer *installer, paxos_slot slot, struct state **state,
                          struct checkpoint_info *info, struct failure *failure)
{
    enum error error = open_other(installer, state, failure);

    if (error != ERROR_OK)
        return error;
    error = checkpoint_load(installer->disk, installer->identity, slot, *state, info, failure);
    if (error != ERROR_OK) {
        state_close(*state);
        return error;
    }
    installer->current = 1 - installer->current;
    return ERROR_OK;
}
