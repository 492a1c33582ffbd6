// SPDX-License-Identifier: Apache-2.0
// The one place that knows LMDB: plain keys only (no DUPSORT), one writer, readers whose slots are
// tied to the transaction and not to the thread. Nothing is synced: see state.h.
#include "storage/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "storage/lock.h"

enum {
    READERS_MAX = 512,
    MAP_GRAIN = 64 << 10,
    KEY_MAX = 511,
};

struct tables {
    int directory; // descriptor, locked
    MDB_env *environment;
    MDB_dbi handles[TABLE_COUNT];
    char *data_name;
    char *lock_name;
};

static const char *const table_names[TABLE_COUNT] = {
    "node", "blob",    "acl",       "origin",  "idempotency",
    "due",  "session", "ephemeral", "history", "meta",
};

// ---- Environment -------------------------------------------------------------------------------

static enum error failed(int code)
{
    if (code == MDB_NOTFOUND)
        return ERROR_MISSING;
    log_write(LOG_ERROR, "the live state cannot be used", "reason=\"%s\"", mdb_strerror(code));
    return code == MDB_MAP_FULL || code == ENOSPC || code == EDQUOT ? ERROR_DISK_FULL : ERROR_IO;
}

static char *file_name(const char *directory, const char *name)
{
    struct buffer text = {0};

    buffer_printf(&text, "%s/%s", directory, name);
    buffer_u8(&text, 0);
    return (char *)text.data;
}

static void remove_files(const struct tables *tables)
{
    unlink(tables->data_name);
    unlink(tables->lock_name);
}

static int open_environment(struct tables *tables, uint64_t map_bytes)
{
    size_t map = (size_t)((map_bytes + MAP_GRAIN - 1) / MAP_GRAIN * MAP_GRAIN);
    int code = mdb_env_create(&tables->environment);

    if (code == 0)
        code = mdb_env_set_maxdbs(tables->environment, TABLE_COUNT);
    if (code == 0)
        code = mdb_env_set_maxreaders(tables->environment, READERS_MAX);
    if (code == 0)
        code = mdb_env_set_mapsize(tables->environment, map);
    if (code == 0)
        code = mdb_env_open(tables->environment, tables->data_name,
                            MDB_NOTLS | MDB_NOSYNC | MDB_NOSUBDIR, 0600);
    return code;
}

static int open_tables(struct tables *tables)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(tables->environment, NULL, 0, &txn);

    if (code != 0)
        return code;
    for (unsigned i = 0; i < TABLE_COUNT && code == 0; i++)
        code = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &tables->handles[i]);
    if (code == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return code;
}

// Two processes in one directory would write into each other's tree. A file system that cannot lock
// a directory cannot hold a tree either.
static enum error lock_directory(struct tables *tables, const char *directory,
                                 struct failure *failure)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return failure_set(failure, ERROR_IO, "cannot make the live directory \"%s\": %s",
                           directory, strerror(errno));
    tables->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tables->directory < 0)
        return failure_set(failure, ERROR_IO, "cannot open the live directory \"%s\": %s",
                           directory, strerror(errno));
    enum error error = lock_try(tables->directory);
    if (error == ERROR_LOCKED)
        return failure_set(failure, error,
                           "the live directory \"%s\" is in use, by another curlewd or as the data "
                           "directory; give each node its own --live-dir",
                           directory);
    if (error != ERROR_OK)
        return failure_set(failure, error, "cannot lock the live directory \"%s\": %s", directory,
                           strerror(errno));
    return ERROR_OK;
}

static enum error make_tables(struct tables *tables, const char *directory, uint64_t map_bytes,
                              struct failure *failure)
{
    tables->data_name = file_name(directory, "curlew.mdb");
    tables->lock_name = file_name(directory, "curlew.mdb-lock");
    remove_files(tables);
    int code = open_environment(tables, map_bytes);
    if (code == 0)
        code = open_tables(tables);
    if (code == 0)
        return ERROR_OK;
    return failure_set(failure, code == ENOSPC ? ERROR_DISK_FULL : ERROR_IO,
                       "cannot make the live state in \"%s\": %s", directory, mdb_strerror(code));
}

enum error tables_open(const char *directory, uint64_t map_bytes, struct tables **tables,
                       struct failure *failure)
{
    struct tables *opened = memory_zalloc(sizeof *opened);

    opened->directory = -1;
    enum error error = lock_directory(opened, directory, failure);
    if (error == ERROR_OK)
        error = make_tables(opened, directory, map_bytes, failure);
    if (error != ERROR_OK) {
        tables_close(opened);
        return error;
    }
    *tables = opened;
    return ERROR_OK;
}

void tables_close(struct tables *tables)
{
    if (tables == NULL)
        return;
    if (tables->environment != NULL)
        mdb_env_close(tables->environment);
    if (tables->data_name != NULL)
        remove_files(tables);
    if (tables->directory >= 0)
        close(tables->directory);
    free(tables->data_name);
    free(tables->lock_name);
    free(tables);
}

// ---- Room --------------------------------------------------------------------------------------

// Pages that were given up and are used again before the file grows: LMDB keeps their numbers in
// its table 0, each record a list with its length in front.
static int count_free_pages(struct tables *tables, uint64_t *pages)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, value;

    *pages = 0;
    int code = mdb_txn_begin(tables->environment, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return code;
    code = mdb_cursor_open(txn, 0, &cursor);
    if (code == 0) {
        while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
            size_t count;
            memcpy(&count, value.mv_data, sizeof count);
            *pages += count;
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return code == MDB_NOTFOUND ? 0 : code;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

enum error tables_room(struct tables *tables, uint64_t enough, struct tables_room *room)
{
    struct statvfs disk;
    MDB_envinfo map;
    MDB_stat stat;
    uint64_t pages;

    if (fstatvfs(tables->directory, &disk) != 0)
        return failed(errno);
    mdb_env_info(tables->environment, &map);
    mdb_env_stat(tables->environment, &stat);
    uint64_t used = ((uint64_t)map.me_last_pgno + 1) * stat.ms_psize;
    room->used_bytes = used;
    room->total_bytes = smaller(map.me_mapsize, (uint64_t)disk.f_blocks * disk.f_frsize);
    room->free_bytes = smaller(map.me_mapsize - used, (uint64_t)disk.f_bavail * disk.f_frsize);
    if (room->free_bytes >= enough)
        return ERROR_OK;
    int code = count_free_pages(tables, &pages);
    room->free_bytes += pages * stat.ms_psize;
    return code == 0 ? ERROR_OK : failed(code);
}

enum error table_count(struct transaction *transaction, enum table table, uint64_t *count)
{
    MDB_stat stat;
    int code = mdb_stat(transaction->handle, transaction->tables->handles[table], &stat);

    *count = code == 0 ? stat.ms_entries : 0;
    return code == 0 ? ERROR_OK : failed(code);
}

// ---- Reading transactions ----------------------------------------------------------------------

enum error transaction_read(struct tables *tables, struct transaction *transaction)
{
    *transaction = (struct transaction){.tables = tables};
    int code = mdb_txn_begin(tables->environment, NULL, MDB_RDONLY, &transaction->handle);
    return code == 0 ? ERROR_OK : failed(code);
}

void transaction_reset(struct transaction *transaction)
{
    mdb_txn_reset(transaction->handle);
    for (unsigned i = 0; i < TABLE_COUNT; i++)
        transaction->stale[i] = true;
}

enum error transaction_renew(struct transaction *transaction)
{
    int code = mdb_txn_renew(transaction->handle);
    return code == 0 ? ERROR_OK : failed(code);
}

void transaction_end_read(struct transaction *transaction)
{
    for (unsigned i = 0; i < TABLE_COUNT; i++) {
        if (transaction->cursors[i] != NULL)
            mdb_cursor_close(transaction->cursors[i]);
        transaction->cursors[i] = NULL;
    }
    mdb_txn_abort(transaction->handle);
    transaction->handle = NULL;
}

// ---- Writing transactions ----------------------------------------------------------------------

enum error transaction_begin(struct tables *tables, struct transaction *transaction)
{
    ASSERT(transaction->handle == NULL);
    transaction->tables = tables;
    transaction->writing = true;
    transaction->undoing = false;
    int code = mdb_txn_begin(tables->environment, NULL, 0, &transaction->handle);
    return code == 0 ? ERROR_OK : failed(code);
}

// LMDB closes the cursors of a writing transaction with it.
static void forget_handles(struct transaction *transaction)
{
    transaction->handle = NULL;
    memset(transaction->cursors, 0, sizeof transaction->cursors);
}

enum error transaction_commit(struct transaction *transaction)
{
    ASSERT(!transaction->undoing);
    int code = mdb_txn_commit(transaction->handle);

    forget_handles(transaction);
    return code == 0 ? ERROR_OK : failed(code);
}

void transaction_abort(struct transaction *transaction)
{
    mdb_txn_abort(transaction->handle);
    forget_handles(transaction);
}

void transaction_mark(struct transaction *transaction)
{
    ASSERT(!transaction->undoing);
    transaction->undoing = true;
    transaction->mark_digest = transaction->digest;
    transaction->mark_bytes = transaction->bytes;
    buffer_clear(&transaction->undo);
}

void transaction_release(struct transaction *transaction)
{
    ASSERT(transaction->undoing);
    transaction->undoing = false;
}

// ---- Access ------------------------------------------------------------------------------------

static MDB_val to_value(struct bytes bytes)
{
    return (MDB_val){.mv_size = bytes.length, .mv_data = (void *)(uintptr_t)bytes.data};
}

static struct bytes to_bytes(MDB_val value)
{
    return (struct bytes){.data = value.mv_data, .length = value.mv_size};
}

static int cursor_of(struct transaction *transaction, enum table table, MDB_cursor **cursor)
{
    int code = 0;

    if (transaction->cursors[table] == NULL)
        code = mdb_cursor_open(transaction->handle, transaction->tables->handles[table],
                               &transaction->cursors[table]);
    else if (transaction->stale[table])
        code = mdb_cursor_renew(transaction->handle, transaction->cursors[table]);
    transaction->stale[table] = false;
    *cursor = transaction->cursors[table];
    return code;
}

enum error table_get(struct transaction *transaction, enum table table, struct bytes key,
                     struct bytes *value)
{
    MDB_val k = to_value(key), v;
    MDB_cursor *cursor;
    int code;

    if (key.length == 0 || key.length > KEY_MAX)
        return ERROR_MISSING;
    if (transaction->writing) {
        code = cursor_of(transaction, table, &cursor);
        if (code == 0)
            code = mdb_cursor_get(cursor, &k, &v, MDB_SET);
    } else {
        code = mdb_get(transaction->handle, transaction->tables->handles[table], &k, &v);
    }
    if (code != 0)
        return failed(code);
    *value = to_bytes(v);
    return ERROR_OK;
}

static enum error move(struct transaction *transaction, enum table table, MDB_cursor_op operation,
                       struct bytes key, struct row *row)
{
    MDB_val k = to_value(key), v;
    MDB_cursor *cursor;
    int code = cursor_of(transaction, table, &cursor);

    if (code == 0)
        code = mdb_cursor_get(cursor, &k, &v, operation);
    if (code != 0)
        return failed(code);
    *row = (struct row){.key = to_bytes(k), .value = to_bytes(v)};
    return ERROR_OK;
}

enum error table_seek(struct transaction *transaction, enum table table, struct bytes key,
                      struct row *row)
{
    ASSERT(key.length >= 1 && key.length <= KEY_MAX);
    return move(transaction, table, MDB_SET_RANGE, key, row);
}

enum error table_first(struct transaction *transaction, enum table table, struct row *row)
{
    return move(transaction, table, MDB_FIRST, (struct bytes){0}, row);
}

enum error table_next(struct transaction *transaction, enum table table, struct row *row)
{
    return move(transaction, table, MDB_NEXT, (struct bytes){0}, row);
}

// ---- Changes -----------------------------------------------------------------------------------

static struct hash128 row_hash(enum table table, struct bytes key, struct bytes value)
{
    return hash128(value.data, value.length, hash64(key.data, key.length, (uint64_t)table));
}

static void fold_in(struct transaction *transaction, enum table table, struct bytes key,
                    struct bytes value)
{
    if (table == TABLE_META)
        return;
    transaction->digest = hash128_add(transaction->digest, row_hash(table, key, value));
    transaction->bytes += key.length + value.length;
}

static void fold_out(struct transaction *transaction, enum table table, struct bytes key,
                     struct bytes value)
{
    if (table == TABLE_META)
        return;
    transaction->digest = hash128_subtract(transaction->digest, row_hash(table, key, value));
    transaction->bytes -= key.length + value.length;
}

// An undo record: u8 table, u8 whether there was a row, key, value, u32 length of all before it, so
// that records can be read backwards.
static void remember(struct transaction *transaction, enum table table, struct bytes key,
                     const struct bytes *before)
{
    struct buffer *undo = &transaction->undo;
    size_t start = undo->length;

    if (!transaction->undoing)
        return;
    buffer_u8(undo, (uint8_t)table);
    buffer_u8(undo, before != NULL);
    buffer_string(undo, key.data, key.length);
    if (before != NULL)
        buffer_string(undo, before->data, before->length);
    buffer_u32(undo, (uint32_t)(undo->length - start));
}

static int put(struct transaction *transaction, enum table table, struct bytes key,
               struct bytes value)
{
    MDB_val k = to_value(key), v = to_value(value), old;
    MDB_cursor *cursor;
    int code = cursor_of(transaction, table, &cursor);

    if (code == 0)
        code = mdb_cursor_get(cursor, &k, &old, MDB_SET);
    if (code != 0 && code != MDB_NOTFOUND)
        return code;
    bool exists = code == 0;
    struct bytes before = exists ? to_bytes(old) : (struct bytes){0};
    remember(transaction, table, key, exists ? &before : NULL);
    if (exists)
        fold_out(transaction, table, key, before);
    code = mdb_cursor_put(cursor, &k, &v, exists ? MDB_CURRENT : 0);
    fold_in(transaction, table, key, value);
    return code;
}

enum error table_put(struct transaction *transaction, enum table table, struct bytes key,
                     struct bytes value)
{
    int code = put(transaction, table, key, value);

    return code == 0 ? ERROR_OK : failed(code);
}

enum error table_remove(struct transaction *transaction, enum table table, struct bytes key)
{
    MDB_val k = to_value(key), old;
    MDB_cursor *cursor;
    int code = cursor_of(transaction, table, &cursor);

    if (code == 0)
        code = mdb_cursor_get(cursor, &k, &old, MDB_SET);
    if (code != 0)
        return failed(code);
    struct bytes before = to_bytes(old);
    remember(transaction, table, key, &before);
    fold_out(transaction, table, key, before);
    code = mdb_cursor_del(cursor, 0);
    return code == 0 ? ERROR_OK : failed(code);
}

enum error table_append(struct transaction *transaction, enum table table, struct bytes key,
                        struct bytes value)
{
    MDB_val k = to_value(key), v = to_value(value);
    MDB_cursor *cursor;

    if (key.length == 0 || key.length > KEY_MAX)
        return ERROR_CORRUPT;
    int code = cursor_of(transaction, table, &cursor);
    if (code == 0)
        code = mdb_cursor_put(cursor, &k, &v, MDB_APPEND);
    if (code == MDB_KEYEXIST)
        return ERROR_CORRUPT;
    if (code != 0)
        return failed(code);
    fold_in(transaction, table, key, value);
    return ERROR_OK;
}

enum error tables_clear(struct transaction *transaction)
{
    for (unsigned i = 0; i < TABLE_COUNT; i++) {
        int code = mdb_drop(transaction->handle, transaction->tables->handles[i], 0);
        if (code != 0)
            return failed(code);
    }
    transaction->digest = (struct hash128){0};
    transaction->bytes = 0;
    return ERROR_OK;
}

// Takes back the last record of the undo memory.
static enum error undo_last(struct transaction *transaction)
{
    struct buffer *undo = &transaction->undo;
    struct reader reader;
    struct bytes key, before;

    size_t length = bytes_get_u32(undo->data + undo->length - 4);
    undo->length -= length + 4;
    reader_init(&reader, undo->data + undo->length, length);
    enum table table = reader_u8(&reader);
    bool existed = reader_u8(&reader) != 0;
    key.data = reader_string(&reader, KEY_MAX, &key.length);
    if (!existed)
        return table_remove(transaction, table, key);
    before.data = reader_string(&reader, UINT32_MAX, &before.length);
    return table_put(transaction, table, key, before);
}

enum error transaction_rollback(struct transaction *transaction)
{
    enum error error = ERROR_OK;

    transaction_release(transaction);
    while (transaction->undo.length > 0 && error == ERROR_OK)
        error = undo_last(transaction);
    if (error != ERROR_OK)
        return error == ERROR_MISSING ? ERROR_CORRUPT : error;
    ASSERT(hash128_equal(transaction->digest, transaction->mark_digest));
    ASSERT(transaction->bytes == transaction->mark_bytes);
    return ERROR_OK;
}
