// SPDX-License-Identifier: Apache-2.0
// curlewd: reads its options, runs a node until it is told to stop, stops it.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "config.h"
#include "server/node.h"
#include "server/options.h"

enum { EXIT_USAGE = 64, EXIT_CANNOT_START = 78 };

// Signals are taken by the main thread alone; the others inherit the mask.
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    sigaddset(signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

static void wait_for_stop(const sigset_t *signals)
{
    int received;

    do {
        sigwait(signals, &received);
    } while (received == SIGHUP || received == SIGPIPE);
    log_write(LOG_INFO, "stopping", "signal=%d", received);
}

static int run(const struct options *options)
{
    struct failure failure = {0};
    struct node *node = NULL;
    enum log_level level;
    sigset_t signals;

    if (log_parse_level(options->log_level, &level))
        log_set_level(level);
    block_signals(&signals);
    log_write(LOG_INFO, "starting", "version=%s pid=%d", PACKAGE_VERSION, getpid());
    enum error error = node_start(options, &node, &failure);
    if (error != ERROR_OK) {
        char quoted[LOG_QUOTED_MAX];
        log_write(LOG_ERROR, "cannot start", "error=%s reason=%s", error_entry(error)->slug,
                  log_quote(quoted, failure.text));
        return EXIT_CANNOT_START;
    }
    wait_for_stop(&signals);
    node_stop(node);
    log_event(LOG_INFO, "stopped");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options options;
    struct failure failure = {0};

    if (options_parse(argc, argv, &options, &failure) != ERROR_OK) {
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
    return run(&options);
}
