# SPDX-License-Identifier: Apache-2.0
"""The harness on one node, where nothing but the harness can be wrong: it sees no fault where there is
none, and it sees the one that is made on purpose."""
import random
import time

import pytest

from nemesis import killed, paused, restarting, terminated
from power import Power
from workload import Workload


@pytest.fixture
def one(make_cluster, seed):
    cluster = make_cluster(1).start()
    return cluster, Workload(cluster, seed).begin()


def test_a_quiet_run_is_accepted(one):
    cluster, workload = one
    workload.wait_progress(writes=200)
    workload.finish()
    assert all(outcome in ('ok', 'refused') for _, _, outcome, _ in workload.answers)


@pytest.mark.parametrize('fault', [killed, terminated, paused])
def test_a_node_that_goes_and_comes_back_is_accepted(one, fault):
    cluster, workload = one
    for _ in range(5):
        workload.wait_progress()
        with fault(cluster[1]):
            time.sleep(0.1)
    workload.wait_progress()
    workload.finish()


def test_a_restart_loop_is_accepted(one, seed):
    cluster, workload = one
    with restarting(cluster[1], random.Random(seed)):
        workload.wait_progress(writes=100)
    workload.finish()


def test_a_write_that_goes_behind_the_history_is_noticed(one):
    cluster, workload = one
    workload.wait_progress(writes=50)
    assert cluster[1].ask('PUT', '/v1/znodes/r/0', b'nobody').status in (200, 201)
    with pytest.raises(AssertionError, match='known to have happened|nobody wrote'):
        workload.finish()


def test_a_delete_that_goes_behind_the_history_is_noticed(one):
    cluster, workload = one
    workload.wait_progress(writes=50)
    assert cluster[1].ask('DELETE', '/v1/znodes/p/0a').status == 204
    with pytest.raises(AssertionError):
        workload.finish()


def test_a_disk_that_lies_is_noticed(make_cluster, library, seed):
    """Acknowledged writes are lost, or the node refuses to start: never neither."""
    chance = random.Random(seed)
    cluster = make_cluster(1)
    power = Power(cluster, library, chance, lie=True)
    cluster.start()
    workload = Workload(cluster, seed).begin()
    with pytest.raises(AssertionError):
        for _ in range(20):
            workload.wait_progress(writes=50)
            power.cut()
            cluster.start()
        workload.finish()
