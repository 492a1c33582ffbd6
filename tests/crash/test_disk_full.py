# SPDX-License-Identifier: Apache-2.0
"""A full disk: writes are refused before anything breaks, reads and deletes go on, and room is noticed
without a restart."""
import os
import subprocess
import time

import pytest

from client import Client, expect, wait_until

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path):
    """A file system of 192 MiB of its own."""
    if os.geteuid() != 0:
        pytest.skip('NOT ROOT: a full disk was not tested (it needs mount -t tmpfs)')
    mount = tmp_path / 'disk'
    mount.mkdir()
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=192m', 'curlew-test', mount],
                          capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f'CANNOT MOUNT A TMPFS: a full disk was not tested ({done.stderr.strip()})')
    yield mount
    subprocess.run(['umount', '-l', mount], check=True)


@pytest.fixture
def node(make, disk, tmp_path):
    """A daemon on the small disk; its volatile tree lies elsewhere."""
    daemon = make('--live-dir', tmp_path / 'live', '--disk-reserve-bytes', 16 * MIB,
                  directory=disk / 'data')
    daemon.expected_errors = True
    return daemon.start()


def free_bytes(disk):
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize


def fill(disk, leave):
    """Makes the ballast take all but so many bytes."""
    with open(disk / 'ballast', 'ab') as file:
        while (more := free_bytes(disk) - leave) > 0:
            file.write(bytes(min(more, MIB)))
            file.flush()


def is_full(api):
    return api.put('/probe', 'x').status == 507


def is_writable(api):
    return api.put('/probe', 'x').status in (200, 201)


def test_a_full_disk_refuses_writes_and_clears_by_itself(node, disk):
    api = Client(node.port)
    for number in range(20):
        expect(api.put(f'/n{number}', f'value {number}'), 201)
    fill(disk, 4 * MIB)
    wait_until(lambda: is_full(api), what='507')
    before = api.get('/n3').json
    problem = expect(api.put('/n3', 'other'), 507, 'disk-full').json
    assert (problem['outcome'], problem['retryable']) == ('not_applied', True)
    expect(api.post('/new', 'x'), 507)
    expect(api.multi({'op': 'set', 'path': '/n4', 'data': 'x'}), 507)
    assert api.get('/n3').json == before and api.stat('/new') is None
    assert len(api.children('/')) >= 21
    expect(api.delete('/n1'), 204)
    expect(api.multi({'op': 'delete', 'path': '/n2'}), 200)
    assert api.stat('/n1') is None
    (disk / 'ballast').unlink()
    wait_until(lambda: is_writable(api), what='room')
    node.stop()


@pytest.mark.parametrize('end', ['kill', 'terminate'])
def test_a_node_restarts_on_a_full_disk(node, disk, end):
    api = Client(node.port)
    for number in range(20):
        expect(api.put(f'/n{number}', f'value {number}'), 201)
    fill(disk, 2 * MIB)
    wait_until(lambda: is_full(api), what='507')
    tree = api.get('/', view='tree').json
    getattr(node, end)()
    node.start()
    api = Client(node.port)
    assert api.get('/', view='tree').json == tree
    wait_until(lambda: is_full(api), what='507')
    expect(api.delete('/n1'), 204)
    node.kill()
    (disk / 'ballast').unlink()
    node.start()
    api = Client(node.port)
    assert api.stat('/n1') is None and api.data('/n2') == b'value 2'
    wait_until(lambda: is_writable(api), what='room')
    node.stop()


def test_a_node_that_fills_the_disk_by_itself_stays_alive(node, disk):
    api = Client(node.port)
    expect(api.put('/big'), 201)
    value = os.urandom(MIB // 2)
    stored = 0
    for number in range(600):
        reply = api.put(f'/big/{number}', value)
        if reply.status != 201:
            break
        stored += 1
    expect(reply, 507, 'disk-full')
    assert stored > 10
    for number in range(stored):
        assert api.stat(f'/big/{number}')['dataLength'] == MIB // 2
    for number in range(stored):
        expect(api.delete(f'/big/{number}'), 204)
    expect(api.delete('/big'), 204)
    try:
        wait_until(lambda: is_writable(api), deadline_s=10, what='room')
    except AssertionError:
        files = sorted((str(path.relative_to(disk)), path.stat().st_size)
                       for path in disk.rglob('*') if path.is_file())
        pytest.fail(f'no room: {free_bytes(disk)} bytes are free\n{files}\n{node.log()}')
    node.stop()


def test_a_live_directory_that_fills_up_refuses_writes(make, disk, tmp_path):
    """The tree on a small disk of its own: without a check every restart would fail again."""
    node = make('--live-dir', disk / 'live', '--disk-reserve-bytes', 16 * MIB,
                directory=tmp_path / 'data')
    node.expected_errors = True
    api = Client(node.start().port)
    value = os.urandom(MIB // 2)
    stored = 0
    for number in range(600):
        reply = api.put(f'/n{number}', value)
        if reply.status != 201:
            break
        stored += 1
    expect(reply, 507, 'disk-full')
    node.kill()
    api = Client(node.start().port)
    assert api.data('/n0') == value and api.data(f'/n{stored - 1}') == value
    for number in range(stored):
        expect(api.delete(f'/n{number}'), 204)
    wait_until(lambda: is_writable(api), what='room')
    node.stop()


def test_a_node_logs_a_full_disk_once(make, disk, tmp_path):
    """A new node finds room for its first segment and for no spare one."""
    fill(disk, 20 * MIB)
    node = make('--live-dir', tmp_path / 'live', '--disk-reserve-bytes', 16 * MIB,
                directory=disk / 'data')
    node.expected_errors = True
    api = Client(node.start().port)
    wait_until(lambda: is_full(api), what='507')
    lines = len(node.log().splitlines())
    for _ in range(20):  # 2 s, ten checks of the space
        expect(api.put('/a', 'y'), 507)
        time.sleep(0.1)
    assert len(node.log().splitlines()) - lines <= 2, node.log()
    (disk / 'ballast').unlink()
    wait_until(lambda: is_writable(api), what='room')
    node.stop()
