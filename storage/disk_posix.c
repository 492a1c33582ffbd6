// SPDX-License-Identifier: Apache-2.0
// The disk port on Linux: every name is looked up below one directory descriptor, and an error is
// logged here, once, with the kernel's reason.
#include "storage/disk_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "storage/lock.h"

enum {
    LOCK_TEXT_MAX = 24, // a process id and a newline
    FILE_MODE = 0600,
    DIRECTORY_MODE = 0700,
};

struct posix_disk {
    struct disk base;
    int directory; // descriptor of the data directory
    int lock;      // descriptor of the file "lock", locked
};

struct posix_file {
    struct disk_file base;
    int descriptor;
    char *name; // for the log
};

static struct posix_disk *disk_of(struct disk *disk)
{
    return (struct posix_disk *)disk;
}

static struct posix_file *file_of(struct disk_file *file)
{
    return (struct posix_file *)file;
}

static enum error error_of_errno(void)
{
    switch (errno) {
    case ENOENT:
        return ERROR_MISSING;
    case ENOSPC:
    case EDQUOT:
        return ERROR_DISK_FULL;
    default:
        return ERROR_IO;
    }
}

// A name that does not exist is an answer and no event.
static enum error report(const char *operation, const char *name)
{
    char quoted_name[LOG_QUOTED_MAX];
    char quoted_reason[LOG_QUOTED_MAX];
    enum error error = error_of_errno();

    if (error != ERROR_MISSING)
        log_write(LOG_ERROR, "disk operation failed", "operation=%s file=%s reason=%s", operation,
                  log_quote(quoted_name, name), log_quote(quoted_reason, strerror(errno)));
    return error;
}

static int open_flags(enum disk_open mode)
{
    switch (mode) {
    case DISK_READ:
        return O_RDONLY | O_CLOEXEC;
    case DISK_CREATE:
        return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
    case DISK_WRITE:
    default:
        return O_RDWR | O_CLOEXEC;
    }
}

static enum error posix_open(struct disk *disk, const char *name, enum disk_open mode,
                             struct disk_file **file)
{
    int descriptor = openat(disk_of(disk)->directory, name, open_flags(mode), FILE_MODE);

    if (descriptor < 0)
        return report("open", name);
    struct posix_file *opened = memory_zalloc(sizeof *opened);
    opened->base.disk = disk;
    opened->descriptor = descriptor;
    opened->name = memory_string(name);
    *file = &opened->base;
    return ERROR_OK;
}

static void posix_close(struct disk_file *file)
{
    struct posix_file *closed = file_of(file);

    close(closed->descriptor);
    free(closed->name);
    free(closed);
}

static enum error posix_size(struct disk_file *file, uint64_t *bytes)
{
    struct stat status;

    if (fstat(file_of(file)->descriptor, &status) != 0)
        return report("stat", file_of(file)->name);
    *bytes = (uint64_t)status.st_size;
    return ERROR_OK;
}

static enum error posix_read(struct disk_file *file, uint64_t offset, void *into, size_t length)
{
    uint8_t *at = into;

    while (length > 0) {
        ssize_t got = pread(file_of(file)->descriptor, at, length, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO;
        if (got <= 0)
            return report("read", file_of(file)->name);
        at += got;
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return ERROR_OK;
}

static enum error posix_write(struct disk_file *file, uint64_t offset, const void *data,
                              size_t length)
{
    const uint8_t *at = data;

    while (length > 0) {
        ssize_t written = pwrite(file_of(file)->descriptor, at, length, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written == 0)
            errno = EIO;
        if (written <= 0)
            return report("write", file_of(file)->name);
        at += written;
        offset += (uint64_t)written;
        length -= (size_t)written;
    }
    return ERROR_OK;
}

static enum error posix_sync(struct disk_file *file)
{
    // Not repeated, not even for EINTR: after a failed flush the kernel may have dropped the pages.
    if (fdatasync(file_of(file)->descriptor) != 0)
        return report("sync", file_of(file)->name);
    return ERROR_OK;
}

static enum error posix_rename(struct disk *disk, const char *from, const char *to)
{
    int directory = disk_of(disk)->directory;

    if (renameat(directory, from, directory, to) != 0)
        return report("rename", from);
    return ERROR_OK;
}

static enum error posix_remove(struct disk *disk, const char *name)
{
    if (unlinkat(disk_of(disk)->directory, name, 0) != 0)
        return report("remove", name);
    return ERROR_OK;
}

static int open_directory(struct disk *disk, const char *directory)
{
    return openat(disk_of(disk)->directory, directory[0] == '\0' ? "." : directory,
                  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum error posix_sync_directory(struct disk *disk, const char *directory)
{
    int descriptor = open_directory(disk, directory);

    if (descriptor < 0)
        return report("open directory", directory);
    enum error error = fsync(descriptor) == 0 ? ERROR_OK : report("sync directory", directory);
    close(descriptor);
    return error;
}

static enum error posix_make_directory(struct disk *disk, const char *directory)
{
    if (mkdirat(disk_of(disk)->directory, directory, DIRECTORY_MODE) != 0 && errno != EEXIST)
        return report("make directory", directory);
    const char *slash = strrchr(directory, '/');
    char *parent = memory_string(directory);
    parent[slash != NULL ? slash - directory : 0] = '\0';
    enum error error = posix_sync_directory(disk, parent);
    free(parent);
    return error;
}

static enum error posix_list(struct disk *disk, const char *directory,
                             void (*visit)(void *context, const char *name), void *context)
{
    int descriptor = open_directory(disk, directory);

    if (descriptor < 0)
        return report("open directory", directory);
    DIR *stream = fdopendir(descriptor);
    if (stream == NULL) {
        close(descriptor);
        return report("list", directory);
    }
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            visit(context, entry->d_name);
        errno = 0;
    }
    enum error error = errno == 0 ? ERROR_OK : report("list", directory);
    closedir(stream);
    return error;
}

static enum error posix_free_bytes(struct disk *disk, uint64_t *bytes)
{
    struct statvfs status;

    if (fstatvfs(disk_of(disk)->directory, &status) != 0)
        return report("statvfs", "");
    *bytes = (uint64_t)status.f_bavail * (uint64_t)status.f_frsize;
    return ERROR_OK;
}

static const struct disk_operations posix_operations = {
    .open = posix_open,
    .close = posix_close,
    .size = posix_size,
    .read = posix_read,
    .write = posix_write,
    .sync = posix_sync,
    .rename = posix_rename,
    .remove = posix_remove,
    .make_directory = posix_make_directory,
    .sync_directory = posix_sync_directory,
    .list = posix_list,
    .free_bytes = posix_free_bytes,
};

static enum error sync_parent(int directory)
{
    int parent = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    // Without the right to read the parent its entry is the operator's business.
    if (parent < 0)
        return errno == EACCES ? ERROR_OK : ERROR_IO;
    int result = fsync(parent);
    int reason = errno;
    close(parent);
    errno = reason;
    return result == 0 ? ERROR_OK : ERROR_IO;
}

static enum error open_data_directory(const char *directory, int *descriptor,
                                      struct failure *failure)
{
    bool made = mkdir(directory, DIRECTORY_MODE) == 0;

    if (!made && errno != EEXIST)
        return failure_set(failure, ERROR_IO, "cannot make the data directory \"%s\": %s",
                           directory, strerror(errno));
    *descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*descriptor < 0)
        return failure_set(failure, ERROR_IO, "cannot open the data directory \"%s\": %s",
                           directory, strerror(errno));
    if (!made || sync_parent(*descriptor) == ERROR_OK)
        return ERROR_OK;
    failure_set(failure, ERROR_IO, "cannot make the data directory \"%s\" durable: %s", directory,
                strerror(errno));
    close(*descriptor);
    return ERROR_IO;
}

static enum error lock_in_use(const char *directory, int descriptor, struct failure *failure)
{
    char text[LOCK_TEXT_MAX] = "";
    ssize_t got = pread(descriptor, text, sizeof text - 1, 0);
    long owner = got > 0 ? strtol(text, NULL, 10) : 0;

    if (owner <= 0)
        return failure_set(failure, ERROR_LOCKED,
                           "the data directory \"%s\" is in use by another curlewd", directory);
    return failure_set(failure, ERROR_LOCKED,
                       "the data directory \"%s\" is in use by another curlewd (process %ld)",
                       directory, owner);
}

// The owner's process id stands in the file for whoever finds it locked.
static void write_owner(int descriptor)
{
    if (ftruncate(descriptor, 0) == 0)
        dprintf(descriptor, "%ld\n", (long)getpid());
}

// The directory itself is locked as well: the file "lock" can be removed while it is locked, and
// then a second process would lock another one. Some file systems lock files only.
static enum error lock_both(const char *directory, int data_directory, int lock,
                            struct failure *failure)
{
    enum error error = lock_try(data_directory);

    if (error != ERROR_LOCKED)
        error = lock_try(lock);
    if (error == ERROR_LOCKED)
        return lock_in_use(directory, lock, failure);
    if (error != ERROR_OK)
        return failure_set(failure, error, "cannot lock \"%s/lock\": %s", directory,
                           strerror(errno));
    write_owner(lock);
    return ERROR_OK;
}

static enum error lock_directory(const char *directory, int data_directory, int *lock,
                                 struct failure *failure)
{
    *lock = openat(data_directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);

    if (*lock < 0)
        return failure_set(failure, ERROR_IO, "cannot open \"%s/lock\": %s", directory,
                           strerror(errno));
    enum error error = lock_both(directory, data_directory, *lock, failure);
    if (error != ERROR_OK)
        close(*lock);
    return error;
}

enum error disk_posix_open(const char *directory, struct disk **disk, struct failure *failure)
{
    int descriptor = -1;
    int lock = -1;
    enum error error = open_data_directory(directory, &descriptor, failure);

    if (error != ERROR_OK)
        return error;
    error = lock_directory(directory, descriptor, &lock, failure);
    if (error != ERROR_OK) {
        close(descriptor);
        return error;
    }
    struct posix_disk *opened = memory_zalloc(sizeof *opened);
    opened->base.operations = &posix_operations;
    opened->directory = descriptor;
    opened->lock = lock;
    *disk = &opened->base;
    return ERROR_OK;
}

void disk_posix_close(struct disk *disk)
{
    if (disk == NULL)
        return;
    close(disk_of(disk)->lock);
    close(disk_of(disk)->directory);
    free(disk);
}
