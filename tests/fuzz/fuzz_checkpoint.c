// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the rows of a checkpoint, as they arrive behind its checksums. Whatever they are,
// the loaded tables can be listed to their end without a crash.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "storage/session.h"
#include "storage/state_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VISITS_MAX = 1000 };

static bool count_visit(void *context, const struct znode *node)
{
    unsigned *visits = context;

    (void)node;
    return ++*visits < VISITS_MAX;
}

static struct state *open_state(char *directory)
{
    struct failure failure;
    struct state *state;

    ASSERT(mkdtemp(directory) != NULL);
    ASSERT(state_open(directory, 1 << 24, &state, &failure) == ERROR_OK);
    return state;
}

// Rows as in a chunk: u8 table, u16 key length, u32 value length, key, value.
static enum error load_rows(struct state *state, const uint8_t *data, size_t size)
{
    enum error error = state_load_begin(state);
    struct reader reader;

    reader_init(&reader, data, size);
    while (error == ERROR_OK && reader_left(&reader) > 0) {
        uint8_t table = reader_u8(&reader);
        size_t key_length = reader_u16(&reader);
        size_t value_length = reader_u32(&reader);
        const uint8_t *key = reader_bytes(&reader, key_length);
        const uint8_t *value = reader_bytes(&reader, value_length);
        if (reader.failed)
            return ERROR_CORRUPT;
        error = state_load_row(state, table, key, key_length, value, value_length);
    }
    return error;
}

static bool take_change(void *context, const struct change *change)
{
    (void)context;
    ASSERT(change->path_length == 0 || change->path != NULL);
    return true;
}

static bool take_path(void *context, uint64_t node, const char *path, size_t length)
{
    (void)context;
    (void)node;
    return path[0] == '/' && length > 1;
}

static bool take_session(void *context, const struct session_info *info)
{
    ASSERT(view_session_nodes(context, info->id, 0, take_path, NULL) == ERROR_OK);
    return true;
}

static bool take_due(void *context, const struct due_item *item)
{
    (void)context;
    return item->kind == ZNODE_CONTAINER || item->kind == ZNODE_TTL;
}

static void list_tables(struct view *view)
{
    enum error error = view_changes(view, 0, take_change, NULL);
    ASSERT(error == ERROR_OK || error == ERROR_CORRUPT);
    ASSERT(view_sessions(view, 0, take_session, view) == ERROR_OK);
    error = view_due(view, UINT64_MAX, take_due, NULL);
    ASSERT(error == ERROR_OK || error == ERROR_CORRUPT);
}

static void list_all(struct state *state)
{
    unsigned visits = 0;
    struct view *view;
    bool more;

    ASSERT(view_open(state, &view) == ERROR_OK);
    enum error error =
        view_tree(view, "/", 1, NULL, 0, UINT32_MAX, true, count_visit, &visits, &more);
    ASSERT(error == ERROR_OK || error == ERROR_CORRUPT || error == ERROR_NO_NODE);
    list_tables(view);
    view_close(view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char directory[] = "/tmp/curlew-fuzz-XXXXXX";
    struct state *state = open_state(directory);

    if (load_rows(state, data, size) == ERROR_OK) {
        struct state_position position = state->position;
        position.digest = state->writer.digest;
        position.data_bytes = state->writer.bytes;
        position.next_id = state->loaded_id + 1;
        position.zxid = UINT64_MAX;
        if (state_load_end(state, &position) == ERROR_OK)
            list_all(state);
    }
    state_close(state);
    rmdir(directory);
    return 0;
}
