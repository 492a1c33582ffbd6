// SPDX-License-Identifier: Apache-2.0
// Numbers that many threads add to and one reads now and then: counters and histograms of durations.
// Each addition is an atomic one without order, so that a reading may be a little torn between numbers,
// never within one.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    atomic_uint_fast64_t value;
};

// Thread: any, for both.
static inline void counter_add(struct counter *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(&counter->value, amount, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

// Bounds from 0.1 ms to 10 s, in steps of about two, and one without a bound.
enum { HISTOGRAM_BOUNDS = 16, HISTOGRAM_BUCKETS = HISTOGRAM_BOUNDS + 1 };

struct histogram {
    atomic_uint_fast64_t buckets[HISTOGRAM_BUCKETS]; // each without those below it
    atomic_uint_fast64_t sum_ns;
};

// Upper bound of a bucket, in nanoseconds.
uint64_t histogram_bound_ns(unsigned bucket);
// Thread: any.
void histogram_observe(struct histogram *histogram, uint64_t duration_ns);
