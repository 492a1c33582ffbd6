// SPDX-License-Identifier: Apache-2.0
// The one source of randomness of a run: a stream of choices, drawn from a seed or read from a list.
// A list that was recorded can be replayed, and shrunk by making choices zero or leaving them out:
// zero is always the harmless choice.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct choice_stream {
    uint64_t state; // of the generator
    bool replaying; // choices come from `made`; behind its end everything is zero
    uint32_t *made; // the choices so far
    size_t made_count;
    size_t made_capacity;
    size_t position; // of the next one to replay
};

void choices_seed(struct choice_stream *choices, uint64_t seed);
// Copies the list.
void choices_replay(struct choice_stream *choices, const uint32_t *list, size_t count);
void choices_deinit(struct choice_stream *choices);

// 0..count-1, evenly. Requires count >= 1.
uint32_t choose(struct choice_stream *choices, uint32_t count);
// lowest..highest, evenly; the harmless choice is the lowest.
uint64_t choose_between(struct choice_stream *choices, uint64_t lowest, uint64_t highest);
// True in so many of a million cases. Never draws for 0.
bool choose_chance(struct choice_stream *choices, uint32_t per_million);
// Exponential around the mean, at most 20 times as much; the harmless choice is 0.
uint64_t choose_delay(struct choice_stream *choices, uint64_t mean);
// 64 even bits.
uint64_t choose_bits(struct choice_stream *choices);
