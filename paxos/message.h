// SPDX-License-Identifier: Apache-2.0
// The messages of consensus: one structure, whose fields each type uses as the table says, and its
// encoding. A transport delivers bytes; identity of cluster and connection are its business, truth
// of the content is the core's.
//
// Entries of an outgoing message are named by slot and read from the core when it is encoded, which
// must happen before the next step. Entries of an incoming one are the decoder's, with a reference to
// each value, until message_release.
#pragma once

#include "base/bytes.h"
#include "base/errors.h"
#include "paxos/types.h"

// M(NAME, name, fields): the fields that the type carries beside type, epoch, from, to and boot.
#define PAXOS_MESSAGES(M)                                                                          \
    M(HEARTBEAT, heartbeat, F_ROUND | F_BALLOT | F_LEADER | F_HAPPY | F_DECIDED)                   \
    M(HEARTBEAT_REPLY, heartbeat_reply,                                                            \
      F_ROUND | F_BALLOT | F_LEADER | F_HAPPY | F_PROMISED | F_LOG_BALLOT | F_LAST | F_DECIDED)    \
    M(PREPARE, prepare, F_BALLOT | F_LOG_BALLOT | F_LAST | F_DECIDED)                              \
    M(PROMISE, promise, F_BALLOT | F_LOG_BALLOT | F_LAST | F_HASH | F_DECIDED)                     \
    M(REJECT, reject, F_BALLOT | F_PROMISED)                                                       \
    M(FETCH, fetch, F_BALLOT | F_SLOT | F_LAST)                                                    \
    M(ENTRIES, entries, F_BALLOT | F_SLOT | F_HASH | F_ENTRIES)                                    \
    M(ACCEPT_SYNC, accept_sync, F_BALLOT | F_SLOT | F_HASH | F_DECIDED | F_ENTRIES)                \
    M(ACCEPT, accept, F_BALLOT | F_SLOT | F_HASH | F_DECIDED | F_ENTRIES)                          \
    M(ACCEPTED, accepted, F_BALLOT | F_LAST | F_HASH)                                              \
    M(NACK, nack, F_BALLOT | F_LAST | F_DECIDED)                                                   \
    M(DECIDE, decide, F_BALLOT | F_DECIDED | F_HASH)                                               \
    M(PREPARE_REQUEST, prepare_request, F_PROMISED | F_LOG_BALLOT | F_LAST | F_DECIDED)            \
    M(LEARN, learn, F_BALLOT | F_SLOT | F_HASH | F_ENTRIES)                                        \
    M(READ_REQUEST, read_request, F_ROUND)                                                         \
    M(READ_REPLY, read_reply, F_ROUND | F_SLOT)                                                    \
    M(READ_CHECK, read_check, F_BALLOT | F_ROUND)                                                  \
    M(READ_ACK, read_ack, F_BALLOT | F_ROUND | F_PROMISED)                                         \
    M(TRANSFER, transfer, F_BALLOT | F_LAST)

enum paxos_message_type {
    MESSAGE_NONE,
#define MESSAGE_ENUM(NAME, name, fields) MESSAGE_##NAME,
    PAXOS_MESSAGES(MESSAGE_ENUM)
#undef MESSAGE_ENUM
        MESSAGE_TYPE_COUNT
};

enum paxos_message_field {
    F_ROUND = 1 << 0,
    F_BALLOT = 1 << 1,
    F_LEADER = 1 << 2,
    F_PROMISED = 1 << 3,
    F_LOG_BALLOT = 1 << 4,
    F_SLOT = 1 << 5,
    F_HASH = 1 << 6,
    F_LAST = 1 << 7,
    F_DECIDED = 1 << 8,
    F_HAPPY = 1 << 9,
    F_ENTRIES = 1 << 10,
};

enum { MESSAGE_ENTRIES_MAX = PAXOS_WINDOW };

struct paxos_message {
    uint8_t type;             // enum paxos_message_type
    uint64_t epoch;           // configuration number of the sender
    uint16_t from;            // node
    uint16_t to;              // node
    uint64_t boot;            // boot_count of the sender's run
    uint64_t round;           // HEARTBEAT*: of the sender of the heartbeat; READ_*: see reads.c
    struct ballot ballot;     // the message belongs to it; HEARTBEAT*: the sender's own
    struct ballot leader;     // highest ballot that the sender holds for the leader's
    struct ballot promised;   // highest ballot that the sender has promised
    struct ballot log_ballot; // of the sender's log
    paxos_slot slot;          // keep (ACCEPT_SYNC), previous slot (ACCEPT, ENTRIES, LEARN), first
                              // wanted (FETCH), index (READ_REPLY)
    struct hash128 hash;  // chain hash at slot; at last (PROMISE, ACCEPTED); at decided (DECIDE)
    paxos_slot last;      // last slot of the sender's log; last wanted (FETCH)
    paxos_slot decided;   // known decided by the sender
    bool happy;           // the sender sees a leader that it is content with
    uint32_t entry_count; // entries slot + 1 .. slot + entry_count
    const struct entry *entries; // incoming only; NULL when entry_count is 0
};

// "ACCEPT_SYNC" etc., for logs.
const char *paxos_message_name(uint8_t type);

// Appends the encoding: fields, then a checksum over everything. `entry_of` gives the entries.
void paxos_message_encode(struct buffer *into, const struct paxos_message *message,
                          const struct entry *(*entry_of)(const void *context, paxos_slot slot),
                          const void *context);
// Decodes exactly `length` bytes. Entries' chain hashes are checked against each other and, with
// F_HASH, against the message's hash. On success *message owns its entries: message_release.
// Errors: CORRUPT; then nothing is owned.
enum error paxos_message_decode(const void *data, size_t length, struct paxos_message *message);
void paxos_message_release(struct paxos_message *message);
