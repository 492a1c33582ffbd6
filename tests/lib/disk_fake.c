// SPDX-License-Identifier: Apache-2.0
// The disk of the tests: see the header for its model. Names are kept in a sorted list with two
// bindings each, the one that programs see and the one that survives a crash.
#include "tests/lib/disk_fake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"

#include "tests/lib/disk_fake_file.h"

enum change_type { CHANGE_CREATE, CHANGE_RENAME, CHANGE_REMOVE };

// A change of names that no sync_directory has made durable yet.
struct change {
    enum change_type type;
    char *name;
    char *to; // RENAME
    struct fake_inode *inode;
};

struct name {
    char *text;
    struct fake_inode *current; // NULL: absent
    struct fake_inode *durable;
};

struct fake_disk {
    struct disk base;
    pthread_mutex_t lock;
    struct name *names; // sorted by text
    size_t name_count;
    struct change *changes; // oldest first
    size_t change_count;
    char **directories;
    size_t directory_count;
    uint64_t generation; // +1 per crash
    uint64_t operations;
    uint64_t fail_at; // operation that fails, 0 = none
    enum error fail_with;
    bool fail_lasting;
    uint64_t free_bytes;
};

struct fake_file {
    struct disk_file base;
    struct fake_inode *inode;
    uint64_t generation; // of the disk when it was opened
};

static struct fake_disk *disk_of(const struct disk *disk)
{
    return (struct fake_disk *)disk;
}

static struct fake_file *file_of(struct disk_file *file)
{
    return (struct fake_file *)file;
}

// ---- Names -------------------------------------------------------------------------------------

static size_t name_position(const struct fake_disk *disk, const char *text)
{
    size_t low = 0;
    size_t high = disk->name_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(disk->names[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct name *name_find(const struct fake_disk *disk, const char *text)
{
    size_t at = name_position(disk, text);

    if (at == disk->name_count || strcmp(disk->names[at].text, text) != 0)
        return NULL;
    return &disk->names[at];
}

static struct name *name_make(struct fake_disk *disk, const char *text)
{
    struct name *found = name_find(disk, text);
    size_t at = name_position(disk, text);

    if (found != NULL)
        return found;
    disk->names = memory_realloc(disk->names, (disk->name_count + 1) * sizeof *disk->names);
    memmove(&disk->names[at + 1], &disk->names[at], (disk->name_count - at) * sizeof *disk->names);
    disk->names[at] = (struct name){.text = memory_string(text)};
    disk->name_count++;
    return &disk->names[at];
}

static struct fake_inode *current_inode(const struct fake_disk *disk, const char *text)
{
    const struct name *name = name_find(disk, text);

    return name != NULL ? name->current : NULL;
}

static void bind(struct fake_disk *disk, struct fake_inode **place, struct fake_inode *inode)
{
    struct fake_inode *old = *place;

    *place = inode != NULL ? fake_inode_ref(inode) : NULL;
    if (old != NULL)
        disk->free_bytes += fake_inode_unref(old);
}

static void drop_unbound_names(struct fake_disk *disk)
{
    size_t kept = 0;

    for (size_t i = 0; i < disk->name_count; i++) {
        if (disk->names[i].current == NULL && disk->names[i].durable == NULL)
            free(disk->names[i].text);
        else
            disk->names[kept++] = disk->names[i];
    }
    disk->name_count = kept;
}

static bool in_directory(const char *name, const char *directory)
{
    size_t length = strlen(directory);

    if (length == 0)
        return strchr(name, '/') == NULL;
    return strncmp(name, directory, length) == 0 && name[length] == '/' &&
           strchr(name + length + 1, '/') == NULL;
}

static bool directory_exists(const struct fake_disk *disk, const char *directory)
{
    if (directory[0] == '\0')
        return true;
    for (size_t i = 0; i < disk->directory_count; i++)
        if (strcmp(disk->directories[i], directory) == 0)
            return true;
    return false;
}

// ---- Changes of names --------------------------------------------------------------------------

static void change_add(struct fake_disk *disk, enum change_type type, const char *name,
                       const char *to, struct fake_inode *inode)
{
    disk->changes = memory_realloc(disk->changes, (disk->change_count + 1) * sizeof *disk->changes);
    disk->changes[disk->change_count++] = (struct change){
        .type = type,
        .name = memory_string(name),
        .to = to != NULL ? memory_string(to) : NULL,
        .inode = fake_inode_ref(inode),
    };
}

static void change_deinit(struct fake_disk *disk, struct change *change)
{
    free(change->name);
    free(change->to);
    disk->free_bytes += fake_inode_unref(change->inode);
}

static void change_apply(struct fake_disk *disk, const struct change *change)
{
    struct name *name = name_make(disk, change->name);

    if (change->type == CHANGE_CREATE)
        bind(disk, &name->durable, change->inode);
    else if (name->durable == change->inode)
        bind(disk, &name->durable, NULL);
    if (change->type == CHANGE_RENAME)
        bind(disk, &name_make(disk, change->to)->durable, change->inode);
}

static void changes_sync(struct fake_disk *disk, const char *directory)
{
    size_t kept = 0;

    for (size_t i = 0; i < disk->change_count; i++) {
        if (in_directory(disk->changes[i].name, directory)) {
            change_apply(disk, &disk->changes[i]);
            change_deinit(disk, &disk->changes[i]);
        } else {
            disk->changes[kept++] = disk->changes[i];
        }
    }
    disk->change_count = kept;
    drop_unbound_names(disk);
}

// ---- Operations --------------------------------------------------------------------------------

// Counts an operation and says whether it fails.
static enum error operation_begin(struct fake_disk *disk)
{
    disk->operations++;
    if (disk->fail_at == 0 || disk->operations < disk->fail_at)
        return ERROR_OK;
    if (disk->operations > disk->fail_at && !disk->fail_lasting)
        return ERROR_OK;
    return disk->fail_with;
}

static enum error name_create(struct fake_disk *disk, const char *text, struct fake_inode **inode)
{
    enum error error = operation_begin(disk);

    if (error != ERROR_OK)
        return error;
    struct fake_inode *made = fake_inode_new();
    bind(disk, &name_make(disk, text)->current, made);
    change_add(disk, CHANGE_CREATE, text, NULL, made);
    fake_inode_unref(made);
    *inode = made;
    return ERROR_OK;
}

static enum error fake_open_locked(struct fake_disk *disk, const char *name, enum disk_open mode,
                                   struct disk_file **file)
{
    struct fake_inode *inode = current_inode(disk, name);
    enum error error = ERROR_OK;

    if (mode == DISK_CREATE)
        error = inode != NULL ? ERROR_IO : name_create(disk, name, &inode);
    else if (inode == NULL)
        error = ERROR_MISSING;
    if (error != ERROR_OK)
        return error;
    struct fake_file *opened = memory_zalloc(sizeof *opened);
    opened->base.disk = &disk->base;
    opened->inode = fake_inode_ref(inode);
    opened->generation = disk->generation;
    *file = &opened->base;
    return ERROR_OK;
}

static enum error fake_open(struct disk *disk, const char *name, enum disk_open mode,
                            struct disk_file **file)
{
    pthread_mutex_lock(&disk_of(disk)->lock);
    enum error error = fake_open_locked(disk_of(disk), name, mode, file);
    pthread_mutex_unlock(&disk_of(disk)->lock);
    return error;
}

static void fake_close(struct disk_file *file)
{
    struct fake_disk *disk = disk_of(file->disk);

    pthread_mutex_lock(&disk->lock);
    disk->free_bytes += fake_inode_unref(file_of(file)->inode);
    pthread_mutex_unlock(&disk->lock);
    free(file);
}

static bool is_stale(const struct fake_disk *disk, struct disk_file *file)
{
    return file_of(file)->generation != disk->generation;
}

static enum error fake_size(struct disk_file *file, uint64_t *bytes)
{
    struct fake_disk *disk = disk_of(file->disk);

    pthread_mutex_lock(&disk->lock);
    *bytes = fake_inode_size(file_of(file)->inode);
    pthread_mutex_unlock(&disk->lock);
    return ERROR_OK;
}

static enum error fake_read(struct disk_file *file, uint64_t offset, void *into, size_t length)
{
    struct fake_disk *disk = disk_of(file->disk);
    struct fake_inode *inode = file_of(file)->inode;
    enum error error = ERROR_IO;

    pthread_mutex_lock(&disk->lock);
    uint64_t size = fake_inode_size(inode);
    if (!is_stale(disk, file) && offset <= size && length <= size - offset) {
        fake_inode_read(inode, offset, into, length);
        error = ERROR_OK;
    }
    pthread_mutex_unlock(&disk->lock);
    return error;
}

static enum error fake_write_locked(struct fake_disk *disk, struct disk_file *file, uint64_t offset,
                                    const void *data, size_t length)
{
    struct fake_inode *inode = file_of(file)->inode;
    enum error error = operation_begin(disk);
    uint64_t size = fake_inode_size(inode);
    uint64_t growth = offset + length > size ? offset + length - size : 0;

    if (is_stale(disk, file))
        return ERROR_IO;
    if (growth > disk->free_bytes)
        return error != ERROR_OK ? error : ERROR_DISK_FULL;
    disk->free_bytes -= growth;
    fake_inode_write(inode, offset, data, length);
    return error;
}

static enum error fake_write(struct disk_file *file, uint64_t offset, const void *data,
                             size_t length)
{
    struct fake_disk *disk = disk_of(file->disk);

    pthread_mutex_lock(&disk->lock);
    enum error error = fake_write_locked(disk, file, offset, data, length);
    pthread_mutex_unlock(&disk->lock);
    return error;
}

static enum error fake_sync(struct disk_file *file)
{
    struct fake_disk *disk = disk_of(file->disk);

    pthread_mutex_lock(&disk->lock);
    enum error error = operation_begin(disk);
    if (is_stale(disk, file))
        error = ERROR_IO;
    if (error == ERROR_OK)
        fake_inode_sync(file_of(file)->inode);
    pthread_mutex_unlock(&disk->lock);
    return error;
}

static enum error fake_rename_locked(struct fake_disk *disk, const char *from, const char *to)
{
    struct fake_inode *inode = current_inode(disk, from);
    enum error error = operation_begin(disk);

    if (error != ERROR_OK)
        return error;
    if (inode == NULL)
        return ERROR_MISSING;
    change_add(disk, CHANGE_RENAME, from, to, inode);
    bind(disk, &name_make(disk, to)->current, inode);
    bind(disk, &name_find(disk, from)->current, NULL);
    return ERROR_OK;
}

static enum error fake_rename(struct disk *disk, const char *from, const char *to)
{
    pthread_mutex_lock(&disk_of(disk)->lock);
    enum error error = fake_rename_locked(disk_of(disk), from, to);
    pthread_mutex_unlock(&disk_of(disk)->lock);
    return error;
}

static enum error fake_remove_locked(struct fake_disk *disk, const char *text)
{
    struct fake_inode *inode = current_inode(disk, text);

    if (inode == NULL)
        return ERROR_MISSING;
    enum error error = operation_begin(disk);
    if (error != ERROR_OK)
        return error;
    change_add(disk, CHANGE_REMOVE, text, NULL, inode);
    bind(disk, &name_find(disk, text)->current, NULL);
    return ERROR_OK;
}

static enum error fake_remove(struct disk *disk, const char *name)
{
    pthread_mutex_lock(&disk_of(disk)->lock);
    enum error error = fake_remove_locked(disk_of(disk), name);
    pthread_mutex_unlock(&disk_of(disk)->lock);
    return error;
}

static void directory_add(struct fake_disk *disk, const char *directory)
{
    disk->directories =
        memory_realloc(disk->directories, (disk->directory_count + 1) * sizeof(char *));
    disk->directories[disk->directory_count++] = memory_string(directory);
}

static enum error fake_make_directory(struct disk *base, const char *directory)
{
    struct fake_disk *disk = disk_of(base);

    pthread_mutex_lock(&disk->lock);
    enum error error = operation_begin(disk);
    if (error == ERROR_OK && !directory_exists(disk, directory))
        directory_add(disk, directory);
    pthread_mutex_unlock(&disk->lock);
    return error;
}

static enum error fake_sync_directory(struct disk *base, const char *directory)
{
    struct fake_disk *disk = disk_of(base);

    pthread_mutex_lock(&disk->lock);
    enum error error = operation_begin(disk);
    if (error == ERROR_OK && !directory_exists(disk, directory))
        error = ERROR_MISSING;
    if (error == ERROR_OK)
        changes_sync(disk, directory);
    pthread_mutex_unlock(&disk->lock);
    return error;
}

// The visitor may call the disk, so it gets copies of the names outside the lock.
static enum error fake_list(struct disk *base, const char *directory,
                            void (*visit)(void *context, const char *name), void *context)
{
    struct fake_disk *disk = disk_of(base);
    size_t prefix = directory[0] == '\0' ? 0 : strlen(directory) + 1;
    size_t count = 0;

    pthread_mutex_lock(&disk->lock);
    bool exists = directory_exists(disk, directory);
    char **found = memory_zalloc((disk->name_count + 1) * sizeof *found);
    for (size_t i = 0; i < disk->name_count; i++)
        if (disk->names[i].current != NULL && in_directory(disk->names[i].text, directory))
            found[count++] = memory_string(disk->names[i].text + prefix);
    pthread_mutex_unlock(&disk->lock);

    for (size_t i = 0; i < count; i++) {
        visit(context, found[i]);
        free(found[i]);
    }
    free(found);
    return exists ? ERROR_OK : ERROR_MISSING;
}

static enum error fake_free_bytes(struct disk *disk, uint64_t *bytes)
{
    *bytes = disk_of(disk)->free_bytes;
    return ERROR_OK;
}

static const struct disk_operations fake_operations = {
    .open = fake_open,
    .close = fake_close,
    .size = fake_size,
    .read = fake_read,
    .write = fake_write,
    .sync = fake_sync,
    .rename = fake_rename,
    .remove = fake_remove,
    .make_directory = fake_make_directory,
    .sync_directory = fake_sync_directory,
    .list = fake_list,
    .free_bytes = fake_free_bytes,
};

// ---- Life, crashes, faults ---------------------------------------------------------------------

struct disk *disk_fake_new(void)
{
    struct fake_disk *disk = memory_zalloc(sizeof *disk);

    disk->base.operations = &fake_operations;
    disk->free_bytes = 1ULL << 40;
    pthread_mutex_init(&disk->lock, NULL);
    return &disk->base;
}

void disk_fake_free(struct disk *base)
{
    struct fake_disk *disk = disk_of(base);

    if (disk == NULL)
        return;
    for (size_t i = 0; i < disk->change_count; i++)
        change_deinit(disk, &disk->changes[i]);
    for (size_t i = 0; i < disk->name_count; i++) {
        bind(disk, &disk->names[i].current, NULL);
        bind(disk, &disk->names[i].durable, NULL);
        free(disk->names[i].text);
    }
    for (size_t i = 0; i < disk->directory_count; i++)
        free(disk->directories[i]);
    free(disk->changes);
    free(disk->names);
    free(disk->directories);
    pthread_mutex_destroy(&disk->lock);
    free(disk);
}

// Several names or changes may share an inode; the copy remembers where its twin is.
static struct fake_inode *clone_inode(struct fake_inode *inode, struct fake_inode **twins,
                                      struct fake_inode **copies, size_t *count)
{
    if (inode == NULL)
        return NULL;
    for (size_t i = 0; i < *count; i++)
        if (twins[i] == inode)
            return copies[i];
    twins[*count] = inode;
    copies[*count] = fake_inode_clone(inode);
    return copies[(*count)++];
}

struct disk *disk_fake_clone(struct disk *base)
{
    struct fake_disk *disk = disk_of(base);
    struct fake_disk *clone = disk_of(disk_fake_new());
    size_t most = 2 * disk->name_count + disk->change_count + 1;
    struct fake_inode **twins = memory_zalloc(most * sizeof(struct fake_inode *));
    struct fake_inode **copies = memory_zalloc(most * sizeof(struct fake_inode *));
    size_t count = 0;

    clone->operations = disk->operations;
    clone->free_bytes = disk->free_bytes;
    for (size_t i = 0; i < disk->directory_count; i++)
        directory_add(clone, disk->directories[i]);
    for (size_t i = 0; i < disk->name_count; i++) {
        const struct name *from = &disk->names[i];
        struct name *to = name_make(clone, from->text);
        bind(clone, &to->current, clone_inode(from->current, twins, copies, &count));
        bind(clone, &to->durable, clone_inode(from->durable, twins, copies, &count));
    }
    for (size_t i = 0; i < disk->change_count; i++) {
        const struct change *change = &disk->changes[i];
        change_add(clone, change->type, change->name, change->to,
                   clone_inode(change->inode, twins, copies, &count));
    }
    for (size_t i = 0; i < count; i++)
        fake_inode_unref(copies[i]);
    free(twins);
    free(copies);
    return &clone->base;
}

void disk_fake_crash(struct disk *base, disk_fake_choose choose, void *context)
{
    struct fake_disk *disk = disk_of(base);

    pthread_mutex_lock(&disk->lock);
    for (size_t i = 0; i < disk->change_count; i++) {
        if (choose(context, disk->changes[i].name, UINT64_MAX))
            change_apply(disk, &disk->changes[i]);
        change_deinit(disk, &disk->changes[i]);
    }
    disk->change_count = 0;
    for (size_t i = 0; i < disk->name_count; i++)
        bind(disk, &disk->names[i].current, disk->names[i].durable);
    drop_unbound_names(disk);
    for (size_t i = 0; i < disk->name_count; i++)
        disk->free_bytes +=
            fake_inode_crash(disk->names[i].current, disk->names[i].text, choose, context);
    disk->generation++;
    disk->fail_at = 0;
    pthread_mutex_unlock(&disk->lock);
}

static bool choose_random(void *context, const char *name, uint64_t sector)
{
    uint64_t *state = context;

    (void)name;
    *state = hash64(&sector, sizeof sector, *state + 1);
    return (*state & 1) != 0;
}

void disk_fake_crash_random(struct disk *disk, uint64_t seed)
{
    disk_fake_crash(disk, choose_random, &seed);
}

uint64_t disk_fake_operations(const struct disk *disk)
{
    return disk_of(disk)->operations;
}

void disk_fake_fail(struct disk *base, uint64_t count, enum error error, bool lasting)
{
    struct fake_disk *disk = disk_of(base);

    disk->fail_at = count > 0 ? disk->operations + count : 0;
    disk->fail_with = error;
    disk->fail_lasting = lasting;
}

void disk_fake_set_free(struct disk *disk, uint64_t bytes)
{
    disk_of(disk)->free_bytes = bytes;
}

// ---- Looking and damaging ----------------------------------------------------------------------

static struct fake_inode *inode_required(struct disk *disk, const char *name)
{
    struct fake_inode *inode = current_inode(disk_of(disk), name);

    ASSERT(inode != NULL);
    return inode;
}

bool disk_fake_exists(struct disk *disk, const char *name)
{
    return current_inode(disk_of(disk), name) != NULL;
}

void disk_fake_read(struct disk *disk, const char *name, struct buffer *into)
{
    struct fake_inode *inode = inode_required(disk, name);
    size_t size = fake_inode_size(inode);

    fake_inode_read(inode, 0, buffer_reserve(into, size), size);
    into->length += size;
}

void disk_fake_poke(struct disk *disk, const char *name, uint64_t offset, const void *data,
                    size_t length)
{
    struct fake_inode *inode = inode_required(disk, name);

    ASSERT(offset + length <= fake_inode_size(inode));
    fake_inode_poke(inode, offset, data, length);
}

void disk_fake_flip(struct disk *disk, const char *name, uint64_t offset, unsigned bit)
{
    uint8_t byte;

    fake_inode_read(inode_required(disk, name), offset, &byte, 1);
    byte = (uint8_t)(byte ^ (1U << bit));
    disk_fake_poke(disk, name, offset, &byte, 1);
}

uint64_t disk_fake_memory(struct disk *base)
{
    struct fake_disk *disk = disk_of(base);
    uint64_t bytes = 0;

    for (size_t i = 0; i < disk->name_count; i++)
        if (disk->names[i].current != NULL)
            bytes += fake_inode_memory(disk->names[i].current);
    return bytes;
}
