// SPDX-License-Identifier: Apache-2.0
// Znodes as rows: finding them by path, and the changes of table 3.2 of the rules (which fields of
// a node and of its parent a create, set or delete touches). Knows no preconditions and no errors
// but MISSING nodes. Private to storage/.
//
// A node's row is keyed by its parent's id and its name. Small data stands in the row; larger data
// stands in chunks under a blob id of its own, never changed, so that replacing or deleting it in a
// transaction that may be taken back only has to forget the old blob at the end.
#pragma once

#include "storage/changes.h"
#include "storage/path.h"
#include "storage/state.h"
#include "storage/tables.h"

enum {
    NODE_KEY_MAX = 8 + ZNODE_NAME_MAX,
    NODE_RECORD_BYTES = 90, // of a record without inline data and time to live
    NODE_ROW_MAX = 2000,    // key and value; more would make LMDB use a page of its own
    BLOB_CHUNK_BYTES = 1980,
    NODE_ROOT_ID = 1,
};

enum node_flag {
    NODE_NULL_DATA = 1,
};

enum acl_id {
    ACL_ALL = 1,  // world:anyone, everything
    ACL_READ = 2, // world:anyone, reading
};

struct node {
    uint64_t id; // greater than the parent's
    uint64_t czxid;
    uint64_t mzxid;
    uint64_t pzxid;
    uint64_t ctime;
    uint64_t mtime;
    int32_t version;
    int32_t creates; // children ever created: ZooKeeper's stored cversion (rules S3, C7)
    int32_t aversion;
    uint32_t num_children;
    uint64_t owner;  // EPHEMERAL: session; else 0
    uint64_t due_us; // CONTAINER, TTL: log time of the end while there are no children; else 0
    uint64_t ttl_ms; // TTL; else 0
    uint64_t blob;   // id of the chunks, 0 when the data is inline
    uint32_t acl;
    uint8_t kind;  // enum znode_kind
    uint8_t flags; // enum node_flag
    uint32_t data_length;
};

// A node and where its row is.
struct spot {
    uint8_t key[NODE_KEY_MAX];
    size_t key_length;
    struct node node;
    const uint8_t *inline_data; // NULL when the data is in chunks; see struct transaction
};

// What every change of one command shares (rule S6).
struct stamp {
    uint64_t zxid;
    uint64_t time_ms; // wall clock, for people
    uint64_t log_time_us;
    uint64_t actor;       // the session that asks; 0: none
    struct ballot ballot; // in which it was proposed
};

// The tree under change.
struct tree {
    struct transaction *transaction;
    struct state_position *position; // next_id and node_count are kept
    struct buffer row;               // scratch
    struct buffer path;              // scratch of the operations: final paths of creates, ...
    struct buffer doomed;            // blobs to remove when the command has succeeded: id, length
    struct changes changes;          // for the history
};

// What a create or set writes.
struct content {
    const uint8_t *data;
    size_t length;
    bool null;
    uint8_t kind;    // create: enum znode_kind
    uint64_t owner;  // create: of an EPHEMERAL
    uint64_t ttl_ms; // create: of a TTL node
};

// Errors: CORRUPT. The spot's key is left alone.
enum error node_decode(struct bytes key, struct bytes value, struct spot *spot);
void node_encode(struct buffer *into, const struct node *node);
struct stat_fields node_stat(const struct node *node);

// Follows the path as far as it exists: ERROR_OK when that is to its end; NO_NODE with the deepest
// existing ancestor in *spot and the length of its path in *reached (0 for a path that does not
// start with '/'). Illegal paths do not exist. Other errors as table_get, and CORRUPT.
enum error tree_walk(struct transaction *transaction, const char *path, size_t length,
                     struct spot *spot, size_t *reached);
enum error tree_find(struct transaction *transaction, const char *path, size_t length,
                     struct spot *spot);
enum error tree_child(struct transaction *transaction, uint64_t parent, const char *name,
                      size_t name_length, struct spot *spot);
// The first child of a node, in byte order. NO_NODE when there is none.
enum error tree_first_child(struct transaction *transaction, uint64_t parent, struct spot *spot);
// The node's data: borrowed from the row, or put together in `scratch`. Errors: CORRUPT.
enum error tree_data(struct transaction *transaction, const struct spot *spot,
                     struct buffer *scratch, const uint8_t **data);

// All three take the node's path, which goes into the history with what they change. They keep the
// rows of what is due; those of sessions are the caller's.
// Adds a child and counts it in the parent. Requires that it does not exist and that the
// path is legal. Updates *parent and fills in *child.
enum error tree_insert(struct tree *tree, struct spot *parent, const char *path, size_t length,
                       const struct content *content, const struct stamp *stamp,
                       struct spot *child);
enum error tree_set(struct tree *tree, struct spot *spot, const char *path, size_t length,
                    const struct content *content, const struct stamp *stamp);
// Removes a node without children. Updates *parent.
enum error tree_remove(struct tree *tree, struct spot *parent, const struct spot *spot,
                       const char *path, size_t length, const struct stamp *stamp);
// Ends a command: removes the blobs that nothing refers to any more, or, when its changes were
// taken back, forgets about them and the changes.
enum error tree_settle(struct tree *tree);
void tree_forget(struct tree *tree);
// Makes the nodes and lists that exist from the first start (rules 1.4) in empty tables.
enum error tree_make_initial(struct tree *tree);
void tree_deinit(struct tree *tree);
