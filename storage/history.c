// SPDX-License-Identifier: Apache-2.0
// The history of changes. Encoding of a change: u8 kind, u8 flags, u16 bytes of the path shared with
// the change before, u16 length and bytes of the rest, stat, [parent's stat: created, deleted], [u32
// length and bytes of the data: created, changed].
#include "storage/history.h"

#include <string.h>

#include "storage/changes.h"
#include "storage/view_internal.h"

enum { CHANGE_NULL_DATA = 1, CHANGE_LEFT_OUT = 2, CHANGE_FLAGS = 3 };
enum {
    KEPT_BUFFER_BYTES = 1 << 20, // a larger buffer is not kept for the next command
    LENGTH_BYTES = 4,
};

// ---- Noting ------------------------------------------------------------------------------------

static size_t shared_length(const struct buffer *before, const char *path, size_t length)
{
    size_t most = before->length < length ? before->length : length;
    size_t shared = 0;

    // Whole words first: deep trees are deleted with paths that differ at their ends.
    while (shared + 64 <= most && memcmp(before->data + shared, path + shared, 64) == 0)
        shared += 64;
    while (shared < most && before->data[shared] == (uint8_t)path[shared])
        shared++;
    return shared;
}

static void note_path(struct changes *changes, const struct change *change)
{
    size_t shared = shared_length(&changes->path, change->path, change->path_length);
    size_t rest = change->path_length - shared;

    buffer_u16(&changes->row, (uint16_t)shared);
    buffer_u16(&changes->row, (uint16_t)rest);
    buffer_append(&changes->row, change->path + shared, rest);
    changes->path.length = shared;
    buffer_append(&changes->path, change->path + shared, rest);
}

void changes_note(struct changes *changes, const struct change *change)
{
    bool left_out = change->data_length > HISTORY_DATA_MAX;
    unsigned flags = (change->null_data ? CHANGE_NULL_DATA : 0) | (left_out ? CHANGE_LEFT_OUT : 0);
    struct buffer *row = &changes->row;

    if (changes->too_long)
        return;
    if (row->length == 0)
        buffer_u32(row, 0);
    buffer_u8(row, change->kind);
    buffer_u8(row, (uint8_t)flags);
    note_path(changes, change);
    stat_write(row, &change->stat);
    if (change->kind != CHANGE_CHANGED)
        stat_write(row, &change->parent);
    if (change->kind != CHANGE_DELETED)
        buffer_string(row, change->data, left_out ? 0 : change->data_length);
    if (row->length > HISTORY_BYTES_MAX) {
        changes->too_long = true;
        buffer_deinit(row);
    }
}

void changes_forget(struct changes *changes)
{
    if (changes->row.capacity > KEPT_BUFFER_BYTES)
        buffer_deinit(&changes->row);
    buffer_clear(&changes->row);
    buffer_clear(&changes->path);
    changes->too_long = false;
}

void changes_deinit(struct changes *changes)
{
    buffer_deinit(&changes->row);
    buffer_deinit(&changes->path);
}

// ---- Keeping -----------------------------------------------------------------------------------

static struct bytes history_key(uint8_t key[HISTORY_KEY_BYTES], uint64_t zxid, uint32_t part)
{
    bytes_put_u64_be(key, zxid);
    bytes_put_u32(key + 8, __builtin_bswap32(part)); // big-endian
    return (struct bytes){.data = key, .length = HISTORY_KEY_BYTES};
}

static size_t part_length(uint64_t left)
{
    return left < HISTORY_PART_BYTES ? (size_t)left : HISTORY_PART_BYTES;
}

static enum error append_parts(struct transaction *transaction, struct state_position *position,
                               const struct buffer *row, uint64_t zxid)
{
    uint8_t key[HISTORY_KEY_BYTES];
    enum error error = ERROR_OK;
    uint32_t part = 0;

    for (size_t at = 0; at < row->length && error == ERROR_OK; at += HISTORY_PART_BYTES) {
        struct bytes value = {.data = row->data + at, .length = part_length(row->length - at)};
        error = table_append(transaction, TABLE_HISTORY, history_key(key, zxid, part++), value);
        position->history_bytes += HISTORY_KEY_BYTES + value.length;
    }
    position->history_zxids++;
    return error;
}

// How many rows the zxid takes whose first one this is. Errors: CORRUPT.
static enum error count_parts(const struct row *first, uint64_t *bytes, uint32_t *parts)
{
    if (first->key.length != HISTORY_KEY_BYTES || first->value.length < LENGTH_BYTES)
        return ERROR_CORRUPT;
    *bytes = (uint64_t)bytes_get_u32(first->value.data) + LENGTH_BYTES;
    *parts = (uint32_t)((*bytes + HISTORY_PART_BYTES - 1) / HISTORY_PART_BYTES);
    return ERROR_OK;
}

static enum error drop_oldest(struct transaction *transaction, struct state_position *position)
{
    uint8_t key[HISTORY_KEY_BYTES];
    struct row row;
    uint64_t bytes;
    uint32_t parts;

    enum error error = table_first(transaction, TABLE_HISTORY, &row);
    if (error == ERROR_OK)
        error = count_parts(&row, &bytes, &parts);
    if (error != ERROR_OK)
        return error == ERROR_MISSING ? ERROR_CORRUPT : error;
    uint64_t zxid = bytes_get_u64_be(row.key.data);
    for (uint32_t part = 0; part < parts && error == ERROR_OK; part++)
        error = table_remove(transaction, TABLE_HISTORY, history_key(key, zxid, part));
    bytes += (uint64_t)parts * HISTORY_KEY_BYTES;
    if (error == ERROR_MISSING || position->history_zxids == 0 || position->history_bytes < bytes)
        return ERROR_CORRUPT;
    position->history_zxids--;
    position->history_bytes -= bytes;
    position->history_start = zxid;
    return error;
}

enum error history_trim(struct transaction *transaction, struct state_position *position)
{
    enum error error = ERROR_OK;

    while (error == ERROR_OK && (position->history_zxids > HISTORY_ZXIDS_MAX ||
                                 position->history_bytes > HISTORY_BYTES_MAX))
        error = drop_oldest(transaction, position);
    return error;
}

// Nothing before a gap is of use.
static enum error leave_gap(struct transaction *transaction, struct state_position *position,
                            uint64_t zxid)
{
    enum error error = ERROR_OK;

    while (error == ERROR_OK && position->history_zxids > 0)
        error = drop_oldest(transaction, position);
    position->history_start = zxid;
    return error;
}

enum error history_keep(struct transaction *transaction, struct state_position *position,
                        struct changes *changes, uint64_t zxid)
{
    struct buffer *row = &changes->row;
    enum error error = ERROR_OK;

    if (changes->too_long) {
        error = leave_gap(transaction, position, zxid);
    } else if (row->length > 0) {
        bytes_put_u32(row->data, (uint32_t)(row->length - LENGTH_BYTES));
        error = append_parts(transaction, position, row, zxid);
    }
    changes_forget(changes);
    return error;
}

enum error history_check_row(struct history_load *load, struct bytes key, struct bytes value)
{
    if (key.length != HISTORY_KEY_BYTES)
        return ERROR_CORRUPT;
    uint64_t zxid = bytes_get_u64_be(key.data);
    uint32_t part = __builtin_bswap32(bytes_get_u32((const uint8_t *)key.data + 8));
    if (part == 0) {
        if (load->missing > 0 || zxid <= load->zxid || value.length < LENGTH_BYTES)
            return ERROR_CORRUPT;
        load->zxid = zxid;
        load->missing = (uint64_t)bytes_get_u32(value.data) + LENGTH_BYTES;
    } else if (zxid != load->zxid || part != load->part + 1) {
        return ERROR_CORRUPT;
    }
    if (load->missing == 0 || value.length != part_length(load->missing))
        return ERROR_CORRUPT;
    load->part = part;
    load->missing -= value.length;
    return ERROR_OK;
}

// ---- Reading -----------------------------------------------------------------------------------

// All parts of the zxid that the cursor's row begins: borrowed from it or put together in the view.
static enum error gather(struct view *view, struct row row, uint64_t *zxid, struct bytes *changes)
{
    uint8_t key[HISTORY_KEY_BYTES];
    uint64_t bytes;
    uint32_t parts;

    enum error error = count_parts(&row, &bytes, &parts);
    if (error != ERROR_OK)
        return error;
    *zxid = bytes_get_u64_be(row.key.data);
    *changes = row.value;
    if (parts > 1) {
        buffer_clear(&view->changes);
        buffer_append(&view->changes, row.value.data, row.value.length);
    }
    for (uint32_t part = 1; part < parts; part++) {
        struct bytes wanted = history_key(key, *zxid, part);
        error = table_next(&view->transaction, TABLE_HISTORY, &row);
        if (error != ERROR_OK)
            return error == ERROR_MISSING ? ERROR_CORRUPT : error;
        if (row.key.length != wanted.length || memcmp(row.key.data, key, wanted.length) != 0)
            return ERROR_CORRUPT;
        buffer_append(&view->changes, row.value.data, row.value.length);
        *changes = (struct bytes){view->changes.data, view->changes.length};
    }
    return changes->length == bytes ? ERROR_OK : ERROR_CORRUPT;
}

// The view's buffer holds the path of the change before.
static void read_path(struct reader *reader, struct buffer *path, struct change *change)
{
    size_t shared = reader_u16(reader), rest = reader_u16(reader);
    const uint8_t *bytes = reader_bytes(reader, rest);

    if (shared > path->length || shared + rest > ZNODE_PATH_MAX)
        reader_fail(reader);
    if (reader->failed)
        return;
    path->length = shared;
    buffer_append(path, bytes, rest);
    change->path = (const char *)path->data;
    change->path_length = path->length;
}

static void read_change(struct reader *reader, struct buffer *path, struct change *change)
{
    change->kind = reader_u8(reader);
    unsigned flags = reader_u8(reader);
    change->null_data = (flags & CHANGE_NULL_DATA) != 0;
    change->data_left_out = (flags & CHANGE_LEFT_OUT) != 0;
    read_path(reader, path, change);
    stat_read(reader, &change->stat);
    if (change->kind != CHANGE_CHANGED)
        stat_read(reader, &change->parent);
    if (change->kind != CHANGE_DELETED)
        change->data = reader_string(reader, HISTORY_DATA_MAX, &change->data_length);
    if (change->data_length == 0)
        change->data = NULL;
    if (change->kind < CHANGE_CREATED || change->kind > CHANGE_DELETED || flags > CHANGE_FLAGS)
        reader_fail(reader);
    change->last = reader_left(reader) == 0;
}

// *going becomes false when the visitor has enough.
static enum error visit_changes(struct view *view, uint64_t zxid, struct bytes changes,
                                change_visit visit, void *context, bool *going)
{
    struct reader reader;

    reader_init(&reader, changes.data, changes.length);
    reader_u32(&reader);
    buffer_clear(&view->change_path);
    while (*going && reader_left(&reader) > 0) {
        struct change change = {.zxid = zxid};
        read_change(&reader, &view->change_path, &change);
        if (reader.failed)
            return ERROR_CORRUPT;
        *going = visit(context, &change);
    }
    return ERROR_OK;
}

enum error view_changes(struct view *view, uint64_t after, change_visit visit, void *context)
{
    uint8_t key[HISTORY_KEY_BYTES];
    struct row row;
    bool going = true;

    if (after == UINT64_MAX)
        return ERROR_OK;
    enum error error =
        table_seek(&view->transaction, TABLE_HISTORY, history_key(key, after + 1, 0), &row);
    while (error == ERROR_OK && going) {
        struct bytes changes;
        uint64_t zxid;
        error = gather(view, row, &zxid, &changes);
        if (error == ERROR_OK)
            error = visit_changes(view, zxid, changes, visit, context, &going);
        if (error == ERROR_OK && going)
            error = table_next(&view->transaction, TABLE_HISTORY, &row);
    }
    return error == ERROR_MISSING ? ERROR_OK : error;
}

uint64_t view_history_start(struct view *view)
{
    return view->position.history_start;
}
