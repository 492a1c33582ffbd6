// SPDX-License-Identifier: Apache-2.0
// Notices that the client of a suspended connection has gone: the HTTP library takes suspended
// sockets out of its epoll and learns nothing. A client that closes only its sending half counts as
// gone, too: nobody can tell the difference without writing.
#pragma once

#include <stdbool.h>

struct hangups;

// One per connection. Zeroed, with fd set, it is ready.
struct hangup {
    int fd;
    bool known; // to the kernel
    bool seen;  // the client has gone
    // What to do then, while armed. Thread: the module's own, or that of hangups_arm. It may take
    // locks of its owner, but call nothing of this module.
    void (*notify)(void *context);
    void *context;
};

struct hangups *hangups_start(void);
// Requires that every hangup was forgotten.
void hangups_stop(struct hangups *hangups);

// From now on notify is called once when the client goes, at once if it has gone already. One
// system call in the life of a connection. Thread: any.
void hangups_arm(struct hangups *hangups, struct hangup *hangup, void (*notify)(void *context),
                 void *context);
// When this returns, notify neither runs nor will run. Thread: any.
void hangups_disarm(struct hangups *hangups, struct hangup *hangup);
// Must precede the close of the socket.
void hangups_forget(struct hangups *hangups, struct hangup *hangup);
