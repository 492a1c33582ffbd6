// SPDX-License-Identifier: Apache-2.0
// The introduction of a node: its encoding, and what is wrong with one that was sent to the wrong
// node. Pure.
#pragma once

#include "base/bytes.h"
#include "paxos/net/peers.h"

enum { SENTENCE_MAX = 256 }; // bytes of a sentence for the operator, with its NUL

struct introduction {
    struct hello hello;
    uint64_t serial; // of this attempt, among all that this run of the node has made
};

void hello_encode(struct buffer *into, const struct introduction *introduction);
// False: these bytes are no introduction. Of one in a protocol that this program does not know, only
// hello.protocol is filled in.
bool hello_decode(const void *data, size_t length, struct introduction *introduction);

// Whether `theirs` belongs to a conversation between `own` and the node `expected` (0: any of the
// others); if not, says what to correct.
bool hello_suits(const struct hello *own, const struct hello *theirs, uint16_t expected,
                 const struct peer_address *others, size_t other_count,
                 char sentence[SENTENCE_MAX]);
