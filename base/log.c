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

#include "base/log_json.h"

enum { LINE_MAX_BYTES = 2048, TIME_MAX = 32 };

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static atomic_int lowest_level = LOG_INFO;
static atomic_int chosen_format = LOG_LOGFMT;

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

bool log_parse_format(const char *text, enum log_format *format)
{
    bool json = strcmp(text, "json") == 0;

    *format = json ? LOG_JSON : LOG_LOGFMT;
    return json || strcmp(text, "logfmt") == 0;
}

void log_set_format(enum log_format format)
{
    atomic_store(&chosen_format, (int)format);
}

static void format_time(char into[TIME_MAX])
{
    struct timespec now;
    struct tm parts;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t length = strftime(into, TIME_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(into + length, TIME_MAX - length, ".%03ldZ", now.tv_nsec / 1000000);
}

static size_t at_most(int length, size_t size)
{
    return length < 0 || (size_t)length < size ? (size_t)length : size - 1;
}

static size_t put_logfmt(char *line, size_t size, enum log_level level, const char *message,
                         const char *pairs)
{
    char time[TIME_MAX];

    format_time(time);
    int length = snprintf(line, size, "ts=%s level=%s msg=\"%s\"%s%s", time, level_names[level],
                          message, pairs[0] != '\0' ? " " : "", pairs);
    return at_most(length, size);
}

static size_t put_json(char *line, size_t size, enum log_level level, const char *message,
                       const char *pairs)
{
    char time[TIME_MAX];

    format_time(time);
    int head =
        snprintf(line, size, "{\"ts\":\"%s\",\"level\":\"%s\",\"msg\":", time, level_names[level]);
    size_t length = at_most(head, size);
    length += log_json_string(line + length, size - length, message, strlen(message));
    length += log_json_pairs(line + length, size - length - 1, pairs);
    line[length++] = '}';
    return length;
}

void log_write(enum log_level level, const char *message, const char *pairs, ...)
{
    char text[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES + 1];
    va_list arguments;

    if ((int)level < atomic_load_explicit(&lowest_level, memory_order_relaxed))
        return;
    va_start(arguments, pairs);
    vsnprintf(text, sizeof text, pairs, arguments);
    va_end(arguments);
    bool json = atomic_load_explicit(&chosen_format, memory_order_relaxed) == LOG_JSON;
    size_t length = json ? put_json(line, LINE_MAX_BYTES, level, message, text)
                         : put_logfmt(line, LINE_MAX_BYTES, level, message, text);
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
