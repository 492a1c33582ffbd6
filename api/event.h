// SPDX-License-Identifier: Apache-2.0
// Events as text: Server-Sent Events (WHATWG HTML section 9.2) or one JSON object per line. The last
// event stays open until it is known whether another of its transaction follows, because only the
// last one has an id.
#pragma once

#include "api/event_id.h"
#include "api/json_writer.h"
#include "base/errors.h"
#include "storage/state.h"

// A zeroed writer with `lines` and `tag` set is ready.
struct event_writer {
    bool lines;          // JSON lines, else SSE
    uint32_t tag;        // of ids
    struct buffer *into; // borrowed while something is written
    struct json_writer json;
    bool open;     // an event is
    uint64_t zxid; // of it
};

// Begins an event, about a path unless that is NULL; more members may follow. One that was open is
// closed without an id.
void event_open(struct event_writer *writer, const char *kind, const char *path, size_t length,
                uint64_t zxid);
void event_stat(struct event_writer *writer, const struct stat_fields *stat);
// `data` and `encoding`; of a value that is no longer known: `data_omitted`.
void event_data(struct event_writer *writer, const uint8_t *data, size_t length, bool null_data);
void event_data_omitted(struct event_writer *writer);
void event_text(struct event_writer *writer, const char *name, const char *text);
// Closes the event that is open, if one is.
void event_close(struct event_writer *writer, bool with_id);
// Tells an EventSource how long to wait before it connects again.
void event_retry(struct event_writer *writer, unsigned milliseconds);
// Something that is no event.
void event_comment(struct event_writer *writer);
// The event `problem`.
void event_problem(struct event_writer *writer, enum error error, const char *detail, uint64_t zxid,
                   const char *request_id);
