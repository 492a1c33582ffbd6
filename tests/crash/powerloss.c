// SPDX-License-Identifier: Apache-2.0
// An LD_PRELOAD library that remembers how to undo what a process wrote below $POWERLOSS_DIR and
// did not sync. After a kill the harness (powerloss.py) undoes a part of it, as a power loss would.
//
// $POWERLOSS_DIR    directory that is watched; its subdirectory "live" is not
// $POWERLOSS_LOG    directory for the log "undo" and for unlinked files
// $POWERLOSS_LIE    1: fsync and fdatasync do nothing and say that they did
// $POWERLOSS_DELAY  microseconds that a sync takes (500); nothing is really synced
//
// While there is a file "hang" in the log's directory, no sync ends.
//
// Before a write the old content of every 512-byte sector it touches goes to the log; behind a sync
// a record says up to which entry of the log the file (or the directory) is now durable. One mutex
// covers the record and the write, so the log has the order of what happened.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { SECTOR = 512, MAGIC = 0x50574c53, TEXT_MAX = PATH_MAX };

enum record_type {
    WRITE = 'W',
    SYNC = 'S',
    CREATE = 'C',
    RENAME = 'R',
    UNLINK = 'U',
    RESIZE = 'T'
};

struct record {
    uint32_t magic;
    uint32_t type;
    uint64_t sequence; // SYNC: entries below it are durable
    uint64_t inode;    // of the file; of the directory for SYNC of one
    uint64_t offset;   // first sector that the write touches
    uint64_t touched;  // bytes of the whole sectors that it touches
    uint64_t old_size; // of the file
    uint32_t path_length;
    uint32_t other_length; // second path: target of a rename, backup of what was there
    uint64_t data_length;  // old content of those sectors, as far as the file went
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static char log_directory[PATH_MAX];
static int log_descriptor = -1;
static uint64_t next_sequence = 1;
static uint64_t backups;
static bool lie;
static long delay_us = 500;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_renameat)(int, const char *, int, const char *);
static int (*real_unlinkat)(int, const char *, int);
static int (*real_ftruncate)(int, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_posix_fallocate)(int, off_t, off_t);
static int (*real_fallocate)(int, int, off_t, off_t);

static void die(const char *what)
{
    dprintf(STDERR_FILENO, "powerloss: %s: %s\n", what, strerror(errno));
    abort();
}

static void find(void *into, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(into, &symbol, sizeof symbol);
}

static void find_symbols(void)
{
    find(&real_pwrite, "pwrite");
    find(&real_write, "write");
    find(&real_open, "open");
    find(&real_openat, "openat");
    find(&real_renameat, "renameat");
    find(&real_unlinkat, "unlinkat");
    find(&real_ftruncate, "ftruncate");
    find(&real_writev, "writev");
    find(&real_pwritev, "pwritev");
    find(&real_posix_fallocate, "posix_fallocate");
    find(&real_fallocate, "fallocate");
}

__attribute__((constructor)) static void start(void)
{
    char name[PATH_MAX + 8];
    const char *directory = getenv("POWERLOSS_DIR");
    const char *log = getenv("POWERLOSS_LOG");

    find_symbols();
    if (directory == NULL || log == NULL)
        return;
    snprintf(root, sizeof root, "%s", directory);
    snprintf(log_directory, sizeof log_directory, "%s", log);
    lie = getenv("POWERLOSS_LIE") != NULL && strcmp(getenv("POWERLOSS_LIE"), "1") == 0;
    if (getenv("POWERLOSS_DELAY") != NULL)
        delay_us = atol(getenv("POWERLOSS_DELAY"));
    snprintf(name, sizeof name, "%s/undo", log);
    log_descriptor = real_open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_descriptor < 0)
        die(name);
}

static bool is_watched(const char *path)
{
    size_t length = strlen(root);

    if (log_descriptor < 0 || strncmp(path, root, length) != 0 || path[length] != '/')
        return false;
    return strncmp(path + length, "/live/", 6) != 0 && strcmp(path + length, "/live") != 0;
}

static bool path_of(int descriptor, char path[PATH_MAX])
{
    char link[64];

    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    return true;
}

// Whether writes to the descriptor are remembered; with the path that the file has now.
static bool is_file_watched(int descriptor, char path[PATH_MAX], struct stat *status)
{
    return log_descriptor >= 0 && path_of(descriptor, path) && is_watched(path) &&
           fstat(descriptor, status) == 0 && S_ISREG(status->st_mode) && status->st_nlink > 0;
}

// The path that a name stands for below a directory.
static bool resolve(int directory, const char *name, char path[PATH_MAX])
{
    char base[PATH_MAX];

    if (log_descriptor < 0)
        return false;
    if (name[0] == '/')
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && is_watched(path);
    if (directory == AT_FDCWD ? getcwd(base, sizeof base) == NULL : !path_of(directory, base))
        return false;
    return snprintf(path, PATH_MAX, "%s/%s", base, name) < PATH_MAX && is_watched(path);
}

static void put(struct record *record, const char *path, const char *other, const void *data)
{
    record->magic = MAGIC;
    if (record->type != SYNC)
        record->sequence = next_sequence++;
    record->path_length = (uint32_t)strlen(path);
    record->other_length = (uint32_t)strlen(other);
    struct iovec parts[] = {{record, sizeof *record},
                            {(void *)path, record->path_length},
                            {(void *)other, record->other_length},
                            {(void *)data, record->data_length}};
    size_t whole =
        sizeof *record + record->path_length + record->other_length + record->data_length;
    if (real_writev(log_descriptor, parts, 4) != (ssize_t)whole)
        die("log");
}

// Remembers the whole sectors that [offset, offset + length) touches, as far as the file goes.
static void remember(int descriptor, enum record_type type, const char *path,
                     const struct stat *status, uint64_t offset, uint64_t length)
{
    uint64_t size = (uint64_t)status->st_size;
    uint64_t first = offset / SECTOR * SECTOR;
    uint64_t end = (offset + length + SECTOR - 1) / SECTOR * SECTOR;
    struct record record = {.type = type,
                            .inode = status->st_ino,
                            .offset = first,
                            .touched = end - first,
                            .old_size = size};
    char link[64];
    char *old = NULL;

    if (end > size)
        end = size;
    if (end > first) {
        record.data_length = end - first;
        old = malloc(record.data_length);
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        int reader = real_open(link, O_RDONLY | O_CLOEXEC);
        if (old == NULL || reader < 0 ||
            pread(reader, old, record.data_length, (off_t)first) != (ssize_t)record.data_length)
            die("old content");
        close(reader);
    }
    put(&record, path, "", old);
    free(old);
}

static void remember_write(int descriptor, uint64_t offset, uint64_t length)
{
    struct stat status;
    char path[PATH_MAX];

    if (length > 0 && is_file_watched(descriptor, path, &status))
        remember(descriptor, WRITE, path, &status, offset, length);
}

static uint64_t position_of(int descriptor)
{
    struct stat status;
    off_t at = (fcntl(descriptor, F_GETFL) & O_APPEND) != 0 && fstat(descriptor, &status) == 0
                   ? status.st_size
                   : lseek(descriptor, 0, SEEK_CUR);
    return at < 0 ? 0 : (uint64_t)at;
}

static uint64_t length_of(const struct iovec *parts, int count)
{
    uint64_t length = 0;

    for (int i = 0; i < count; i++)
        length += parts[i].iov_len;
    return length;
}

// ---- writes
// ---------------------------------------------------------------------------------------

ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset)
{
    pthread_mutex_lock(&mutex);
    remember_write(descriptor, (uint64_t)offset, length);
    ssize_t written = real_pwrite(descriptor, data, length, offset);
    pthread_mutex_unlock(&mutex);
    return written;
}

ssize_t pwrite64(int descriptor, const void *data, size_t length, off_t offset)
    __attribute__((alias("pwrite")));

ssize_t write(int descriptor, const void *data, size_t length)
{
    struct stat status;
    char path[PATH_MAX];

    if (real_write == NULL)
        find_symbols();
    if (!is_file_watched(descriptor, path, &status))
        return real_write(descriptor, data, length);
    pthread_mutex_lock(&mutex);
    remember_write(descriptor, position_of(descriptor), length);
    ssize_t written = real_write(descriptor, data, length);
    pthread_mutex_unlock(&mutex);
    return written;
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset)
{
    pthread_mutex_lock(&mutex);
    remember_write(descriptor, (uint64_t)offset, length_of(parts, count));
    ssize_t written = real_pwritev(descriptor, parts, count, offset);
    pthread_mutex_unlock(&mutex);
    return written;
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off_t offset)
    __attribute__((alias("pwritev")));

ssize_t writev(int descriptor, const struct iovec *parts, int count)
{
    struct stat status;
    char path[PATH_MAX];

    if (!is_file_watched(descriptor, path, &status))
        return real_writev(descriptor, parts, count);
    pthread_mutex_lock(&mutex);
    remember_write(descriptor, position_of(descriptor), length_of(parts, count));
    ssize_t written = real_writev(descriptor, parts, count);
    pthread_mutex_unlock(&mutex);
    return written;
}

static void remember_resize(int descriptor, uint64_t new_size)
{
    struct stat status;
    char path[PATH_MAX];

    if (!is_file_watched(descriptor, path, &status))
        return;
    uint64_t size = (uint64_t)status.st_size;
    remember(descriptor, RESIZE, path, &status, new_size, new_size < size ? size - new_size : 0);
}

int ftruncate(int descriptor, off_t size)
{
    pthread_mutex_lock(&mutex);
    remember_resize(descriptor, (uint64_t)size);
    int result = real_ftruncate(descriptor, size);
    pthread_mutex_unlock(&mutex);
    return result;
}

int ftruncate64(int descriptor, off_t size) __attribute__((alias("ftruncate")));

int posix_fallocate(int descriptor, off_t offset, off_t length)
{
    pthread_mutex_lock(&mutex);
    remember_resize(descriptor, (uint64_t)(offset + length));
    int result = real_posix_fallocate(descriptor, offset, length);
    pthread_mutex_unlock(&mutex);
    return result;
}

int posix_fallocate64(int descriptor, off_t offset, off_t length)
    __attribute__((alias("posix_fallocate")));

// Hole punching and zeroing forget content, so the range is remembered like a write.
int fallocate(int descriptor, int mode, off_t offset, off_t length)
{
    pthread_mutex_lock(&mutex);
    remember_write(descriptor, (uint64_t)offset, (uint64_t)length);
    int result = real_fallocate(descriptor, mode, offset, length);
    pthread_mutex_unlock(&mutex);
    return result;
}

int fallocate64(int descriptor, int mode, off_t offset, off_t length)
    __attribute__((alias("fallocate")));

// ---- syncs
// ----------------------------------------------------------------------------------------

static void hang_while_asked(void)
{
    static const struct timespec pause = {.tv_nsec = 10000000};
    char name[PATH_MAX + 8];

    snprintf(name, sizeof name, "%s/hang", log_directory);
    while (access(name, F_OK) == 0)
        nanosleep(&pause, NULL);
}

static int sync_file(int descriptor)
{
    struct timespec pause = {.tv_sec = delay_us / 1000000, .tv_nsec = delay_us % 1000000 * 1000};
    struct record record = {.type = SYNC};
    struct stat status;
    char path[PATH_MAX];

    if (fstat(descriptor, &status) != 0)
        return -1;
    bool watched = log_descriptor >= 0 && path_of(descriptor, path) &&
                   (is_watched(path) || strcmp(path, root) == 0);
    if (!watched || lie)
        return 0;
    pthread_mutex_lock(&mutex);
    record.sequence = next_sequence;
    pthread_mutex_unlock(&mutex);
    nanosleep(&pause, NULL);
    hang_while_asked();
    pthread_mutex_lock(&mutex);
    record.inode = status.st_ino;
    put(&record, path, "", NULL);
    pthread_mutex_unlock(&mutex);
    return 0;
}

int fsync(int descriptor)
{
    return sync_file(descriptor);
}

int fdatasync(int descriptor)
{
    return sync_file(descriptor);
}

// ---- names
// ----------------------------------------------------------------------------------------

static void remember_name(enum record_type type, const char *path, const char *other,
                          const void *backup, uint64_t inode)
{
    struct record record = {.type = type, .inode = inode};

    if (backup != NULL)
        record.data_length = strlen(backup);
    put(&record, path, other, backup);
}

// Keeps a second name of the file that is about to lose its own; empty when there is none.
static void keep_backup(const char *path, char backup[PATH_MAX])
{
    backup[0] = '\0';
    if (access(path, F_OK) != 0)
        return;
    int length = snprintf(backup, PATH_MAX, "%s/backup-%d-%llu", log_directory, getpid(),
                          (unsigned long long)backups++);
    if (length >= PATH_MAX || link(path, backup) != 0)
        die(path);
}

static int open_file(int directory, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    struct stat status;

    if ((flags & (O_CREAT | O_TRUNC)) == 0 || !resolve(directory, name, path))
        return real_openat(directory, name, flags, mode);
    pthread_mutex_lock(&mutex);
    bool existed = access(path, F_OK) == 0;
    if (existed && (flags & O_TRUNC) != 0) {
        int old = real_open(path, O_RDONLY | O_CLOEXEC);
        remember_resize(old, 0);
        close(old);
    }
    int descriptor = real_openat(directory, name, flags, mode);
    if (!existed && descriptor >= 0 && fstat(descriptor, &status) == 0)
        remember_name(CREATE, path, "", NULL, status.st_ino);
    pthread_mutex_unlock(&mutex);
    return descriptor;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t)
                                                                      : 0;
}

int open(const char *name, int flags, ...)
{
    va_list arguments;

    if (real_openat == NULL)
        find_symbols();
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_file(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...) __attribute__((alias("open")));

int openat(int directory, const char *name, int flags, ...)
{
    va_list arguments;

    if (real_openat == NULL)
        find_symbols();
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_file(directory, name, flags, mode);
}

int openat64(int directory, const char *name, int flags, ...) __attribute__((alias("openat")));

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    char from_path[PATH_MAX], to_path[PATH_MAX], backup[PATH_MAX];

    if (!resolve(from_directory, from, from_path) || !resolve(to_directory, to, to_path))
        return real_renameat(from_directory, from, to_directory, to);
    pthread_mutex_lock(&mutex);
    keep_backup(to_path, backup);
    remember_name(RENAME, from_path, to_path, backup, 0);
    int result = real_renameat(from_directory, from, to_directory, to);
    if (result != 0)
        die("rename");
    pthread_mutex_unlock(&mutex);
    return result;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int directory, const char *name, int flags)
{
    char path[PATH_MAX], backup[PATH_MAX];

    if ((flags & AT_REMOVEDIR) != 0 || !resolve(directory, name, path) || access(path, F_OK) != 0)
        return real_unlinkat(directory, name, flags);
    pthread_mutex_lock(&mutex);
    keep_backup(path, backup);
    remember_name(UNLINK, path, "", backup, 0);
    int result = real_unlinkat(directory, name, flags);
    pthread_mutex_unlock(&mutex);
    return result;
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}
