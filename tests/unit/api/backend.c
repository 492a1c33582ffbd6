// SPDX-License-Identifier: Apache-2.0
// One entry per submission: slow, and as simple as a replica can be.
#include "tests/unit/api/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"

static void keep_result(void *context, const struct origin *origin, struct blob *result)
{
    (void)origin;
    *(struct blob **)context = blob_ref(result);
}

static struct blob *value_of(struct backend *backend, const struct blob *command)
{
    struct origin origin = {.node = 1, .boot = 1, .sequence = backend->sequence++};
    struct buffer batch = {0};

    batch_begin(&batch);
    batch_begin_part(&batch, &origin, 1);
    batch_add_command(&batch, command->data, command->length);
    struct blob *value = blob_copy(batch.data, batch.length);
    buffer_deinit(&batch);
    return value;
}

static struct blob *execute(struct backend *backend, const struct blob *command)
{
    struct state *state = live_state(backend->live);
    struct blob *result = NULL;

    ASSERT(state_begin(state) == ERROR_OK);
    const struct state_position *position = state_writing_position(state);
    struct entry entry = {
        .slot = position->applied + 1,
        .epoch = 1,
        .origin = {.round = 1, .node = 1},
        .type = ENTRY_BATCH,
        .log_time_us = position->log_time_us + 1000,
        .wall_ms = clock_wall_ms(),
        .prev_hash = position->hash,
        .value = value_of(backend, command),
    };
    entry.hash = entry_hash(&entry);
    ASSERT(state_execute(state, &entry, keep_result, &result) == ERROR_OK);
    ASSERT(state_commit(state) == ERROR_OK);
    blob_unref(entry.value);
    return result;
}

static void *run(void *argument)
{
    struct backend *backend = argument;

    pthread_mutex_lock(&backend->lock);
    while (!backend->stopping || !fifo_empty(&backend->submissions)) {
        struct fifo_link *link = backend->holding ? NULL : fifo_pop(&backend->submissions);
        if (link == NULL) {
            pthread_cond_wait(&backend->changed, &backend->lock);
            continue;
        }
        enum error error = backend->write_error;
        pthread_mutex_unlock(&backend->lock);
        struct submission *submission = CONTAINER_OF(link, struct submission, link);
        struct blob *result = error == ERROR_OK ? execute(backend, submission->command) : NULL;
        submission->complete(submission, error, result);
        pthread_mutex_lock(&backend->lock);
    }
    pthread_mutex_unlock(&backend->lock);
    return NULL;
}

static void submit(void *context, struct submission *submission)
{
    struct backend *backend = context;

    pthread_mutex_lock(&backend->lock);
    fifo_push(&backend->submissions, &submission->link);
    backend->held += backend->holding;
    pthread_cond_broadcast(&backend->changed);
    pthread_mutex_unlock(&backend->lock);
}

static void tell_status(void *context, struct node_status *status)
{
    struct backend *backend = context;
    struct live_view view;

    pthread_mutex_lock(&backend->lock);
    *status = backend->status;
    pthread_mutex_unlock(&backend->lock);
    if (live_acquire(backend->live, &view) == ERROR_OK) {
        status->zxid = view_position(view.view)->zxid;
        live_release(backend->live, &view);
    }
}

static bool read_at_once(void *context)
{
    return ((struct backend *)context)->read_error == ERROR_OK;
}

static void read_later(void *context, struct read_wait *wait)
{
    struct backend *backend = context;

    wait->complete(wait, wait->barrier ? backend->read_error : ERROR_BEHIND);
}

static bool touch(void *context, uint64_t session, const uint8_t *proof)
{
    (void)session;
    (void)proof;
    return !((struct backend *)context)->forgetful;
}

static void name_stream(void *context, struct session_binding *binding)
{
    struct backend *backend = context;

    pthread_mutex_lock(&backend->lock);
    *binding = (struct session_binding){.node = 1, .boot = 1, .counter = ++backend->streams};
    pthread_mutex_unlock(&backend->lock);
}

static void depart(void *context, uint64_t session, const struct session_binding *binding,
                   uint32_t grace_ms)
{
    struct backend *backend = context;

    (void)session;
    (void)grace_ms;
    pthread_mutex_lock(&backend->lock);
    backend->departed = binding->counter;
    pthread_cond_broadcast(&backend->changed);
    pthread_mutex_unlock(&backend->lock);
}

static uint64_t staleness_ms(void *context)
{
    (void)context;
    return 0;
}

static bool in_contact(void *context)
{
    (void)context;
    return true;
}

void backend_start(struct backend *backend)
{
    struct failure failure;
    struct state *state;

    memset(backend, 0, sizeof *backend);
    snprintf(backend->directory, sizeof backend->directory, "%s", "/tmp/curlew-api-XXXXXX");
    ASSERT(mkdtemp(backend->directory) != NULL);
    ASSERT(state_open(backend->directory, UINT64_C(1) << 30, &state, &failure) == ERROR_OK);
    backend->live = live_new(state);
    pthread_mutex_init(&backend->lock, NULL);
    pthread_cond_init(&backend->changed, NULL);
    backend->status.node = backend->status.leader = 1;
    backend->status.serving = true;
    backend->status.member_count = 1;
    backend->status.members[0] =
        (struct member_status){.id = 1, .role = ROLE_LEADER, .healthy = true};
    backend->port = (struct api_backend){.context = backend,
                                         .submit = submit,
                                         .status = tell_status,
                                         .read_at_once = read_at_once,
                                         .read = read_later,
                                         .staleness_ms = staleness_ms,
                                         .touch = touch,
                                         .name_stream = name_stream,
                                         .depart = depart,
                                         .in_contact = in_contact};
    ASSERT(pthread_create(&backend->thread, NULL, run, backend) == 0);
}

void backend_stop(struct backend *backend)
{
    pthread_mutex_lock(&backend->lock);
    backend->stopping = true;
    pthread_cond_broadcast(&backend->changed);
    pthread_mutex_unlock(&backend->lock);
    pthread_join(backend->thread, NULL);
    live_free(backend->live);
    rmdir(backend->directory);
    pthread_cond_destroy(&backend->changed);
    pthread_mutex_destroy(&backend->lock);
}

void backend_hold(struct backend *backend, bool holding)
{
    pthread_mutex_lock(&backend->lock);
    backend->holding = holding;
    pthread_cond_broadcast(&backend->changed);
    pthread_mutex_unlock(&backend->lock);
}

void backend_await_held(struct backend *backend)
{
    pthread_mutex_lock(&backend->lock);
    while (backend->held == 0)
        pthread_cond_wait(&backend->changed, &backend->lock);
    pthread_mutex_unlock(&backend->lock);
}

void backend_await_departed(struct backend *backend, uint64_t stream)
{
    pthread_mutex_lock(&backend->lock);
    while (backend->departed != stream)
        pthread_cond_wait(&backend->changed, &backend->lock);
    pthread_mutex_unlock(&backend->lock);
}
