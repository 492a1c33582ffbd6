// SPDX-License-Identifier: Apache-2.0
// Turns the pairs of a log line into members of a JSON object.
#pragma once

#include <stddef.h>

// Appends `,"key":value` for every key=value of the text, which is what log_write was given: values
// without spaces as they are, others as log_quote wrote them. Numbers stay numbers, everything else becomes
// a string. Returns the length, at most size: a pair that does not fit is left out with all behind it.
size_t log_json_pairs(char *into, size_t size, const char *pairs);
// Appends a text as a JSON string. Returns 0 when it does not fit.
size_t log_json_string(char *into, size_t size, const char *text, size_t length);
