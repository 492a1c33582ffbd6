// SPDX-License-Identifier: Apache-2.0
// Responses of the library that a worker keeps for later replies of the same shape. The library
// copies every header of a response into three allocations; most headers are the same in all
// replies of a kind, so that a kept response needs only those that differ.
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a response cannot change: its length and which headers it has.
struct reply_shape {
    size_t length;
    const char *content_type; // static text, or NULL
    bool etag;
    bool curlew_stat;
    bool raw;
    bool local;
    bool timed; // Server-Timing
    bool v1;    // under /v1/
};

struct kept_reply {
    struct kept_reply *next; // while it is kept
    struct reply_shape shape;
    struct MHD_Response *response;
    uint8_t body[]; // shape.length bytes, for the response alone
};

struct kept_replies;

enum { KEPT_REPLY_BYTES_MAX = 2048 }; // longer bodies are not worth a copy

// Belongs to one worker: nothing here is locked.
struct kept_replies *kept_replies_new(void);
// Requires that every reply taken was given back. NULL is allowed.
void kept_replies_free(struct kept_replies *kept);
// Takes a reply of the shape, or makes one that has no headers yet (*fresh); NULL when the library
// cannot. Its body is whatever the last user left.
struct kept_reply *kept_replies_take(struct kept_replies *kept, const struct reply_shape *shape,
                                     bool *fresh);
// Gives it back. The library may still hold a reference that it only drops.
void kept_replies_give(struct kept_replies *kept, struct kept_reply *reply);
