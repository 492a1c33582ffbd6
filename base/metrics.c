// SPDX-License-Identifier: Apache-2.0
// The bounds are those that Prometheus users expect of latencies, each 1, 2.5 or 5 times a power of ten.
#include "base/metrics.h"

static const uint64_t bounds_ns[HISTOGRAM_BOUNDS] = {
    100000,   250000,    500000,    1000000,   2500000,    5000000,    10000000,   25000000,
    50000000, 100000000, 250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000,
};

uint64_t histogram_bound_ns(unsigned bucket)
{
    return bounds_ns[bucket];
}

void histogram_observe(struct histogram *histogram, uint64_t duration_ns)
{
    unsigned bucket = 0;

    while (bucket < HISTOGRAM_BOUNDS && duration_ns > bounds_ns[bucket])
        bucket++;
    atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ns, duration_ns, memory_order_relaxed);
}
