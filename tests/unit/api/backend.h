// SPDX-License-Identifier: Apache-2.0
// A backend for tests of the api: a real state in a temporary directory, and a thread that executes
// each submission at once, as a cluster of one does, without a journal.
#pragma once

#include <pthread.h>

#include "api/api.h"

struct backend {
    struct api_backend port; // for api_start
    struct node_status status;
    enum error read_error;  // of reads that need a barrier; OK: they are allowed at once
    enum error write_error; // completes submissions without executing them; OK: executes
    bool holding;           // submissions wait until backend_release
    bool forgetful;         // no session is known to touch
    char directory[64];
    struct live *live;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fifo submissions;
    size_t held;
    bool stopping;
    uint64_t sequence;
    uint64_t streams;  // of sessions, so far
    uint64_t departed; // the last stream whose client left
};

void backend_start(struct backend *backend);
void backend_stop(struct backend *backend);
// Keeps submissions waiting, or lets them go.
void backend_hold(struct backend *backend, bool holding);
// Waits until a submission is being held.
void backend_await_held(struct backend *backend);
// Waits until the client of this stream has left.
void backend_await_departed(struct backend *backend, uint64_t stream);
