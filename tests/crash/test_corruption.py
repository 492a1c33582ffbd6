# SPDX-License-Identifier: Apache-2.0
"""Damaged files: a node starts with everything or refuses and names the file; never with less."""
import pathlib
import random
import shutil

import pytest

from client import Client, expect
from daemon import LISTENING, Daemon
from ledger import LONG

FLIPS = 400 if LONG else 40
SECTOR = 512


def snapshot(port):
    """Everything that a client can see."""
    api = Client(port)
    tree = expect(api.get('/', view='tree', limit=10000), 200).json
    assert 'next' not in tree
    return [(node['path'], node['stat'], api.data(node['path'])) for node in tree['nodes']]


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    """A data directory with checkpoints and a journal behind them, and what it holds."""
    directory = tmp_path_factory.mktemp('original') / 'data'
    daemon = Daemon(directory, '--checkpoint-journal-bytes', 1 << 20).start()
    api = Client(daemon.port)
    for number in range(40):
        expect(api.put(f'/n{number:02d}', f'{number} ' * 10), 201)
    for number in range(120):
        expect(api.put(f'/n{number % 40:02d}', bytes([number]) * 30000), 200)
    content = snapshot(daemon.port)
    daemon.stop()
    assert list((directory / 'checkpoint').iterdir()), 'no checkpoint was written'
    return directory, content


def files_of(directory):
    return sorted(path for path in pathlib.Path(directory).rglob('*')
                  if path.is_file() and path.name != 'lock' and 'live' not in path.parts)


def used_sectors(path):
    data = path.read_bytes()
    return [at for at in range(0, len(data), SECTOR) if any(data[at:at + SECTOR])]


def start_damaged(directory, content, damaged, what):
    """Starts a node on it; it must have everything or say which file is wrong."""
    daemon = Daemon(directory)
    daemon.expected_errors = True
    daemon.spawn()
    try:
        found = daemon.wait_line(LISTENING)
        if found is not None:
            daemon.port = int(found.group(2))
            daemon.wait_ready()
            assert snapshot(daemon.port) == content, f'started with something else: {what}'
            return 'started'
        status = daemon.process.wait(20)
        assert status > 0, f'ended with {status}: {what}\n{daemon.log()}'
        assert damaged.name in daemon.log(), f'does not name the file: {what}\n{daemon.log()}'
        daemon.check_log()
        return 'refused'
    finally:
        if daemon.alive():
            daemon.kill()


def copy_of(original, tmp_path):
    directory = tmp_path / 'copy'
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(original, directory)
    return directory


def test_a_copy_without_damage_has_everything(original, tmp_path):
    directory, content = original
    copy = copy_of(directory, tmp_path)
    assert start_damaged(copy, content, copy, 'no damage') == 'started'


def test_flipped_bits_are_noticed(original, tmp_path, seed):
    chance = random.Random(seed)
    directory, content = original
    verdicts = []
    for _ in range(FLIPS):
        copy = copy_of(directory, tmp_path)
        path = chance.choice([path for path in files_of(copy) if used_sectors(path)])
        offset = min(chance.choice(used_sectors(path)) + chance.randrange(SECTOR),
                     path.stat().st_size - 1)
        bit = chance.randrange(8)
        with open(path, 'r+b') as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 1 << bit]))
        what = f'bit {bit} of byte {offset} of {path.relative_to(copy)} (seed {seed})'
        verdicts.append(start_damaged(copy, content, path, what))
    print(verdicts)
    assert 'refused' in verdicts, 'no flip was ever noticed: the test proved nothing'


@pytest.mark.parametrize('damage', ['removed', 'emptied', 'halved', 'zeroed'])
def test_a_damaged_file_is_noticed(original, tmp_path, damage):
    directory, content = original
    for number, original_path in enumerate(files_of(directory)):
        if not used_sectors(original_path):
            continue
        copy = copy_of(directory, tmp_path)
        path = files_of(copy)[number]
        if damage == 'removed':
            path.unlink()
        else:
            size = path.stat().st_size
            with open(path, 'r+b') as file:
                if damage == 'zeroed':
                    file.write(bytes(size))
                else:
                    file.truncate(0 if damage == 'emptied' else size // 2 // SECTOR * SECTOR)
        what = f'{path.relative_to(copy)} {damage}'
        check_missing(copy, content, path, what, damage)


def check_missing(copy, content, path, what, damage):
    """A removed file has no name to tell; its directory's will do."""
    named = path if damage != 'removed' else path.parent
    if named == copy:
        named = pathlib.Path(path.name)
    start_damaged(copy, content, named, what)


def test_a_file_of_another_node_is_noticed(original, tmp_path):
    directory, content = original
    other = Daemon(tmp_path / 'other').start()
    expect(Client(other.port).put('/foreign', 'x'), 201)
    other.stop()
    foreign = files_of(tmp_path / 'other' / 'journal')[0]
    copy = copy_of(directory, tmp_path)
    target = next(path for path in files_of(copy / 'journal') if used_sectors(path))
    shutil.copy(foreign, target)
    assert start_damaged(copy, content, target, 'a journal file of another node') == 'refused'
