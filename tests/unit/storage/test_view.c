// SPDX-License-Identifier: Apache-2.0
// Reads: snapshots, listings, and pages that together equal the whole.
#include "fixture.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 64 };

// A listing as a client gathers it; refuses or takes the node that fills a page.
struct list {
    size_t count;
    size_t page; // nodes of one page, 0 for all
    size_t taken;
    bool refuses;
    char names[LIST_MAX][40];
};

static bool take_node(void *context, const struct znode *node)
{
    struct list *list = context;

    if (list->refuses && list->page > 0 && list->taken == list->page)
        return false;
    assert_true(list->count < LIST_MAX && node->name_length < 40);
    memcpy(list->names[list->count], node->name, node->name_length);
    list->names[list->count++][node->name_length] = 0;
    list->taken++;
    return list->refuses || list->page == 0 || list->taken < list->page;
}

static const char *const tree_paths[] = {
    "/t",     "/t/a", "/t/a/b", "/t/a/b/c",      "/t/a!",       "/t/a!/x",
    "/t/a-b", "/t/b", "/t/b/z", "/t/b/\xc3\xa9", "/t/\xc3\xa9", "/t/\xc3\xa9/y",
};
enum { TREE_PATHS = sizeof tree_paths / sizeof *tree_paths };

static void make_tree(struct fixture *fixture)
{
    for (size_t i = TREE_PATHS; i-- > 0;)
        run(fixture, op_flagged(op_put(tree_paths[i], ""), OP_PARENTS));
    run(fixture, op_create("/s", ""));
    run(fixture, op_create("/u", ""));
}

static void list_tree(struct fixture *fixture, const char *path, const char *after, uint32_t depth,
                      struct list *list, bool *more)
{
    struct view *view;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_tree(view, path, strlen(path), after, after != NULL ? strlen(after) : 0,
                               depth, true, take_node, list, more),
                     ERROR_OK);
    view_close(view);
}

static void list_children(struct fixture *fixture, const char *path, const char *after,
                          struct list *list, bool *more)
{
    struct view *view;
    struct znode parent;

    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_children(view, path, strlen(path), after,
                                   after != NULL ? strlen(after) : 0, false, take_node, list,
                                   &parent, more),
                     ERROR_OK);
    view_close(view);
}

static void tree_lists_parents_first_and_siblings_in_byte_order(void **context)
{
    struct list list = {0};
    bool more;

    make_tree(*context);
    list_tree(*context, "/t", NULL, UINT32_MAX, &list, &more);
    assert_false(more);
    assert_int_equal(list.count, TREE_PATHS);
    for (size_t i = 0; i < TREE_PATHS; i++)
        assert_string_equal(list.names[i], tree_paths[i]);
}

static void tree_of_the_root_has_single_slashes(void **context)
{
    static const char *const expected[] = {"/", "/a", "/zookeeper", "/zookeeper/config",
                                           "/zookeeper/quota"};
    struct list list = {0};
    bool more;

    run(*context, op_create("/a", ""));
    list_tree(*context, "/", NULL, UINT32_MAX, &list, &more);
    assert_int_equal(list.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(list.names[i], expected[i]);
}

static void tree_stops_at_its_depth(void **context)
{
    static const size_t counts[] = {1, 6, 11, 12, 12};
    bool more;

    make_tree(*context);
    for (uint32_t depth = 0; depth < 5; depth++) {
        struct list list = {0};
        list_tree(*context, "/t", NULL, depth, &list, &more);
        assert_int_equal(list.count, counts[depth]);
    }
}

// Gathers all pages, each behind the last name of the one before.
static void page_through_tree(struct fixture *fixture, const char *path, uint32_t depth,
                              struct list *list)
{
    bool more = true;

    while (more) {
        const char *after = list->count > 0 ? list->names[list->count - 1] : NULL;
        list->taken = 0;
        list_tree(fixture, path, after, depth, list, &more);
    }
}

static void tree_pages_of_every_size_equal_the_whole(void **context)
{
    make_tree(*context);
    for (uint32_t depth = 0; depth < 5; depth++) {
        struct list whole = {0};
        page_through_tree(*context, "/", depth, &whole);
        for (size_t page = 1; page <= whole.count + 1; page++) {
            for (unsigned refuses = 0; refuses < 2; refuses++) {
                struct list list = {.page = page, .refuses = refuses != 0};
                page_through_tree(*context, "/", depth, &list);
                assert_int_equal(list.count, whole.count);
                assert_memory_equal(list.names, whole.names, sizeof list.names);
            }
        }
    }
}

static void check_first_behind(struct fixture *fixture, const char *path, const char *after,
                               const char *expected)
{
    struct list list = {.page = 1};
    bool more;

    list_tree(fixture, path, after, UINT32_MAX, &list, &more);
    assert_int_equal(list.count, expected != NULL ? 1 : 0);
    if (expected != NULL)
        assert_string_equal(list.names[0], expected);
}

static void tree_resumes_behind_paths_that_are_gone(void **context)
{
    make_tree(*context);
    check_first_behind(*context, "/t", "/t/a/b/bb", "/t/a/b/c");
    check_first_behind(*context, "/t", "/t/a/zz", "/t/a!");
    check_first_behind(*context, "/t", "/t/a/zz/below", "/t/a!");
    check_first_behind(*context, "/t", "/t/a!/x", "/t/a-b");
    check_first_behind(*context, "/t", "/t/zz", "/t/\xc3\xa9");
    check_first_behind(*context, "/t", "/t/\xc3\xa9/y", NULL);
    check_first_behind(*context, "/t", "/s", "/t");
    check_first_behind(*context, "/t", "/", "/t");
    check_first_behind(*context, "/t", "/u", NULL);
    check_first_behind(*context, "/t", "/t!", NULL);
    check_first_behind(*context, "/t/a", "/t/a", "/t/a/b");
    check_first_behind(*context, "/t/a", "/t/a!", NULL);
    check_first_behind(*context, "/", "/t/\xc3\xa9/y", "/u");
}

static void children_are_in_byte_order_with_their_parent(void **context)
{
    static const char *const expected[] = {"a", "a!", "a-b", "b", "\xc3\xa9"};
    struct list list = {0};
    struct znode parent;
    struct view *view;
    bool more;

    make_tree(*context);
    assert_int_equal(view_open(((struct fixture *)*context)->state, &view), ERROR_OK);
    assert_int_equal(view_children(view, "/t", 2, NULL, 0, true, take_node, &list, &parent, &more),
                     ERROR_OK);
    assert_int_equal(parent.stat.num_children, 5);
    assert_int_equal(parent.name_length, 1);
    view_close(view);
    assert_false(more);
    assert_int_equal(list.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(list.names[i], expected[i]);
}

static void child_pages_of_every_size_equal_the_whole(void **context)
{
    make_tree(*context);
    for (size_t page = 1; page <= 6; page++) {
        for (unsigned refuses = 0; refuses < 2; refuses++) {
            struct list list = {.page = page, .refuses = refuses != 0};
            bool more = true;
            while (more) {
                const char *after = list.count > 0 ? list.names[list.count - 1] : NULL;
                list.taken = 0;
                list_children(*context, "/t", after, &list, &more);
            }
            assert_int_equal(list.count, 5);
            assert_string_equal(list.names[4], "\xc3\xa9");
        }
    }
}

static void children_resume_behind_names_that_are_gone(void **context)
{
    struct list list = {.page = 1};
    struct list none = {0};
    char longest[601];
    bool more;

    make_tree(*context);
    list_children(*context, "/t", "a\"", &list, &more);
    assert_string_equal(list.names[0], "a-b");
    assert_true(more);
    memset(longest, 'b', 600);
    longest[600] = 0;
    list.taken = 0;
    list_children(*context, "/t", longest, &list, &more);
    assert_string_equal(list.names[1], "\xc3\xa9");
    list_children(*context, "/t", "\xff", &none, &more);
    assert_int_equal(none.count, 0);
    assert_false(more);
}

static void T17_illegal_paths_do_not_exist(void **context)
{
    static const char *const paths[] = {"/a//b", "", "a", "//", "/a/", "/zookeeper/", "/./a"};
    struct znode node;
    struct view *view;
    bool more;

    assert_int_equal(view_open(((struct fixture *)*context)->state, &view), ERROR_OK);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t length = strlen(paths[i]);
        assert_int_equal(view_get(view, paths[i], length, true, &node), ERROR_NO_NODE);
        assert_int_equal(
            view_tree(view, paths[i], length, NULL, 0, 1, true, take_node, NULL, &more),
            ERROR_NO_NODE);
    }
    view_close(view);
}

static void view_stays_as_it_was_opened(void **context)
{
    struct fixture *fixture = *context;
    struct view *before, *after;
    struct znode node;

    run(fixture, op_create("/a", "old"));
    assert_int_equal(view_open(fixture->state, &before), ERROR_OK);
    run(fixture, op_set("/a", "newer", -1));
    assert_int_equal(view_open(fixture->state, &after), ERROR_OK);
    assert_int_equal(view_get(before, "/a", 2, true, &node), ERROR_OK);
    assert_memory_equal(node.data, "old", 3);
    assert_int_equal(view_position(before)->zxid, 1);
    assert_int_equal(view_get(after, "/a", 2, true, &node), ERROR_OK);
    assert_memory_equal(node.data, "newer", 5);
    assert_int_equal(view_position(after)->zxid, 2);
    view_close(before);
    view_close(after);
    assert_int_equal(view_open(fixture->state, &before), ERROR_OK);
    assert_int_equal(view_position(before)->zxid, 2);
    view_close(before);
}

enum { READERS = 3, READS = 2000 };

// Counts the reads that were no picture of one moment.
static void *read_pairs(void *context)
{
    struct fixture *fixture = context;
    struct znode a, b;
    struct view *view;
    size_t torn = 0;

    for (unsigned i = 0; i < READS; i++) {
        if (view_open(fixture->state, &view) != ERROR_OK)
            return (void *)1;
        enum error error = view_get(view, "/a", 2, true, &a);
        torn += error != ERROR_OK || view_get(view, "/b", 2, true, &b) != ERROR_OK;
        torn += a.stat.mzxid != b.stat.mzxid || a.stat.mzxid != view_position(view)->zxid;
        torn += a.stat.data_length != 1 || a.data[0] != b.data[0];
        view_close(view);
    }
    return (void *)(uintptr_t)torn;
}

static void readers_beside_the_writer_see_whole_transactions(void **context)
{
    struct fixture *fixture = *context;
    pthread_t readers[READERS];
    void *torn;

    RUN_MULTI(fixture, op_create("/a", "0"), op_create("/b", "0"));
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_pairs, fixture), 0);
    for (unsigned i = 0; i < 500; i++) {
        char data[2] = {(char)('0' + i % 10), 0};
        assert_int_equal(RUN_MULTI(fixture, op_set("/a", data, -1), op_set("/b", data, -1)),
                         ERROR_OK);
    }
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i], &torn), 0);
        assert_null(torn);
    }
}

static void get_names_the_last_component(void **context)
{
    struct fixture *fixture = *context;
    struct znode node;
    struct view *view;

    run(fixture, op_flagged(op_create("/a/bc", ""), OP_PARENTS));
    assert_int_equal(view_open(fixture->state, &view), ERROR_OK);
    assert_int_equal(view_get(view, "/a/bc", 5, false, &node), ERROR_OK);
    assert_int_equal(node.name_length, 2);
    assert_memory_equal(node.name, "bc", 2);
    assert_null(node.data);
    assert_int_equal(view_get(view, "/", 1, false, &node), ERROR_OK);
    assert_int_equal(node.name_length, 0);
    view_close(view);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(tree_lists_parents_first_and_siblings_in_byte_order),
        TEST(tree_of_the_root_has_single_slashes),
        TEST(tree_stops_at_its_depth),
        TEST(tree_pages_of_every_size_equal_the_whole),
        TEST(tree_resumes_behind_paths_that_are_gone),
        TEST(children_are_in_byte_order_with_their_parent),
        TEST(child_pages_of_every_size_equal_the_whole),
        TEST(children_resume_behind_names_that_are_gone),
        TEST(T17_illegal_paths_do_not_exist),
        TEST(view_stays_as_it_was_opened),
        TEST(readers_beside_the_writer_see_whole_transactions),
        TEST(get_names_the_last_component),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
