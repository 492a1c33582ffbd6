// SPDX-License-Identifier: Apache-2.0
// The znodes that a stream is about: some paths, alone or with everything below them. Paths are kept in
// tree order, in which a subtree is listed without a gap: parents first, siblings in byte order.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct filter_path {
    const char *path; // borrowed
    size_t length;
};

struct filter {
    struct filter_path *paths; // owned; in tree order; none is the same as, or covered by, another
    size_t count;
    bool recursive;
};

enum { FILTER_NONE = -1 };

// Orders two paths as a tree listing does: < 0, 0, > 0.
int filter_order(const char *a, size_t a_length, const char *b, size_t b_length);
// Takes legal paths in any order. Ownership: filter_deinit.
void filter_init(struct filter *filter, const struct filter_path *paths, size_t count,
                 bool recursive);
void filter_deinit(struct filter *filter);
// The index of the path that covers this one; FILTER_NONE when none does.
long filter_find(const struct filter *filter, const char *path, size_t length);
