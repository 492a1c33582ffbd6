# SPDX-License-Identifier: Apache-2.0
"""The power goes, of one node or of all at once: any part of what was not synced is lost, and nothing
that was acknowledged."""
import os
import random
import time

from power import Power
from workload import Workload

ROUNDS = 60 if os.environ.get('CURLEW_LONG') == '1' else 8


def lose_power(cluster, power, workload, chance, rounds, choose):
    """After each cut a majority goes on before the last ones come back: what only those held is not
    there."""
    for _ in range(rounds):
        workload.wait_progress(writes=chance.choice([1, 20, 60]))
        nodes = choose(chance)
        power.cut(nodes)
        if len(nodes) == len(cluster) and chance.random() < 0.3:  # once more, in the middle of the start
            for node in nodes:
                node.spawn()
            time.sleep(chance.uniform(0, 0.3))
            power.cut(nodes)
        first = chance.sample(nodes, cluster.majority - len(cluster) + len(nodes))
        for node in first:
            node.spawn()
        workload.wait_progress()
        cluster.start()


def test_the_whole_cluster_loses_power(make_cluster, library, seed):
    chance = random.Random(seed)
    cluster = make_cluster(3, '--checkpoint-journal-bytes', 1 << 20)
    power = Power(cluster, library, chance)
    cluster.start()
    workload = Workload(cluster, seed).begin()
    lose_power(cluster, power, workload, chance, ROUNDS, lambda chance: list(cluster))
    workload.finish()
    assert power.undone() > 0, 'nothing was ever lost: the test proved nothing'


def test_some_nodes_lose_power(make_cluster, library, seed):
    chance = random.Random(seed)
    cluster = make_cluster(3, '--checkpoint-journal-bytes', 1 << 20)
    power = Power(cluster, library, chance)
    cluster.start()
    workload = Workload(cluster, seed).begin()
    lose_power(cluster, power, workload, chance, ROUNDS,
               lambda chance: chance.sample(list(cluster), chance.choice([1, 1, 2])))
    workload.finish()
    assert power.undone() > 0, 'nothing was ever lost: the test proved nothing'


def test_disks_that_lie_are_noticed(make_cluster, library, seed):
    """The control: if no disk keeps what it says it keeps, acknowledged writes are lost, or nodes refuse
    to start, or they do not come to a quorum; and the same check says so."""
    chance = random.Random(seed)
    cluster = make_cluster(3)
    power = Power(cluster, library, chance, lie=True)
    cluster.start()
    workload = Workload(cluster, seed).begin()
    try:
        for _ in range(10):
            workload.wait_progress(writes=50)
            power.cut()
            for node in cluster:
                node.spawn()
            cluster.wait_ready(deadline_s=10)
        workload.finish()
    except AssertionError as error:
        print(f'noticed: {str(error)[:300]}')
        return
    raise AssertionError(f'{power.undone()} sectors were undone and nobody noticed')


def test_a_cluster_is_founded_in_spite_of_power_cuts(make_cluster, library, seed):
    chance = random.Random(seed)
    for _ in range(3):
        cluster = make_cluster(3)
        power = Power(cluster, library, chance)
        for _ in range(4):
            for node in cluster:
                if not node.alive():
                    node.spawn()
            time.sleep(chance.uniform(0, 0.4))
            power.cut(chance.sample(list(cluster), chance.randint(1, 3)))
        cluster.start()
        workload = Workload(cluster, seed, clients=3).begin()
        workload.wait_progress()
        workload.finish()
