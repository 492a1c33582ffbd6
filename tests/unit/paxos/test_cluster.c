// SPDX-License-Identifier: Apache-2.0
// Scenarios of the protocol with several voters.
#include <stdlib.h>

#include "base/memory.h"
#include "tests/lib/paxos_cluster.h"
#include "tests/unit/cmocka_test.h"

static struct cluster *new_cluster(size_t count)
{
    struct cluster *cluster = memory_alloc(sizeof *cluster);

    cluster_init(cluster, count);
    return cluster;
}

static void free_cluster(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++)
        assert_int_equal(cluster->nodes[i].fault, PAXOS_NO_FAULT);
    cluster_deinit(cluster);
    free(cluster);
}

static void clusters_of_every_size_elect_a_leader_and_decide(void **state)
{
    (void)state;
    for (size_t count = 1; count <= CLUSTER_MAX; count++) {
        struct cluster *cluster = new_cluster(count);
        uint16_t leader = cluster_elect(cluster);
        assert_int_not_equal(leader, 0);
        paxos_slot slot = cluster_propose(cluster, leader, "value");
        assert_int_not_equal(slot, 0);
        cluster_run_ms(cluster, 300);
        assert_true(cluster_executed(cluster, slot));
        free_cluster(cluster);
    }
}

static void healthy_leader_is_not_disturbed(void **state)
{
    struct cluster *cluster = new_cluster(5);
    struct paxos_status before, after;
    uint16_t leader = cluster_elect(cluster);

    (void)state;
    paxos_status(cluster->nodes[leader - 1].paxos, &before);
    cluster_run_ms(cluster, 5000);
    assert_int_equal(cluster_leader(cluster), leader);
    paxos_status(cluster->nodes[leader - 1].paxos, &after);
    assert_int_equal(ballot_compare(before.ballot, after.ballot), 0);
    free_cluster(cluster);
}

static void nothing_is_decided_without_a_durable_quorum(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);

    (void)state;
    for (uint16_t i = 1; i <= 3; i++)
        cluster->nodes[i - 1].slow_disk = i != leader;
    paxos_slot slot = cluster_propose(cluster, leader, "value");
    cluster_settle(cluster);
    assert_true(cluster->nodes[leader - 1].applied < slot);
    uint16_t follower = leader == 1 ? 2 : 1;
    cluster_flush(cluster, follower);
    cluster_settle(cluster);
    assert_int_equal(cluster->nodes[leader - 1].applied, slot);
    free_cluster(cluster);
}

static void leader_alone_does_not_count_its_vote_before_its_disk(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);

    (void)state;
    cluster->nodes[leader - 1].slow_disk = true;
    uint16_t cut = leader == 1 ? 2 : 1;
    cluster_cut(cluster, leader, cut, true);
    paxos_slot slot = cluster_propose(cluster, leader, "value");
    cluster_settle(cluster);
    struct paxos_status status;
    paxos_status(cluster->nodes[leader - 1].paxos, &status);
    assert_true(status.decided < slot);
    cluster_flush(cluster, leader);
    cluster_settle(cluster);
    paxos_status(cluster->nodes[leader - 1].paxos, &status);
    assert_int_equal(status.decided, slot);
    free_cluster(cluster);
}

static void decided_entries_survive_the_leader(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);
    paxos_slot slot = 0;

    (void)state;
    for (int i = 0; i < 20; i++)
        slot = cluster_propose(cluster, leader, "value");
    cluster_settle(cluster);
    cluster_kill(cluster, leader);
    cluster_run_ms(cluster, 500);
    uint16_t next = cluster_leader(cluster);
    assert_int_not_equal(next, 0);
    assert_int_not_equal(next, leader);
    assert_true(cluster_executed(cluster, slot));
    paxos_slot more = cluster_propose(cluster, next, "more");
    assert_true(more > slot);
    cluster_restart(cluster, leader);
    cluster_run_ms(cluster, 1000);
    assert_true(cluster_executed(cluster, more));
    free_cluster(cluster);
}

static void reset_connection_is_followed_by_a_leader_within_milliseconds(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);

    (void)state;
    cluster_run_ms(cluster, 350);
    cluster_kill(cluster, leader);
    unsigned waited = 0;
    while (cluster_leader(cluster) == 0 && waited < 1000) {
        cluster_run_ms(cluster, 1);
        waited++;
    }
    assert_true(waited <= 40);
    free_cluster(cluster);
}

static void undecided_tail_of_a_lost_leader_is_replaced(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);

    (void)state;
    for (uint16_t i = 1; i <= 3; i++)
        cluster_cut(cluster, leader, i, i != leader);
    cluster_propose(cluster, leader, "lost");
    cluster_propose(cluster, leader, "lost as well");
    cluster_run_ms(cluster, 2000);
    uint16_t next = leader == 1 ? 2 : 1;
    while (!(cluster_leader(cluster) != leader && cluster_leader(cluster) != 0))
        cluster_run_ms(cluster, 10);
    next = cluster_leader(cluster);
    paxos_slot slot = cluster_propose(cluster, next, "kept");
    cluster_settle(cluster);
    for (uint16_t i = 1; i <= 3; i++)
        cluster_cut(cluster, leader, i, false);
    cluster_run_ms(cluster, 2000);
    assert_true(cluster_executed(cluster, slot));
    free_cluster(cluster);
}

// OmniPaxos' quorum-loss case: only node 3 is still connected to everybody.
static void node_with_a_quorum_takes_over_when_the_leader_has_lost_it(void **state)
{
    struct cluster *cluster = new_cluster(5);
    uint16_t leader = cluster_elect(cluster);
    uint16_t hub = leader == 3 ? 4 : 3;

    (void)state;
    for (uint16_t a = 1; a <= 5; a++) {
        for (uint16_t b = 1; b < a; b++)
            cluster_cut(cluster, a, b, a != hub && b != hub);
    }
    cluster_run_ms(cluster, 3000);
    assert_int_equal(cluster_leader(cluster), hub);
    paxos_slot slot = cluster_propose(cluster, hub, "value");
    cluster_run_ms(cluster, 500);
    assert_true(cluster_executed(cluster, slot));
    free_cluster(cluster);
}

// The chained case: two nodes cannot see each other, the third sees both.
static void broken_link_to_the_leader_deposes_nobody_while_others_are_content(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);
    uint16_t other = leader == 1 ? 2 : 1;
    unsigned changes = 0;

    (void)state;
    cluster_cut(cluster, leader, other, true);
    for (int i = 0; i < 100; i++) {
        uint16_t before = cluster_leader(cluster);
        cluster_run_ms(cluster, 50);
        changes += cluster_leader(cluster) != before;
    }
    assert_true(changes <= 1);
    assert_int_not_equal(cluster_leader(cluster), 0);
    free_cluster(cluster);
}

static void follower_that_was_away_catches_up(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);
    uint16_t away = leader == 1 ? 2 : 1;
    paxos_slot slot = 0;

    (void)state;
    cluster_kill(cluster, away);
    for (int i = 0; i < 600; i++) {
        slot = cluster_propose(cluster, leader, "value");
        cluster_settle(cluster);
    }
    cluster_restart(cluster, away);
    cluster_run_ms(cluster, 2000);
    assert_true(cluster_executed(cluster, slot));
    free_cluster(cluster);
}

// A follower that misses more than the others keep in memory, and what they have executed.
static uint16_t leave_one_behind(struct cluster *cluster, uint16_t leader, paxos_slot *last)
{
    uint16_t away = leader == 1 ? 2 : 1;

    cluster_kill(cluster, away);
    for (int i = 0; i < 2 * PAXOS_WINDOW; i++) {
        *last = cluster_propose(cluster, leader, "value");
        cluster_settle(cluster);
    }
    cluster_restart(cluster, away);
    cluster_run_ms(cluster, 300);
    assert_true(cluster->nodes[away - 1].applied < *last);
    return away;
}

static void follower_far_behind_goes_on_from_a_checkpoint(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);
    paxos_slot last = 0;

    (void)state;
    uint16_t away = leave_one_behind(cluster, leader, &last);
    cluster_install(cluster, away, leader);
    assert_false(cluster->nodes[away - 1].output.refused);
    cluster_run_ms(cluster, 300);
    assert_true(cluster_executed(cluster, last));
    last = cluster_propose(cluster, leader, "after");
    cluster_run_ms(cluster, 300);
    assert_true(cluster_executed(cluster, last));
    cluster_kill(cluster, away);
    cluster_restart(cluster, away);
    cluster_run_ms(cluster, 300);
    assert_true(cluster_executed(cluster, last));
    cluster_install(cluster, away, leader);
    assert_true(cluster->nodes[away - 1].output.refused);
    free_cluster(cluster);
}

static void checkpoint_counts_only_once_its_record_is_durable(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);
    struct paxos_status status;
    paxos_slot last = 0;

    (void)state;
    uint16_t away = leave_one_behind(cluster, leader, &last);
    struct cluster_node *node = &cluster->nodes[away - 1];
    paxos_slot before = node->applied;
    node->slow_disk = true;
    cluster_install(cluster, away, leader);
    cluster_run_ms(cluster, 300);
    paxos_status(node->paxos, &status);
    assert_int_equal(status.applied, before);
    assert_int_equal(node->output.install, 0);
    struct paxos_position received = node->checkpoint;
    node->checkpoint = (struct paxos_position){0};
    cluster_kill(cluster, away);
    cluster_restart(cluster, away);
    cluster_run_ms(cluster, 300);
    paxos_status(node->paxos, &status);
    assert_true(status.applied < received.slot);
    free_cluster(cluster);
}

static void whole_cluster_restarts(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);
    paxos_slot slot = cluster_propose(cluster, leader, "value");

    (void)state;
    cluster_settle(cluster);
    for (uint16_t i = 1; i <= 3; i++)
        cluster_kill(cluster, i);
    for (uint16_t i = 1; i <= 3; i++)
        cluster_restart(cluster, i);
    cluster_run_ms(cluster, 1000);
    assert_int_not_equal(cluster_leader(cluster), 0);
    assert_true(cluster_executed(cluster, slot + 1));
    free_cluster(cluster);
}

static void reads_are_answered_on_every_node_with_what_was_decided_before(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);
    paxos_slot slot = cluster_propose(cluster, leader, "value");

    (void)state;
    cluster_run_ms(cluster, 200);
    for (uint16_t i = 1; i <= 3; i++) {
        cluster_step(cluster, i, (struct paxos_input){.type = PAXOS_READ});
        cluster_settle(cluster);
        assert_int_equal(cluster->nodes[i - 1].reads_answered, 1);
        assert_true(cluster->nodes[i - 1].read_slot >= slot);
    }
    free_cluster(cluster);
}

static void read_of_a_leader_without_a_quorum_is_not_answered(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);

    (void)state;
    cluster_run_ms(cluster, 200);
    for (uint16_t i = 1; i <= 3; i++)
        cluster_cut(cluster, leader, i, i != leader);
    cluster_step(cluster, leader, (struct paxos_input){.type = PAXOS_READ});
    cluster_run_ms(cluster, 2000);
    assert_int_equal(cluster->nodes[leader - 1].reads_answered, 0);
    free_cluster(cluster);
}

static void leadership_is_handed_over_on_demand(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);

    (void)state;
    cluster_run_ms(cluster, 200);
    cluster_step(cluster, leader, (struct paxos_input){.type = PAXOS_TRANSFER});
    cluster_run_ms(cluster, 5);
    assert_int_not_equal(cluster_leader(cluster), leader);
    assert_int_not_equal(cluster_leader(cluster), 0);
    free_cluster(cluster);
}

static void unhealthy_leader_gives_way(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);

    (void)state;
    cluster_step(cluster, leader, (struct paxos_input){.type = PAXOS_HEALTH, .healthy = false});
    cluster_run_ms(cluster, 1000);
    assert_int_not_equal(cluster_leader(cluster), leader);
    assert_int_not_equal(cluster_leader(cluster), 0);
    free_cluster(cluster);
}

// It says that it leads a ballot, in a reply to whatever round the node is in, and is never heard of again.
static void claim_to_lead(struct cluster *cluster, uint16_t node, struct ballot claim)
{
    for (uint64_t round = 1; round < 100; round++) {
        struct paxos_message message = {.type = MESSAGE_HEARTBEAT_REPLY,
                                        .epoch = 1,
                                        .from = claim.node,
                                        .to = node,
                                        .ballot = claim,
                                        .leader = claim,
                                        .happy = true,
                                        .round = round};
        cluster_step(cluster, node,
                     (struct paxos_input){.type = PAXOS_MESSAGE, .message = &message});
    }
}

static void claim_that_came_to_nothing_is_forgotten(void **state)
{
    struct cluster *cluster = new_cluster(3);
    uint16_t leader = cluster_elect(cluster);
    uint16_t node = (uint16_t)(leader % 3 + 1), other = (uint16_t)(node % 3 + 1);
    struct paxos_status status;

    (void)state;
    cluster_run_ms(cluster, 500);
    claim_to_lead(cluster, node, (struct ballot){.round = 50, .node = other});
    cluster_run_ms(cluster, 1500);
    paxos_status(cluster->nodes[node - 1].paxos, &status);
    assert_int_equal(status.leader, leader);
    assert_int_equal(cluster_leader(cluster), leader);
    free_cluster(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clusters_of_every_size_elect_a_leader_and_decide),
        cmocka_unit_test(healthy_leader_is_not_disturbed),
        cmocka_unit_test(nothing_is_decided_without_a_durable_quorum),
        cmocka_unit_test(leader_alone_does_not_count_its_vote_before_its_disk),
        cmocka_unit_test(decided_entries_survive_the_leader),
        cmocka_unit_test(reset_connection_is_followed_by_a_leader_within_milliseconds),
        cmocka_unit_test(undecided_tail_of_a_lost_leader_is_replaced),
        cmocka_unit_test(node_with_a_quorum_takes_over_when_the_leader_has_lost_it),
        cmocka_unit_test(broken_link_to_the_leader_deposes_nobody_while_others_are_content),
        cmocka_unit_test(follower_that_was_away_catches_up),
        cmocka_unit_test(follower_far_behind_goes_on_from_a_checkpoint),
        cmocka_unit_test(checkpoint_counts_only_once_its_record_is_durable),
        cmocka_unit_test(whole_cluster_restarts),
        cmocka_unit_test(reads_are_answered_on_every_node_with_what_was_decided_before),
        cmocka_unit_test(read_of_a_leader_without_a_quorum_is_not_answered),
        cmocka_unit_test(leadership_is_handed_over_on_demand),
        cmocka_unit_test(unhealthy_leader_gives_way),
        cmocka_unit_test(claim_that_came_to_nothing_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
