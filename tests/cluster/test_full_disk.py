# SPDX-License-Identifier: Apache-2.0
"""A full disk on one node, or on all: nothing acknowledged is lost, nobody ends, and it clears by
itself."""
import os
import subprocess

import pytest

from cluster import tail
from workload import Workload

MIB = 1 << 20
RESERVE = 16 * MIB
LEFT = 2 * MIB


class Disk:
    """A small file system."""

    def __init__(self, place):
        self.place = place
        place.mkdir(parents=True)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=160m', 'curlew-test', place], check=True)

    def free_bytes(self):
        status = os.statvfs(self.place)
        return status.f_bavail * status.f_frsize

    def fill(self):
        """Takes nearly all that is free."""
        with open(self.place / 'ballast', 'ab') as file:
            while (more := self.free_bytes() - LEFT) > 0:
                file.write(bytes(min(more, MIB)))
                file.flush()

    def clear(self):
        (self.place / 'ballast').unlink()

    def close(self):
        subprocess.run(['umount', '-l', self.place], check=True)


@pytest.fixture
def disks(tmp_path):
    made = {}
    try:
        for number in (1, 2, 3):
            made[number] = Disk(tmp_path / f'disk{number}')
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f'CANNOT MOUNT A TMPFS: full disks in a cluster were not tested ({error})')
    yield made
    for disk in made.values():
        disk.close()


@pytest.fixture
def full(make_cluster, disks, tmp_path, seed):
    """A cluster whose nodes each have a small disk; their volatile trees lie elsewhere."""
    cluster = make_cluster(3, '--disk-reserve-bytes', RESERVE, '--checkpoint-journal-bytes', 4 * MIB,
                           place=lambda number: disks[number].place / 'data')
    for node in cluster:
        node.options = ['--live-dir', str(tmp_path / f'live{node.number}')]
        node.expected_faults = 'level=error.*(full|space|room)'
    cluster.start()
    workload = Workload(cluster, seed).begin()
    workload.wait_progress()
    return cluster, workload


def goes_on_with_all(cluster, workload):
    for node in cluster:
        workload.wait_progress([node], writes=5)


def full_disks(node):
    """Whose disks are full, as the node knows."""
    status = node.status() or {'members': []}
    return {member['id'] for member in status['members'] if member['disk_full']}


def lives(*nodes):
    for node in nodes:
        assert node.alive(), f'{node} has ended\n{tail(node.log)}'


def test_a_follower_with_a_full_disk_stops_nobody(full, disks):
    cluster, workload = full
    follower = cluster.others(cluster.leader())[0]
    disks[follower.number].fill()
    cluster.wait(lambda: all(full_disks(node) == {follower.number} for node in cluster),
                 'all nodes know whose disk is full')
    for node in cluster.others(follower):
        workload.wait_progress([node], writes=100, deadline_s=60)
    lives(*cluster)
    assert follower.ask('GET', '/v1/znodes/r/0?consistency=local').status in (200, 404)
    disks[follower.number].clear()
    cluster.wait_ready()
    goes_on_with_all(cluster, workload)
    workload.finish()


def test_a_leader_with_a_full_disk(full, disks):
    """Whether the others go on or writes are refused until there is room: no node ends, and what was
    acknowledged is there."""
    cluster, workload = full
    leader = cluster.leader()
    disks[leader.number].fill()
    workload.answers.clear()
    cluster.wait(lambda: len(workload.answers) > 300, 'answers of any kind', 60)
    lives(*cluster)
    disks[leader.number].clear()
    cluster.wait_ready()
    goes_on_with_all(cluster, workload)
    workload.finish()


def test_all_disks_full(full, disks):
    """Writes are refused and deletes are not; with room everything goes on."""
    cluster, workload = full
    for disk in disks.values():
        disk.fill()
    probes = [workload.probe(node) for node in cluster]
    for probe in probes:
        cluster.wait(lambda: probe.put('/r/0', keyed=False).status == 507, 'writes are refused')
    lives(*cluster)
    for probe in probes:
        assert probe.delete('/r/0').status in (204, 404)
        assert probe.get('/r/1').status in (200, 404)
    for disk in disks.values():
        disk.clear()
    goes_on_with_all(cluster, workload)
    workload.finish()


@pytest.mark.parametrize('all_of_them', [False, True])
def test_restarts_with_full_disks(full, disks, all_of_them):
    cluster, workload = full
    nodes = list(cluster) if all_of_them else [cluster.leader()]
    for node in nodes:
        disks[node.number].fill()
    for node in nodes:
        node.kill()
    for node in nodes:
        node.spawn()
    cluster.wait(lambda: all(node.status() is not None for node in cluster), 'all nodes answer')
    cluster.leader()
    lives(*cluster)
    for node in nodes:
        disks[node.number].clear()
    cluster.wait_ready()
    goes_on_with_all(cluster, workload)
    workload.finish()
