// SPDX-License-Identifier: Apache-2.0
// The machine under the code that is simulated, in the place of base/random.c, base/clock.c and
// base/log.c: randomness is a choice, time is the world's, log lines are part of --log full.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "tests/sim/machine.h"
#include "tests/sim/node.h"

static uint8_t next_bytes; // what the next random bytes are, 0: chosen

void machine_next_bytes(uint8_t value)
{
    next_bytes = value;
}

void random_bytes(void *into, size_t length)
{
    uint8_t *bytes = into;

    if (next_bytes != 0) {
        memset(into, next_bytes, length);
        next_bytes = 0;
        return;
    }
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)choose(&world_current->choices, 256);
}

uint64_t random_u64(void)
{
    return choose_bits(&world_current->choices);
}

uint64_t clock_monotonic_ns(void)
{
    return world_current->now_ns;
}

uint64_t clock_wall_ms(void)
{
    return world_current->now_ns / MILLISECOND_NS;
}

void log_set_level(enum log_level level)
{
    (void)level;
}

bool log_parse_level(const char *text, enum log_level *level)
{
    (void)text;
    *level = LOG_INFO;
    return true;
}

void log_write(enum log_level level, const char *message, const char *pairs, ...)
{
    va_list arguments;
    char text[1024];

    (void)level;
    if (!world_current->log)
        return;
    va_start(arguments, pairs);
    vsnprintf(text, sizeof text, pairs, arguments);
    va_end(arguments);
    world_log(world_current, NULL, "log: %s %s", message, text);
}

void log_event(enum log_level level, const char *message)
{
    log_write(level, message, "%s", "");
}

const char *log_quote(char into[LOG_QUOTED_MAX], const char *text)
{
    snprintf(into, LOG_QUOTED_MAX, "\"%s\"", text);
    return into;
}
