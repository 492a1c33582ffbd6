# SPDX-License-Identifier: Apache-2.0
"""The power-loss harness itself: what was synced stays, what was not can go."""
import pathlib
import random
import subprocess
import sys

import pytest

from powerloss import SECTOR, PowerLoss

ROUNDS = 20


@pytest.fixture
def play(library, tmp_path):
    """Runs a script in a watched directory, strikes, and returns the content of the files."""
    def run(script, seed, lie=False):
        directory = tmp_path / f'{seed}-{lie}'
        directory.mkdir()
        loss = PowerLoss(library, directory, tmp_path / f'log-{seed}-{lie}', lie, delay_us=0)
        prologue = 'import os\nd = os.open(".", os.O_RDONLY)\n'
        subprocess.run([sys.executable, '-c', prologue + script], cwd=directory, check=True,
                       env={'PATH': '/usr/bin:/bin', **loss.environment()})
        loss.strike(random.Random(seed))
        return {path.name: path.read_bytes() for path in pathlib.Path(directory).iterdir()}

    return run


SYNCED = '''
f = os.open("a", os.O_RDWR | os.O_CREAT)
os.pwrite(f, b"x" * 5000, 0)
os.fdatasync(f)
os.fsync(d)
'''


@pytest.mark.parametrize('seed', range(ROUNDS))
def test_what_was_synced_stays(play, seed):
    assert play(SYNCED, seed) == {'a': b'x' * 5000}


def test_what_was_synced_goes_if_the_device_lies(play):
    assert any(play(SYNCED, seed, lie=True) != {'a': b'x' * 5000} for seed in range(ROUNDS))


def test_unsynced_sectors_are_old_or_new(play):
    script = SYNCED + 'os.pwrite(f, b"y" * 1500, 700)\n'
    seen = set()
    for seed in range(ROUNDS):
        content = play(script, seed)['a']
        assert len(content) == 5000
        for start in range(0, 5000, SECTOR):
            sector = content[start:start + SECTOR]
            new = bytes(b'xy'[700 <= start + i < 2200] for i in range(len(sector)))
            assert sector in (new, b'x' * len(sector))
        seen.add(content)
    assert len(seen) > 2


def test_an_unsynced_name_can_go(play):
    script = 'os.close(os.open("new", os.O_RDWR | os.O_CREAT))\n'
    assert {tuple(play(script, seed)) for seed in range(ROUNDS)} == {(), ('new',)}


def test_an_unsynced_rename_leaves_the_old_or_the_new(play):
    script = SYNCED + ('g = os.open("b", os.O_RDWR | os.O_CREAT)\nos.write(g, b"new")\n'
                       'os.fsync(g)\nos.rename("b", "a")\n')
    seen = {play(script, seed)['a'] for seed in range(ROUNDS)}
    assert seen == {b'x' * 5000, b'new'}


def test_an_unsynced_unlink_can_come_back(play):
    seen = {tuple(play(SYNCED + 'os.unlink("a")\n', seed).items()) for seed in range(ROUNDS)}
    assert seen == {(), (('a', b'x' * 5000),)}


def test_writes_behind_the_sync_are_not_covered_by_it(play):
    script = SYNCED + 'os.pwrite(f, b"z", 0)\n'
    assert {play(script, seed)['a'][:1] for seed in range(ROUNDS)} == {b'x', b'z'}
