// SPDX-License-Identifier: Apache-2.0
// Sockets between nodes: their options, their addresses as people read them, the one that listens.
#pragma once

#include <sys/socket.h>

#include "paxos/net/peers.h"

enum { ADDRESS_TEXT_MAX = 64 }; // bytes of an address and port as text, with NUL

// "10.0.0.1:2190", "[::1]:2190".
void address_text(const struct sockaddr *address, char text[ADDRESS_TEXT_MAX]);
// Of the other end of a connection; "unknown" when it is gone already.
void address_of_peer(int fd, char text[ADDRESS_TEXT_MAX]);
// Whether a connection leads to itself: TCP makes such ones when a port is dialled that nobody
// listens at and that is picked as the port to dial from.
bool address_is_own(int fd);

// What each connection needs: no delay, and an end when sent bytes stay unacknowledged for
// `silence_ms`.
void address_tune(int fd, uint64_t silence_ms);
// For connections that carry much: the kernel takes no more than it can send soon.
void address_tune_bulk(int fd);

// Gives a listening socket that does not block, and the port it has: on that address, on all addresses
// when the host is a name other than "localhost". Errors: IO, with a sentence that
// names the address.
enum error address_listen(const struct peer_address *address, int *fd, uint16_t *port,
                          struct failure *failure);
