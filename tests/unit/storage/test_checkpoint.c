// SPDX-License-Identifier: Apache-2.0
// Checkpoints: what is written is what is loaded, and no damaged file is.
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "storage/checkpoint_format.h"
#include "storage/position.h"
#include "storage/session.h"
#include "storage/state_internal.h"
#include "storage/tree.h"

// ---- A disk over a temporary directory ---------------------------------------------------------

struct plain_disk {
    struct disk disk;
    char directory[64];
    unsigned syncs;
};

struct plain_file {
    struct disk_file file;
    int descriptor;
};

static void full_name(struct disk *disk, const char *name, char into[160])
{
    snprintf(into, 160, "%s/%s", ((struct plain_disk *)disk)->directory, name);
}

static enum error answer_of(int result)
{
    if (result >= 0)
        return ERROR_OK;
    return errno == ENOENT ? ERROR_MISSING : ERROR_IO;
}

static enum error plain_open(struct disk *disk, const char *name, enum disk_open mode,
                             struct disk_file **file)
{
    static const int flags[] = {O_RDONLY, O_RDWR, O_RDWR | O_CREAT | O_EXCL};
    struct plain_file *opened = memory_zalloc(sizeof *opened);
    char path[160];

    full_name(disk, name, path);
    opened->file.disk = disk;
    opened->descriptor = open(path, flags[mode], 0600);
    if (opened->descriptor < 0) {
        free(opened);
        return answer_of(-1);
    }
    *file = &opened->file;
    return ERROR_OK;
}

static void plain_close(struct disk_file *file)
{
    close(((struct plain_file *)file)->descriptor);
    free(file);
}

static enum error plain_size(struct disk_file *file, uint64_t *bytes)
{
    struct stat status;
    int result = fstat(((struct plain_file *)file)->descriptor, &status);

    *bytes = result == 0 ? (uint64_t)status.st_size : 0;
    return answer_of(result);
}

static enum error plain_read(struct disk_file *file, uint64_t offset, void *into, size_t length)
{
    ssize_t got = pread(((struct plain_file *)file)->descriptor, into, length, (off_t)offset);

    return got == (ssize_t)length ? ERROR_OK : ERROR_IO;
}

static enum error plain_write(struct disk_file *file, uint64_t offset, const void *data,
                              size_t length)
{
    ssize_t put = pwrite(((struct plain_file *)file)->descriptor, data, length, (off_t)offset);

    return put == (ssize_t)length ? ERROR_OK : ERROR_IO;
}

static enum error plain_sync(struct disk_file *file)
{
    ((struct plain_disk *)file->disk)->syncs++;
    return ERROR_OK;
}

static enum error plain_rename(struct disk *disk, const char *from, const char *to)
{
    char old[160], new[160];

    full_name(disk, from, old);
    full_name(disk, to, new);
    return answer_of(rename(old, new));
}

static enum error plain_remove(struct disk *disk, const char *name)
{
    char path[160];

    full_name(disk, name, path);
    return answer_of(remove(path));
}

static enum error plain_make_directory(struct disk *disk, const char *directory)
{
    char path[160];

    full_name(disk, directory, path);
    return mkdir(path, 0700) == 0 || errno == EEXIST ? ERROR_OK : ERROR_IO;
}

static enum error plain_sync_directory(struct disk *disk, const char *directory)
{
    (void)directory;
    ((struct plain_disk *)disk)->syncs++;
    return ERROR_OK;
}

static enum error plain_list(struct disk *disk, const char *directory,
                             void (*visit)(void *context, const char *name), void *context)
{
    char path[160];

    full_name(disk, directory, path);
    DIR *opened = opendir(path);
    if (opened == NULL)
        return answer_of(-1);
    for (struct dirent *entry; (entry = readdir(opened)) != NULL;) {
        if (entry->d_name[0] != '.')
            visit(context, entry->d_name);
    }
    closedir(opened);
    return ERROR_OK;
}

static const struct disk_operations plain_operations = {
    .open = plain_open,
    .close = plain_close,
    .size = plain_size,
    .read = plain_read,
    .write = plain_write,
    .sync = plain_sync,
    .rename = plain_rename,
    .remove = plain_remove,
    .make_directory = plain_make_directory,
    .sync_directory = plain_sync_directory,
    .list = plain_list,
};

static struct plain_disk *disk_make(void)
{
    struct plain_disk *disk = memory_zalloc(sizeof *disk);

    disk->disk.operations = &plain_operations;
    strcpy(disk->directory, "/tmp/curlew-disk-XXXXXX");
    assert_non_null(mkdtemp(disk->directory));
    return disk;
}

static void disk_free(struct plain_disk *disk)
{
    assert_int_equal(checkpoint_prune(&disk->disk, NULL, 0), ERROR_OK);
    plain_remove(&disk->disk, "checkpoint");
    plain_remove(&disk->disk, "");
    free(disk);
}

// ---- Helpers -----------------------------------------------------------------------------------

static const struct identity identity = {.cluster = "cluster-cluster", .node = 1};

static enum error write_checkpoint(struct fixture *fixture, struct plain_disk *disk,
                                   struct checkpoint_info *info)
{
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    enum error error = checkpoint_write(&disk->disk, &identity, view, NULL, NULL, info);
    view_close(view);
    return error;
}

static enum error load_into(struct fixture *fixture, struct plain_disk *disk, paxos_slot slot,
                            struct failure *failure)
{
    struct checkpoint_info info;

    return checkpoint_load(&disk->disk, &identity, slot, fixture->state, &info, failure);
}

static void fill(struct fixture *fixture, unsigned nodes)
{
    char path[32], data[3000];

    memset(data, 'd', sizeof data);
    run(fixture, op_create("/n", ""));
    for (unsigned i = 0; i < nodes; i++) {
        snprintf(path, sizeof path, "/n/%u", i);
        data[(i * 37) % 2999] = 0;
        fixture->keyed = (struct command){0};
        if (i % 5 == 0)
            fixture->keyed = (struct command){.key = (const uint8_t *)path,
                                              .key_length = strlen(path),
                                              .key_retention_us = 1000000,
                                              .key_capacity = 1000};
        assert_int_equal(run(fixture, op_create(path, data)), ERROR_OK);
        data[(i * 37) % 2999] = 'd';
    }
    fixture->keyed = (struct command){0};
}

static bool digest_node(void *context, const struct znode *node)
{
    struct hash128 *digest = context;

    *digest = hash128_add(*digest, hash128(node->name, node->name_length, node->stat.mzxid));
    *digest = hash128_add(*digest, hash128(node->data, node->stat.data_length, node->stat.pzxid));
    return true;
}

static struct hash128 digest_of_view(struct fixture *fixture)
{
    struct hash128 digest = {0};
    struct view *view;
    bool more;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(
        view_tree(view, "/", 1, NULL, 0, UINT32_MAX, true, digest_node, &digest, &more), ERROR_OK);
    view_close(view);
    return digest;
}

static bool same_position(const struct state_position *a, const struct state_position *b)
{
    struct buffer left = {0}, right = {0};

    position_write(&left, a);
    position_write(&right, b);
    bool same = left.length == right.length && memcmp(left.data, right.data, left.length) == 0;
    buffer_deinit(&left);
    buffer_deinit(&right);
    return same;
}

// ---- Tests -------------------------------------------------------------------------------------

static void round_trip_gives_the_same_state(void **context)
{
    struct fixture *fixture = *context, *loaded;
    struct plain_disk *disk = disk_make();
    struct checkpoint_info info;
    struct failure failure;

    fill(fixture, 200);
    run(fixture, op_delete("/n/199", -1));
    assert_int_equal(write_checkpoint(fixture, disk, &info), ERROR_OK);
    assert_true(disk->syncs >= 2);
    assert_true(info.bytes > info.position.data_bytes);
    fixture_setup((void **)&loaded);
    assert_int_equal(load_into(loaded, disk, info.position.applied, &failure), ERROR_OK);
    struct state_position before = position_of(fixture), after = position_of(loaded);
    assert_true(same_position(&before, &after));
    assert_true(hash128_equal(digest_of_view(fixture), digest_of_view(loaded)));
    loaded->sequence = fixture->sequence;
    loaded->log_time_us = fixture->log_time_us;
    assert_int_equal(run(fixture, op_create("/n/new", "")), ERROR_OK);
    assert_int_equal(run(loaded, op_create("/n/new", "")), ERROR_OK);
    assert_true(hash128_equal(position_of(fixture).digest, position_of(loaded).digest));
    fixture_teardown((void **)&loaded);
    disk_free(disk);
}

static bool append_text(struct buffer *into, const char *text, size_t length)
{
    buffer_append(into, text, length);
    buffer_u8(into, ' ');
    return true;
}

static bool add_change(void *context, const struct change *change)
{
    buffer_printf(context, "%llu.%d", (unsigned long long)change->zxid, change->kind);
    return append_text(context, change->path, change->path_length);
}

static bool add_path(void *context, uint64_t node, const char *path, size_t length)
{
    (void)node;
    return append_text(context, path, length);
}

static bool add_item(void *context, const struct due_item *item)
{
    buffer_printf(context, "%llu", (unsigned long long)item->deadline_us);
    return append_text(context, item->path, item->path_length);
}

// What a session owns, what is due, and the history, as text.
static void tell_lists(struct fixture *fixture, struct buffer *into)
{
    struct view *view;

    buffer_clear(into);
    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_session_nodes(view, 1, 0, add_path, into), ERROR_OK);
    assert_int_equal(view_due(view, UINT64_MAX, add_item, into), ERROR_OK);
    assert_int_equal(view_changes(view, 0, add_change, into), ERROR_OK);
    view_close(view);
    buffer_u8(into, 0);
}

static void sessions_deadlines_and_history_come_along(void **context)
{
    struct fixture *fixture = *context, *loaded;
    struct plain_disk *disk = disk_make();
    struct buffer before = {0}, after = {0};
    struct checkpoint_info info;
    struct failure failure;

    act_as(fixture, open_session(fixture));
    run(fixture, op_kind(op_create("/c", ""), ZNODE_CONTAINER));
    run(fixture, op_kind(op_create("/c/e", ""), ZNODE_EPHEMERAL));
    run(fixture, op_kind(op_create("/e", ""), ZNODE_EPHEMERAL));
    run(fixture, op_ttl("/t", 1000));
    run(fixture, op_bind(1, (struct session_binding){1, 2, 3}));
    fill(fixture, 20);
    assert_int_equal(write_checkpoint(fixture, disk, &info), ERROR_OK);
    fixture_setup((void **)&loaded);
    assert_int_equal(load_into(loaded, disk, info.position.applied, &failure), ERROR_OK);
    loaded->sequence = fixture->sequence;
    loaded->log_time_us = fixture->log_time_us;
    for (unsigned i = 0; i < 2; i++) {
        tell_lists(fixture, &before);
        tell_lists(loaded, &after);
        assert_string_equal((const char *)before.data, (const char *)after.data);
        assert_non_null(strstr((const char *)before.data, "/t "));
        run(fixture, op_expire(1, 1));
        run(loaded, op_expire(1, 1));
        assert_int_equal(loaded->last.ops[0].deleted, i == 0 ? 2 : 0);
        assert_true(hash128_equal(position_of(fixture).digest, position_of(loaded).digest));
    }
    buffer_deinit(&before);
    buffer_deinit(&after);
    fixture_teardown((void **)&loaded);
    disk_free(disk);
}

// ---- Rows without each other -------------------------------------------------------------------

struct copying {
    struct state *into;
    int left_out; // table
    struct state_position position;
};

static enum error copy_row(void *context, uint8_t table, const void *key, size_t key_length,
                           const void *value, size_t value_length)
{
    struct copying *copying = context;

    if (table == copying->left_out)
        return ERROR_OK;
    return state_load_row(copying->into, table, key, key_length, value, value_length);
}

// Loads what `from` holds but for one table, with a digest and counts to match.
static enum error load_without(struct fixture *from, struct fixture *into, int table)
{
    struct copying copying = {.into = into->state, .left_out = table};
    struct view *view;

    assert_int_equal(view_open(from->state, &view), ERROR_OK);
    assert_int_equal(state_load_begin(into->state), ERROR_OK);
    assert_int_equal(view_rows(view, copy_row, &copying), ERROR_OK);
    copying.position = *view_position(view);
    view_close(view);
    copying.position.digest = into->state->writer.digest;
    copying.position.data_bytes = into->state->writer.bytes;
    copying.position.session_count = into->state->position.session_count;
    copying.position.history_zxids = into->state->position.history_zxids;
    copying.position.history_bytes = into->state->position.history_bytes;
    return state_load_end(into->state, &copying.position);
}

// N20.
static void ephemerals_without_their_session_are_refused(void **context)
{
    const struct {
        int table;
        enum error error;
    } cases[] = {{-1, ERROR_OK},
                 {TABLE_HISTORY, ERROR_OK},
                 {TABLE_SESSION, ERROR_CORRUPT},
                 {TABLE_EPHEMERAL, ERROR_CORRUPT}};

    act_as(*context, open_session(*context));
    run(*context, op_kind(op_create("/e", ""), ZNODE_EPHEMERAL));
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *loaded;
        fixture_setup((void **)&loaded);
        assert_int_equal(load_without(*context, loaded, cases[i].table), cases[i].error);
        fixture_teardown((void **)&loaded);
    }
}

// ---- Files -------------------------------------------------------------------------------------

static void verify_reads_without_loading(void **context)
{
    struct plain_disk *disk = disk_make();
    struct checkpoint_info written, verified;
    struct failure failure;

    fill(*context, 100);
    assert_int_equal(write_checkpoint(*context, disk, &written), ERROR_OK);
    assert_int_equal(
        checkpoint_verify(&disk->disk, &identity, written.position.applied, &verified, &failure),
        ERROR_OK);
    assert_int_equal(verified.bytes, written.bytes);
    assert_int_equal(verified.position.zxid, written.position.zxid);
    assert_int_equal(checkpoint_verify(&disk->disk, &identity, 12345, &verified, &failure),
                     ERROR_MISSING);
    disk_free(disk);
}

// Replaces the checkpoint of a slot by these bytes.
static void put_file(struct plain_disk *disk, paxos_slot slot, const uint8_t *data, size_t length)
{
    struct disk_file *file;
    char name[64];

    snprintf(name, sizeof name, "checkpoint/%016llx", (unsigned long long)slot);
    plain_remove(&disk->disk, name);
    assert_int_equal(plain_open(&disk->disk, name, DISK_CREATE, &file), ERROR_OK);
    assert_int_equal(plain_write(file, 0, data, length), ERROR_OK);
    plain_close(file);
}

static uint8_t *get_file(struct plain_disk *disk, const struct checkpoint_info *info)
{
    uint8_t *bytes = memory_alloc(info->bytes);
    struct disk_file *file;
    char name[64];

    snprintf(name, sizeof name, "checkpoint/%016llx", (unsigned long long)info->position.applied);
    assert_int_equal(plain_open(&disk->disk, name, DISK_READ, &file), ERROR_OK);
    assert_int_equal(plain_read(file, 0, bytes, info->bytes), ERROR_OK);
    plain_close(file);
    return bytes;
}

static bool refused(struct plain_disk *disk, paxos_slot slot, const uint8_t *data, size_t length)
{
    struct checkpoint_info info;
    struct failure failure = {0};

    put_file(disk, slot, data, length);
    enum error error = checkpoint_verify(&disk->disk, &identity, slot, &info, &failure);
    assert_true(error == ERROR_OK || strstr(failure.text, "checkpoint/") != NULL);
    return error == ERROR_CORRUPT || error == ERROR_FOREIGN;
}

static void every_flipped_byte_is_noticed(void **context)
{
    struct plain_disk *disk = disk_make();
    struct checkpoint_info info;

    run(*context, op_create("/a", "data"));
    assert_int_equal(write_checkpoint(*context, disk, &info), ERROR_OK);
    uint8_t *bytes = get_file(disk, &info);
    assert_false(refused(disk, info.position.applied, bytes, info.bytes));
    for (size_t i = 0; i < info.bytes; i++) {
        uint8_t flipped = (uint8_t)(1u << (i % 8));
        // The node and incarnation that wrote it are part of the header's checksum as well.
        bytes[i] ^= flipped;
        assert_true(refused(disk, info.position.applied, bytes, info.bytes));
        bytes[i] ^= flipped;
    }
    free(bytes);
    disk_free(disk);
}

static void every_other_length_is_noticed(void **context)
{
    struct plain_disk *disk = disk_make();
    struct checkpoint_info info;

    run(*context, op_create("/a", "data"));
    assert_int_equal(write_checkpoint(*context, disk, &info), ERROR_OK);
    uint8_t *bytes = memory_realloc(get_file(disk, &info), info.bytes + 1);
    bytes[info.bytes] = 0;
    assert_true(refused(disk, info.position.applied, bytes, info.bytes + 1));
    for (size_t length = 0; length < info.bytes; length++)
        assert_true(refused(disk, info.position.applied, bytes, length));
    free(bytes);
    disk_free(disk);
}

// Every part is whole by itself; only the trailer knows that they do not belong together.
static void chunk_of_another_file_is_noticed(void **context)
{
    struct plain_disk *disk = disk_make(), *other_disk = disk_make();
    struct checkpoint_info first, second;
    struct fixture *other_fixture;

    fixture_setup((void **)&other_fixture);
    run(*context, op_create("/a", "data"));
    assert_int_equal(write_checkpoint(*context, disk, &first), ERROR_OK);
    run(other_fixture, op_create("/a", "atad"));
    assert_int_equal(write_checkpoint(other_fixture, other_disk, &second), ERROR_OK);
    uint8_t *bytes = get_file(disk, &first), *other = get_file(other_disk, &second);
    assert_int_equal(first.bytes, second.bytes);
    memcpy(bytes, other, CHECKPOINT_HEADER_BYTES);
    assert_true(refused(disk, second.position.applied, bytes, first.bytes));
    memcpy(bytes, other, first.bytes);
    assert_false(refused(disk, second.position.applied, bytes, first.bytes));
    free(bytes);
    free(other);
    disk_free(disk);
    disk_free(other_disk);
    fixture_teardown((void **)&other_fixture);
}

static void file_under_another_slot_is_refused(void **context)
{
    struct plain_disk *disk = disk_make();
    struct checkpoint_info info;

    run(*context, op_create("/a", "data"));
    assert_int_equal(write_checkpoint(*context, disk, &info), ERROR_OK);
    uint8_t *bytes = get_file(disk, &info);
    assert_true(refused(disk, info.position.applied + 1, bytes, info.bytes));
    free(bytes);
    disk_free(disk);
}

static void checkpoint_of_another_cluster_is_foreign(void **context)
{
    struct identity other = identity;
    struct plain_disk *disk = disk_make();
    struct checkpoint_info info;
    struct failure failure;

    assert_int_equal(write_checkpoint(*context, disk, &info), ERROR_OK);
    other.node = 2;
    other.incarnation[0] = 9;
    assert_int_equal(checkpoint_verify(&disk->disk, &other, 0, &info, &failure), ERROR_OK);
    other.cluster[15] ^= 1;
    assert_int_equal(checkpoint_verify(&disk->disk, &other, 0, &info, &failure), ERROR_FOREIGN);
    assert_non_null(strstr(failure.text, "another cluster"));
    disk_free(disk);
}

static bool stop_at_third_chunk(void *context, uint64_t bytes)
{
    unsigned *calls = context;

    assert_true(bytes > 0);
    return ++*calls < 3;
}

static void pace_can_stop_the_writing(void **context)
{
    struct plain_disk *disk = disk_make();
    struct checkpoint_info info;
    paxos_slot slots[4];
    struct view *view;
    unsigned calls = 0;
    size_t count;

    fill(*context, 200);
    assert_int_equal(view_open(((struct fixture *)*context)->state, &view), ERROR_OK);
    assert_int_equal(
        checkpoint_write(&disk->disk, &identity, view, stop_at_third_chunk, &calls, &info),
        ERROR_DRAINING);
    view_close(view);
    assert_int_equal(calls, 3);
    assert_int_equal(checkpoint_list(&disk->disk, slots, 4, &count), ERROR_OK);
    assert_int_equal(count, 0);
    disk_free(disk);
}

static void list_is_newest_first_and_removes_leftovers(void **context)
{
    struct plain_disk *disk = disk_make();
    struct checkpoint_info info;
    struct disk_file *file;
    paxos_slot slots[8];
    size_t count;

    assert_int_equal(checkpoint_list(&disk->disk, slots, 8, &count), ERROR_OK);
    assert_int_equal(count, 0);
    for (unsigned i = 0; i < 4; i++) {
        run(*context, op_put("/a", ""));
        assert_int_equal(write_checkpoint(*context, disk, &info), ERROR_OK);
    }
    assert_int_equal(plain_open(&disk->disk, "checkpoint/00000000000000ff.new", DISK_CREATE, &file),
                     ERROR_OK);
    plain_close(file);
    assert_int_equal(checkpoint_list(&disk->disk, slots, 8, &count), ERROR_OK);
    assert_int_equal(count, 4);
    assert_int_equal(slots[0], 4);
    assert_int_equal(slots[3], 1);
    assert_int_equal(plain_remove(&disk->disk, "checkpoint/00000000000000ff.new"), ERROR_MISSING);
    assert_int_equal(checkpoint_list(&disk->disk, slots, 2, &count), ERROR_OK);
    assert_int_equal(count, 2);
    disk_free(disk);
}

// The newest file may be a damaged one that was passed over.
static void prune_keeps_what_is_named(void **context)
{
    const paxos_slot kept[] = {3, 1, 0};
    struct plain_disk *disk = disk_make();
    struct checkpoint_info info;
    paxos_slot slots[8];
    size_t count;

    for (unsigned i = 0; i < 4; i++) {
        run(*context, op_put("/a", ""));
        assert_int_equal(write_checkpoint(*context, disk, &info), ERROR_OK);
    }
    assert_int_equal(checkpoint_prune(&disk->disk, kept, 3), ERROR_OK);
    assert_int_equal(checkpoint_list(&disk->disk, slots, 8, &count), ERROR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(slots[0], 3);
    assert_int_equal(slots[1], 1);
    disk_free(disk);
}

// ---- Rows that no state writes -----------------------------------------------------------------

struct crafted_row {
    uint8_t table;
    const char *key;
    size_t key_length;
    size_t value_length; // of zeros
};

static void rows_of_a_wrong_shape_are_refused(void **context)
{
    static const struct crafted_row rows[] = {
        {0, "\0\0\0\0\0\0\0", 8, 0},
        {0, "\0\0\0\0\0\0\0", 8, 90},
        {0, "", 0, 90},
        {0, "\0\0\0\0\0\0\0\1x", 9, 90},
        {1, "abc", 3, 10},
        {1, "abcdefghijkl", 12, 0},
        {1, "abcdefghijkl", 12, 1981},
        {2, "abcd", 4, 0},
        {3, "ab", 2, 15},
        {4, "abcdefghijklmnop", 16, 8},
        {5, "abc", 3, 0},
        {5, "deadline\2hash-of-the-key-", 25, 0},
        {TABLE_DUE, "\1deadlinehash-of-the-key-", 24, 0},
        {TABLE_DUE, "\1deadlinehash-of-the-key--", 25, 1},
        {TABLE_DUE, "\2deadlinenode--id", 17, 2},
        {TABLE_DUE, "\4deadlinenode--id", 17, 2},
        {TABLE_SESSION, "\0\0\0\0\0\0\0\0", 8, 78},
        {TABLE_SESSION, "\0\0\0\0\0\0\0\1", 8, 77},
        {TABLE_SESSION, "\0\0\0\0\0\0\1", 7, 78},
        {TABLE_EPHEMERAL, "\0\0\0\0\0\0\0\1node--id", 16, 2},
        {TABLE_HISTORY, "\0\0\0\0\0\0\0\1\0\0\0", 11, 4},
        {TABLE_HISTORY, "\0\0\0\0\0\0\0\0\0\0\0\0", 12, 4},
        {TABLE_HISTORY, "\0\0\0\0\0\0\0\1\0\0\0\0", 12, 3},
        {TABLE_HISTORY, "\0\0\0\0\0\0\0\1\0\0\0\0", 12, 5},
        {TABLE_HISTORY, "\0\0\0\0\0\0\0\1\0\0\0\1", 12, 4},
        {TABLE_META, "position", 8, POSITION_BYTES},
        {TABLE_COUNT, "a", 1, 1},
        {255, "a", 1, 1},
    };
    static const uint8_t zeros[2048];
    struct fixture *fixture = *context;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(state_load_begin(fixture->state), ERROR_OK);
        assert_int_equal(state_load_row(fixture->state, rows[i].table, rows[i].key,
                                        rows[i].key_length, zeros, rows[i].value_length),
                         ERROR_CORRUPT);
        state_abort(fixture->state);
    }
}

static void nodes_without_a_root_are_refused(void **context)
{
    static const char child[] = "\0\0\0\0\0\0\0\1x", root[] = "\0\0\0\0\0\0\0\0";
    struct state *state = ((struct fixture *)*context)->state;
    struct buffer row = {0};
    struct node node = {.id = 2};

    assert_int_equal(state_load_begin(state), ERROR_OK);
    node_encode(&row, &node);
    assert_int_equal(state_load_row(state, 0, child, 9, row.data, row.length), ERROR_CORRUPT);
    assert_int_equal(state_load_row(state, 0, root, 8, row.data, row.length), ERROR_CORRUPT);
    buffer_clear(&row);
    node.id = NODE_ROOT_ID;
    node_encode(&row, &node);
    assert_int_equal(state_load_row(state, 0, root, 8, row.data, row.length), ERROR_OK);
    assert_int_equal(state_load_row(state, 0, "\0\0\0\0\0\0\0\0x", 9, row.data, row.length),
                     ERROR_CORRUPT);
    buffer_deinit(&row);
}

static void rows_out_of_order_are_refused(void **context)
{
    struct fixture *fixture = *context;
    uint8_t value[16] = {0};

    assert_int_equal(state_load_begin(fixture->state), ERROR_OK);
    assert_int_equal(state_load_row(fixture->state, 3, "\0\2", 2, value, 16), ERROR_OK);
    assert_int_equal(state_load_row(fixture->state, 3, "\0\2", 2, value, 16), ERROR_CORRUPT);
    assert_int_equal(state_load_row(fixture->state, 3, "\0\1", 2, value, 16), ERROR_CORRUPT);
    assert_int_equal(state_load_row(fixture->state, 3, "\0\3", 2, value, 16), ERROR_OK);
}

static void load_of_another_state_than_named_is_refused(void **context)
{
    struct fixture *fixture = *context;
    struct state_position position = position_of(fixture);

    assert_int_equal(state_load_begin(fixture->state), ERROR_OK);
    assert_int_equal(state_load_end(fixture->state, &position), ERROR_CORRUPT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(round_trip_gives_the_same_state),
        TEST(sessions_deadlines_and_history_come_along),
        TEST(ephemerals_without_their_session_are_refused),
        TEST(verify_reads_without_loading),
        TEST(every_flipped_byte_is_noticed),
        TEST(every_other_length_is_noticed),
        TEST(chunk_of_another_file_is_noticed),
        TEST(file_under_another_slot_is_refused),
        TEST(checkpoint_of_another_cluster_is_foreign),
        TEST(pace_can_stop_the_writing),
        TEST(list_is_newest_first_and_removes_leftovers),
        TEST(prune_keeps_what_is_named),
        TEST(rows_of_a_wrong_shape_are_refused),
        TEST(nodes_without_a_root_are_refused),
        TEST(rows_out_of_order_are_refused),
        TEST(load_of_another_state_than_named_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
