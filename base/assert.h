// SPDX-License-Identifier: Apache-2.0
// ASSERT: an invariant of our own code, checked in every build. Bytes from a client, a peer or a
// disk are never asserted on: they are errors.
#pragma once

// Ends the process after naming the broken invariant; never returns.
_Noreturn void assert_failed(const char *expression, const char *file, int line,
                             const char *function);

#define ASSERT(expression)                                                                         \
    ((expression) ? (void)0 : assert_failed(#expression, __FILE__, __LINE__, __func__))

// Marks a place that no input can reach.
#define UNREACHABLE() assert_failed("unreachable", __FILE__, __LINE__, __func__)
