// SPDX-License-Identifier: Apache-2.0
// The simulator as a program: which seeds to run, what to print. Without options it runs a few of
// each mode, some of them twice to see that a seed always means the same run.
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/shrink.h"
#include "tests/sim/world.h"

#define SHRUNK_FILE "sim.choices"

enum { BRIEF_SEEDS = 30, TWICE_EVERY = 10 };

struct options {
    uint64_t seed;
    uint64_t count;   // 0: one if a seed is given, else a few
    uint64_t seconds; // 0: no bound
    size_t nodes;     // 0: drawn
    int mode;         // -1: every mode
    bool log;
    unsigned shrink_seconds; // 0: failures are not shrunk
    const char *choices;     // file with choices to replay instead of drawing them
};

static uint64_t counters[COUNT_COUNT];
static char crash_line[256]; // printed by the handler, which may not format

static const char *const counter_names[COUNT_COUNT] = {
#define COUNTER_NAME(NAME, name) #name,
    SIM_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
};

static void on_crash(int signal_number)
{
    (void)signal_number;
    if (world_current != NULL)
        world_end(world_current);
    ssize_t written = write(STDOUT_FILENO, crash_line, strlen(crash_line));
    _exit(written >= 0 ? SIM_CRASH : SIM_CRASH + 1);
}

static void catch_crashes(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], on_crash);
}

static uint64_t run_seed(const struct options *options, enum sim_mode mode, uint64_t seed)
{
    struct world_options world = {.seed = seed,
                                  .mode = mode,
                                  .nodes = options->nodes,
                                  .log = options->log,
                                  .counters = counters};

    snprintf(crash_line, sizeof crash_line,
             "CRASH mode=%s seed=%" PRIu64
             " nodes=%zu replay=\"tests/sim/sim --mode %s --seed %" PRIu64 " --log full\"\n",
             sim_mode_name(mode), seed, options->nodes, sim_mode_name(mode), seed);
    if (options->shrink_seconds > 0)
        exit(shrink_seed(&world, options->shrink_seconds, SHRUNK_FILE));
    uint32_t *choices = NULL;
    if (options->choices != NULL)
        choices = shrink_read(options->choices, &world.choice_count);
    world.choices = choices;
    uint64_t digest = world_run(&world);
    free(choices);
    return digest;
}

static void run_twice(const struct options *options, enum sim_mode mode, uint64_t seed)
{
    uint64_t first = run_seed(options, mode, seed);
    uint64_t second = run_seed(options, mode, seed);

    if (first == second)
        return;
    printf("FAIL mode=%s seed=%" PRIu64
           " oracle=deterministic reason=\"the same seed gave two runs\"\n",
           sim_mode_name(mode), seed);
    exit(SIM_CORRECTNESS);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_statistics(double seconds)
{
    for (size_t i = 0; i < COUNT_COUNT; i++)
        printf("%s=%" PRIu64 "%s", counter_names[i], counters[i], i % 6 == 5 ? "\n" : " ");
    printf("\nseconds=%.1f events_per_s=%.0f\n", seconds,
           seconds > 0 ? (double)counters[COUNT_EVENTS] / seconds : 0.0);
}

static void run_all(const struct options *options)
{
    double start_s = now_s();

    for (uint64_t i = 0; i < options->count || options->seconds > 0; i++) {
        if (options->seconds > 0 && now_s() - start_s >= (double)options->seconds)
            break;
        for (int mode = 0; mode < MODE_COUNT; mode++) {
            if (options->mode >= 0 && options->mode != mode)
                continue;
            if (i % TWICE_EVERY == 0 && !options->log)
                run_twice(options, (enum sim_mode)mode, options->seed + i);
            else
                run_seed(options, (enum sim_mode)mode, options->seed + i);
        }
    }
    print_statistics(now_s() - start_s);
}

static int usage(void)
{
    fputs(
        "Usage: sim [--seed N] [--count M] [--seconds S] [--mode safety|liveness|power|quiet]\n"
        "           [--nodes N] [--log full]\n"
        "           [--shrink SECONDS] [--choices FILE]\n"
        "--shrink makes a failing seed's choices few and writes them to ./" SHRUNK_FILE
        ";\n"
        "--choices replays them (with the same --mode, --seed and --nodes).\n",
        stderr);
    return SIM_USAGE;
}

static int parse_mode(const char *text)
{
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        if (strcmp(text, sim_mode_name((enum sim_mode)mode)) == 0)
            return mode;
    }
    return MODE_COUNT;
}

static bool parse_option(struct options *options, int option)
{
    switch (option) {
    case 's':
        options->seed = strtoull(optarg, NULL, 10);
        if (options->count == 0)
            options->count = 1;
        return true;
    case 'c':
        options->count = strtoull(optarg, NULL, 10);
        return true;
    case 't':
        options->seconds = strtoull(optarg, NULL, 10);
        return true;
    case 'n':
        options->nodes = strtoull(optarg, NULL, 10);
        return options->nodes <= NODES_MAX;
    case 'm':
        options->mode = parse_mode(optarg);
        return options->mode != MODE_COUNT;
    case 'k':
        options->shrink_seconds = (unsigned)strtoul(optarg, NULL, 10);
        return options->shrink_seconds > 0;
    case 'f':
        options->choices = optarg;
        return true;
    case 'l':
        options->log = strcmp(optarg, "full") == 0;
        return options->log;
    default:
        return false;
    }
}

enum { EXIT_SKIPPED = 77 };

int main(int argc, char **argv)
{
#ifdef __SANITIZE_THREAD__
    if (argc == 1) {
        puts("skipped: the simulator has one thread");
        return EXIT_SKIPPED;
    }
#endif
    static const struct option names[] = {{"seed", required_argument, NULL, 's'},
                                          {"count", required_argument, NULL, 'c'},
                                          {"seconds", required_argument, NULL, 't'},
                                          {"mode", required_argument, NULL, 'm'},
                                          {"nodes", required_argument, NULL, 'n'},
                                          {"log", required_argument, NULL, 'l'},
                                          {"shrink", required_argument, NULL, 'k'},
                                          {"choices", required_argument, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.seed = 1, .mode = -1};
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (!parse_option(&options, option))
            return usage();
    }
    if (optind != argc)
        return usage();
    if (options.count == 0)
        options.count = BRIEF_SEEDS;
    catch_crashes();
    run_all(&options);
    return SIM_OK;
}
