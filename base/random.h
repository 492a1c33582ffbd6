// SPDX-License-Identifier: Apache-2.0
// Unpredictable bytes from the kernel: identities, seeds, request ids.
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *into, size_t length);
uint64_t random_u64(void);
