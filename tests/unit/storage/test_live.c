// SPDX-License-Identifier: Apache-2.0
// Replacing the state while views of the old one are open.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/live.h"

static struct state *open_state(char *directory)
{
    struct failure failure;
    struct state *state;

    assert_non_null(mkdtemp(directory));
    assert_int_equal(state_open(directory, 1 << 24, &state, &failure), ERROR_OK);
    return state;
}

static bool has_files(const char *directory)
{
    char name[80];

    snprintf(name, sizeof name, "%s/curlew.mdb", directory);
    return access(name, F_OK) == 0;
}

static void acquired_view_reads_the_current_state(void **context)
{
    char directory[] = "/tmp/curlew-live-XXXXXX";
    struct live *live = live_new(open_state(directory));
    struct live_view view;

    (void)context;
    assert_int_equal(live_acquire(live, &view), ERROR_OK);
    assert_int_equal(view_position(view.view)->node_count, 4);
    live_release(live, &view);
    assert_null(view.view);
    live_free(live);
    assert_false(has_files(directory));
    rmdir(directory);
}

static void replaced_state_is_closed_with_its_last_view(void **context)
{
    char first[] = "/tmp/curlew-live-XXXXXX", second[] = "/tmp/curlew-live-XXXXXX";
    struct state *old = open_state(first), *new = open_state(second);
    struct live *live = live_new(old);
    struct live_view a, b;

    (void)context;
    assert_int_equal(live_acquire(live, &a), ERROR_OK);
    live_replace(live, new);
    assert_ptr_equal(live_state(live), new);
    assert_int_equal(live_acquire(live, &b), ERROR_OK);
    assert_ptr_not_equal(a.holder, b.holder);
    assert_int_equal(view_position(a.view)->node_count, 4);
    assert_true(has_files(first));
    live_release(live, &a);
    assert_false(has_files(first));
    live_release(live, &b);
    assert_true(has_files(second));
    live_free(live);
    assert_false(has_files(second));
    rmdir(first);
    rmdir(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acquired_view_reads_the_current_state),
        cmocka_unit_test(replaced_state_is_closed_with_its_last_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
