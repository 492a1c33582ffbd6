// SPDX-License-Identifier: Apache-2.0
// Rows of znodes: their shape, data in chunks, deep paths.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "storage/tree.h"

enum { DEEP_LEVELS = 20000 };

static struct op op_data(enum op_type type, const char *path, const uint8_t *data, size_t length)
{
    struct op op = op_make(type, path);

    op.data = data;
    op.data_length = length;
    return op;
}

static void check_data(struct fixture *fixture, const char *path, const uint8_t *data,
                       size_t length)
{
    struct znode node;
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_get(view, path, strlen(path), true, &node), ERROR_OK);
    assert_int_equal(node.stat.data_length, length);
    assert_memory_equal(node.data, data, length);
    view_close(view);
}

static void data_of_every_size_comes_back(void **context)
{
    static const size_t lengths[] = {0,    1,    1800, 1899, 1900,    1901,   1902,
                                     1980, 1981, 3960, 3961, 1 << 16, 1 << 20};
    struct fixture *fixture = *context;
    uint8_t *data = memory_alloc(1 << 20);

    for (size_t i = 0; i < 1 << 20; i++)
        data[i] = (uint8_t)(i * 31 + (i >> 8));
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(run(fixture, op_data(OP_PUT, "/d", data, lengths[i])), ERROR_OK);
        check_data(fixture, "/d", data, lengths[i]);
        run(fixture, op_create("/d/child", "")); // rewrites the record
        check_data(fixture, "/d", data, lengths[i]);
        run(fixture, op_delete("/d/child", -1));
    }
    free(data);
}

static void replaced_chunks_do_not_stay(void **context)
{
    struct fixture *fixture = *context;
    uint8_t *data = memory_zalloc(1 << 20);

    run(fixture, op_create("/d", ""));
    uint64_t bytes = bytes_of(fixture);
    run(fixture, op_data(OP_SET, "/d", data, 1 << 20));
    run(fixture, op_data(OP_SET, "/d", data, 1 << 19));
    run(fixture, op_data(OP_SET, "/d", data, 0));
    assert_int_equal(bytes_of(fixture), bytes);
    free(data);
}

static void name_of_500_bytes_holds_data(void **context)
{
    struct fixture *fixture = *context;
    char path[502] = "/";
    uint8_t data[2000];

    memset(path + 1, 'n', 500);
    memset(data, 'd', sizeof data);
    for (size_t length = 1390; length < 1430; length++) {
        assert_int_equal(run(fixture, op_data(OP_PUT, path, data, length)), ERROR_OK);
        check_data(fixture, path, data, length);
    }
}

// "/a/a/.../a"
static char *deep_path(size_t levels)
{
    char *path = memory_alloc(2 * levels + 1);

    for (size_t i = 0; i < levels; i++)
        memcpy(path + 2 * i, "/a", 2);
    path[2 * levels] = 0;
    return path;
}

static void deep_path_is_made_found_and_deleted(void **context)
{
    struct fixture *fixture = *context;
    char *path = deep_path(DEEP_LEVELS);
    struct op tree = op_make(OP_DELETE_TREE, "/a");

    assert_int_equal(run(fixture, op_flagged(op_create(path, "x"), OP_PARENTS)), ERROR_OK);
    assert_int_equal(position_of(fixture).node_count, 4 + DEEP_LEVELS);
    assert_int_equal(stat_of(fixture, path).data_length, 1);
    tree.limit = DEEP_LEVELS - 1;
    assert_int_equal(run(fixture, tree), ERROR_TOO_MANY_NODES);
    assert_int_equal(run(fixture, op_flagged(tree, OP_PARTIAL)), ERROR_OK);
    assert_int_equal(stat_of(fixture, "/a").num_children, 0);
    tree.limit = 1;
    assert_int_equal(run(fixture, tree), ERROR_OK);
    assert_int_equal(position_of(fixture).node_count, 4);
    free(path);
}

static bool count_node(void *context, const struct znode *node)
{
    size_t *count = context;

    ++*count;
    return node->name_length == 1 || node->name_length == 2 * (*count - 1);
}

static void deep_tree_is_listed_without_recursion(void **context)
{
    struct fixture *fixture = *context;
    char *path = deep_path(DEEP_LEVELS);
    struct view *view;
    size_t count = 1; // of "/", which stands for no level
    bool more;

    run(fixture, op_flagged(op_create(path, "x"), OP_PARENTS));
    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(
        view_tree(view, "/a", 2, NULL, 0, UINT32_MAX, false, count_node, &count, &more), ERROR_OK);
    assert_false(more);
    assert_int_equal(count, 1 + DEEP_LEVELS);
    view_close(view);
    free(path);
}

static struct node sample_node(void)
{
    return (struct node){.id = 9, .blob = 0, .data_length = 3, .kind = ZNODE_PERSISTENT};
}

// Decodes a record with so much inline data below a key of a child of node 1.
static enum error decode(const struct node *node, size_t inline_length)
{
    struct buffer row = {0};
    uint8_t key[9] = {0, 0, 0, 0, 0, 0, 0, 1, 'x'};
    struct spot spot;

    node_encode(&row, node);
    buffer_zero(&row, inline_length);
    enum error error =
        node_decode((struct bytes){key, sizeof key}, (struct bytes){row.data, row.length}, &spot);
    buffer_deinit(&row);
    return error;
}

static void record_of_a_wrong_shape_is_refused(void **context)
{
    struct node node = sample_node();

    (void)context;
    assert_int_equal(decode(&node, 3), ERROR_OK);
    assert_int_equal(decode(&node, 2), ERROR_CORRUPT);
    assert_int_equal(decode(&node, 4), ERROR_CORRUPT);
    node.blob = 3;
    assert_int_equal(decode(&node, 3), ERROR_CORRUPT);
    node = sample_node(), node.id = 1; // not greater than its parent's
    assert_int_equal(decode(&node, 3), ERROR_CORRUPT);
    node = sample_node(), node.flags = NODE_NULL_DATA;
    assert_int_equal(decode(&node, 3), ERROR_CORRUPT);
    node = sample_node(), node.kind = ZNODE_TTL + 1;
    assert_int_equal(decode(&node, 3), ERROR_CORRUPT);
    node = sample_node(), node.data_length = DATA_MAX + 1, node.blob = 4;
    assert_int_equal(decode(&node, 0), ERROR_CORRUPT);
    node.data_length = DATA_MAX;
    assert_int_equal(decode(&node, 0), ERROR_OK);
}

static void walk_stops_at_the_deepest_ancestor(void **context)
{
    struct fixture *fixture = *context;
    struct tables *tables;
    struct transaction transaction = {0};
    struct state_position position = {0};
    struct tree tree = {.transaction = &transaction, .position = &position};
    struct failure failure;
    struct spot spot;
    size_t reached;
    char directory[80];

    snprintf(directory, sizeof directory, "%s/tables", fixture->directory);
    assert_int_equal(tables_open(directory, 1 << 20, &tables, &failure), ERROR_OK);
    assert_int_equal(transaction_begin(tables, &transaction), ERROR_OK);
    assert_int_equal(tree_make_initial(&tree), ERROR_OK);
    assert_int_equal(tree_walk(&transaction, "/zookeeper/x/y", 14, &spot, &reached), ERROR_NO_NODE);
    assert_int_equal(reached, 10);
    assert_int_equal(spot.node.id, 2);
    assert_int_equal(tree_walk(&transaction, "/x", 2, &spot, &reached), ERROR_NO_NODE);
    assert_int_equal(reached, 1);
    assert_int_equal(spot.node.id, NODE_ROOT_ID);
    assert_int_equal(tree_walk(&transaction, "x", 1, &spot, &reached), ERROR_NO_NODE);
    assert_int_equal(reached, 0);
    assert_int_equal(tree_walk(&transaction, "/zookeeper/quota", 16, &spot, &reached), ERROR_OK);
    assert_int_equal(reached, 16);
    transaction_abort(&transaction);
    tables_close(tables);
    tree_deinit(&tree);
    rmdir(directory);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(data_of_every_size_comes_back),         TEST(replaced_chunks_do_not_stay),
        TEST(name_of_500_bytes_holds_data),          TEST(deep_path_is_made_found_and_deleted),
        TEST(deep_tree_is_listed_without_recursion), TEST(record_of_a_wrong_shape_is_refused),
        TEST(walk_stops_at_the_deepest_ancestor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
