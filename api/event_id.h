// SPDX-License-Identifier: Apache-2.0
// Positions as clients keep them: "<cluster tag>.<zxid>". The tag tells a position of this cluster from
// one of another that had the same address before.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EVENT_ID_MAX = 32 };

struct event_id {
    uint32_t tag;
    bool has_tag; // a bare zxid has none
    uint64_t zxid;
};

uint32_t event_id_tag(const uint8_t cluster[16]);
// Writes the id and a NUL.
void event_id_write(char into[EVENT_ID_MAX], uint32_t tag, uint64_t zxid);
// Reads an id or a bare zxid, below 2^53. Returns false for anything else.
bool event_id_parse(const char *text, struct event_id *id);
