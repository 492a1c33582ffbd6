// SPDX-License-Identifier: Apache-2.0
// JSON has no line breaks in it, so the object is one data line of an event.
#include "api/event.h"

#include "api/problem.h"
#include "api/reply.h"

void event_open(struct event_writer *writer, const char *kind, const char *path, size_t length,
                uint64_t zxid)
{
    event_close(writer, false);
    if (!writer->lines)
        buffer_printf(writer->into, "event: %s\ndata: ", kind);
    writer->json = (struct json_writer){.into = writer->into};
    json_open(&writer->json, '{');
    event_text(writer, "event", kind);
    if (path != NULL) {
        json_key(&writer->json, "path");
        json_text(&writer->json, path, length);
    }
    json_key(&writer->json, "zxid");
    json_number(&writer->json, zxid);
    writer->zxid = zxid;
    writer->open = true;
}

void event_stat(struct event_writer *writer, const struct stat_fields *stat)
{
    reply_write_stat(&writer->json, stat);
}

void event_data(struct event_writer *writer, const uint8_t *data, size_t length, bool null_data)
{
    struct znode node = {
        .data = data, .stat = {.data_length = (uint32_t)length}, .null_data = null_data};

    reply_write_data(&writer->json, &node, ENCODING_AUTO);
}

void event_data_omitted(struct event_writer *writer)
{
    json_key(&writer->json, "data_omitted");
    json_boolean(&writer->json, true);
}

void event_text(struct event_writer *writer, const char *name, const char *text)
{
    json_key(&writer->json, name);
    json_string(&writer->json, text);
}

void event_close(struct event_writer *writer, bool with_id)
{
    char id[EVENT_ID_MAX];

    if (!writer->open)
        return;
    writer->open = false;
    event_id_write(id, writer->tag, writer->zxid);
    if (with_id && writer->lines)
        event_text(writer, "id", id);
    json_close(&writer->json, '}');
    if (with_id && !writer->lines)
        buffer_printf(writer->into, "\nid: %s", id);
    buffer_text(writer->into, writer->lines ? "\n" : "\n\n");
}

void event_retry(struct event_writer *writer, unsigned milliseconds)
{
    if (!writer->lines)
        buffer_printf(writer->into, "retry: %u\n\n", milliseconds);
}

void event_comment(struct event_writer *writer)
{
    buffer_text(writer->into, writer->lines ? "{\"event\":\"heartbeat\"}\n" : ": heartbeat\n\n");
}

void event_problem(struct event_writer *writer, enum error error, const char *detail, uint64_t zxid,
                   const char *request_id)
{
    struct problem problem = {0};

    problem_set(&problem, error, "%s", detail);
    event_close(writer, false);
    if (!writer->lines)
        buffer_text(writer->into, "event: problem\ndata: ");
    writer->json = (struct json_writer){.into = writer->into};
    json_open(&writer->json, '{');
    event_text(writer, "event", "problem");
    problem_write(&writer->json, &problem, zxid, request_id);
    writer->open = true;
    event_close(writer, false);
}
