// SPDX-License-Identifier: Apache-2.0
// The members stand in the order in which a person wants to read them.
#include "api/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "api/etag.h"

enum error problem_set(struct problem *problem, enum error error, const char *format, ...)
{
    va_list arguments;

    problem->error = error;
    va_start(arguments, format);
    vsnprintf(problem->detail, sizeof problem->detail, format, arguments);
    va_end(arguments);
    return error;
}

static void write_type(struct json_writer *json, const struct error_entry *entry)
{
    char type[96];

    int length = snprintf(type, sizeof type, "/problems/%s", entry->slug);
    json_key(json, "type");
    json_text(json, type, (size_t)length);
    json_key(json, "title");
    json_string(json, entry->title);
    json_key(json, "status");
    json_integer(json, entry->status);
}

static void write_meaning(struct json_writer *json, const struct error_entry *entry)
{
    json_key(json, "code");
    json_string(json, entry->code);
    json_key(json, "outcome");
    json_string(json, outcome_name(entry->outcome));
    json_key(json, "retryable");
    json_boolean(json, entry->retryable);
}

void problem_write_kind(struct json_writer *json, enum error error)
{
    write_type(json, error_entry(error));
    write_meaning(json, error_entry(error));
}

static void write_current(struct json_writer *json, const struct problem *problem)
{
    char etag[ETAG_MAX];

    etag_raw(etag, problem->current_mzxid);
    json_key(json, "current");
    json_open(json, '{');
    json_key(json, "version");
    json_integer(json, problem->current_version);
    json_key(json, "etag");
    json_string(json, etag);
    json_close(json, '}');
}

void problem_write(struct json_writer *json, const struct problem *problem, uint64_t zxid,
                   const char *request_id)
{
    const struct error_entry *entry = error_entry(problem->error);

    write_type(json, entry);
    json_key(json, "detail");
    json_string(json, problem->detail[0] != '\0' ? problem->detail : entry->title);
    write_meaning(json, entry);
    if (problem->path != NULL) {
        json_key(json, "path");
        json_text(json, problem->path, problem->path_length);
    }
    if (problem->has_current)
        write_current(json, problem);
    json_key(json, "zxid");
    json_number(json, zxid);
    json_key(json, "request_id");
    json_string(json, request_id);
}
