// SPDX-License-Identifier: Apache-2.0
// Heap memory. Every size that comes from outside is bounded before it gets here, so running out of
// memory means that the machine is at its end: the process stops and its state is rebuilt at start.
#pragma once

#include <stddef.h>

// Return memory that the caller frees with free(). Never NULL; out of memory ends the process.
void *memory_alloc(size_t size);
void *memory_zalloc(size_t size);
void *memory_realloc(void *block, size_t size);
void *memory_copy(const void *block, size_t size);
char *memory_string(const char *text);
