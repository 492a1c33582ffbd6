// SPDX-License-Identifier: Apache-2.0
// The order of members is part of what makes replies readable; JSON itself has none.
#include "api/reply.h"

#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/decimal.h"
#include "base/assert.h"
#include "base/utf8.h"

enum { RETRY_AFTER_S = 1 };

struct json_writer reply_json(struct request *request, int status)
{
    request->reply.status = status;
    request->reply.content_type = "application/json";
    return (struct json_writer){.into = &request->reply.body};
}

void reply_set_zxid(struct request *request, uint64_t zxid)
{
    request->reply.has_zxid = true;
    request->reply.zxid = zxid;
}

static void write_field(struct json_writer *json, const char *name, uint64_t value)
{
    json_key(json, name);
    json_number(json, value);
}

static void write_version(struct json_writer *json, const char *name, int32_t value)
{
    json_key(json, name);
    json_integer(json, value);
}

void reply_write_stat(struct json_writer *json, const struct stat_fields *stat)
{
    char owner[24];

    json_key(json, "stat");
    json_open(json, '{');
    write_field(json, "czxid", stat->czxid);
    write_field(json, "mzxid", stat->mzxid);
    write_field(json, "pzxid", stat->pzxid);
    write_field(json, "ctime", stat->ctime);
    write_field(json, "mtime", stat->mtime);
    write_version(json, "version", stat->version);
    write_version(json, "cversion", stat->cversion);
    write_version(json, "aversion", stat->aversion);
    json_key(json, "ephemeralOwner");
    if (stat->owner == 0) {
        json_null(json);
    } else {
        snprintf(owner, sizeof owner, "0x%" PRIx64, stat->owner);
        json_string(json, owner);
    }
    write_field(json, "dataLength", stat->data_length);
    write_field(json, "numChildren", stat->num_children);
    json_close(json, '}');
}

static void write_base64(struct json_writer *json, const uint8_t *data, size_t length)
{
    gnutls_datum_t bytes = {.data = (unsigned char *)(uintptr_t)data, .size = (unsigned)length};
    gnutls_datum_t text = {0};

    if (length > 0)
        ASSERT(gnutls_base64_encode2(&bytes, &text) == 0);
    json_text(json, text.data, text.size);
    gnutls_free(text.data);
}

void reply_write_data(struct json_writer *json, const struct znode *node,
                      enum encoding_kind encoding)
{
    size_t length = node->stat.data_length;
    bool text = encoding != ENCODING_BASE64 && utf8_valid(node->data, length);

    json_key(json, "data");
    if (node->null_data)
        json_null(json);
    else if (text)
        json_text(json, node->data, length);
    else
        write_base64(json, node->data, length);
    json_key(json, "encoding");
    json_string(json, text ? "utf8" : "base64");
}

static char *put_name(char *at, const char *separator, const char *name)
{
    at = stpcpy(at, separator);
    at = stpcpy(at, name);
    *at++ = '=';
    return at;
}

enum { OWNER_MAX = 40 }; // bytes of the owner in Curlew-Stat

void reply_set_curlew_stat(struct request *request, const struct stat_fields *stat)
{
    char *at = request->reply.curlew_stat;

    at = decimal_put(put_name(at, "", "czxid"), stat->czxid);
    at = decimal_put(put_name(at, ", ", "mzxid"), stat->mzxid);
    at = decimal_put(put_name(at, ", ", "pzxid"), stat->pzxid);
    at = decimal_put(put_name(at, ", ", "ctime"), stat->ctime);
    at = decimal_put(put_name(at, ", ", "mtime"), stat->mtime);
    at = decimal_put_signed(put_name(at, ", ", "version"), stat->version);
    at = decimal_put_signed(put_name(at, ", ", "cversion"), stat->cversion);
    at = decimal_put_signed(put_name(at, ", ", "aversion"), stat->aversion);
    if (stat->owner != 0)
        at += snprintf(at, OWNER_MAX, ", ephemeralowner=\"0x%" PRIx64 "\"", stat->owner);
    at = decimal_put(put_name(at, ", ", "datalength"), stat->data_length);
    at = decimal_put(put_name(at, ", ", "numchildren"), stat->num_children);
    *at = '\0';
}

void reply_check_unchanged(struct request *request)
{
    const char *none_match = request->headers.value[HEADER_IF_NONE_MATCH];

    if (none_match == NULL || !etag_list_has(none_match, request->reply.etag))
        return;
    request->reply.status = 304;
    request->reply.content_type = NULL;
    request->reply.raw = false;
    request->reply.curlew_stat[0] = '\0';
}

static uint64_t zxid_of(struct request *request)
{
    struct node_status status = {0};

    if (!request->reply.has_zxid) {
        request->service->backend.status(request->service->backend.context, &status);
        reply_set_zxid(request, status.zxid);
    }
    return request->reply.zxid;
}

struct json_writer reply_problem_open(struct request *request, const struct problem *problem)
{
    const struct error_entry *entry = error_entry(problem->error);
    struct reply *reply = &request->reply;

    buffer_clear(&reply->body);
    buffer_clear(&reply->location);
    reply->fixed = NULL;
    reply->raw = false;
    reply->etag[0] = reply->curlew_stat[0] = '\0';
    reply->status = entry->status;
    reply->content_type = "application/problem+json";
    reply->retry_after_s = entry->status == 429 || entry->status == 503 ? RETRY_AFTER_S : 0;
    reply->hang_up = request->for_event_source && entry->retryable;
    struct json_writer json = {.into = &reply->body};
    json_open(&json, '{');
    problem_write(&json, problem, zxid_of(request), request->id);
    return json;
}

void reply_problem(struct request *request, struct problem *problem)
{
    bool znode = request->path_length > 0 && request_path(request)[0] == '/';

    if (problem->path == NULL && znode) {
        problem->path = request_path(request);
        problem->path_length = request->path_length;
    }
    struct json_writer json = reply_problem_open(request, problem);
    json_close(&json, '}');
    json_end(&json);
}
