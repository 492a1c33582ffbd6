// SPDX-License-Identifier: Apache-2.0
// In tree order '/' comes before every other byte, and a path before those it is a prefix of. So what
// covers a path is the greatest watched path that is not behind it, or nothing.
#include "api/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static int rank(char byte)
{
    return byte == '/' ? -1 : (unsigned char)byte;
}

int filter_order(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t both = a_length < b_length ? a_length : b_length;
    size_t at = 0;

    while (at < both && a[at] == b[at])
        at++;
    if (at == both)
        return a_length < b_length ? -1 : a_length > b_length;
    return rank(a[at]) - rank(b[at]);
}

static int compare(const void *a, const void *b)
{
    const struct filter_path *first = a;
    const struct filter_path *second = b;

    return filter_order(first->path, first->length, second->path, second->length);
}

static bool covers(const struct filter_path *above, const char *path, size_t length, bool recursive)
{
    if (length < above->length || memcmp(above->path, path, above->length) != 0)
        return false;
    return length == above->length ||
           (recursive && (above->length == 1 || path[above->length] == '/'));
}

void filter_init(struct filter *filter, const struct filter_path *paths, size_t count,
                 bool recursive)
{
    struct filter_path *kept = memory_alloc((count + 1) * sizeof *kept);
    size_t kept_count = 0;

    memcpy(kept, paths, count * sizeof *kept);
    qsort(kept, count, sizeof *kept, compare);
    for (size_t i = 0; i < count; i++) {
        bool covered = kept_count > 0 &&
                       covers(&kept[kept_count - 1], kept[i].path, kept[i].length, recursive);
        if (!covered)
            kept[kept_count++] = kept[i];
    }
    *filter = (struct filter){.paths = kept, .count = kept_count, .recursive = recursive};
}

void filter_deinit(struct filter *filter)
{
    free(filter->paths);
}

long filter_find(const struct filter *filter, const char *path, size_t length)
{
    size_t low = 0;
    size_t high = filter->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct filter_path *at = &filter->paths[middle];
        if (filter_order(at->path, at->length, path, length) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low > 0 && covers(&filter->paths[low - 1], path, length, filter->recursive))
        return (long)low - 1;
    return FILTER_NONE;
}
