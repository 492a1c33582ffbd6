// SPDX-License-Identifier: Apache-2.0
// A sentence for the operator: see the header.
#include "base/failure.h"

#include <stdarg.h>
#include <stdio.h>

enum error failure_set(struct failure *failure, enum error error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    return error;
}
