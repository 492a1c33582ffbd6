// SPDX-License-Identifier: Apache-2.0
// Commands and results: what clients ask for, as it stands in the log, and what executing it
// answered. A result is a pure function of (state, command, slot's time), so every replica computes
// the same; limits that execution obeys therefore travel inside the command.
//
// Encodings are versioned by STATE_VERSION, little-endian, and decode only when every byte is
// understood.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/bytes.h"
#include "base/errors.h"
#include "base/hash.h"
#include "paxos/types.h"

enum {
    STATE_VERSION = 1,           // version of the meaning of everything in the log and the state
    COMMAND_OPS_MAX = 10000,     // bound of what a decoder accepts
    COMMAND_BYTES_MAX = 3 << 20, // of one encoded command; less than PAXOS_VALUE_MAX
    COMMAND_KEY_MAX = 255,       // bytes of an Idempotency-Key
    COMMAND_MATCH_MAX = 8,       // entity tags in one If-Match
    DATA_MAX = 2 << 20,          // bytes of one znode's data that the format allows
};

// How a znode ends.
enum znode_kind {
    ZNODE_PERSISTENT = 0, // by a delete alone
    ZNODE_EPHEMERAL = 1,  // with its session
    ZNODE_CONTAINER = 2,  // when it has lost its last child
    ZNODE_TTL = 3,        // when it was not set for its time to live and has no children
};
#define TTL_MAX_MS 0xffffffffffull // rule C25; at least 1

enum op_type {
    OP_CHECK = 1,       // version (or existence with version -1)
    OP_CREATE = 2,      // fails when the node exists
    OP_SET = 3,         // fails when the node does not exist
    OP_DELETE = 4,      // fails when the node has children
    OP_PUT = 5,         // set, or create persistent when absent
    OP_DELETE_TREE = 6, // the node and everything below it, at most `limit` nodes
    // What follows stands alone in its command.
    OP_REAP = 7,         // delete a container or TTL node that is due; a leader proposes it
    OP_SESSION_OPEN = 8, // its id is the zxid of the result
    OP_SESSION_CLOSE = 9,
    OP_SESSION_EXPIRE = 10, // close it if its generation is still that one, and the leader whose
                            // clock says so has proposed it itself: one that no longer led has
                            // heard nothing of the session since
    OP_SESSION_BIND = 11,   // set its binding and begin the next generation
    OP_SESSION_UNBIND_CLOSE = 12, // close it if that is still its binding
};

enum op_flag {
    OP_SEQUENTIAL = 1,      // CREATE: append the parent's child counter, ten digits
    OP_PARENTS = 2,         // CREATE, PUT: create missing ancestors, persistent and empty
    OP_NULL_DATA = 4,       // CREATE, SET, PUT: the node has no data, which is not empty data
    OP_HAS_VERSION = 8,     // PUT: `version` was given, so the node must exist
    OP_MUST_EXIST = 16,     // If-Match: *
    OP_MUST_NOT_EXIST = 32, // If-None-Match: *
    OP_PARTIAL = 64, // DELETE_TREE: delete the first `limit` nodes, leaves first, if there are
                     // more; without it more than `limit` is TOO_MANY_NODES
};

enum { SESSION_PROOF_BYTES = 32 }; // SHA-256 of the secret

// Which connection a session hangs on: the newest stream of it. Node 0: none.
struct session_binding {
    uint16_t node;    // that serves the stream
    uint64_t boot;    // its boot_count
    uint64_t counter; // of the stream, there
};

// What the SESSION operations say, each what it needs.
struct session_op {
    uint64_t id;                    // all but OPEN
    uint64_t generation;            // EXPIRE
    struct ballot leader;           // EXPIRE: whose clock says so
    struct session_binding binding; // BIND, UNBIND_CLOSE
    uint32_t timeout_ms;            // OPEN
    uint32_t grace_ms;              // BIND
    const uint8_t *proof;           // OPEN; borrowed, SESSION_PROOF_BYTES
};

// One operation. Strings are borrowed: they point into the caller's or the decoded bytes.
struct op {
    uint8_t type;     // enum op_type
    uint8_t kind;     // enum znode_kind; CREATE, REAP
    uint16_t flags;   // enum op_flag
    const char *path; // not NUL-terminated
    size_t path_length;
    const uint8_t *data; // NULL when data_length is 0
    size_t data_length;
    int32_t version;     // expected version, -1 = any (rule O1)
    uint32_t limit;      // DELETE_TREE: nodes
    uint8_t match_count; // If-Match: mzxid must be one of match[]; 0 = no such condition
    uint64_t match[COMMAND_MATCH_MAX]; // REAP: exactly one
    uint64_t ttl_ms;                   // CREATE of a TTL node
    struct session_op session;         // SESSION operations, which have nothing else
};

// A command: one op, or a multi of several, executed all or nothing at one zxid.
struct command {
    bool multi;                // failures are reported per op, even for a single op
    uint32_t op_count;         // >= 1
    const uint8_t *key;        // Idempotency-Key, NULL when there is none
    size_t key_length;         // 1..COMMAND_KEY_MAX
    struct hash128 identity;   // of method, target, preconditions, session and body
    uint64_t key_retention_us; // log time for which the outcome is kept
    uint32_t key_capacity;     // keyed commands fail with KEYS_FULL when so many are kept
    uint64_t actor;            // the session that asks and owns what is made ephemeral
    const uint8_t *proof;      // the actor's, SESSION_PROOF_BYTES; NULL: there is no actor
    struct reader ops;         // decoded commands: the encoded ops, read with command_next_op
};

// Encoding: command_encode_begin, then op_count times command_encode_op. `ops` is ignored.
void command_encode_begin(struct buffer *into, const struct command *command);
void command_encode_op(struct buffer *into, const struct op *op);
// Decodes the header and checks that every op decodes and nothing is left over. The command borrows
// from data. Errors: BAD_ARGUMENTS.
enum error command_decode(const void *data, size_t length, struct command *command);
// Takes the next op from command->ops. Requires that fewer than op_count were taken.
void command_next_op(struct command *command, struct op *op);

// A znode's stat as clients see it (rule S3: cversion counts creates and deletes of children).
struct stat_fields {
    uint64_t czxid;
    uint64_t mzxid;
    uint64_t pzxid;
    uint64_t ctime; // ms since 1970
    uint64_t mtime;
    int32_t version;
    int32_t cversion;
    int32_t aversion;
    uint32_t data_length;
    uint32_t num_children;
    uint64_t owner; // session of an ephemeral, else 0
};
enum { STAT_BYTES = 68 };
void stat_write(struct buffer *into, const struct stat_fields *stat);
void stat_read(struct reader *reader, struct stat_fields *stat);

enum op_result_flag {
    RESULT_CREATED = 1,    // a PUT made the node
    RESULT_HAS_STAT = 2,   // stat is set: after the op on success, current on a failed precondition
    RESULT_HAS_PATH = 4,   // path is set: the final name of a create
    RESULT_MORE = 8,       // a partial DELETE_TREE left something
    RESULT_NO_EFFECT = 16, // REAP, SESSION_EXPIRE, SESSION_UNBIND_CLOSE: it no longer applied
};

struct op_result {
    uint8_t type;     // enum op_type
    uint8_t error;    // enum error of this op; RUNTIME_INCONSISTENCY behind the failing one (M8)
    uint8_t flags;    // enum op_result_flag
    uint32_t deleted; // nodes, by DELETE_TREE, REAP and what closed a session
    const char *path; // borrowed from the encoded result
    size_t path_length;
    struct stat_fields stat;
};

// A result, encoded in one blob. Decoding borrows from it.
struct result {
    uint8_t error;      // of the whole command; the failing op's
    bool replayed;      // the stored outcome of an earlier command with the same key
    bool multi;         // as in the command
    uint64_t zxid;      // of the change; of the state that was looked at when nothing changed
    uint32_t failed_op; // index, when error is set by an op; UINT32_MAX otherwise
    uint32_t op_count;  // results that follow; 0 when the command failed before its first op
    struct reader ops;  // read with result_next_op
};

void result_encode_begin(struct buffer *into, const struct result *result);
void result_encode_op(struct buffer *into, const struct op_result *op);
// Errors: CORRUPT.
enum error result_decode(const void *data, size_t length, struct result *result);
void result_next_op(struct result *result, struct op_result *op);
// Sets `replayed` in an encoded result.
void result_mark_replayed(void *encoded, size_t length);

// ---- Batches: the value of an ENTRY_BATCH ------------------------------------------------------
// A batch is a list of parts; a part holds commands of one origin with consecutive sequences.

struct origin {
    uint16_t node;     // that took the requests
    uint64_t boot;     // its boot_count
    uint64_t sequence; // of the part's first command
};

struct batch_part {
    struct origin origin;
    uint32_t count;         // commands
    struct reader commands; // u32 length and bytes each; read with batch_next_command
};

void batch_begin(struct buffer *into);
// Starts a part; count commands follow, each by batch_add_command.
void batch_begin_part(struct buffer *into, const struct origin *origin, uint32_t count);
void batch_add_command(struct buffer *into, const void *command, size_t length);
// Reads the version and checks it. Errors: BAD_ARGUMENTS (malformed or of a newer version).
enum error batch_open(const void *data, size_t length, struct reader *parts);
// ERROR_OK with a part, ERROR_MISSING at the end, BAD_ARGUMENTS when malformed.
enum error batch_next_part(struct reader *parts, struct batch_part *part);
enum error batch_next_command(struct batch_part *part, const uint8_t **command, size_t *length);
