// SPDX-License-Identifier: Apache-2.0
// A sentence for the operator about why something could not start. Only start-up, recovery and
// configuration use it; everything else answers with an enum error.
#pragma once

#include "base/errors.h"

struct failure {
    char text[640]; // one sentence, no newline; empty when nothing failed
};

// Writes the sentence and returns error, so that a caller can say `return failure_set(...)`.
enum error failure_set(struct failure *failure, enum error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
