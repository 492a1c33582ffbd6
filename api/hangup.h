// SPDX-License-Identifier: Apache-2.0
// Notices that the client of a suspended connection has gone: the HTTP library takes suspended
// sockets out of its epoll and learns nothing. A client that closes only its sending half counts as
// gone, too: nobody can tell the difference without writing. A network that has been silent for too long
// (TCP_USER_TIMEOUT) ends a connection as well, but proves nothing about the client.
#pragma once

#include <stdbool.h>

struct hangups;

// One per connection. Zeroed, with fd set, it is ready.
struct hangup {
    int fd;
    bool known; // to the kernel
    bool seen;  // the connection has ended
    bool left;  // and the client has ended it
    // What to do then, while armed; left: the client closed or reset the connection, or its process did
    // by dying. Thread: the module's own, or that of hangups_arm. It may take locks of its owner, but
    // call nothing of this module.
    void (*notify)(void *context, bool left);
    void *context;
};

struct hangups *hangups_start(void);
// Requires that every hangup was forgotten.
void hangups_stop(struct hangups *hangups);

// From now on notify is called once when the connection ends, at once if it has ended already. One
// system call in the life of a connection. Thread: any.
void hangups_arm(struct hangups *hangups, struct hangup *hangup,
                 void (*notify)(void *context, bool left), void *context);
// When this returns, notify neither runs nor will run. Thread: any.
void hangups_disarm(struct hangups *hangups, struct hangup *hangup);
// Must precede the close of the socket.
void hangups_forget(struct hangups *hangups, struct hangup *hangup);
