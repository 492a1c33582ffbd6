// SPDX-License-Identifier: Apache-2.0
// The map against an array of flags, over many random operations.
#include "base/map.h"
#include "tests/unit/cmocka_test.h"

enum { KEYS = 700, OPERATIONS = 200000 };

static uint64_t draw(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return *random >> 33;
}

static void behaves_like_an_array(void **state)
{
    static char cells[KEYS + 1];
    bool there[KEYS + 1] = {false};
    struct map map = {0};
    uint64_t random = 1;
    size_t count = 0;

    (void)state;
    for (int i = 0; i < OPERATIONS; i++) {
        uint64_t key = 1 + draw(&random) % KEYS;
        if (draw(&random) % 1000 < (i / 20000 % 2 == 0 ? 600u : 300u)) {
            map_put(&map, key, &cells[key]);
            count += !there[key];
            there[key] = true;
        } else {
            void *removed = map_remove(&map, key);
            assert_ptr_equal(removed, there[key] ? &cells[key] : NULL);
            count -= there[key];
            there[key] = false;
        }
        assert_int_equal(map.count, count);
        uint64_t other = 1 + draw(&random) % KEYS;
        assert_ptr_equal(map_get(&map, other), there[other] ? &cells[other] : NULL);
    }
    map_deinit(&map);
}

static void visits_every_entry_once(void **state)
{
    static char cells[KEYS];
    bool seen[KEYS] = {false};
    struct map map = {0};
    size_t at = 0;
    uint64_t key;
    void *value;

    (void)state;
    assert_false(map_next(&map, &at, &key, &value));
    for (uint64_t i = 0; i < KEYS; i++)
        map_put(&map, (i + 1) << 40, &cells[i]);
    at = 0;
    while (map_next(&map, &at, &key, &value)) {
        size_t index = (size_t)((char *)value - cells);
        assert_int_equal(key, (uint64_t)(index + 1) << 40);
        assert_false(seen[index]);
        seen[index] = true;
    }
    for (size_t i = 0; i < KEYS; i++)
        assert_true(seen[i]);
    map_deinit(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_like_an_array),
        cmocka_unit_test(visits_every_entry_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
