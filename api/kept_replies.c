// SPDX-License-Identifier: Apache-2.0
// A table with one place per hash of a shape: a reply is nearly always sent, and given back, before
// the worker makes the next one.
#include "api/kept_replies.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

enum { PLACES = 64 };

struct kept_replies {
    struct kept_reply *places[PLACES];
};

struct kept_replies *kept_replies_new(void)
{
    return memory_zalloc(sizeof(struct kept_replies));
}

static void reply_free(struct kept_reply *reply)
{
    MHD_destroy_response(reply->response);
    free(reply);
}

void kept_replies_free(struct kept_replies *kept)
{
    if (kept == NULL)
        return;
    for (size_t i = 0; i < PLACES; i++) {
        if (kept->places[i] != NULL)
            reply_free(kept->places[i]);
    }
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
    struct kept_reply **place = place_of(kept, shape);
    struct kept_reply *reply = *place;

    ASSERT(shape->length <= KEPT_REPLY_BYTES_MAX);
    *fresh = reply == NULL || !same_shape(&reply->shape, shape);
    if (*fresh)
        return reply_new(shape);
    *place = NULL;
    return reply;
}

void kept_replies_give(struct kept_replies *kept, struct kept_reply *reply)
{
    struct kept_reply **place = place_of(kept, &reply->shape);

    if (*place != NULL)
        reply_free(*place);
    *place = reply;
}
