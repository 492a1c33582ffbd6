// SPDX-License-Identifier: Apache-2.0
// A table of stacks by the hash of a shape. Reads are sent, and their replies given back, one by one;
// of writes that were parked a whole group is under way at once.
#include "api/kept_replies.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    PLACES = 64,
    KEPT_MAX = 128, // replies; some 2 KiB each
};

struct kept_replies {
    struct kept_reply *places[PLACES]; // the top of each stack
    size_t count;                      // in all stacks
    size_t hand;                       // the place that makes room next
};

struct kept_replies *kept_replies_new(void)
{
    return memory_zalloc(sizeof(struct kept_replies));
}

static void empty_place(struct kept_replies *kept, size_t place)
{
    struct kept_reply *reply;

    while ((reply = kept->places[place]) != NULL) {
        kept->places[place] = reply->next;
        kept->count--;
        MHD_destroy_response(reply->response);
        free(reply);
    }
}

void kept_replies_free(struct kept_replies *kept)
{
    if (kept == NULL)
        return;
    for (size_t place = 0; place < PLACES; place++)
        empty_place(kept, place);
    free(kept);
}

static struct kept_reply **place_of(struct kept_replies *kept, const struct reply_shape *shape)
{
    size_t kind = (size_t)shape->raw * 16 + (size_t)shape->local * 8 + (size_t)shape->etag * 4;

    return &kept->places[(shape->length + kind) % PLACES];
}

static bool same_shape(const struct reply_shape *a, const struct reply_shape *b)
{
    return a->length == b->length && a->content_type == b->content_type && a->etag == b->etag &&
           a->curlew_stat == b->curlew_stat && a->raw == b->raw && a->local == b->local &&
           a->v1 == b->v1;
}

static struct kept_reply *reply_new(const struct reply_shape *shape)
{
    struct kept_reply *reply = memory_alloc(sizeof *reply + shape->length);

    reply->shape = *shape;
    reply->response =
        MHD_create_response_from_buffer(shape->length, reply->body, MHD_RESPMEM_PERSISTENT);
    if (reply->response != NULL)
        return reply;
    free(reply);
    return NULL;
}

struct kept_reply *kept_replies_take(struct kept_replies *kept, const struct reply_shape *shape,
                                     bool *fresh)
{
    struct kept_reply **link = place_of(kept, shape);

    ASSERT(shape->length <= KEPT_REPLY_BYTES_MAX);
    while (*link != NULL && !same_shape(&(*link)->shape, shape))
        link = &(*link)->next;
    struct kept_reply *reply = *link;
    *fresh = reply == NULL;
    if (*fresh)
        return reply_new(shape);
    *link = reply->next;
    kept->count--;
    return reply;
}

void kept_replies_give(struct kept_replies *kept, struct kept_reply *reply)
{
    struct kept_reply **place = place_of(kept, &reply->shape);

    while (kept->count >= KEPT_MAX)
        empty_place(kept, kept->hand++ % PLACES);
    reply->next = *place;
    *place = reply;
    kept->count++;
}
