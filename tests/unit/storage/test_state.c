// SPDX-License-Identifier: Apache-2.0
// The state as a whole: opening it, and random commands: one that fails leaves the state of one
// that never was, and the counts that the rows keep of each other stay true.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "storage/state_internal.h"

enum { SEEDS = 6, COMMANDS = 400, OPS_MAX = 7, BIG_BYTES = 9000 };

struct random {
    uint64_t seed;
    uint8_t *big;
};

static uint32_t next_random(struct random *random, uint32_t below)
{
    random->seed = random->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random->seed >> 33) % below;
}

static const char *random_path(struct random *random)
{
    static const char *const paths[] = {
        "/a",     "/a/b", "/a/b/c", "/a/b/c/d", "/e",           "/e/f", "/e/f/g",
        "/a/b/x", "/h/",  "/e/g",   "/h",       "/zookeeper/x", "/",    "/e/f/g/h/i",
    };

    return paths[next_random(random, sizeof paths / sizeof *paths)];
}

static struct op random_op(struct random *random)
{
    static const unsigned flags[] = {0, 0, OP_PARENTS, OP_SEQUENTIAL, OP_SEQUENTIAL | OP_PARENTS};
    static const uint8_t types[] = {OP_CHECK,  OP_CREATE, OP_CREATE, OP_SET,
                                    OP_DELETE, OP_PUT,    OP_PUT,    OP_DELETE_TREE};
    struct op op = op_make(types[next_random(random, sizeof types)], random_path(random));

    op.flags = (uint16_t)flags[next_random(random, 5)];
    op.version = next_random(random, 4) == 0 ? (int32_t)next_random(random, 3) : -1;
    if (op.type == OP_CREATE || op.type == OP_PUT || op.type == OP_SET) {
        op.data = random->big;
        op.data_length = next_random(random, 2) == 0 ? next_random(random, BIG_BYTES) : 10;
    }
    if (op.type == OP_DELETE_TREE) {
        op.limit = next_random(random, 6);
        op.flags = next_random(random, 2) == 0 ? OP_PARTIAL : 0;
    }
    return op;
}

struct tally {
    uint64_t nodes;
    uint64_t children; // sum of num_children
    uint64_t chunks;   // that the records name
    uint64_t blobs;    // rows of the blob table
    uint64_t bytes;
};

static enum error count_row(void *context, uint8_t table, const void *key, size_t key_length,
                            const void *value, size_t value_length)
{
    struct tally *tally = context;
    struct spot spot;

    tally->bytes += key_length + value_length;
    tally->blobs += table == TABLE_BLOB;
    if (table != TABLE_NODE)
        return ERROR_OK;
    assert_int_equal(
        node_decode((struct bytes){key, key_length}, (struct bytes){value, value_length}, &spot),
        ERROR_OK);
    tally->nodes++;
    tally->children += spot.node.num_children;
    if (spot.node.blob != 0)
        tally->chunks += (spot.node.data_length + BLOB_CHUNK_BYTES - 1) / BLOB_CHUNK_BYTES;
    return ERROR_OK;
}

static bool count_node(void *context, const struct znode *node)
{
    (void)node;
    ++*(uint64_t *)context;
    return true;
}

static void check_counts(struct fixture *fixture)
{
    struct tally tally = {0};
    uint64_t reached = 0;
    struct view *view;
    bool more;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    const struct state_position *position = view_position(view);
    assert_int_equal(view_rows(view, count_row, &tally), ERROR_OK);
    assert_int_equal(tally.nodes, position->node_count);
    assert_int_equal(tally.children, tally.nodes - 1);
    assert_int_equal(tally.blobs, tally.chunks);
    assert_int_equal(tally.bytes, position->data_bytes);
    assert_int_equal(
        view_tree(view, "/", 1, NULL, 0, UINT32_MAX, true, count_node, &reached, &more), ERROR_OK);
    assert_int_equal(reached, tally.nodes);
    view_close(view);
}

// Executes a random command on `tried`; on `spared` only if it succeeded, else one that fails
// without looking at anything.
static unsigned execute_random(struct random *random, struct fixture *tried, struct fixture *spared)
{
    struct op ops[OPS_MAX];
    uint32_t count = 1 + next_random(random, OPS_MAX);

    for (uint32_t i = 0; i < count; i++)
        ops[i] = random_op(random);
    bool succeeded = run_multi(tried, ops, count) == ERROR_OK;
    if (succeeded) {
        assert_int_equal(run_multi(spared, ops, count), ERROR_OK);
    } else {
        struct op nothing = op_check("/nope", -1);
        assert_int_equal(run_multi(spared, &nothing, 1), ERROR_NO_NODE);
    }
    struct state_position a = position_of(tried), b = position_of(spared);
    assert_true(hash128_equal(a.digest, b.digest));
    assert_int_equal(a.zxid, b.zxid);
    assert_int_equal(a.next_id, b.next_id);
    return succeeded;
}

static void failed_commands_equal_ones_that_never_were(void **context)
{
    uint8_t *big = memory_zalloc(BIG_BYTES);

    (void)context;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct random random = {.seed = seed, .big = big};
        struct fixture *tried, *spared;
        unsigned succeeded = 0;
        fixture_setup((void **)&tried);
        fixture_setup((void **)&spared);
        for (unsigned i = 0; i < COMMANDS; i++)
            succeeded += execute_random(&random, tried, spared);
        assert_in_range(succeeded, COMMANDS / 20, COMMANDS - COMMANDS / 20);
        check_counts(tried);
        fixture_teardown((void **)&tried);
        fixture_teardown((void **)&spared);
    }
    free(big);
}

static void opening_empties_what_was_there(void **context)
{
    struct fixture *fixture = *context;
    struct failure failure;
    char name[96];

    snprintf(name, sizeof name, "%s/curlew.mdb", fixture->directory);
    state_close(fixture->state);
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs("not an environment", file);
    fclose(file);
    assert_int_equal(state_open(fixture->directory, 1 << 24, &fixture->state, &failure), ERROR_OK);
    assert_int_equal(position_of(fixture).node_count, 4);
}

static void opening_below_a_missing_directory_says_which(void **context)
{
    struct failure failure = {0};
    struct state *state = NULL;

    (void)context;
    assert_int_equal(state_open("/nonexistent/curlew", 1 << 24, &state, &failure), ERROR_IO);
    assert_non_null(strstr(failure.text, "/nonexistent/curlew"));
    assert_null(state);
}

static void full_map_is_disk_full(void **context)
{
    struct fixture *fixture = *context;
    struct op op = op_make(OP_PUT, "/a");
    struct origin origin = {.node = 1, .boot = 1};
    struct failure failure;

    state_close(fixture->state);
    assert_int_equal(state_open(fixture->directory, 1 << 20, &fixture->state, &failure), ERROR_OK);
    op.data_length = 2 << 20;
    op.data = memory_zalloc(op.data_length);
    encode(&fixture->command, fixture, false, &op, 1);
    batch_begin(&fixture->batch);
    batch_begin_part(&fixture->batch, &origin, 1);
    batch_add_command(&fixture->batch, fixture->command.data, fixture->command.length);
    assert_int_equal(execute_value(fixture, fixture->batch.data, fixture->batch.length, NULL, NULL),
                     ERROR_DISK_FULL);
    assert_int_equal(position_of(fixture).applied, 0);
    free((void *)(uintptr_t)op.data);
}

static void second_state_in_one_directory_is_refused(void **context)
{
    struct fixture *fixture = *context;
    struct failure failure = {0};
    struct state *second = NULL;

    assert_int_equal(state_open(fixture->directory, 1 << 24, &second, &failure), ERROR_LOCKED);
    assert_non_null(strstr(failure.text, fixture->directory));
    assert_non_null(strstr(failure.text, "--live-dir"));
    run(fixture, op_put("/a", "the first one goes on"));
}

// Pages that a removed value gave up count as room, although the file does not shrink.
static void room_comes_back_when_values_go(void **context)
{
    struct fixture *fixture = *context;
    struct op big = op_make(OP_PUT, "/big");
    struct state_room before, full, after;

    assert_int_equal(state_room(fixture->state, UINT64_MAX, &before), ERROR_OK);
    big.data_length = 1 << 20;
    big.data = memory_zalloc(big.data_length);
    run(fixture, big);
    free((void *)(uintptr_t)big.data);
    assert_int_equal(state_room(fixture->state, UINT64_MAX, &full), ERROR_OK);
    assert_true(full.free_bytes + (1 << 20) <= before.free_bytes);
    run(fixture, op_put("/big", ""));
    run(fixture, op_put("/a", ""));
    assert_int_equal(state_room(fixture->state, UINT64_MAX, &after), ERROR_OK);
    assert_true(after.free_bytes >= full.free_bytes + (1 << 20));
    assert_int_equal(after.total_bytes, before.total_bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(failed_commands_equal_ones_that_never_were),   TEST(opening_empties_what_was_there),
        TEST(opening_below_a_missing_directory_says_which), TEST(full_map_is_disk_full),
        TEST(second_state_in_one_directory_is_refused),     TEST(room_comes_back_when_values_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
