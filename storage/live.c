// SPDX-License-Identifier: Apache-2.0
// A counted handle: each acquired view counts in the holder of the state that it was opened on.
#include "storage/live.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

struct holder {
    struct state *state;
    size_t users; // acquired views, and one while it is the current one
};

struct live {
    pthread_mutex_t lock; // guards current and every holder's count
    struct holder *current;
};

static struct holder *holder_new(struct state *state)
{
    struct holder *holder = memory_zalloc(sizeof *holder);

    holder->state = state;
    holder->users = 1;
    return holder;
}

struct live *live_new(struct state *state)
{
    struct live *live = memory_zalloc(sizeof *live);

    ASSERT(pthread_mutex_init(&live->lock, NULL) == 0);
    live->current = holder_new(state);
    return live;
}

static struct holder *enter(struct live *live)
{
    pthread_mutex_lock(&live->lock);
    struct holder *holder = live->current;
    holder->users++;
    pthread_mutex_unlock(&live->lock);
    return holder;
}

static void leave(struct live *live, struct holder *holder)
{
    pthread_mutex_lock(&live->lock);
    bool last = --holder->users == 0;
    pthread_mutex_unlock(&live->lock);
    if (!last)
        return;
    state_close(holder->state);
    free(holder);
}

void live_free(struct live *live)
{
    if (live == NULL)
        return;
    ASSERT(live->current->users == 1);
    leave(live, live->current);
    pthread_mutex_destroy(&live->lock);
    free(live);
}

void live_replace(struct live *live, struct state *state)
{
    struct holder *holder = holder_new(state);

    pthread_mutex_lock(&live->lock);
    struct holder *before = live->current;
    live->current = holder;
    pthread_mutex_unlock(&live->lock);
    leave(live, before);
}

enum error live_acquire(struct live *live, struct live_view *view)
{
    struct holder *holder = enter(live);

    view->holder = holder;
    enum error error = view_open(holder->state, &view->view);
    if (error != ERROR_OK)
        leave(live, holder);
    return error;
}

void live_release(struct live *live, struct live_view *view)
{
    view_close(view->view);
    leave(live, view->holder);
    *view = (struct live_view){0};
}

enum error live_room(struct live *live, uint64_t enough, struct state_room *room)
{
    struct holder *holder = enter(live);
    enum error error = state_room(holder->state, enough, room);

    leave(live, holder);
    return error;
}

struct state *live_state(struct live *live)
{
    pthread_mutex_lock(&live->lock);
    struct state *state = live->current->state;
    pthread_mutex_unlock(&live->lock);
    return state;
}
