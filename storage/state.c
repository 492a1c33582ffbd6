// SPDX-License-Identifier: Apache-2.0
// Opening, transactions and loading of the state. Execution stands in execute.c, reading in view.c.
#include "storage/state.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "storage/keys.h"
#include "storage/position.h"
#include "storage/sessions.h"
#include "storage/state_internal.h"

enum {
    LOAD_COMMIT_BYTES = 64 << 20, // what one transaction loads, so that its dirty pages are bounded
};

// ---- Open and close ----------------------------------------------------------------------------

static struct state *state_new(struct tables *tables)
{
    struct state *state = memory_zalloc(sizeof *state);

    state->tables = tables;
    state->tree.transaction = &state->writer;
    state->tree.position = &state->position;
    ASSERT(pthread_mutex_init(&state->lock, NULL) == 0);
    return state;
}

static enum error make_initial(struct state *state)
{
    state->position = (struct state_position){.state_version = STATE_VERSION};
    enum error error = state_begin(state);
    if (error != ERROR_OK)
        return error;
    error = tables_clear(&state->writer);
    if (error == ERROR_OK)
        error = tree_make_initial(&state->tree);
    if (error != ERROR_OK) {
        state_abort(state);
        return error;
    }
    state->position.digest = state->writer.digest;
    state->position.data_bytes = state->writer.bytes;
    return state_commit(state);
}

enum error state_open(const char *directory, uint64_t map_bytes, struct state **state,
                      struct failure *failure)
{
    struct tables *tables;

    _Static_assert((int)STATE_TABLES == (int)TABLE_COUNT, "the tables of the header");
    enum error error = tables_open(directory, map_bytes, &tables, failure);
    if (error != ERROR_OK)
        return error;
    struct state *opened = state_new(tables);
    error = make_initial(opened);
    if (error != ERROR_OK) {
        state_close(opened);
        return failure_set(failure, error, "cannot write the live state in %s: %s", directory,
                           error_entry(error)->title);
    }
    *state = opened;
    return ERROR_OK;
}

enum error state_reset(struct state *state)
{
    if (state->writer.handle != NULL)
        state_abort(state);
    return make_initial(state);
}

void state_close(struct state *state)
{
    if (state == NULL)
        return;
    if (state->writer.handle != NULL)
        transaction_abort(&state->writer);
    view_free_idle(state);
    tables_close(state->tables);
    tree_deinit(&state->tree);
    buffer_deinit(&state->writer.undo);
    buffer_deinit(&state->results);
    buffer_deinit(&state->row);
    buffer_deinit(&state->sessions);
    pthread_mutex_destroy(&state->lock);
    free(state);
}

enum error state_room(struct state *state, uint64_t enough, struct state_room *room)
{
    struct tables_room found = {0};
    enum error error = tables_room(state->tables, enough, &found);

    *room = (struct state_room){.used_bytes = found.used_bytes,
                                .free_bytes = found.free_bytes,
                                .total_bytes = found.total_bytes};
    return error;
}

// ---- Writing -----------------------------------------------------------------------------------

size_t state_changed_sessions(const struct state *state)
{
    return state->sessions.length / sizeof(uint64_t);
}

uint64_t state_changed_session(const struct state *state, size_t index)
{
    return bytes_get_u64(state->sessions.data + index * sizeof(uint64_t));
}

enum error state_begin(struct state *state)
{
    state->committed = state->position;
    buffer_clear(&state->sessions);
    state->writer.digest = state->position.digest;
    state->writer.bytes = state->position.data_bytes;
    return transaction_begin(state->tables, &state->writer);
}

static enum error write_position(struct state *state)
{
    buffer_clear(&state->row);
    position_write(&state->row, &state->position);
    return table_put(&state->writer, TABLE_META, META_POSITION,
                     (struct bytes){state->row.data, state->row.length});
}

enum error state_commit(struct state *state)
{
    enum error error = write_position(state);

    if (error == ERROR_OK)
        return transaction_commit(&state->writer);
    state_abort(state);
    return error;
}

void state_abort(struct state *state)
{
    transaction_abort(&state->writer);
    tree_forget(&state->tree);
    state->position = state->committed;
}

const struct state_position *state_writing_position(const struct state *state)
{
    return &state->position;
}

// ---- Loading -----------------------------------------------------------------------------------

enum error state_load_begin(struct state *state)
{
    enum error error = state_begin(state);

    if (error != ERROR_OK)
        return error;
    state->position.node_count = 0;
    state->position.key_count = 0;
    state->loaded_bytes = 0;
    state->loaded_id = 0;
    state->loaded_history = (struct history_load){0};
    state->loaded_ephemerals = state->loaded_owned = state->loaded_counted = 0;
    state->position.session_count = 0;
    state->position.history_zxids = 0;
    state->position.history_bytes = 0;
    error = tables_clear(&state->writer);
    if (error != ERROR_OK)
        state_abort(state);
    return error;
}

static enum error check_node(struct state *state, struct bytes key, struct bytes value)
{
    struct spot spot;
    enum error error = node_decode(key, value, &spot);

    if (error != ERROR_OK)
        return error;
    bool first = state->position.node_count == 0;
    bool root = bytes_get_u64_be(key.data) == 0;
    if (first != root || root != (spot.node.id == NODE_ROOT_ID) || root != (key.length == 8))
        return ERROR_CORRUPT;
    if (spot.node.id > state->loaded_id)
        state->loaded_id = spot.node.id;
    if (spot.node.blob > state->loaded_id)
        state->loaded_id = spot.node.blob;
    state->position.node_count++;
    state->loaded_ephemerals += spot.node.kind == ZNODE_EPHEMERAL;
    return ERROR_OK;
}

static enum error check_outcome(struct state *state, struct bytes key, struct bytes value)
{
    struct kept_outcome outcome;
    struct result result;

    if (key.length != sizeof(struct hash128))
        return ERROR_CORRUPT;
    enum error error = kept_outcome_decode(value, &outcome);
    if (error == ERROR_OK)
        error = result_decode(outcome.result.data, outcome.result.length, &result);
    state->position.key_count++;
    return error;
}

static enum error check_session(struct state *state, struct bytes key, struct bytes value)
{
    struct session_info info;
    enum error error = session_decode(key, value, &info);

    if (error != ERROR_OK)
        return error;
    state->position.session_count++;
    state->loaded_counted += info.ephemeral_count;
    return info.id != 0 ? ERROR_OK : ERROR_CORRUPT;
}

static enum error check_change(struct state *state, struct bytes key, struct bytes value)
{
    uint64_t zxid = state->loaded_history.zxid;
    enum error error = history_check_row(&state->loaded_history, key, value);

    state->position.history_zxids += zxid != state->loaded_history.zxid;
    state->position.history_bytes += key.length + value.length;
    return error;
}

static bool lengths_are(struct bytes key, size_t key_length, struct bytes value, size_t at_least,
                        size_t at_most)
{
    return key.length == key_length && value.length >= at_least && value.length <= at_most;
}

static enum error check_row(struct state *state, enum table table, struct bytes key,
                            struct bytes value)
{
    enum { ACL_BYTES_MAX = NODE_ROW_MAX };
    bool plausible = false;

    switch (table) {
    case TABLE_NODE:
        return check_node(state, key, value);
    case TABLE_IDEMPOTENCY:
        return check_outcome(state, key, value);
    case TABLE_HISTORY:
        return check_change(state, key, value);
    case TABLE_BLOB:
        plausible = lengths_are(key, 12, value, 1, BLOB_CHUNK_BYTES);
        break;
    case TABLE_ACL:
        plausible = lengths_are(key, 4, value, 4, ACL_BYTES_MAX);
        break;
    case TABLE_ORIGIN:
        plausible = lengths_are(key, 2, value, 16, 16);
        break;
    case TABLE_DUE:
        plausible = keys_due_plausible(key, value) || due_row_plausible(key, value);
        break;
    case TABLE_SESSION:
        return check_session(state, key, value);
    case TABLE_EPHEMERAL:
        plausible = ephemeral_row_plausible(key, value);
        state->loaded_owned++;
        break;
    case TABLE_META: // holds the position, which comes with state_load_end
    case TABLE_COUNT:
        break;
    }
    return plausible ? ERROR_OK : ERROR_CORRUPT;
}

enum error state_load_row(struct state *state, uint8_t table, const void *key, size_t key_length,
                          const void *value, size_t value_length)
{
    struct bytes k = {.data = key, .length = key_length};
    struct bytes v = {.data = value, .length = value_length};
    enum error error = ERROR_OK;

    if (state->loaded_bytes > LOAD_COMMIT_BYTES) {
        error = transaction_commit(&state->writer);
        if (error == ERROR_OK)
            error = transaction_begin(state->tables, &state->writer);
        state->loaded_bytes = 0;
    }
    if (error == ERROR_OK)
        error = table < TABLE_COUNT ? check_row(state, table, k, v) : ERROR_CORRUPT;
    state->loaded_bytes += key_length + value_length;
    return error != ERROR_OK ? error : table_append(&state->writer, table, k, v);
}

static bool same_counts(const struct state_position *a, const struct state_position *b)
{
    return a->node_count == b->node_count && a->key_count == b->key_count &&
           a->session_count == b->session_count && a->history_zxids == b->history_zxids &&
           a->history_bytes == b->history_bytes;
}

enum error state_load_end(struct state *state, const struct state_position *position)
{
    const struct transaction *writer = &state->writer;

    if (!hash128_equal(writer->digest, position->digest) || writer->bytes != position->data_bytes ||
        !same_counts(&state->position, position) || position->node_count == 0 ||
        position->state_version != STATE_VERSION || position->next_id <= state->loaded_id ||
        state->loaded_history.missing > 0 || state->loaded_history.zxid > position->zxid ||
        state->loaded_ephemerals != state->loaded_owned || // N20
        state->loaded_ephemerals != state->loaded_counted)
        return ERROR_CORRUPT;
    state->position = *position;
    return state_commit(state);
}
