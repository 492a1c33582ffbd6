// SPDX-License-Identifier: Apache-2.0
// The end of a process that can no longer keep its promises.
#pragma once

#include "base/errors.h"

enum { FATAL_EXIT_STATUS = 71 };

// Says why and ends the process at once: no more messages, answers or writes. After a failed write
// or flush the kernel's page cache may hold what never reached the disk, so nothing is retried; the
// next start reads what is really there.
_Noreturn void fatal_exit(const char *what, enum error error);
