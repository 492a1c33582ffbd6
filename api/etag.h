// SPDX-License-Identifier: Apache-2.0
// Entity tags. They are made of zxids and not of versions, because a version restarts when a znode
// is deleted and made again (RFC 9110 section 8.8).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/command.h"

enum { ETAG_MAX = 72 };

// Write a tag with its quotes: "<mzxid>", "<mzxid>.<pzxid>.<aversion>", "c<pzxid>".
void etag_raw(char into[ETAG_MAX], uint64_t mzxid);
void etag_node(char into[ETAG_MAX], const struct stat_fields *stat);
void etag_children(char into[ETAG_MAX], const struct stat_fields *stat);

// Takes the next member of a comma-separated list of entity tags. `opaque` gets what stands between
// the quotes. Returns false at the end, and when the list is malformed: then *at does not stand on
// the terminating NUL.
struct etag_member {
    const char *opaque;
    size_t length;
    bool weak; // W/ stood before it
};
bool etag_next(const char **at, struct etag_member *member);

// Whether the value of If-None-Match, "*" or a list, has the tag (weak comparison).
bool etag_list_has(const char *list, const char *etag);
// The mzxid in a tag: the digits before the first dot or the end. UINT64_MAX, which no znode has,
// when there are none.
uint64_t etag_mzxid(const struct etag_member *member);
