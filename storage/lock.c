// SPDX-License-Identifier: Apache-2.0
// flock and not fcntl: it goes with the open file, so a second one in this process is refused too.
#include "storage/lock.h"

#include <errno.h>
#include <sys/file.h>
#include <time.h>

enum {
    TRIES = 6,
    PAUSE_MS = 50,
};

enum error lock_try(int descriptor)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    for (int try = 1; flock(descriptor, LOCK_EX | LOCK_NB) != 0; try++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return ERROR_IO;
        if (try == TRIES)
            return ERROR_LOCKED;
        nanosleep(&pause, NULL);
    }
    return ERROR_OK;
}
