// SPDX-License-Identifier: Apache-2.0
// A scan of the text refuses what json-c would accept, then json-c builds the tree. Duplicate names
// show by counting: the text has more members than the tree.
#include "api/json_reader.h"

#include <inttypes.h>
#include <json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

struct json_document {
    struct json_object *root; // owned; NULL stands for JSON null
};

struct scan {
    const char *start;
    const char *at;
    const char *end;
    size_t members; // names seen
    uint32_t depth;
    bool last_string_has_nul; // the string just scanned has a \u0000
    const char *wrong;
};

static bool is_digit(const struct scan *scan)
{
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

static size_t skip_digits(struct scan *scan)
{
    const char *start = scan->at;

    while (is_digit(scan))
        scan->at++;
    return (size_t)(scan->at - start);
}

static bool skip_char(struct scan *scan, const char *set)
{
    if (scan->at == scan->end || *scan->at == '\0' || strchr(set, *scan->at) == NULL)
        return false;
    scan->at++;
    return true;
}

static void scan_number(struct scan *scan)
{
    skip_char(scan, "-");
    bool zero = scan->at < scan->end && *scan->at == '0';
    size_t digits = skip_digits(scan);

    if (digits == 0 || (zero && digits > 1))
        scan->wrong = "a number is malformed";
    if (skip_char(scan, ".") && skip_digits(scan) == 0)
        scan->wrong = "a number has no digits behind its point";
    if (skip_char(scan, "eE")) {
        skip_char(scan, "+-");
        if (skip_digits(scan) == 0)
            scan->wrong = "a number has no digits in its exponent";
    }
}

// Reads the four digits behind \u.
static bool scan_hex(struct scan *scan, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        if (scan->at == scan->end)
            return false;
        char c = *scan->at++;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : UINT32_MAX;
        if (digit == UINT32_MAX)
            return false;
        *unit = *unit << 4 | digit;
    }
    return true;
}

static void scan_unicode_escape(struct scan *scan)
{
    uint32_t unit, second;

    if (!scan_hex(scan, &unit)) {
        scan->wrong = "a \\u has no four hexadecimal digits behind it";
        return;
    }
    scan->last_string_has_nul |= unit == 0;
    if (unit < 0xd800 || unit > 0xdfff)
        return;
    bool pair = unit < 0xdc00 && skip_char(scan, "\\") && skip_char(scan, "u") &&
                scan_hex(scan, &second) && second >= 0xdc00 && second <= 0xdfff;
    if (!pair)
        scan->wrong = "a string has half of a surrogate pair";
}

static void scan_string(struct scan *scan)
{
    scan->last_string_has_nul = false;
    for (scan->at++; scan->at < scan->end && scan->wrong == NULL;) {
        unsigned char c = (unsigned char)*scan->at++;
        if (c == '"')
            return;
        if (c < 0x20)
            scan->wrong = "a string has a control character; it must be escaped";
        if (c != '\\')
            continue;
        if (skip_char(scan, "u"))
            scan_unicode_escape(scan);
        else if (!skip_char(scan, "\"\\/bfnrt"))
            scan->wrong = "a string has an escape that JSON does not have";
    }
    if (scan->wrong == NULL)
        scan->wrong = "a string does not end";
}

static void scan_literal(struct scan *scan)
{
    static const char *const literals[] = {"true", "false", "null"};

    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(literals[i]);
        if ((size_t)(scan->end - scan->at) >= length &&
            memcmp(scan->at, literals[i], length) == 0) {
            scan->at += length;
            return;
        }
    }
    scan->wrong = "there is a character that cannot stand here";
}

static void scan_structure(struct scan *scan, char c, uint32_t depth)
{
    scan->at++;
    if (c == '{' || c == '[') {
        scan->depth++;
        if (scan->depth > depth)
            scan->wrong = "objects and arrays are nested too deeply";
    } else if ((c == '}' || c == ']') && scan->depth > 0) {
        scan->depth--;
    } else if (c == ':') {
        scan->members++;
        if (scan->last_string_has_nul)
            scan->wrong = "a member's name has a NUL";
    }
}

static void scan_token(struct scan *scan, uint32_t depth)
{
    char c = *scan->at;

    if (c == '"')
        scan_string(scan);
    else if (c == '-' || is_digit(scan))
        scan_number(scan);
    else if (c != '\0' && strchr("{}[]:,", c) != NULL)
        scan_structure(scan, c, depth);
    else if (c != '\0' && strchr(" \t\r\n", c) != NULL)
        scan->at++;
    else
        scan_literal(scan);
}

static size_t count_members(struct json_object *value)
{
    size_t count = 0;

    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            count += count_members(json_object_array_get_idx(value, i));
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            (void)name;
            count += 1 + count_members(member);
        }
    }
    return count;
}

static enum error build(const struct scan *scan, uint32_t depth, struct json_object **root,
                        struct problem *problem)
{
    struct json_tokener *tokener = json_tokener_new_ex((int)depth + 2);
    size_t length = (size_t)(scan->end - scan->start);
    char *text = memory_alloc(length + 1);

    // The NUL is part of the text for json-c: without it a number at the end has no end.
    memcpy(text, scan->start, length);
    text[length] = '\0';
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    *root = json_tokener_parse_ex(tokener, text, (int)length + 1);
    enum json_tokener_error wrong = json_tokener_get_error(tokener);
    size_t offset = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    free(text);
    if (wrong == json_tokener_continue)
        return problem_set(problem, ERROR_BAD_JSON, "the JSON text ends too early");
    if (wrong != json_tokener_success)
        return problem_set(problem, ERROR_BAD_JSON, "the JSON text is malformed at byte %zu",
                           offset);
    return ERROR_OK;
}

enum error json_parse(const void *text, size_t length, uint32_t depth,
                      struct json_document **document, struct problem *problem)
{
    struct json_object *root = NULL;

    *document = NULL;
    if (length == 0)
        return problem_set(problem, ERROR_BAD_JSON, "the body is empty; it must be JSON");
    struct scan scan = {.start = text, .at = text, .end = (const char *)text + length};
    if (length >= INT_MAX || !utf8_valid(text, length))
        return problem_set(problem, ERROR_BAD_JSON, "the JSON text is not UTF-8");
    while (scan.at < scan.end && scan.wrong == NULL)
        scan_token(&scan, depth);
    if (scan.wrong != NULL)
        return problem_set(problem, ERROR_BAD_JSON, "at byte %zu of the JSON text: %s",
                           (size_t)(scan.at - scan.start), scan.wrong);
    enum error error = build(&scan, depth, &root, problem);
    if (error == ERROR_OK && count_members(root) != scan.members)
        error = problem_set(problem, ERROR_BAD_JSON, "an object has two members of the same name");
    if (error != ERROR_OK) {
        json_object_put(root);
        return error;
    }
    *document = memory_zalloc(sizeof **document);
    (*document)->root = root;
    return ERROR_OK;
}

void json_free(struct json_document *document)
{
    if (document == NULL)
        return;
    json_object_put(document->root);
    free(document);
}

struct json_object *json_root(struct json_document *document)
{
    return document->root;
}

static bool is_listed(const char *name, const char *const *allowed)
{
    for (; *allowed != NULL; allowed++) {
        if (strcmp(*allowed, name) == 0)
            return true;
    }
    return false;
}

enum error json_check_object(struct json_object *value, const char *const *allowed,
                             const char *where, struct problem *problem)
{
    if (!json_object_is_type(value, json_type_object))
        return problem_set(problem, ERROR_BAD_JSON, "%s must be an object", where);
    json_object_object_foreach(value, name, member)
    {
        (void)member;
        if (!is_listed(name, allowed))
            return problem_set(problem, ERROR_BAD_JSON, "%s has the unknown member \"%.64s\"",
                               where, name);
    }
    return ERROR_OK;
}

static enum error wrong_type(const char *name, const char *where, const char *wanted,
                             struct problem *problem)
{
    return problem_set(problem, ERROR_BAD_JSON, "\"%s\" of %s must be %s", name, where, wanted);
}

enum error json_get_array(struct json_object *object, const char *name, const char *where,
                          struct json_object **array, struct problem *problem)
{
    if (!json_object_object_get_ex(object, name, array) ||
        !json_object_is_type(*array, json_type_array))
        return wrong_type(name, where, "an array", problem);
    return ERROR_OK;
}

size_t json_array_count(struct json_object *array)
{
    return json_object_array_length(array);
}

struct json_object *json_array_at(struct json_object *array, size_t index)
{
    return json_object_array_get_idx(array, index);
}

enum error json_get_string(struct json_object *object, const char *name, bool nullable,
                           const char *where, struct json_string_value *value,
                           enum json_presence *presence, struct problem *problem)
{
    struct json_object *member;

    *presence = JSON_ABSENT;
    if (!json_object_object_get_ex(object, name, &member))
        return ERROR_OK;
    *presence = JSON_NULL;
    if (member == NULL && nullable)
        return ERROR_OK;
    if (!json_object_is_type(member, json_type_string))
        return wrong_type(name, where, nullable ? "a string or null" : "a string", problem);
    *presence = JSON_VALUE;
    value->text = json_object_get_string(member);
    value->length = (size_t)json_object_get_string_len(member);
    return ERROR_OK;
}

enum error json_get_int32(struct json_object *object, const char *name, const char *where,
                          int32_t *value, struct problem *problem)
{
    struct json_object *member;

    if (!json_object_object_get_ex(object, name, &member))
        return ERROR_OK;
    if (!json_object_is_type(member, json_type_int))
        return wrong_type(name, where, "a whole number", problem);
    int64_t wide = json_object_get_int64(member);
    if (wide < INT32_MIN || wide > INT32_MAX)
        return wrong_type(name, where, "from -2147483648 to 2147483647", problem);
    *value = (int32_t)wide;
    return ERROR_OK;
}

enum error json_get_int64(struct json_object *object, const char *name, const char *where,
                          int64_t *value, enum json_presence *presence, struct problem *problem)
{
    struct json_object *member;

    *presence = JSON_ABSENT;
    if (!json_object_object_get_ex(object, name, &member))
        return ERROR_OK;
    if (!json_object_is_type(member, json_type_int))
        return wrong_type(name, where, "a whole number", problem);
    *presence = JSON_VALUE;
    *value = json_object_get_int64(member);
    return ERROR_OK;
}

enum error json_get_bool(struct json_object *object, const char *name, const char *where,
                         bool *value, struct problem *problem)
{
    struct json_object *member;

    if (!json_object_object_get_ex(object, name, &member))
        return ERROR_OK;
    if (!json_object_is_type(member, json_type_boolean))
        return wrong_type(name, where, "true or false", problem);
    *value = json_object_get_boolean(member);
    return ERROR_OK;
}
