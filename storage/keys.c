// SPDX-License-Identifier: Apache-2.0
// A key's row stands under the hash of the key and holds the key itself; a row in `due` under its
// deadline refers to it.
#include "storage/keys.h"

#include <string.h>

#include "base/assert.h"

enum { HASH_BYTES = 16, DUE_KEY_BYTES = DUE_PREFIX_BYTES + HASH_BYTES };

static struct bytes hash_key(uint8_t into[HASH_BYTES], const void *key, size_t length)
{
    struct hash128 hash = hash128(key, length, 0);

    bytes_put_u64(into, hash.low);
    bytes_put_u64(into + 8, hash.high);
    return (struct bytes){.data = into, .length = HASH_BYTES};
}

static struct bytes due_key(uint8_t into[DUE_KEY_BYTES], uint64_t deadline_us, const void *hash)
{
    into[0] = DUE_KEY;
    bytes_put_u64_be(into + 1, deadline_us);
    memcpy(into + DUE_PREFIX_BYTES, hash, HASH_BYTES);
    return (struct bytes){.data = into, .length = DUE_KEY_BYTES};
}

bool keys_due_plausible(struct bytes key, struct bytes value)
{
    return key.length == DUE_KEY_BYTES && *(const uint8_t *)key.data == DUE_KEY &&
           value.length == 0;
}

enum error kept_outcome_decode(struct bytes value, struct kept_outcome *outcome)
{
    struct reader reader;

    reader_init(&reader, value.data, value.length);
    outcome->key_length = reader_u8(&reader);
    outcome->key = reader_bytes(&reader, outcome->key_length);
    outcome->identity.low = reader_u64(&reader);
    outcome->identity.high = reader_u64(&reader);
    outcome->deadline_us = reader_u64(&reader);
    outcome->result.length = reader_left(&reader);
    outcome->result.data = reader_bytes(&reader, outcome->result.length);
    return reader_done(&reader) && outcome->key_length > 0 ? ERROR_OK : ERROR_CORRUPT;
}

static enum error find_hash(struct transaction *transaction, struct bytes hash,
                            struct kept_outcome *outcome)
{
    struct bytes value;
    enum error error = table_get(transaction, TABLE_IDEMPOTENCY, hash, &value);

    return error != ERROR_OK ? error : kept_outcome_decode(value, outcome);
}

static bool same_key(const struct kept_outcome *outcome, const void *key, size_t key_length)
{
    return outcome->key_length == key_length && memcmp(outcome->key, key, key_length) == 0;
}

enum error keys_find(struct transaction *transaction, const void *key, size_t key_length,
                     uint64_t now_us, struct kept_outcome *outcome)
{
    uint8_t bytes[HASH_BYTES];
    enum error error = find_hash(transaction, hash_key(bytes, key, key_length), outcome);

    if (error != ERROR_OK)
        return error;
    return same_key(outcome, key, key_length) && outcome->deadline_us > now_us ? ERROR_OK
                                                                               : ERROR_MISSING;
}

struct blob *keys_replay(struct bytes result)
{
    struct blob *blob = blob_copy(result.data, result.length);

    result_mark_replayed(blob->data, blob->length);
    return blob;
}

static enum error drop(struct state *state, uint64_t deadline_us, const uint8_t *hash)
{
    uint8_t key[DUE_KEY_BYTES];
    struct transaction *writer = &state->writer;

    enum error error = table_remove(writer, TABLE_DUE, due_key(key, deadline_us, hash));
    if (error == ERROR_OK)
        error = table_remove(writer, TABLE_IDEMPOTENCY,
                             (struct bytes){key + DUE_PREFIX_BYTES, HASH_BYTES});
    if (error == ERROR_OK && state->position.key_count == 0)
        error = ERROR_CORRUPT;
    if (error == ERROR_OK)
        state->position.key_count--;
    return error == ERROR_MISSING ? ERROR_CORRUPT : error;
}

enum error keys_reap(struct state *state, uint64_t now_us, unsigned limit)
{
    const uint8_t first = DUE_KEY;
    struct row row;

    for (unsigned i = 0; i < limit && state->position.key_count > 0; i++) {
        enum error error = table_seek(&state->writer, TABLE_DUE, (struct bytes){&first, 1}, &row);
        if (error != ERROR_OK)
            return error == ERROR_MISSING ? ERROR_CORRUPT : error;
        const uint8_t *key = row.key.data;
        if (!keys_due_plausible(row.key, row.value))
            return ERROR_CORRUPT;
        uint64_t deadline_us = bytes_get_u64_be(key + 1);
        if (deadline_us > now_us)
            return ERROR_OK;
        error = drop(state, deadline_us, key + DUE_PREFIX_BYTES);
        if (error != ERROR_OK)
            return error;
    }
    return ERROR_OK;
}

enum error keys_admit(struct state *state, const struct command *command, uint64_t now_us,
                      struct blob **result)
{
    uint8_t bytes[HASH_BYTES];
    struct bytes hash = hash_key(bytes, command->key, command->key_length);
    struct kept_outcome outcome;

    enum error error = find_hash(&state->writer, hash, &outcome);
    if (error == ERROR_OK && outcome.deadline_us <= now_us) {
        error = drop(state, outcome.deadline_us, bytes);
        if (error == ERROR_OK)
            error = ERROR_MISSING;
    }
    if (error == ERROR_OK) {
        if (!same_key(&outcome, command->key, command->key_length) ||
            !hash128_equal(outcome.identity, command->identity))
            return ERROR_KEY_REUSED;
        *result = keys_replay(outcome.result);
        return ERROR_OK;
    }
    if (error == ERROR_MISSING && state->position.key_count >= command->key_capacity)
        return ERROR_KEYS_FULL;
    return error;
}

enum error keys_keep(struct state *state, const struct command *command, uint64_t now_us,
                     const struct blob *result)
{
    uint8_t hash[HASH_BYTES], due[DUE_KEY_BYTES];
    struct bytes key = hash_key(hash, command->key, command->key_length);
    struct buffer *row = &state->row;
    uint64_t retention_us = command->key_retention_us;
    uint64_t deadline_us = retention_us < UINT64_MAX - now_us ? now_us + retention_us : UINT64_MAX;

    buffer_clear(row);
    buffer_u8(row, (uint8_t)command->key_length);
    buffer_append(row, command->key, command->key_length);
    buffer_u64(row, command->identity.low);
    buffer_u64(row, command->identity.high);
    buffer_u64(row, deadline_us);
    buffer_append(row, result->data, result->length);
    enum error error =
        table_put(&state->writer, TABLE_IDEMPOTENCY, key, (struct bytes){row->data, row->length});
    if (error == ERROR_OK)
        error = table_put(&state->writer, TABLE_DUE, due_key(due, deadline_us, hash),
                          (struct bytes){NULL, 0});
    if (error == ERROR_OK)
        state->position.key_count++;
    return error;
}
