// SPDX-License-Identifier: Apache-2.0
// Log lines for operators, in logfmt or as JSON objects, on standard error.
//
// debug: for whoever works on the code. info: start, stop, role and configuration changes.
// warning: the service goes on but somebody should look. error: something was refused or lost that
// an operator must repair. One event is logged once, where it is handled.
#pragma once

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

// The lowest level that is written; info at first. Thread: main, before others start.
void log_set_level(enum log_level level);
// Parses "debug", "info", "warning" or "error".
bool log_parse_level(const char *text, enum log_level *level);

enum log_format { LOG_LOGFMT, LOG_JSON };
// Thread: main, before others start.
void log_set_format(enum log_format format);
// Parses "logfmt" or "json".
bool log_parse_format(const char *text, enum log_format *format);

// Writes one line: time, level, msg and the caller's key=value pairs. Values that may hold spaces
// or bytes from outside are written with %s of log_quote(). Thread: any; a line is never split.
void log_write(enum log_level level, const char *message, const char *pairs, ...)
    __attribute__((format(printf, 3, 4)));

// A line without pairs. Thread: any.
void log_event(enum log_level level, const char *message);

enum { LOG_QUOTED_MAX = 768 };
// Quotes and escapes text into `into` (LOG_QUOTED_MAX bytes), cutting what does not fit.
const char *log_quote(char into[LOG_QUOTED_MAX], const char *text);
