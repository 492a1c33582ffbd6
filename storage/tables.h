// SPDX-License-Identifier: Apache-2.0
// The tables of the state: sorted rows of bytes in one LMDB environment, read and written in
// transactions. Only tables.c knows LMDB. Private to storage/.
//
// All changes pass table_put and table_remove, which keep the set digest and the size of what is
// stored, and remember how to take a command's changes back.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/failure.h"
#include "base/hash.h"

// The order is part of the checkpoint's format.
enum table {
    TABLE_NODE,        // parent id (8 bytes, big-endian) and name -> record (tree.h)
    TABLE_BLOB,        // blob id (8, big-endian), chunk number (4, big-endian) -> bytes
    TABLE_ACL,         // id (4, big-endian) -> list
    TABLE_ORIGIN,      // node (2, big-endian) -> boot, next sequence
    TABLE_IDEMPOTENCY, // hash of the key (16) -> outcome
    TABLE_DUE,         // kind, deadline (8, big-endian), ... (due.h)
    TABLE_SESSION,     // id (8, big-endian) -> record (sessions.h)
    TABLE_EPHEMERAL,   // session, node id (8 each, big-endian) -> path
    TABLE_HISTORY,     // zxid (8, big-endian), part (4, big-endian) -> bytes (changes.h)
    TABLE_META,        // "position" -> position; not in the digest
    TABLE_COUNT
};

// Borrowed bytes.
struct bytes {
    const void *data;
    size_t length;
};

struct row {
    struct bytes key;
    struct bytes value;
};

struct tables;
struct MDB_txn;
struct MDB_cursor;

// A transaction. What it returns points into the tables and lives until the transaction ends or,
// while writing, until the next change.
struct transaction {
    struct tables *tables;
    struct MDB_txn *handle;                  // NULL while closed
    struct MDB_cursor *cursors[TABLE_COUNT]; // opened when first needed
    bool stale[TABLE_COUNT];                 // reading: the cursor is of an earlier snapshot
    // Of a writing transaction:
    bool writing;
    bool undoing;               // changes are remembered in undo
    struct buffer undo;         // what the changes since transaction_mark replaced
    struct hash128 digest;      // of all rows but meta's
    uint64_t bytes;             // sum of the sizes of the same rows
    struct hash128 mark_digest; // both at transaction_mark
    uint64_t mark_bytes;
};

// Opens an empty environment in the files "curlew.mdb" and "curlew.mdb-lock" of the directory; what
// was in them is removed. Errors: LOCKED (another process has the directory), IO, DISK_FULL, with a
// sentence.
enum error tables_open(const char *directory, uint64_t map_bytes, struct tables **tables,
                       struct failure *failure);
// Removes the files. NULL is allowed; no transaction may be open.
void tables_close(struct tables *tables);

// See state_room.
struct tables_room {
    uint64_t used_bytes;
    uint64_t free_bytes;
    uint64_t total_bytes;
};
enum error tables_room(struct tables *tables, uint64_t enough, struct tables_room *room);

// A reading transaction is begun once and then reset and renewed, which is much cheaper.
enum error transaction_read(struct tables *tables, struct transaction *transaction);
void transaction_reset(struct transaction *transaction);
enum error transaction_renew(struct transaction *transaction);
void transaction_end_read(struct transaction *transaction);

// digest and bytes are kept; the undo memory is owned by the caller's struct (buffer_deinit).
enum error transaction_begin(struct tables *tables, struct transaction *transaction);
enum error transaction_commit(struct transaction *transaction);
void transaction_abort(struct transaction *transaction);

// From transaction_mark on, changes can be taken back with transaction_rollback, or kept with
// transaction_release.
void transaction_mark(struct transaction *transaction);
void transaction_release(struct transaction *transaction);
enum error transaction_rollback(struct transaction *transaction);

// Errors of all that follow: IO and DISK_FULL, logged; both end the transaction's usefulness.
// MISSING when there is no such row.
enum error table_get(struct transaction *transaction, enum table table, struct bytes key,
                     struct bytes *value);
// The first row whose key is >= key (of length >= 1), or the next one. Any table_get, table_put or
// table_remove of the same table in a writing transaction moves the cursor.
enum error table_seek(struct transaction *transaction, enum table table, struct bytes key,
                      struct row *row);
enum error table_first(struct transaction *transaction, enum table table, struct row *row);
enum error table_next(struct transaction *transaction, enum table table, struct row *row);

// How many rows the table has.
enum error table_count(struct transaction *transaction, enum table table, uint64_t *count);

// key and value must not point into the tables.
enum error table_put(struct transaction *transaction, enum table table, struct bytes key,
                     struct bytes value);
// MISSING when there is no such row.
enum error table_remove(struct transaction *transaction, enum table table, struct bytes key);
// Adds a row behind the last one. Errors: CORRUPT when its key is not greater.
enum error table_append(struct transaction *transaction, enum table table, struct bytes key,
                        struct bytes value);
// Removes all rows of all tables; digest and bytes become zero.
enum error tables_clear(struct transaction *transaction);
