// SPDX-License-Identifier: Apache-2.0
// Raw request targets: what decodes is UTF-8 without NUL and has exactly the slashes that stood in
// the raw form, and encoding it again gives the same path back.
#include <stdint.h>
#include <string.h>

#include "api/percent.h"
#include "api/route.h"
#include "api/target.h"
#include "base/assert.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const void *text, size_t length, char wanted)
{
    size_t found = 0;

    for (size_t i = 0; i < length; i++)
        found += ((const char *)text)[i] == wanted;
    return found;
}

static void check_decoded(const struct route_match *match, const struct buffer *path)
{
    struct problem problem = {0};
    struct buffer encoded = {0};
    struct buffer again = {0};
    bool slash;

    ASSERT(path->length > 0 && path->data[0] == '/');
    ASSERT(utf8_valid(path->data, path->length));
    ASSERT(memchr(path->data, 0, path->length) == NULL);
    if (match->rest_length > 0)
        ASSERT(count(path->data, path->length, '/') == count(match->rest, match->rest_length, '/'));
    percent_encode_path((const char *)path->data, path->length, &encoded);
    ASSERT(target_decode_path((const char *)encoded.data, encoded.length, &again, &slash,
                              &problem) == ERROR_OK);
    ASSERT(again.length == path->length && memcmp(again.data, path->data, path->length) == 0);
    buffer_deinit(&encoded);
    buffer_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problem problem = {0};
    struct buffer path = {0};
    struct route_match match;
    struct target target;
    bool slash;

    if (target_split((const char *)data, size, &target, &problem) != ERROR_OK) {
        ASSERT(problem.detail[0] != '\0');
        return 0;
    }
    route_find(METHOD_GET, target.path, target.path_length, &match);
    if (match.route != NULL && match.znode &&
        target_decode_path(match.rest, match.rest_length, &path, &slash, &problem) == ERROR_OK)
        check_decoded(&match, &path);
    buffer_deinit(&path);
    return 0;
}
