// SPDX-License-Identifier: Apache-2.0
// splitmix64 makes the choices; all arithmetic is in integers, so every machine makes the same.
#include "tests/sim/choice.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

void choices_seed(struct choice_stream *choices, uint64_t seed)
{
    *choices = (struct choice_stream){.state = seed};
}

void choices_replay(struct choice_stream *choices, const uint32_t *list, size_t count)
{
    *choices = (struct choice_stream){.replaying = true, .made_count = count};
    choices->made = memory_alloc((count + 1) * sizeof *choices->made);
    if (count > 0)
        memcpy(choices->made, list, count * sizeof *list);
}

void choices_deinit(struct choice_stream *choices)
{
    free(choices->made);
    *choices = (struct choice_stream){0};
}

static uint64_t next(struct choice_stream *choices)
{
    uint64_t mixed = choices->state += 0x9e3779b97f4a7c15u;

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

static void record(struct choice_stream *choices, uint32_t choice)
{
    if (choices->made_count == choices->made_capacity) {
        choices->made_capacity = choices->made_capacity * 2 + 1024;
        choices->made =
            memory_realloc(choices->made, choices->made_capacity * sizeof *choices->made);
    }
    choices->made[choices->made_count++] = choice;
}

uint32_t choose(struct choice_stream *choices, uint32_t count)
{
    ASSERT(count >= 1);
    if (choices->replaying) {
        if (choices->position >= choices->made_count)
            return 0;
        return choices->made[choices->position++] % count;
    }
    uint32_t choice = (uint32_t)(((next(choices) >> 32) * count) >> 32);
    record(choices, choice);
    return choice;
}

uint64_t choose_between(struct choice_stream *choices, uint64_t lowest, uint64_t highest)
{
    uint64_t span = highest - lowest;

    ASSERT(lowest <= highest);
    if (span < UINT32_MAX)
        return lowest + choose(choices, (uint32_t)span + 1);
    uint64_t grain = span / UINT32_MAX;
    return lowest + grain * choose(choices, UINT32_MAX);
}

bool choose_chance(struct choice_stream *choices, uint32_t per_million)
{
    enum { MILLION = 1000000 };

    return per_million > 0 && choose(choices, MILLION) >= MILLION - per_million;
}

// -ln(1 - x) for x = i/16, in 1/1024: an exponential distribution by interpolation.
uint64_t choose_delay(struct choice_stream *choices, uint64_t mean)
{
    static const uint32_t quantiles[] = {0,   66,   137,  213,  295,  384,  481,  589,  710,
                                         847, 1004, 1191, 1420, 1714, 2129, 2839, 20480};
    enum { FINE = 4096, STEPS = 16 };
    uint32_t choice = choose(choices, FINE * STEPS);
    uint64_t low = quantiles[choice / FINE];
    uint64_t high = quantiles[choice / FINE + 1];

    // The last step is steep: most of it stays near its beginning.
    uint64_t part = choice % FINE;
    if (choice / FINE == STEPS - 1)
        part = part * part / FINE * part / FINE * part / FINE;
    return mean * (low * FINE + (high - low) * part) / ((uint64_t)FINE * 1024);
}

uint64_t choose_bits(struct choice_stream *choices)
{
    uint64_t high = choose(choices, UINT32_MAX);

    return high << 32 | choose(choices, UINT32_MAX);
}
