// SPDX-License-Identifier: Apache-2.0
// The replicated state: znodes, sessions, idempotency keys, origins, in tables of one LMDB environment, and
// the function that executes decided entries on it.
//
// The environment is volatile: it is emptied at every start and rebuilt from a checkpoint and the
// journal, so it is opened without syncing and durability is no concern of this module.
// Thread: one writer (state_begin .. state_commit on the same thread); any number of readers, each
// through a view.
#pragma once

#include "base/failure.h"
#include "paxos/types.h"
#include "storage/command.h"

struct state;

// Position of the state in the log, stored in the same transaction as the data.
struct state_position {
    paxos_slot applied;   // last executed slot
    struct hash128 hash;  // its chain hash
    struct ballot ballot; // origin ballot of the entry at `applied`
    uint64_t epoch;
    uint64_t zxid;        // of the last change; 0 at genesis
    uint64_t log_time_us; // of the entry at `applied`
    uint64_t wall_ms;
    uint32_t state_version;
    struct hash128 digest; // set digest of every row of every table but meta
    uint64_t node_count;   // znodes
    uint64_t key_count;    // idempotency keys kept
    uint64_t data_bytes;   // sum of keys' and values' sizes, an estimate of a checkpoint's size
    uint64_t next_id;      // internal id of the next znode; ids are never used twice
    uint64_t session_count;
    uint64_t history_start; // zxid of the last change that is no longer in the history
    uint64_t history_zxids; // whose changes are
    uint64_t history_bytes; // of their rows
};

// Opens an empty environment in `directory` (made if absent; what a state left there is removed) with
// room for map_bytes of address space, and creates the root and /zookeeper, quota and config (section 1.4 of
// the rules: all stat fields zero but config's versions, -1). Errors: LOCKED (another process
// has the directory), IO, DISK_FULL, with a sentence. Ownership: state_close.
enum error state_open(const char *directory, uint64_t map_bytes, struct state **state,
                      struct failure *failure);
// No view may be open. Removes the files. NULL is allowed.
void state_close(struct state *state);

// How much the environment may still grow: bounded by its address space and by the file system that
// it lies on. What it holds of pages for use again counts as free; they are only looked for when
// less than `enough` is free without them. Errors: IO. Thread: any.
struct state_room {
    uint64_t used_bytes; // of the environment, pages for use again included
    uint64_t free_bytes;
    uint64_t total_bytes;
};
enum error state_room(struct state *state, uint64_t enough, struct state_room *room);

// Receives the result of each command of an entry, in order. `result` is NULL when the command was
// skipped because it had been executed before (origin.sequence < next), or has no effect because an
// earlier one is missing; else the receiver borrows it and may take a reference.
typedef void (*state_result)(void *context, const struct origin *origin, struct blob *result);

// Opens a write transaction, executes entries in slot order, and makes them visible at once.
// Errors of any of the three mean that this replica can go no further (IO, DISK_FULL, or CORRUPT
// for an entry that does not decode or does not follow): the process must end.
enum error state_begin(struct state *state);
enum error state_execute(struct state *state, const struct entry *entry, state_result result,
                         void *context);
enum error state_commit(struct state *state);
// Gives up the transaction.
void state_abort(struct state *state);

// Makes the state what state_open made it, after a load that failed.
enum error state_reset(struct state *state);

// How many sessions were opened, bound or closed since state_begin, some perhaps twice; and their ids.
size_t state_changed_sessions(const struct state *state);
uint64_t state_changed_session(const struct state *state, size_t index);

// The position inside the open write transaction.
const struct state_position *state_writing_position(const struct state *state);

// ---- Views: consistent reads -------------------------------------------------------------------

struct view; // one read transaction

// Never hold a view across a wait or a send. Thread: any, one thread per view.
enum error view_open(struct state *state, struct view **view);
void view_close(struct view *view);
const struct state_position *view_position(const struct view *view);

// What a listing or a get says about one znode. Pointers live until the view is closed or, for
// data and name, until the next call with the same view.
struct znode {
    const char *name; // last component (children) or the full path (tree), not NUL-terminated
    size_t name_length;
    struct stat_fields stat;
    uint8_t kind;        // enum znode_kind
    bool null_data;      // has no data, which is not empty data
    const uint8_t *data; // stat.data_length bytes; NULL unless asked for
};

// Errors: NO_NODE (also for illegal paths, as ZooKeeper does), CORRUPT.
enum error view_get(struct view *view, const char *path, size_t length, bool with_data,
                    struct znode *node);

// Visits children in byte order of their names, starting behind `after` (NULL: at the first), until
// visit returns false. Each call costs the page, not the directory. `parent` gets the node itself.
// *more tells whether the visitor returned false: it refuses the node, which stands in the next page.
typedef bool (*znode_visit)(void *context, const struct znode *node);
enum error view_children(struct view *view, const char *path, size_t length, const char *after,
                         size_t after_length, bool with_data, znode_visit visit, void *context,
                         struct znode *parent, bool *more);

// Visits the subtree, parents first, children in byte order, from the node itself down to `depth`
// levels below it (UINT32_MAX: all), starting behind the full path `after`, which need not exist
// any more. node->name is the full path.
enum error view_tree(struct view *view, const char *path, size_t length, const char *after,
                     size_t after_length, uint32_t depth, bool with_data, znode_visit visit,
                     void *context, bool *more);

// The stored outcome of an idempotency key: ERROR_OK with a result that is marked as replayed (one
// reference), or MISSING.
enum error view_key(struct view *view, const void *key, size_t length, struct hash128 *identity,
                    struct blob **result);

// The next sequence that runs of this node's run; 0 when none of it ran.
enum error view_origin(struct view *view, uint16_t node, uint64_t boot, uint64_t *next);

// How many ephemeral znodes there are.
enum error view_ephemerals(struct view *view, uint64_t *count);

// Every row of every table in key order, for checkpoints. table is 0..STATE_TABLES-1; the last one,
// which holds the position, is left out.
enum { STATE_TABLES = 10 };
typedef enum error (*row_visit)(void *context, uint8_t table, const void *key, size_t key_length,
                                const void *value, size_t value_length);
enum error view_rows(struct view *view, row_visit visit, void *context);

// ---- Loading a checkpoint into an empty state
// ----------------------------------------------------

// state_load_begin empties all tables; rows arrive sorted within their table, tables in order;
// state_load_end checks that the digest and the counts of what was loaded are those of the position
// (CORRUPT otherwise) and makes it visible. Rows are checked for shape: CORRUPT. After any error
// the state is of no use and must be closed. Thread: the same for all three.
enum error state_load_begin(struct state *state);
enum error state_load_row(struct state *state, uint8_t table, const void *key, size_t key_length,
                          const void *value, size_t value_length);
enum error state_load_end(struct state *state, const struct state_position *position);
