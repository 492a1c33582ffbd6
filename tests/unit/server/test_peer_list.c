// SPDX-License-Identifier: Apache-2.0
// The list of peers: what is accepted, what is refused and how.
#include <string.h>

#include "server/peer_list.h"
#include "tests/unit/cmocka_test.h"

static struct peer_list parse(const char *text)
{
    struct peer_list list;
    struct failure failure = {0};

    if (peer_list_parse(text, &list, &failure) != ERROR_OK)
        fail_msg("%s", failure.text);
    return list;
}

static void assert_refused(const char *text, const char *sentence)
{
    struct peer_list list;
    struct failure failure = {0};

    assert_int_equal(peer_list_parse(text, &list, &failure), ERROR_USAGE);
    if (strstr(failure.text, sentence) == NULL)
        fail_msg("\"%s\" is refused with \"%s\"", text, failure.text);
}

static void assert_entry(const struct peer_list *list, size_t index, uint16_t node,
                         const char *host, uint16_t port)
{
    assert_int_equal(list->entries[index].node, node);
    assert_string_equal(list->entries[index].host, host);
    assert_int_equal(list->entries[index].port, port);
}

static void names_without_ids_are_numbered_in_their_order(void **state)
{
    struct peer_list list = parse("n1,n2:700,n3.example");

    (void)state;
    assert_int_equal(list.count, 3);
    assert_entry(&list, 0, 1, "n1", PEER_PORT_DEFAULT);
    assert_entry(&list, 1, 2, "n2", 700);
    assert_entry(&list, 2, 3, "n3.example", PEER_PORT_DEFAULT);
    assert_int_equal(parse("").count, 0);
}

static void ids_are_sorted_and_addresses_of_every_kind_taken(void **state)
{
    struct peer_list list = parse("30=10.0.0.3:9,2=[2001:db8::2]:8,7=[::1]");

    (void)state;
    assert_entry(&list, 0, 2, "2001:db8::2", 8);
    assert_entry(&list, 1, 7, "::1", PEER_PORT_DEFAULT);
    assert_entry(&list, 2, 30, "10.0.0.3", 9);
    assert_ptr_equal(peer_list_find(&list, 7), &list.entries[1]);
    assert_null(peer_list_find(&list, 1));
}

static void nonsense_is_refused_with_a_sentence(void **state)
{
    (void)state;
    assert_refused("1=a,1=b", "node 1 is named twice");
    assert_refused("1=a,b", "every node an id");
    assert_refused("a,2=b", "every node an id");
    assert_refused("a,a", "same address");
    assert_refused("a,", "ends with a comma");
    assert_refused("a,,b", "no address");
    assert_refused("0=a", "no id from 1");
    assert_refused("70000=a", "no id from 1");
    assert_refused("x=a", "no id from 1");
    assert_refused("a:0", "no address");
    assert_refused("a:70000", "no address");
    assert_refused("a:12x", "no address");
    assert_refused("::1", "no address");
    assert_refused("[::1", "no address");
    assert_refused("http://a", "no address");
    assert_refused("1=,2=b", "no address");
    assert_refused("a,b,c,d,e,f,g,h", "at most 7");
}

static void own_entry_is_found_by_host_name(void **state)
{
    struct peer_list list = parse("n1,n2.example.org,n3");

    (void)state;
    assert_int_equal(peer_list_by_host(&list, "n2"), 2);
    assert_int_equal(peer_list_by_host(&list, "n3"), 3);
    assert_int_equal(peer_list_by_host(&list, "n"), 0);
    assert_int_equal(peer_list_by_host(&list, "n1.cluster.local"), 1);
    assert_int_equal(peer_list_by_host(&list, "N2.Example.org"), 2);
    assert_int_equal(peer_list_by_host(&list, "n2.example.com"), 0);
    assert_int_equal(peer_list_by_host(&list, "n11"), 0);
    assert_int_equal(peer_list_by_host(&list, ""), 0);
    list = parse("a.example,a.example:7");
    assert_int_equal(peer_list_by_host(&list, "a"), 0);
}

static void hash_is_of_the_ids_alone(void **state)
{
    struct peer_list list = parse("1=a,2=b");
    struct peer_list moved = parse("2=c,1=d:7");
    struct peer_list other = parse("1=a,3=b");

    (void)state;
    assert_true(hash128_equal(peer_list_hash(&list), peer_list_hash(&moved)));
    assert_false(hash128_equal(peer_list_hash(&list), peer_list_hash(&other)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_without_ids_are_numbered_in_their_order),
        cmocka_unit_test(ids_are_sorted_and_addresses_of_every_kind_taken),
        cmocka_unit_test(nonsense_is_refused_with_a_sentence),
        cmocka_unit_test(own_entry_is_found_by_host_name),
        cmocka_unit_test(hash_is_of_the_ids_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
