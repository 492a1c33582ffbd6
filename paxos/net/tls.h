// SPDX-License-Identifier: Apache-2.0
// TLS under the connections between nodes: both sides show a certificate that descends from the
// cluster's authority; that of the side that was dialled must also bear the name that was dialled.
#pragma once

#include <sys/types.h>

#include "paxos/net/peers.h"

struct tls_context; // the files
struct tls;         // one connection

// Reads the files; all NULL gives a context NULL, for which there is no TLS. The paths are borrowed for
// the life of the context. Files that have changed are read again for the next connection; as long as
// they cannot be used, the earlier ones are. Errors: IO, with a sentence that names the file.
enum error tls_context_open(const struct peer_tls *files, struct tls_context **context,
                            struct failure *failure);
void tls_context_free(struct tls_context *context);

// `host`: the name that was dialled, borrowed until tls_free; NULL for a connection that was accepted.
// Returns NULL without a context. The descriptor must be non-blocking and stays the caller's.
struct tls *tls_new(struct tls_context *context, int fd, const char *host);
void tls_free(struct tls *tls);

enum tls_step { TLS_DONE, TLS_WANTS_READ, TLS_WANTS_WRITE, TLS_FAILED };

// After TLS_FAILED errno is set as by tls_read.
enum tls_step tls_handshake(struct tls *tls);
// Like recv and send on the descriptor. With errno EPROTO, tls_problem says what is wrong. A read takes
// less than there is, one record; given room for that, nothing is left that poll would not tell of.
enum { TLS_RECORD_MAX = 16 << 10 };
ssize_t tls_read(struct tls *tls, void *into, size_t size);
ssize_t tls_write(struct tls *tls, const void *data, size_t length);
// Tells the other side that nothing follows.
void tls_bye(struct tls *tls);
// A sentence without a full stop, after EPROTO.
const char *tls_problem(const struct tls *tls);
