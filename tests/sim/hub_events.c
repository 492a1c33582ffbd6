// SPDX-License-Identifier: Apache-2.0
// The shipped hub, but for its thread: what that does in a circle is done once when it is asked for.
#include <pthread.h>

#ifndef HUB_SOURCE
#define HUB_SOURCE "api/hub.c"
#endif
#define pthread_create(thread, attributes, run, argument) ((void)(run), 0)
#define pthread_join(thread, result)                      (void)(thread)
#include HUB_SOURCE

#include "tests/sim/notifier.h"

int hub_round(struct hub *hub)
{
    bool running;

    atomic_store(&hub->signalled, false);
    bool read = scan(hub);
    int timeout_ms = keep_time(hub, &running);
    return !read && (timeout_ms < 0 || timeout_ms > RETRY_MS) ? RETRY_MS : timeout_ms;
}
