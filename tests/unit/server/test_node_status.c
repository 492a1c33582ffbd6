// SPDX-License-Identifier: Apache-2.0
// When a node says that it can serve, and what it says when it cannot.
#include "server/node_status.h"

#include <string.h>

#include "tests/unit/cmocka_test.h"

static const uint64_t NOW_NS = 100000000000;

// Node 2 of three, which follows node 1 and is level with it.
struct fixture {
    struct identity identity;
    struct peer_list list;
    struct node_facts facts;
    struct core_loop_status loop;
    struct node_status status;
};

static void init(struct fixture *fixture)
{
    *fixture = (struct fixture){
        .identity = {.node = 2,
                     .member_count = 3,
                     .members = {{.node = 1}, {.node = 2}, {.node = 3}}},
        .loop = {.paxos = {.role = PAXOS_FOLLOWER, .leader = 1, .applied = 5000, .decided = 5000},
                 .peer_count = 2}};
    fixture->facts = (struct node_facts){.identity = &fixture->identity,
                                         .list = &fixture->list,
                                         .zxid = 5000,
                                         .age_us = 200000,
                                         .now_ns = NOW_NS};
    fixture->loop.peers[0] = (struct core_loop_peer){
        .node = 1,
        .heard_ns = NOW_NS - 100000000,
        .report = {.role = PAXOS_LEADER, .serving = true, .applied = 5000, .zxid = 5000}};
    fixture->loop.peers[1] = (struct core_loop_peer){
        .node = 3, .heard_ns = NOW_NS - 100000000, .report = {.applied = 5000}};
}

static const char *reason(struct fixture *fixture)
{
    node_status_fill(&fixture->facts, &fixture->loop, &fixture->status);
    assert_int_equal(fixture->status.serving, fixture->status.reason[0] == '\0');
    return fixture->status.reason;
}

static void a_follower_that_is_level_is_ready(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture);
    assert_string_equal(reason(&fixture), "");
    assert_true(fixture.status.members[2].healthy);
}

static void a_full_disk_is_told_of(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture);
    fixture.facts.disk_full = true;
    fixture.loop.peers[1].report.disk_full = true;
    assert_string_equal(reason(&fixture), "");
    assert_false(fixture.status.members[0].disk_full);
    assert_true(fixture.status.members[1].disk_full);
    assert_true(fixture.status.members[2].disk_full);
}

static void who_is_many_slots_behind_is_not_ready(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture);
    fixture.loop.peers[0].report.applied = 15000;
    assert_string_equal(reason(&fixture), "");
    fixture.loop.peers[0].report.applied = 15001;
    assert_string_equal(reason(&fixture), "the node is catching up: 10001 slots behind the leader");
}

static void who_is_a_little_behind_for_long_is_not_ready(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture);
    fixture.loop.peers[0].report.applied = 7041;
    fixture.facts.age_us = 5000000;
    assert_string_equal(reason(&fixture), "");
    fixture.facts.age_us = 12300000;
    assert_string_equal(
        reason(&fixture),
        "the node is behind: what it holds is 12 s old, 2041 slots behind the leader");
}

static void who_has_not_caught_up_since_its_start_is_not_ready(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture);
    fixture.loop.peers[0].report.applied = 5003;
    fixture.facts.age_us = UINT64_MAX;
    assert_string_equal(reason(&fixture), "the node is catching up: 3 slots behind the leader");
}

static void a_leader_is_behind_nobody(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture);
    fixture.loop.paxos = (struct paxos_status){.role = PAXOS_LEADER, .leader = 2, .serving = true};
    fixture.facts.age_us = UINT64_MAX;
    assert_string_equal(reason(&fixture), "");
}

static void who_hears_nothing_of_the_leader_is_not_ready(void **state)
{
    struct fixture fixture;

    (void)state;
    init(&fixture);
    fixture.loop.peers[0].heard_ns = NOW_NS - 1000000000;
    assert_string_equal(reason(&fixture), "the leader, node 1, does not answer or is not ready");
    fixture.loop.paxos.leader = 0;
    assert_string_equal(reason(&fixture), "no leader is known; one is being elected");
    fixture.loop.peers[1].heard_ns = 0;
    assert_string_equal(
        reason(&fixture),
        "no quorum: this node reaches 1 of 3 members, itself included, and 2 are needed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_follower_that_is_level_is_ready),
        cmocka_unit_test(a_full_disk_is_told_of),
        cmocka_unit_test(who_is_many_slots_behind_is_not_ready),
        cmocka_unit_test(who_is_a_little_behind_for_long_is_not_ready),
        cmocka_unit_test(who_has_not_caught_up_since_its_start_is_not_ready),
        cmocka_unit_test(a_leader_is_behind_nobody),
        cmocka_unit_test(who_hears_nothing_of_the_leader_is_not_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
