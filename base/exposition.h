// SPDX-License-Identifier: Apache-2.0
// Metrics as text that Prometheus scrapes (exposition format 0.0.4): families of a name, each with its
// samples behind it.
#pragma once

#include "base/bytes.h"
#include "base/metrics.h"

// Media type of the text.
#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

// Begins a family. type: "counter", "gauge" or "histogram". help is one line without backslashes. The
// samples of a family follow it without another family between them.
void exposition_family(struct buffer *text, const char *name, const char *type, const char *help);

// Samples. labels: `name="value",...` as it is to stand between the braces, values escaped; NULL: none.
void exposition_number(struct buffer *text, const char *name, const char *labels, uint64_t value);
// A duration, written in seconds.
void exposition_seconds(struct buffer *text, const char *name, const char *labels, uint64_t ns);
// Buckets, sum and count; the count is that of the buckets, so the three agree.
void exposition_histogram(struct buffer *text, const char *name, const char *labels,
                          const struct histogram *histogram);

// A family with one sample that has no labels.
void exposition_counter(struct buffer *text, const char *name, const char *help, uint64_t value);
void exposition_gauge(struct buffer *text, const char *name, const char *help, uint64_t value);
