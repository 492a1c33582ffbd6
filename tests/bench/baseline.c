// SPDX-License-Identifier: Apache-2.0
// The limit that Curlew is measured against: a bare libmicrohttpd server. GET answers a fixed reply
// of the given size; PUT parks the request, a second thread writes 150 bytes for each parked one,
// flushes once for all of them, and resumes them.
//
// Usage: baseline PORT REPLY_BYTES FILE WORKERS
#include <fcntl.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARKED_MAX = 8192, RECORD_BYTES = 150, FILE_BYTES = 64 << 20 };

struct request {
    bool parked;
};

struct baseline {
    struct MHD_Response *reply;
    int file;
    off_t offset;
    pthread_mutex_t lock;
    pthread_cond_t queued;
    struct MHD_Connection *parked[PARKED_MAX];
    size_t parked_count;
};

static void park(struct baseline *baseline, struct MHD_Connection *connection)
{
    MHD_suspend_connection(connection);
    pthread_mutex_lock(&baseline->lock);
    bool first = baseline->parked_count == 0;
    baseline->parked[baseline->parked_count++] = connection;
    pthread_mutex_unlock(&baseline->lock);
    if (first)
        pthread_cond_signal(&baseline->queued);
}

static void commit(struct baseline *baseline, size_t count)
{
    static char records[PARKED_MAX * RECORD_BYTES];
    size_t bytes = count * RECORD_BYTES;

    if (baseline->offset + (off_t)bytes > FILE_BYTES)
        baseline->offset = 0;
    if (pwrite(baseline->file, records, bytes, baseline->offset) != (ssize_t)bytes ||
        fdatasync(baseline->file) != 0)
        abort();
    baseline->offset += (off_t)bytes;
}

static void *commit_groups(void *argument)
{
    struct baseline *baseline = argument;
    static struct MHD_Connection *group[PARKED_MAX];

    for (;;) {
        pthread_mutex_lock(&baseline->lock);
        while (baseline->parked_count == 0)
            pthread_cond_wait(&baseline->queued, &baseline->lock);
        size_t count = baseline->parked_count;
        memcpy(group, baseline->parked, count * sizeof group[0]);
        baseline->parked_count = 0;
        pthread_mutex_unlock(&baseline->lock);
        commit(baseline, count);
        for (size_t i = 0; i < count; i++)
            MHD_resume_connection(group[i]);
    }
    return NULL;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **state)
{
    struct baseline *baseline = context;
    struct request *request = *state;

    (void)url;
    (void)version;
    (void)upload;
    if (request == NULL) {
        *state = calloc(1, sizeof *request);
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (method[0] == 'P' && !request->parked) {
        request->parked = true;
        park(baseline, connection);
        return MHD_YES;
    }
    return MHD_queue_response(connection, 200, baseline->reply);
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    free(*state);
}

static void open_file(struct baseline *baseline, const char *name)
{
    static const char zeros[1 << 20];

    baseline->file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (off_t at = 0; at < FILE_BYTES; at += (off_t)sizeof zeros) {
        if (pwrite(baseline->file, zeros, sizeof zeros, at) != (ssize_t)sizeof zeros)
            abort();
    }
    fsync(baseline->file);
}

int main(int argc, char **argv)
{
    static struct baseline baseline;
    pthread_t thread;

    if (argc != 5)
        return 64;
    size_t bytes = strtoul(argv[2], NULL, 10);
    char *body = malloc(bytes + 1);
    memset(body, 'x', bytes);
    baseline.reply = MHD_create_response_from_buffer(bytes, body, MHD_RESPMEM_MUST_FREE);
    pthread_mutex_init(&baseline.lock, NULL);
    pthread_cond_init(&baseline.queued, NULL);
    open_file(&baseline, argv[3]);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO,
                         (uint16_t)strtoul(argv[1], NULL, 10), NULL, NULL, handle, &baseline,
                         MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_THREAD_POOL_SIZE,
                         (unsigned)strtoul(argv[4], NULL, 10), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)16384, MHD_OPTION_CONNECTION_LIMIT, 8192u, MHD_OPTION_END);
    if (daemon == NULL || pthread_create(&thread, NULL, commit_groups, &baseline) != 0)
        return 1;
    printf("port=%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    pause();
    return 0;
}
