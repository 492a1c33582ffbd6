// SPDX-License-Identifier: Apache-2.0
// One function per part of an op, so that every refusal can name the op and the member.
#include "api/multi_parse.h"

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/json_reader.h"
#include "api/lifetime.h"
#include "base/memory.h"

enum { WHERE_MAX = 32, KINDS = 6 };

struct kind {
    const char *name;
    enum op_type type; // of writes
    bool read;
    const char *members[9]; // NULL-terminated
};

static const struct kind kinds[KINDS] = {
    [MULTI_CHECK] = {"check", OP_CHECK, false, {"op", "path", "version"}},
    [MULTI_CREATE] = {"create",
                      OP_CREATE,
                      false,
                      {"op", "path", "data", "encoding", "sequential", "ephemeral", "container",
                       "ttl_ms"}},
    [MULTI_SET] = {"set", OP_SET, false, {"op", "path", "data", "encoding", "version"}},
    [MULTI_DELETE] = {"delete", OP_DELETE, false, {"op", "path", "version"}},
    [MULTI_GET] = {"get", 0, true, {"op", "path"}},
    [MULTI_CHILDREN] = {"children", 0, true, {"op", "path"}},
};

const char *multi_op_name(enum multi_op_type type)
{
    return kinds[type].name;
}

static enum error parse_kind(struct json_object *object, const char *where,
                             enum multi_op_type *type, struct problem *problem)
{
    struct json_string_value name = {.text = ""};
    enum json_presence presence;

    enum error error = json_get_string(object, "op", false, where, &name, &presence, problem);
    if (error != ERROR_OK)
        return error;
    for (unsigned i = 0; i < KINDS; i++) {
        if (strlen(kinds[i].name) == name.length &&
            memcmp(kinds[i].name, name.text, name.length) == 0) {
            *type = (enum multi_op_type)i;
            return ERROR_OK;
        }
    }
    return problem_set(problem, ERROR_BAD_JSON,
                       "\"op\" of %s must be check, create, set, delete, get or children", where);
}

static enum error parse_path(struct json_object *object, const char *where, struct op *op,
                             struct problem *problem)
{
    struct json_string_value path = {0};
    enum json_presence presence;

    enum error error = json_get_string(object, "path", false, where, &path, &presence, problem);
    if (error != ERROR_OK)
        return error;
    if (presence == JSON_ABSENT)
        return problem_set(problem, ERROR_BAD_JSON, "%s has no \"path\"", where);
    op->path = path.text;
    op->path_length = path.length;
    return ERROR_OK;
}

// Only the exact form: no blanks, no missing padding.
static bool is_base64(const char *text, size_t length)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t digits = strspn(text, alphabet);

    return length % 4 == 0 && length - digits <= 2 && strspn(text + digits, "=") == length - digits;
}

static enum error decode_base64(const struct json_string_value *text, const char *where,
                                struct buffer *into, struct problem *problem)
{
    gnutls_datum_t source = {.data = (unsigned char *)(uintptr_t)text->text,
                             .size = (unsigned)text->length};
    gnutls_datum_t bytes = {0};

    if (text->length == 0)
        return ERROR_OK;
    if (!is_base64(text->text, text->length) || gnutls_base64_decode2(&source, &bytes) != 0)
        return problem_set(problem, ERROR_BAD_JSON, "\"data\" of %s is not base64", where);
    buffer_append(into, bytes.data, bytes.size);
    gnutls_free(bytes.data);
    return ERROR_OK;
}

static enum error parse_encoding(struct json_object *object, const char *where, bool *base64,
                                 struct problem *problem)
{
    struct json_string_value name = {0};
    enum json_presence presence;

    *base64 = false;
    enum error error = json_get_string(object, "encoding", false, where, &name, &presence, problem);
    if (error != ERROR_OK || presence == JSON_ABSENT)
        return error;
    *base64 = name.length == 6 && memcmp(name.text, "base64", 6) == 0;
    if (*base64 || (name.length == 4 && memcmp(name.text, "utf8", 4) == 0))
        return ERROR_OK;
    return problem_set(problem, ERROR_BAD_JSON, "\"encoding\" of %s must be utf8 or base64", where);
}

static enum error parse_data(struct json_object *object, const char *where, bool required,
                             struct op *op, struct buffer *decoded, struct problem *problem)
{
    struct json_string_value text = {0};
    enum json_presence presence;
    bool base64;

    enum error error = parse_encoding(object, where, &base64, problem);
    if (error == ERROR_OK)
        error = json_get_string(object, "data", true, where, &text, &presence, problem);
    if (error != ERROR_OK)
        return error;
    if (presence == JSON_ABSENT && required)
        return problem_set(problem, ERROR_BAD_JSON, "%s has no \"data\"", where);
    if (presence == JSON_NULL)
        op->flags |= OP_NULL_DATA;
    if (base64) {
        error = decode_base64(&text, where, decoded, problem);
        text.text = (const char *)decoded->data;
        text.length = decoded->length;
    }
    op->data = text.length > 0 ? (const uint8_t *)text.text : NULL;
    op->data_length = text.length;
    return error;
}

static enum error parse_lifetime(struct json_object *object, const char *where, struct op *op,
                                 struct problem *problem)
{
    struct lifetime lifetime = {0};
    enum json_presence presence;

    enum error error = json_get_bool(object, "ephemeral", where, &lifetime.ephemeral, problem);
    if (error == ERROR_OK)
        error = json_get_bool(object, "container", where, &lifetime.container, problem);
    if (error == ERROR_OK)
        error = json_get_int64(object, "ttl_ms", where, &lifetime.ttl_ms, &presence, problem);
    if (error != ERROR_OK)
        return error;
    lifetime.has_ttl = presence == JSON_VALUE;
    return lifetime_apply(&lifetime, ERROR_BAD_JSON, where, op, problem);
}

static enum error parse_op(struct json_object *object, const char *where, struct multi_op *into,
                           struct buffer *decoded, struct problem *problem)
{
    static const char *const any[] = {"op",        "path",      "data",   "encoding", "sequential",
                                      "ephemeral", "container", "ttl_ms", "version",  NULL};
    bool sequential = false;

    into->op = (struct op){.version = -1};
    enum error error = json_check_object(object, any, where, problem);
    if (error == ERROR_OK)
        error = parse_kind(object, where, &into->type, problem);
    if (error != ERROR_OK)
        return error;
    const struct kind *kind = &kinds[into->type];
    into->op.type = (uint8_t)kind->type;
    error = json_check_object(object, kind->members, where, problem);
    if (error == ERROR_OK)
        error = parse_path(object, where, &into->op, problem);
    if (error == ERROR_OK)
        error = json_get_int32(object, "version", where, &into->op.version, problem);
    if (error == ERROR_OK)
        error = json_get_bool(object, "sequential", where, &sequential, problem);
    if (sequential)
        into->op.flags |= OP_SEQUENTIAL;
    if (error == ERROR_OK && into->type == MULTI_CREATE)
        error = parse_lifetime(object, where, &into->op, problem);
    if (error == ERROR_OK && (into->type == MULTI_CREATE || into->type == MULTI_SET))
        error = parse_data(object, where, into->type == MULTI_SET, &into->op, decoded, problem);
    return error;
}

static enum error parse_ops(struct json_object *array, struct multi *multi, struct problem *problem)
{
    char where[WHERE_MAX];
    enum error error = ERROR_OK;

    multi->ops = memory_zalloc(multi->count * sizeof *multi->ops);
    multi->decoded = memory_zalloc(multi->count * sizeof *multi->decoded);
    for (size_t i = 0; i < multi->count && error == ERROR_OK; i++) {
        struct multi_op *op = &multi->ops[i];
        snprintf(where, sizeof where, "ops[%zu]", i);
        error = parse_op(json_array_at(array, i), where, op, &multi->decoded[i], problem);
        if (i == 0)
            multi->reads = kinds[op->type].read;
        if (error == ERROR_OK && multi->reads != kinds[op->type].read)
            error =
                problem_set(problem, ERROR_BAD_ARGUMENTS,
                            "%s: a multi either only reads (get, children) or only writes", where);
    }
    return error;
}

enum error multi_parse(const void *text, size_t length, const struct multi_limits *limits,
                       struct multi *multi, struct problem *problem)
{
    static const char *const members[] = {"ops", NULL};
    struct json_object *array = NULL;

    *multi = (struct multi){0};
    enum error error = json_parse(text, length, limits->json_depth, &multi->document, problem);
    if (error != ERROR_OK)
        return error;
    struct json_object *root = json_root(multi->document);
    error = json_check_object(root, members, "the body", problem);
    if (error == ERROR_OK)
        error = json_get_array(root, "ops", "the body", &array, problem);
    if (error != ERROR_OK)
        return error;
    size_t count = json_array_count(array);
    if (count == 0 || count > limits->ops)
        return problem_set(problem, ERROR_BAD_JSON,
                           "\"ops\" has %zu operations; it must have 1 to %u", count, limits->ops);
    multi->count = count;
    return parse_ops(array, multi, problem);
}

void multi_free(struct multi *multi)
{
    for (size_t i = 0; multi->decoded != NULL && i < multi->count; i++)
        buffer_deinit(&multi->decoded[i]);
    free(multi->decoded);
    free(multi->ops);
    json_free(multi->document);
}
