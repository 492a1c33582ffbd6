// SPDX-License-Identifier: Apache-2.0
// Seconds are written as decimal fractions of whole nanoseconds: nothing is rounded.
#include "base/exposition.h"

#include <inttypes.h>
#include <stdio.h>

enum { SECONDS_MAX = 32 };

static const uint64_t ns_per_s = 1000000000;

void exposition_family(struct buffer *text, const char *name, const char *type, const char *help)
{
    buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static const char *seconds(char into[SECONDS_MAX], uint64_t ns)
{
    int length =
        snprintf(into, SECONDS_MAX, "%" PRIu64 ".%09" PRIu64, ns / ns_per_s, ns % ns_per_s);

    while (into[length - 1] == '0')
        length--;
    if (into[length - 1] == '.')
        length--;
    into[length] = '\0';
    return into;
}

static void sample(struct buffer *text, const char *name, const char *labels)
{
    if (labels != NULL)
        buffer_printf(text, "%s{%s} ", name, labels);
    else
        buffer_printf(text, "%s ", name);
}

void exposition_number(struct buffer *text, const char *name, const char *labels, uint64_t value)
{
    sample(text, name, labels);
    buffer_printf(text, "%" PRIu64 "\n", value);
}

void exposition_seconds(struct buffer *text, const char *name, const char *labels, uint64_t ns)
{
    char value[SECONDS_MAX];

    sample(text, name, labels);
    buffer_printf(text, "%s\n", seconds(value, ns));
}

static void bucket(struct buffer *text, const char *name, const char *labels, const char *bound,
                   uint64_t count)
{
    buffer_printf(text, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name,
                  labels != NULL ? labels : "", labels != NULL ? "," : "", bound, count);
}

static void total(struct buffer *text, const char *name, const char *suffix, const char *labels)
{
    if (labels != NULL)
        buffer_printf(text, "%s%s{%s} ", name, suffix, labels);
    else
        buffer_printf(text, "%s%s ", name, suffix);
}

void exposition_histogram(struct buffer *text, const char *name, const char *labels,
                          const struct histogram *histogram)
{
    char value[SECONDS_MAX];
    uint64_t sum_ns = atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
    uint64_t count = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        bucket(text, name, labels,
               i < HISTOGRAM_BOUNDS ? seconds(value, histogram_bound_ns(i)) : "+Inf", count);
    }
    total(text, name, "_sum", labels);
    buffer_printf(text, "%s\n", seconds(value, sum_ns));
    total(text, name, "_count", labels);
    buffer_printf(text, "%" PRIu64 "\n", count);
}

void exposition_counter(struct buffer *text, const char *name, const char *help, uint64_t value)
{
    exposition_family(text, name, "counter", help);
    exposition_number(text, name, NULL, value);
}

void exposition_gauge(struct buffer *text, const char *name, const char *help, uint64_t value)
{
    exposition_family(text, name, "gauge", help);
    exposition_number(text, name, NULL, value);
}
