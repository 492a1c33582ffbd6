# SPDX-License-Identifier: Apache-2.0
"""One fault at a time, of which it is known what must go on meanwhile. Every test ends with the verdict
about all that its clients were told."""
import contextlib
import random
import re
import time

import pytest

from clients import Client
from history import OK
from nemesis import (deaf, delayed, flapping, isolated, killed, lost, mute, narrow, paused, refused,
                     restarting, split, terminated)
from powerloss import PowerLoss
from workload import Workload

FAILOVER_S = 10   # until somebody serves again; how long it takes is for the bench
BIG = 20000       # bytes of a value on a narrow link
PLAIN = {Client.get: 40, Client.put: 40, Client.compare_and_set: 20}


@pytest.fixture
def three(make_cluster, seed):
    cluster = make_cluster(3).start()
    workload = Workload(cluster, seed).begin()
    workload.wait_progress()
    return cluster, workload


@pytest.fixture
def five(make_cluster, seed):
    cluster = make_cluster(5).start()
    workload = Workload(cluster, seed).begin()
    workload.wait_progress()
    return cluster, workload


def serves_without(cluster, workload, node):
    """The others agree on one of them, and take writes."""
    others = cluster.others(node)
    assert cluster.leader(among=others, deadline_s=FAILOVER_S) is not node
    for other in others:
        workload.wait_progress([other], writes=5, deadline_s=FAILOVER_S)


def goes_on_with_all(cluster, workload):
    """Every node is ready and takes writes again."""
    cluster.wait_ready()
    for node in cluster:
        workload.wait_progress([node], writes=5, deadline_s=FAILOVER_S)


def test_a_quiet_cluster_has_one_leader_all_the_time(three):
    cluster, workload = three
    before = cluster.leader().status()['ballot']
    workload.wait_progress(writes=300, deadline_s=60)
    assert cluster.leader().status()['ballot'] == before
    workload.finish()
    strange = workload.failures(0)
    assert not strange, f'{len(strange)} requests failed and nothing was wrong: {strange[:5]}'


# ---- Processes ----

@pytest.mark.parametrize('fault', [killed, paused])
def test_others_go_on_without_the_leader(three, fault):
    cluster, workload = three
    for _ in range(2):
        leader = cluster.leader()
        with fault(leader):
            serves_without(cluster, workload, leader)
        goes_on_with_all(cluster, workload)
    workload.finish()


@pytest.mark.parametrize('fault', [killed, paused, isolated])
def test_a_lost_follower_changes_nothing(three, fault):
    cluster, workload = three
    leader = cluster.leader()
    before = leader.status()['ballot']
    follower = cluster.others(leader)[0]
    with fault(follower) if fault is not isolated else isolated(cluster, follower):
        for node in cluster.others(follower):
            workload.wait_progress([node], deadline_s=FAILOVER_S)
        assert leader.status()['ballot'] == before
    goes_on_with_all(cluster, workload)
    workload.finish()


def test_a_leader_that_is_asked_to_end_hands_over(three):
    """Nobody who asks another node sees a failure."""
    cluster, workload = three
    for _ in range(3):
        leader = cluster.leader()
        workload.leave(leader)
        begin = time.monotonic_ns()
        with terminated(leader):
            serves_without(cluster, workload, leader)
        failed = workload.failures(begin)
        assert not failed, f'{len(failed)} requests failed through nodes that lived: {failed[:5]}'
        workload.through = list(cluster)
        goes_on_with_all(cluster, workload)
    workload.finish()


def test_a_leader_in_a_restart_loop(three, seed):
    cluster, workload = three
    leader = cluster.leader()
    with restarting(leader, random.Random(seed)):
        for node in cluster.others(leader):
            workload.wait_progress([node], writes=100, deadline_s=60)
    goes_on_with_all(cluster, workload)
    workload.finish()


def test_all_nodes_in_restart_loops(three, seed):
    cluster, workload = three
    with contextlib.ExitStack() as stack:
        for node in cluster:
            stack.enter_context(restarting(node, random.Random(f'{seed}/{node.number}'), 0.5))
        time.sleep(8)
    goes_on_with_all(cluster, workload)
    workload.finish()


def test_a_rolling_restart_is_not_noticed(three):
    """Each node in turn, the leader too, and clients ask the ones that live: nothing fails."""
    cluster, workload = three
    for node in list(cluster):
        workload.leave(node)
        begin = time.monotonic_ns()
        with terminated(node):
            workload.wait_progress(deadline_s=FAILOVER_S)
        cluster.wait_ready()
        failed = workload.failures(begin)
        assert not failed, f'{len(failed)} requests failed: {failed[:5]}'
    workload.finish()


@pytest.mark.parametrize('fault', [killed, paused])
def test_without_a_quorum_nothing_is_promised(three, fault):
    cluster, workload = three
    leader = cluster.leader()
    alone, other = cluster.others(leader)
    probe = workload.probe(alone)
    with fault(leader, other):
        cluster.wait(lambda: not alone.is_ready(), 'a node without a quorum is not ready')
        assert alone.ask('GET', '/livez').status == 200
        assert alone.ask('GET', '/v1/znodes/p/0a?consistency=local').status == 200
        cluster.wait(lambda: alone.status()['leader'] is None, 'it knows of no leader')
        assert probe.get('/p/0a').status == 503
        write = probe.put('/r/0', keyed=False)
        assert (write.outcome, write.status) in (('not_applied', 503), ('unknown', 504)), write
        reply = alone.ask('GET', '/v1/znodes/p/0a', headers={'Prefer': 'wait=1'})
        assert (reply.status, reply.problem) == (503, 'no-leader') and reply.headers['Retry-After']
    goes_on_with_all(cluster, workload)
    workload.finish()


# ---- The network ----

@pytest.mark.parametrize('fault', [isolated, deaf, mute])
def test_others_go_on_without_a_leader_that_is_cut_off(three, fault):
    cluster, workload = three
    for _ in range(2):
        leader = cluster.leader()
        with fault(cluster, leader):
            serves_without(cluster, workload, leader)
        goes_on_with_all(cluster, workload)
    workload.finish()


@pytest.mark.parametrize('fault', [deaf, mute])
def test_a_follower_with_one_way_links_stops_nobody(three, fault):
    cluster, workload = three
    leader = cluster.leader()
    follower = cluster.others(leader)[0]
    with fault(cluster, follower):
        for node in cluster.others(follower):
            workload.wait_progress([node], writes=50, deadline_s=FAILOVER_S)
    goes_on_with_all(cluster, workload)
    workload.finish()


def test_a_cut_off_leader_does_not_answer_from_the_past(three):
    """Its clients still reach it; a linearizable read there must not tell what was true before."""
    cluster, workload = three
    leader = cluster.leader()
    others = cluster.others(leader)
    with isolated(cluster, leader):
        cluster.leader(among=others, deadline_s=FAILOVER_S)
        workload.through = others
        workload.wait_progress(others)
        reply = leader.ask('GET', '/v1/znodes/p/0a', headers={'Prefer': 'wait=1'})
        assert reply.status == 503, reply
        assert leader.ask('GET', '/v1/znodes/p/0a?consistency=local').status == 200
    workload.through = list(cluster)
    goes_on_with_all(cluster, workload)
    workload.finish()


def test_one_broken_link_deposes_nobody(three):
    """The leader and a follower do not reach each other; both reach the third."""
    cluster, workload = three
    leader = cluster.leader()
    before = leader.status()['ballot']
    near, far = cluster.others(leader)
    with split(cluster, [leader, near], [near, far]):
        for node in (leader, near):
            workload.wait_progress([node], writes=50, deadline_s=FAILOVER_S)
        assert leader.status()['ballot'] == before
    goes_on_with_all(cluster, workload)
    workload.finish()


@pytest.mark.parametrize('middle_leads', [True, False])
def test_a_bridge_between_two_sides(five, middle_leads):
    """Five nodes, two majorities, and one node in both."""
    cluster, workload = five
    leader = cluster.leader()
    others = cluster.others(leader)
    nodes = [*others[:2], leader, *others[2:]] if middle_leads else [leader, *others]
    with split(cluster, nodes[:3], nodes[2:]):
        workload.wait_progress([nodes[2]], writes=50, deadline_s=2 * FAILOVER_S)
        workload.wait_progress([nodes[0]], deadline_s=2 * FAILOVER_S)
    goes_on_with_all(cluster, workload)
    workload.finish()


def test_the_only_node_that_reaches_a_quorum_leads(five):
    """A star: the leader reaches only the centre, and so does everybody else."""
    cluster, workload = five
    leader = cluster.leader()
    centre, *others = cluster.others(leader)
    with split(cluster, [centre, leader], *[[centre, other] for other in others]):
        workload.wait_progress([centre], writes=50, deadline_s=2 * FAILOVER_S)
        assert centre.status()['leader'] == centre.number
    goes_on_with_all(cluster, workload)
    workload.finish()


def test_two_against_three(five):
    cluster, workload = five
    leader = cluster.leader()
    others = cluster.others(leader)
    with split(cluster, [leader, others[0]], others[1:]):
        for node in others[1:]:
            workload.wait_progress([node], writes=5, deadline_s=2 * FAILOVER_S)
    goes_on_with_all(cluster, workload)
    workload.finish()


@pytest.mark.parametrize('share, writes', [(0.05, 100), (0.25, 30)])
def test_lost_packets_slow_it_down_and_no_more(three, share, writes):
    cluster, workload = three
    with lost(cluster, share, cluster.network.links()):
        workload.wait_progress(writes=writes, deadline_s=60)
    goes_on_with_all(cluster, workload)
    workload.finish()


def test_reset_connections(three):
    cluster, workload = three
    leader = cluster.leader()
    for follower in cluster.others(leader):
        with refused(cluster, leader, follower):
            workload.wait_progress(writes=50, deadline_s=FAILOVER_S)
    goes_on_with_all(cluster, workload)
    workload.finish()


def test_a_leader_that_comes_and_goes(three, seed):
    cluster, workload = three
    with flapping(cluster, cluster.leader(), random.Random(seed)):
        workload.wait_progress(writes=150, deadline_s=60)
    goes_on_with_all(cluster, workload)
    workload.finish()


@pytest.mark.parametrize('who', ['follower', 'leader'])
def test_a_narrow_link(make_cluster, seed, who):
    """1 Mbit/s and values of 20 kB: what is in front of a heartbeat takes long to pass, and deposes
    nobody for long."""
    cluster = make_cluster(3).start()
    workload = Workload(cluster, seed, mix=PLAIN, padding=BIG).begin()
    workload.wait_progress()
    leader = cluster.leader()
    node = leader if who == 'leader' else cluster.others(leader)[0]
    with narrow(cluster, '1mbit', node):
        workload.wait_progress(cluster.others(node), writes=30, deadline_s=60)
    goes_on_with_all(cluster, workload)
    workload.finish()


@pytest.mark.parametrize('delay_ms, jitter_ms, repeat', [(5, 0, 0), (20, 20, 0.1)])
def test_late_packets_that_overtake_each_other(three, delay_ms, jitter_ms, repeat):
    cluster, workload = three
    with delayed(cluster, delay_ms, jitter_ms, repeat, *cluster):
        workload.wait_progress(writes=100, deadline_s=60)
    goes_on_with_all(cluster, workload)
    workload.finish()


def waits_ms(workload, begin_ns):
    """How long writes that began since then have taken, sorted."""
    return sorted((op.returned - op.invoked) / 1e6 for client in workload.clients
                  for op in list(client.ops)
                  if op.invoked > begin_ns and op.is_write and op.outcome == OK and op.attempts == 1)


def test_one_far_node_slows_nobody_down(three):
    """The quorum is near; a follower 50 ms away is not waited for."""
    cluster, workload = three
    far = cluster.others(cluster.leader())[0]
    with delayed(cluster, 50, 5, 0, far):
        workload.leave(far)
        begin = time.monotonic_ns()
        workload.wait_progress(writes=200, deadline_s=30)
    waits = waits_ms(workload, begin)
    assert waits[len(waits) // 2] < 50, 'half of the writes waited for the far node'
    workload.through = list(cluster)
    goes_on_with_all(cluster, workload)
    workload.finish()


# ---- Slow disks ----

def slow_down(node, library, flush_ms):
    """From its next start on each flush of this node takes so long."""
    disk = PowerLoss(library, node.directory, node.cluster.directory / f'unsynced{node.number}',
                     delay_us=flush_ms * 1000)
    node.environ = disk.environment()
    return disk


def test_slow_disks_depose_nobody(make_cluster, library, seed):
    """Flushes of 100 ms, as on a bad day in a cloud: heartbeats do not wait for them."""
    cluster = make_cluster(3)
    for node in cluster:
        slow_down(node, library, 100)
    workload = Workload(cluster.start(), seed).begin()
    workload.wait_progress()
    before = cluster.leader().status()['ballot']
    workload.wait_progress(writes=100, deadline_s=60)
    assert cluster.leader().status()['ballot'] == before
    workload.finish()


def test_a_follower_with_a_slow_disk_slows_nobody_down(three, library):
    cluster, workload = three
    slow = cluster.others(cluster.leader())[0]
    slow_down(slow, library, 500)
    slow.terminate()
    slow.spawn()
    cluster.wait_ready(deadline_s=60)
    workload.leave(slow)
    begin = time.monotonic_ns()
    workload.wait_progress(writes=100, deadline_s=30)
    waits = waits_ms(workload, begin)
    assert waits[len(waits) // 2] < 250, 'half of the writes waited for the slow disk'
    workload.through = list(cluster)
    workload.finish()


def test_a_follower_that_is_stuck_is_not_ready(three, library):
    """Its disk hangs. It hears of the leader as before, and not much is missing: that it is stuck only the
    time tells."""
    cluster, workload = three
    stuck = cluster.others(cluster.leader())[0]
    disk = slow_down(stuck, library, 1)
    stuck.terminate()
    stuck.spawn()
    cluster.wait_ready()
    workload.leave(stuck)
    disk.hang()
    workload.wait_progress()
    assert cluster.wait(lambda: says_that_it_is_behind(stuck), 'a stuck node says so')
    assert all(node.is_ready() for node in cluster.others(stuck))
    disk.reset()
    workload.through = list(cluster)
    goes_on_with_all(cluster, workload)
    workload.finish()


def says_that_it_is_behind(node):
    reply = node.ask('GET', '/readyz?verbose')
    assert reply is not None, 'it does not answer'
    return reply.status == 503 and re.search(r'what it holds is \d+ s old, \d+ slots behind the leader',
                                             reply.json['detail'])


# ---- Catching up ----

@pytest.mark.parametrize('restarts', [False, True])
def test_a_follower_that_missed_much_catches_up(make_cluster, seed, restarts):
    """What it missed is no longer in the others' journals: it goes on from a checkpoint, also if it is
    killed again and again meanwhile."""
    cluster = make_cluster(3, '--checkpoint-journal-bytes', 1 << 20).start()
    workload = Workload(cluster, seed, mix=PLAIN, padding=100000, think_s=(0, 0.01)).begin()
    workload.wait_progress()
    late = cluster.others(cluster.leader())[0]
    with killed(late):
        workload.wait_progress(writes=700, deadline_s=120)
    if restarts:
        with restarting(late, random.Random(seed)):
            workload.wait_progress(cluster.others(late), writes=50, deadline_s=60)
    goes_on_with_all(cluster, workload)
    workload.finish()

