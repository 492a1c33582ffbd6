// SPDX-License-Identifier: Apache-2.0
// Bytes that cannot stand in a target are refused before anything is derived from it.
#include "api/target.h"

#include <string.h>
#include <strings.h>

#include "api/percent.h"

static enum error check_bytes(const char *raw, size_t length, struct problem *problem)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)raw[i];
        if (byte <= 0x20 || byte == 0x7f || byte == '#')
            return problem_set(problem, ERROR_BAD_REQUEST,
                               "the request target has byte 0x%02x at offset %zu, which must be "
                               "percent-encoded",
                               byte, i);
    }
    return ERROR_OK;
}

// Takes "http://host:port" off the front.
static void split_authority(const char **at, const char *end, struct target *target)
{
    static const char scheme[] = "http://";
    size_t scheme_length = sizeof scheme - 1;

    if ((size_t)(end - *at) < scheme_length || strncasecmp(*at, scheme, scheme_length) != 0)
        return;
    *at += scheme_length;
    target->authority = *at;
    while (*at < end && **at != '/' && **at != '?')
        (*at)++;
    target->authority_length = (size_t)(*at - target->authority);
}

enum error target_split(const char *raw, size_t length, struct target *target,
                        struct problem *problem)
{
    const char *at = raw;
    const char *end = raw + length;

    *target = (struct target){.query = ""};
    enum error error = check_bytes(raw, length, problem);
    if (error != ERROR_OK)
        return error;
    split_authority(&at, end, target);
    const char *mark = memchr(at, '?', (size_t)(end - at));
    target->path = at;
    target->path_length = (size_t)((mark != NULL ? mark : end) - at);
    if (mark != NULL) {
        target->query = mark + 1;
        target->query_length = (size_t)(end - mark - 1);
    }
    if (target->path_length == 0 && target->authority != NULL) {
        target->path = "/";
        target->path_length = 1;
    }
    bool asterisk = length == 1 && raw[0] == '*';
    if (!asterisk && (target->path_length == 0 || target->path[0] != '/'))
        return problem_set(problem, ERROR_BAD_REQUEST,
                           "the request target must begin with / or http://");
    return ERROR_OK;
}

enum error target_decode_path(const char *rest, size_t length, struct buffer *path,
                              bool *trailing_slash, struct problem *problem)
{
    const char *at = rest;
    const char *end = rest + length;

    *trailing_slash = length > 1 && end[-1] == '/';
    if (length == 0)
        buffer_text(path, "/");
    while (at < end) {
        const char *component = at + 1;
        const char *slash = memchr(component, '/', (size_t)(end - component));
        at = slash != NULL ? slash : end;
        buffer_text(path, "/");
        const char *wrong =
            percent_decode(component, (size_t)(at - component), PERCENT_SEGMENT, path);
        if (wrong != NULL)
            return problem_set(problem, ERROR_BAD_PATH, "the component \"%.*s\" of the path %s",
                               (int)(at - component > 200 ? 200 : at - component), component,
                               wrong);
    }
    return ERROR_OK;
}
