// SPDX-License-Identifier: Apache-2.0
// What happens when an invariant is broken: say which one and where, then stop at once. A process
// that has lost an invariant must not vote, answer or write again.
#include "base/assert.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FRAMES_MAX = 32 };

_Noreturn void assert_failed(const char *expression, const char *file, int line,
                             const char *function)
{
    void *frames[FRAMES_MAX];

    fprintf(stderr, "level=fatal msg=\"assertion failed\" expression=\"%s\" at=%s:%d function=%s\n",
            expression, file, line, function);
    fflush(stderr);
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), STDERR_FILENO);
    abort();
}
