// SPDX-License-Identifier: Apache-2.0
// curlewd: reads its options, runs a node until it is told to stop, stops it. `curlewd health` asks one.
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "config.h"
#include "server/health.h"
#include "server/node.h"
#include "server/options.h"

enum {
    EXIT_USAGE = 64,
    EXIT_CANNOT_START = 78,
    OWN_DESCRIPTORS = 128, // files, threads' wake-ups and refused connections, beside the clients'
};

// ---- Signals -----------------------------------------------------------------------------------

struct signals {
    sigset_t taken;
    atomic_bool serving; // from then on a stop is orderly
    bool stopping;       // of the thread alone
    sem_t stop;
};

// A start can take as long as there is journal to replay. Nothing is promised before its end, so it
// is given up at once: the next start finds what a crash would have left.
static void stop_on(struct signals *signals, int received)
{
    if (atomic_load(&signals->serving)) {
        if (!signals->stopping)
            log_write(LOG_INFO, "stopping", "signal=%d", received);
        signals->stopping = true;
        sem_post(&signals->stop);
        return;
    }
    log_write(LOG_INFO, "stopped before it was ready", "signal=%d", received);
    _exit(EXIT_SUCCESS);
}

static void *take_signals(void *argument)
{
    struct signals *signals = argument;
    int received;

    pthread_setname_np(pthread_self(), "signals");
    for (;;) {
        if (sigwait(&signals->taken, &received) == 0 && (received == SIGTERM || received == SIGINT))
            stop_on(signals, received);
    }
    return NULL;
}

// Signals are taken by one thread; the others inherit the mask. `signals` must outlive the process.
static void signals_start(struct signals *signals)
{
    pthread_t thread;

    sigemptyset(&signals->taken);
    sigaddset(&signals->taken, SIGTERM);
    sigaddset(&signals->taken, SIGINT);
    sigaddset(&signals->taken, SIGHUP);
    sigaddset(&signals->taken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals->taken, NULL);
    sem_init(&signals->stop, 0, 0);
    int failed = pthread_create(&thread, NULL, take_signals, signals);
    ASSERT(failed == 0);
    pthread_detach(thread);
}

static void wait_for_stop(struct signals *signals)
{
    atomic_store(&signals->serving, true);
    while (sem_wait(&signals->stop) != 0)
        continue;
}

// ---- Limits ------------------------------------------------------------------------------------

// Every connection is a file descriptor. Where the system gives too few, connections above what it
// gives are refused with an answer instead of being left waiting.
static void fit_connections(struct options *options)
{
    uint64_t needed = options->max_connections + OWN_DESCRIPTORS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= needed)
        return;
    uint64_t possible = limit.rlim_cur > 2 * OWN_DESCRIPTORS ? limit.rlim_cur - OWN_DESCRIPTORS
                                                             : limit.rlim_cur / 2;
    log_write(LOG_WARNING, "fewer connections than --max-connections: too few file descriptors",
              "connections=%" PRIu64 " descriptors=%" PRIu64 " needed=%" PRIu64, possible,
              (uint64_t)limit.rlim_cur, needed);
    options->max_connections = possible;
}

// ---- Names -------------------------------------------------------------------------------------

// The resolver's own patience of ten seconds and more would outlast most faults: whoever dials asks
// again anyway, and goes to the last known address meanwhile. An operator's setting stays.
static void shorten_resolver_timeout(void)
{
    setenv("RES_OPTIONS", "timeout:1 attempts:2", 0);
}

// ---- The run -----------------------------------------------------------------------------------

static int run(struct options *options)
{
    static struct signals signals;
    struct failure failure = {0};
    struct node *node = NULL;
    enum log_level level;
    enum log_format format;

    if (log_parse_level(options->log_level, &level))
        log_set_level(level);
    shorten_resolver_timeout();
    if (log_parse_format(options->log_format, &format))
        log_set_format(format);
    signals_start(&signals);
    log_write(LOG_INFO, "starting", "version=%s pid=%d", PACKAGE_VERSION, getpid());
    options_log(options);
    fit_connections(options);
    enum error error = node_start(options, &node, &failure);
    if (error != ERROR_OK) {
        char quoted[LOG_QUOTED_MAX];
        log_write(LOG_ERROR, "cannot start", "error=%s reason=%s", error_entry(error)->slug,
                  log_quote(quoted, failure.text));
        return error == ERROR_USAGE ? EXIT_USAGE : EXIT_CANNOT_START;
    }
    wait_for_stop(&signals);
    node_stop(node);
    log_event(LOG_INFO, "stopped");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    bool health = argc > 1 && strcmp(argv[1], "health") == 0;
    struct options options;
    struct failure failure = {0};

    if (options_parse(argc - health, argv + health, &options, &failure) != ERROR_OK) {
        fprintf(stderr, "curlewd: %s\n", failure.text);
        return EXIT_USAGE;
    }
    if (options.help) {
        options_help(stdout);
        return EXIT_SUCCESS;
    }
    if (options.version) {
        puts("curlewd " PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    return health ? health_run(&options) : run(&options);
}
