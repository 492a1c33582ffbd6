// SPDX-License-Identifier: Apache-2.0
// Who founds a cluster, who is let in, and with which sentence the others are not.
#include <string.h>

#include "server/genesis.h"
#include "tests/unit/cmocka_test.h"

static struct peer_list list_of(const char *text)
{
    struct peer_list list;
    struct failure failure = {0};

    assert_int_equal(peer_list_parse(text, &list, &failure), ERROR_OK);
    return list;
}

static struct identity blank(uint16_t node)
{
    struct identity identity = {.node = node, .boot_count = 1};

    memset(identity.incarnation, node, sizeof identity.incarnation);
    return identity;
}

static void take(struct identity *identity, const struct genesis *genesis)
{
    memcpy(identity->cluster, genesis->cluster, sizeof identity->cluster);
    identity->member_count = genesis->count;
    memcpy(identity->members, genesis->members, sizeof genesis->members);
}

static struct genesis made_by_1(const struct peer_list *list)
{
    struct identity one = blank(1);
    struct hello hellos[2];
    struct genesis genesis;

    for (uint16_t node = 2; node <= 3; node++) {
        struct identity other = blank(node);
        hellos[3 - node] = genesis_hello(&other, list);
    }
    genesis_make(&one, hellos, 2, &genesis);
    return genesis;
}

static struct identity founded(uint16_t node, const struct peer_list *list)
{
    struct identity identity = blank(node);
    struct genesis genesis = made_by_1(list);

    take(&identity, &genesis);
    memcpy(identity.cluster, "the same cluster", sizeof identity.cluster);
    return identity;
}

static void genesis_names_all_in_order_and_is_taken_by_them(void **state)
{
    struct peer_list list = list_of("a,b,c");
    struct genesis genesis = made_by_1(&list), taken;
    struct identity two = blank(2);
    struct buffer frame = {0};
    struct failure failure = {0};

    (void)state;
    genesis_encode(&genesis, &frame);
    assert_int_equal(genesis_decode(frame.data, frame.length, &two, &list, &taken, &failure),
                     ERROR_OK);
    assert_memory_equal(taken.cluster, genesis.cluster, sizeof genesis.cluster);
    assert_int_equal(taken.count, 3);
    for (uint16_t i = 0; i < 3; i++) {
        assert_int_equal(taken.members[i].node, i + 1);
        assert_int_equal(taken.members[i].incarnation[0], i + 1);
    }
    buffer_deinit(&frame);
}

static void genesis_of_others_is_not_taken(void **state)
{
    struct peer_list list = list_of("a,b,c"), longer = list_of("a,b,c,d");
    struct genesis genesis = made_by_1(&list), taken;
    struct identity two = blank(2);
    struct buffer frame = {0};
    struct failure failure = {0};

    (void)state;
    genesis_encode(&genesis, &frame);
    assert_int_equal(genesis_decode(frame.data, frame.length, &two, &longer, &taken, &failure),
                     ERROR_FOREIGN);
    two.incarnation[4] ^= 1;
    assert_int_equal(genesis_decode(frame.data, frame.length, &two, &list, &taken, &failure),
                     ERROR_FOREIGN);
    assert_non_null(strstr(failure.text, "another data directory"));
    buffer_deinit(&frame);
}

static void damaged_frame_of_any_length_is_refused(void **state)
{
    struct peer_list list = list_of("a,b,c");
    struct genesis genesis = made_by_1(&list), taken;
    struct identity two = blank(2);
    struct buffer frame = {0};
    struct failure failure = {0};

    (void)state;
    genesis_encode(&genesis, &frame);
    for (size_t i = 0; i < frame.length; i++) {
        assert_int_equal(genesis_decode(frame.data, i, &two, &list, &taken, &failure),
                         ERROR_CORRUPT);
        frame.data[i] ^= 0x40;
        assert_int_equal(genesis_decode(frame.data, frame.length, &two, &list, &taken, &failure),
                         ERROR_CORRUPT);
        frame.data[i] ^= 0x40;
    }
    buffer_deinit(&frame);
}

static enum genesis_verdict judge(const struct identity *self, const struct identity *other,
                                  const struct peer_list *list, struct failure *failure)
{
    struct hello hello = genesis_hello(other, list);

    return genesis_judge(self, list, &hello, failure);
}

static void verdicts(void **state)
{
    struct peer_list list = list_of("a,b,c");
    struct identity one = founded(1, &list), two = founded(2, &list);
    struct identity blank_two = blank(2), other_two = blank(2), stranger = founded(2, &list);
    struct failure failure = {0};

    (void)state;
    other_two.incarnation[0] ^= 1;
    stranger.cluster[0] ^= 1;
    assert_int_equal(judge(&one, &two, &list, &failure), GENESIS_ACCEPT);
    assert_int_equal(judge(&one, &blank_two, &list, &failure), GENESIS_GIVE);
    assert_int_equal(judge(&blank_two, &one, &list, &failure), GENESIS_ACCEPT);
    assert_int_equal(judge(&one, &other_two, &list, &failure), GENESIS_REFUSE);
    assert_non_null(strstr(failure.text, "node 2 is blank"));
    assert_int_equal(judge(&one, &stranger, &list, &failure), GENESIS_REFUSE);
    assert_non_null(strstr(failure.text, "another cluster"));
}

static void other_list_is_refused_whatever_the_disks_hold(void **state)
{
    struct peer_list list = list_of("a,b,c"), longer = list_of("a,b,c,d");
    struct identity one = blank(1), two = blank(2);
    struct hello hello = genesis_hello(&two, &longer);
    struct failure failure = {0};

    (void)state;
    assert_int_equal(genesis_judge(&one, &list, &hello, &failure), GENESIS_REFUSE);
    assert_non_null(strstr(failure.text, "same --peers"));
}

static void edited_list_does_not_change_the_members(void **state)
{
    struct peer_list list = list_of("a,b,c"), longer = list_of("a,b,c,d,e"), none = list_of("");
    struct identity one = founded(1, &list);
    struct failure failure = {0};

    (void)state;
    assert_int_equal(genesis_check_list(&one, &list, &failure), ERROR_OK);
    assert_int_equal(genesis_check_list(&one, &longer, &failure), ERROR_FOREIGN);
    assert_non_null(strstr(failure.text, "1,2,3,4,5"));
    assert_int_equal(genesis_check_list(&one, &none, &failure), ERROR_FOREIGN);
    one.member_count = 1;
    assert_int_equal(genesis_check_list(&one, &none, &failure), ERROR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genesis_names_all_in_order_and_is_taken_by_them),
        cmocka_unit_test(genesis_of_others_is_not_taken),
        cmocka_unit_test(damaged_frame_of_any_length_is_refused),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(other_list_is_refused_whatever_the_disks_hold),
        cmocka_unit_test(edited_list_does_not_change_the_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
