// SPDX-License-Identifier: Apache-2.0
// Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_valid(const void *text, size_t length);
// Decodes the code point at *at and moves *at behind it. Returns false, with *at unmoved, when the
// bytes are not valid UTF-8. Requires *at < end.
bool utf8_next(const uint8_t **at, const uint8_t *end, uint32_t *code_point);
