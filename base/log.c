// SPDX-License-Identifier: Apache-2.0
// A line is put together in one buffer and written with one write(), so lines of different threads
// do not mix.
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static atomic_int lowest_level = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&lowest_level, (int)level);
}

bool log_parse_level(const char *text, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static size_t format_time(char *into, size_t size)
{
    struct timespec now;
    struct tm parts;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t length = strftime(into, size, "ts=%Y-%m-%dT%H:%M:%S", &parts);
    int more = snprintf(into + length, size - length, ".%03ldZ", now.tv_nsec / 1000000);
    return length + (size_t)more;
}

void log_write(enum log_level level, const char *message, const char *pairs, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;

    if ((int)level < atomic_load_explicit(&lowest_level, memory_order_relaxed))
        return;
    size_t length = format_time(line, sizeof line);
    int more = snprintf(line + length, sizeof line - length, " level=%s msg=\"%s\" ",
                        level_names[level], message);
    length += (size_t)more;
    if (length < sizeof line) {
        va_start(arguments, pairs);
        more = vsnprintf(line + length, sizeof line - length, pairs, arguments);
        va_end(arguments);
        length += (size_t)more;
    }
    if (length > sizeof line - 1)
        length = sizeof line - 1;
    while (line[length - 1] == ' ')
        length--;
    line[length++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, length);
    (void)ignored;
}

void log_event(enum log_level level, const char *message)
{
    log_write(level, message, "%s", "");
}

const char *log_quote(char into[LOG_QUOTED_MAX], const char *text)
{
    size_t length = 0;

    into[length++] = '"';
    for (; *text != '\0' && length < LOG_QUOTED_MAX - 6; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            into[length++] = '\\';
        if (c < 0x20 || c == 0x7f)
            length += (size_t)snprintf(into + length, 5, "\\x%02x", c);
        else
            into[length++] = (char)c;
    }
    into[length++] = '"';
    into[length] = '\0';
    return into;
}
