// SPDX-License-Identifier: Apache-2.0
// Every attempt runs in a child process, since a failing run ends its process. A child hands its
// choices over in shared memory.
#include "tests/sim/shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"

enum { CHOICES_MAX = 16 << 20 };

// What a child leaves behind.
struct made {
    size_t count;
    uint32_t choices[CHOICES_MAX];
};

static struct made *made; // shared with the children

static void keep_choices(const struct choice_stream *choices)
{
    made->count = choices->made_count < CHOICES_MAX ? choices->made_count : CHOICES_MAX;
    memcpy(made->choices, choices->made, made->count * sizeof *made->choices);
}

// Runs in a child and returns how it ended. Without choices, those that it draws are kept.
static int attempt(const struct world_options *options, const uint32_t *choices, size_t count)
{
    struct world_options world = *options;
    int status;

    fflush(stdout);
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        if (choices != NULL) {
            ASSERT(freopen("/dev/null", "w", stdout) != NULL);
            ASSERT(freopen("/dev/null", "w", stderr) != NULL);
        }
        world.choices = choices;
        world.choice_count = count;
        world.made = choices == NULL ? keep_choices : NULL;
        world_run(&world);
        _exit(SIM_OK);
    }
    ASSERT(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : SIM_CRASH;
}

static bool zero_part(const struct world_options *options, int expected, uint32_t *list,
                      size_t count, size_t from, size_t length)
{
    bool any = false;

    for (size_t i = from; i < from + length; i++)
        any = any || list[i] != 0;
    if (!any)
        return false;
    uint32_t *saved = memory_copy(list + from, length * sizeof *list);
    memset(list + from, 0, length * sizeof *list);
    bool fails = attempt(options, list, count) == expected;
    if (!fails)
        memcpy(list + from, saved, length * sizeof *list);
    free(saved);
    return fails;
}

static time_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

// The shortest beginning that still fails (choices behind the end are zero), then zeros in ever
// smaller parts.
static size_t reduce(const struct world_options *options, int expected, uint32_t *list,
                     size_t count, time_t until_s)
{
    for (size_t cut = count / 2; cut > 0 && now_s() < until_s; cut /= 2) {
        while (count > cut && now_s() < until_s && attempt(options, list, count - cut) == expected)
            count -= cut;
    }
    for (size_t part = count / 2; part > 0 && now_s() < until_s; part /= 2) {
        for (size_t from = 0; from + part <= count && now_s() < until_s; from += part)
            zero_part(options, expected, list, count, from, part);
    }
    return count;
}

static void write_choices(const char *file, const uint32_t *list, size_t count)
{
    FILE *stream = fopen(file, "w");

    if (stream == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "%" PRIu32 "\n", list[i]);
    fclose(stream);
}

uint32_t *shrink_read(const char *file, size_t *count)
{
    FILE *stream = fopen(file, "r");
    uint32_t *list = NULL;
    uint32_t choice;

    *count = 0;
    if (stream == NULL)
        return NULL;
    while (fscanf(stream, "%" SCNu32, &choice) == 1) {
        list = memory_realloc(list, (*count + 1) * sizeof *list);
        list[(*count)++] = choice;
    }
    fclose(stream);
    return list;
}

int shrink_seed(const struct world_options *options, unsigned seconds, const char *file)
{
    made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(made != MAP_FAILED);
    int expected = attempt(options, NULL, 0);
    if (expected == SIM_OK)
        return SIM_OK;

    uint32_t *list = memory_copy(made->choices, made->count * sizeof *list + 1);
    size_t count = made->count;
    size_t shrunk = reduce(options, expected, list, count, now_s() + (time_t)seconds);
    size_t zeros = 0;
    for (size_t i = 0; i < shrunk; i++)
        zeros += list[i] == 0;
    write_choices(file, list, shrunk);
    printf("shrunk from %zu choices to %zu, of which %zu are zero: %s\n", count, shrunk, zeros,
           file);
    free(list);
    return expected;
}
