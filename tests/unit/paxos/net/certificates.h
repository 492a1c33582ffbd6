// SPDX-License-Identifier: Apache-2.0
// Certificates made while a test runs.
#pragma once

#include "paxos/net/peers.h"

enum { FILE_PATH_MAX = 128 };

struct certificates {
    char directory[FILE_PATH_MAX];
    char paths[4][3][FILE_PATH_MAX]; // by node: certificate, key, authority
};

// Makes a temporary directory for the files.
void certificates_init(struct certificates *certificates);
// Removes it and what is in it.
void certificates_deinit(struct certificates *certificates);
// Writes the files of nodes 1..3: certificates for `host` that descend from a new authority.
void certificates_make(struct certificates *certificates, const char *host);
// The same for one node, whose authority nobody else trusts.
void certificates_make_stray(struct certificates *certificates, uint16_t node, const char *host);
struct peer_tls certificates_of(const struct certificates *certificates, uint16_t node);
