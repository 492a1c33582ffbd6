// SPDX-License-Identifier: Apache-2.0
// The rules for znode paths, in ZooKeeper's order.
#include "storage/path.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

enum { SEQUENCE_DIGITS = 10 };

static enum error illegal(const char **reason, const char *text)
{
    if (reason != NULL)
        *reason = text;
    return ERROR_BAD_PATH;
}

// One component. `digits` will follow it in the final name of a sequential create.
static enum error check_component(const char *name, size_t length, size_t digits,
                                  const char **reason)
{
    if (length + digits == 0)
        return illegal(reason, "a component is empty");
    if (digits == 0 && length == 1 && name[0] == '.')
        return illegal(reason, "a component is exactly \".\"");
    if (digits == 0 && length == 2 && name[0] == '.' && name[1] == '.')
        return illegal(reason, "a component is exactly \"..\"");
    if (length + digits > ZNODE_NAME_MAX)
        return illegal(reason, "a component is longer than 500 bytes");
    return ERROR_OK;
}

static const char *character_fault(uint32_t code_point)
{
    if (code_point == 0)
        return "it contains U+0000";
    if (code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f))
        return "it contains a control character";
    if (code_point >= 0xd800 && code_point <= 0xf8ff)
        return "it contains a character of the private use area";
    if (code_point >= 0xfff0 && code_point <= 0xffff)
        return "it contains a character between U+FFF0 and U+FFFF";
    if (code_point > 0xffff)
        return "it contains a character above U+FFFF";
    return NULL;
}

static enum error check_characters(const char *name, size_t length, const char **reason)
{
    const uint8_t *at = (const uint8_t *)name;
    const uint8_t *end = at + length;
    uint32_t code_point;

    while (at < end) {
        if (*at >= 0x20 && *at < 0x7f) {
            at++;
            continue;
        }
        if (!utf8_next(&at, end, &code_point))
            return illegal(reason, "it is not valid UTF-8");
        const char *fault = character_fault(code_point);
        if (fault != NULL)
            return illegal(reason, fault);
    }
    return ERROR_OK;
}

static enum error check_components(const char *path, size_t length, size_t digits,
                                   const char **reason)
{
    size_t start = 1;

    for (;;) {
        const char *slash = memchr(path + start, '/', length - start);
        size_t end = slash != NULL ? (size_t)(slash - path) : length;
        enum error error =
            check_component(path + start, end - start, slash != NULL ? 0 : digits, reason);
        if (error == ERROR_OK)
            error = check_characters(path + start, end - start, reason);
        if (error != ERROR_OK || slash == NULL)
            return error;
        start = end + 1;
    }
}

static enum error check_start(const char *path, size_t length, size_t digits, const char **reason)
{
    if (length == 0)
        return illegal(reason, "it is empty");
    if (path[0] != '/')
        return illegal(reason, "it does not start with \"/\"");
    if (length + digits > ZNODE_PATH_MAX)
        return illegal(reason, "it is longer than 65535 bytes");
    return ERROR_OK;
}

enum error path_validate(const char *path, size_t length, const char **reason)
{
    enum error error = check_start(path, length, 0, reason);

    if (error != ERROR_OK || length == 1)
        return error;
    if (path[length - 1] == '/')
        return illegal(reason, "it ends with \"/\"");
    return check_components(path, length, 0, reason);
}

enum error path_validate_prefix(const char *path, size_t length, const char **reason)
{
    enum error error = check_start(path, length, SEQUENCE_DIGITS, reason);

    return error != ERROR_OK ? error : check_components(path, length, SEQUENCE_DIGITS, reason);
}

size_t path_parent_length(const char *path, size_t length)
{
    const char *slash = memrchr(path, '/', length);

    return slash == NULL || slash == path ? 1 : (size_t)(slash - path);
}

static bool equals(const char *path, size_t length, const char *text)
{
    return length == strlen(text) && memcmp(path, text, length) == 0;
}

bool path_is_special(const char *path, size_t length)
{
    return equals(path, length, "/") || equals(path, length, "/zookeeper") ||
           equals(path, length, "/zookeeper/quota") || equals(path, length, "/zookeeper/config");
}

bool path_is_reserved(const char *path, size_t length)
{
    static const char top[] = "/zookeeper";
    size_t top_length = sizeof top - 1;

    return length >= top_length && memcmp(path, top, top_length) == 0 &&
           (length == top_length || path[top_length] == '/');
}
