// SPDX-License-Identifier: Apache-2.0
// The tables of the state as sorted arrays in memory, in the place of storage/tables.c: a restart of
// a simulated node costs no files. One thread and no snapshots: a reader must not be held across a
// write. Digest and undo follow the same rules as with LMDB, so digests are the same.
#include "storage/tables.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

enum { KEY_MAX = 511 };

// A row owns one block: key, then value.
struct stored {
    uint8_t *block;
    size_t key_length;
    size_t value_length;
};

struct sorted {
    struct stored *rows;
    size_t count;
    size_t capacity;
};

struct tables {
    struct sorted sorted[TABLE_COUNT];
};

// What a transaction remembers beside the header's fields.
struct MDB_txn {
    size_t at[TABLE_COUNT]; // row that the cursor of a table stands on
    bool undo_all;          // the changes are remembered for transaction_abort
    struct buffer undo;     // in the form of transaction.undo
    struct hash128 digest;  // at the beginning
    uint64_t bytes;
};

// ---- Rows --------------------------------------------------------------------------------------

static struct bytes key_of(const struct stored *stored)
{
    return (struct bytes){.data = stored->block, .length = stored->key_length};
}

static struct bytes value_of(const struct stored *stored)
{
    return (struct bytes){.data = stored->block + stored->key_length,
                          .length = stored->value_length};
}

static int compare(struct bytes a, struct bytes b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

// The first row whose key is >= key.
static size_t position(const struct sorted *sorted, struct bytes key)
{
    size_t low = 0, high = sorted->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(key_of(&sorted->rows[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool found(const struct sorted *sorted, size_t at, struct bytes key)
{
    return at < sorted->count && compare(key_of(&sorted->rows[at]), key) == 0;
}

static struct stored stored_new(struct bytes key, struct bytes value)
{
    struct stored stored = {.key_length = key.length, .value_length = value.length};

    stored.block = memory_alloc(key.length + value.length + 1);
    memcpy(stored.block, key.data, key.length);
    if (value.length > 0)
        memcpy(stored.block + key.length, value.data, value.length);
    return stored;
}

static void insert(struct sorted *sorted, size_t at, struct bytes key, struct bytes value)
{
    if (sorted->count == sorted->capacity) {
        sorted->capacity = sorted->capacity * 2 + 64;
        sorted->rows = memory_realloc(sorted->rows, sorted->capacity * sizeof *sorted->rows);
    }
    struct stored *rows = sorted->rows;
    memmove(&rows[at + 1], &rows[at], (sorted->count - at) * sizeof *rows);
    rows[at] = stored_new(key, value);
    sorted->count++;
}

static void take_out(struct sorted *sorted, size_t at)
{
    free(sorted->rows[at].block);
    sorted->count--;
    memmove(&sorted->rows[at], &sorted->rows[at + 1], (sorted->count - at) * sizeof *sorted->rows);
}

static void clear(struct sorted *sorted)
{
    for (size_t i = 0; i < sorted->count; i++)
        free(sorted->rows[i].block);
    sorted->count = 0;
}

// ---- Life --------------------------------------------------------------------------------------

enum error tables_open(const char *directory, uint64_t map_bytes, struct tables **tables,
                       struct failure *failure)
{
    (void)directory;
    (void)map_bytes;
    (void)failure;
    *tables = memory_zalloc(sizeof **tables);
    return ERROR_OK;
}

void tables_close(struct tables *tables)
{
    if (tables == NULL)
        return;
    for (unsigned i = 0; i < TABLE_COUNT; i++) {
        clear(&tables->sorted[i]);
        free(tables->sorted[i].rows);
    }
    free(tables);
}

enum error tables_room(struct tables *tables, uint64_t enough, struct tables_room *room)
{
    (void)tables;
    (void)enough;
    *room = (struct tables_room){.free_bytes = UINT64_MAX, .total_bytes = UINT64_MAX};
    return ERROR_OK;
}

// ---- Transactions ------------------------------------------------------------------------------

enum error transaction_read(struct tables *tables, struct transaction *transaction)
{
    *transaction = (struct transaction){.tables = tables};
    transaction->handle = memory_zalloc(sizeof *transaction->handle);
    return ERROR_OK;
}

void transaction_reset(struct transaction *transaction)
{
    (void)transaction;
}

enum error transaction_renew(struct transaction *transaction)
{
    (void)transaction;
    return ERROR_OK;
}

void transaction_end_read(struct transaction *transaction)
{
    free(transaction->handle);
    transaction->handle = NULL;
}

enum error transaction_begin(struct tables *tables, struct transaction *transaction)
{
    ASSERT(transaction->handle == NULL);
    transaction->tables = tables;
    transaction->writing = true;
    transaction->undoing = false;
    transaction->handle = memory_zalloc(sizeof *transaction->handle);
    transaction->handle->undo_all = true;
    transaction->handle->digest = transaction->digest;
    transaction->handle->bytes = transaction->bytes;
    return ERROR_OK;
}

static void end(struct transaction *transaction)
{
    buffer_deinit(&transaction->handle->undo);
    free(transaction->handle);
    transaction->handle = NULL;
}

enum error transaction_commit(struct transaction *transaction)
{
    ASSERT(!transaction->undoing);
    end(transaction);
    return ERROR_OK;
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

// ---- Reading -----------------------------------------------------------------------------------

static struct sorted *sorted_of(const struct transaction *transaction, enum table table)
{
    return &transaction->tables->sorted[table];
}

enum error table_get(struct transaction *transaction, enum table table, struct bytes key,
                     struct bytes *value)
{
    struct sorted *sorted = sorted_of(transaction, table);

    if (key.length == 0 || key.length > KEY_MAX)
        return ERROR_MISSING;
    size_t at = position(sorted, key);
    transaction->handle->at[table] = at;
    if (!found(sorted, at, key))
        return ERROR_MISSING;
    *value = value_of(&sorted->rows[at]);
    return ERROR_OK;
}

static enum error stand_on(struct transaction *transaction, enum table table, size_t at,
                           struct row *row)
{
    struct sorted *sorted = sorted_of(transaction, table);

    transaction->handle->at[table] = at;
    if (at >= sorted->count)
        return ERROR_MISSING;
    *row = (struct row){.key = key_of(&sorted->rows[at]), .value = value_of(&sorted->rows[at])};
    return ERROR_OK;
}

enum error table_seek(struct transaction *transaction, enum table table, struct bytes key,
                      struct row *row)
{
    ASSERT(key.length >= 1 && key.length <= KEY_MAX);
    return stand_on(transaction, table, position(sorted_of(transaction, table), key), row);
}

enum error table_first(struct transaction *transaction, enum table table, struct row *row)
{
    return stand_on(transaction, table, 0, row);
}

enum error table_next(struct transaction *transaction, enum table table, struct row *row)
{
    return stand_on(transaction, table, transaction->handle->at[table] + 1, row);
}

enum error table_count(struct transaction *transaction, enum table table, uint64_t *count)
{
    *count = sorted_of(transaction, table)->count;
    return ERROR_OK;
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

static void remember_in(struct buffer *undo, enum table table, struct bytes key,
                        const struct bytes *before)
{
    size_t start = undo->length;

    buffer_u8(undo, (uint8_t)table);
    buffer_u8(undo, before != NULL);
    buffer_string(undo, key.data, key.length);
    if (before != NULL)
        buffer_string(undo, before->data, before->length);
    buffer_u32(undo, (uint32_t)(undo->length - start));
}

static void remember(struct transaction *transaction, enum table table, struct bytes key,
                     const struct bytes *before)
{
    if (transaction->undoing)
        remember_in(&transaction->undo, table, key, before);
    if (transaction->handle->undo_all)
        remember_in(&transaction->handle->undo, table, key, before);
}

enum error table_put(struct transaction *transaction, enum table table, struct bytes key,
                     struct bytes value)
{
    struct sorted *sorted = sorted_of(transaction, table);
    size_t at = position(sorted, key);

    ASSERT(key.length >= 1 && key.length <= KEY_MAX);
    if (found(sorted, at, key)) {
        struct bytes before = value_of(&sorted->rows[at]);
        remember(transaction, table, key, &before);
        fold_out(transaction, table, key, before);
        struct stored replacement = stored_new(key, value);
        free(sorted->rows[at].block);
        sorted->rows[at] = replacement;
    } else {
        remember(transaction, table, key, NULL);
        insert(sorted, at, key, value);
    }
    fold_in(transaction, table, key_of(&sorted->rows[at]), value_of(&sorted->rows[at]));
    transaction->handle->at[table] = at;
    return ERROR_OK;
}

enum error table_remove(struct transaction *transaction, enum table table, struct bytes key)
{
    struct sorted *sorted = sorted_of(transaction, table);
    size_t at = position(sorted, key);

    if (!found(sorted, at, key))
        return ERROR_MISSING;
    struct bytes before = value_of(&sorted->rows[at]);
    remember(transaction, table, key, &before);
    fold_out(transaction, table, key, before);
    take_out(sorted, at);
    transaction->handle->at[table] = at;
    return ERROR_OK;
}

enum error table_append(struct transaction *transaction, enum table table, struct bytes key,
                        struct bytes value)
{
    struct sorted *sorted = sorted_of(transaction, table);

    if (key.length == 0 || key.length > KEY_MAX)
        return ERROR_CORRUPT;
    if (sorted->count > 0 && compare(key_of(&sorted->rows[sorted->count - 1]), key) >= 0)
        return ERROR_CORRUPT;
    return table_put(transaction, table, key, value);
}

enum error tables_clear(struct transaction *transaction)
{
    for (unsigned i = 0; i < TABLE_COUNT; i++) {
        struct sorted *sorted = &transaction->tables->sorted[i];
        while (sorted->count > 0) {
            enum error error =
                table_remove(transaction, (enum table)i, key_of(&sorted->rows[sorted->count - 1]));
            ASSERT(error == ERROR_OK);
        }
    }
    transaction->digest = (struct hash128){0};
    transaction->bytes = 0;
    return ERROR_OK;
}

// ---- Taking back -------------------------------------------------------------------------------

static enum error undo_last(struct transaction *transaction, struct buffer *undo)
{
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
        error = undo_last(transaction, &transaction->undo);
    ASSERT(error == ERROR_OK);
    ASSERT(hash128_equal(transaction->digest, transaction->mark_digest));
    ASSERT(transaction->bytes == transaction->mark_bytes);
    return error;
}

void transaction_abort(struct transaction *transaction)
{
    struct MDB_txn *handle = transaction->handle;
    enum error error = ERROR_OK;

    transaction->undoing = false;
    handle->undo_all = false;
    while (handle->undo.length > 0 && error == ERROR_OK)
        error = undo_last(transaction, &handle->undo);
    ASSERT(error == ERROR_OK);
    transaction->digest = handle->digest;
    transaction->bytes = handle->bytes;
    end(transaction);
}
