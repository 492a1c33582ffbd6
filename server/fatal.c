// SPDX-License-Identifier: Apache-2.0
// _exit, not exit: no handler may run any more.
#include "server/fatal.h"

#include <unistd.h>

#include "base/log.h"

_Noreturn void fatal_exit(const char *what, enum error error)
{
    log_write(LOG_ERROR, what,
              "error=%s action=\"the process ends; start it again when the cause is"
              " removed\"",
              error_entry(error)->slug);
    _exit(FATAL_EXIT_STATUS);
}
