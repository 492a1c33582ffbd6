# SPDX-License-Identifier: Apache-2.0
"""docs/operations.md is true. Its `console` blocks are executed (see examples.py), with TLS, on a cluster of
three. Its `log` blocks are lines that nodes print: those of the incidents that can be made here are
provoked, the sentences of all are compared with the source."""
import re
import shutil
import subprocess
import time

import pytest

from client import Client
from daemon import FAULTS, SOURCE, Daemon, binary, environment
from examples import Shell, examples, execute, loopback_address, section

ADDRESS = '127.0.0.1'
CONTAINERS = 'Containers'  # executed by tests/containers/test_documents.py
DEADLINE_S = 30
LOG = re.compile(r'^```log\n(.*?)^```$', re.M | re.S)


def document():
    return (SOURCE / 'docs/operations.md').read_text(encoding='utf-8')


def log_lines(text):
    return [line for block in LOG.findall(text) for line in block.splitlines()]


def test_the_examples_of_operations_work(tmp_path):
    for program in ('curl', 'certtool'):
        if shutil.which(program) is None:
            pytest.skip(f'NO {program.upper()}: the examples of docs/operations.md were not executed')
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin' / 'curlewd').symlink_to(binary())
    environ = environment()
    shell = Shell(tmp_path, {**environ, 'PATH': f'{tmp_path}/bin:{environ["PATH"]}'})
    address = loopback_address()
    found = examples(document().replace(section(document(), CONTAINERS), ''))
    assert any('certtool' in command for command, _ in found)
    try:
        execute(shell, found, lambda text: text.replace(ADDRESS, address),
                lambda text: text.replace(address, ADDRESS))
        logs = [log.read_text(errors='replace') for log in sorted(tmp_path.glob('node?.log'))]
    finally:
        shell.close()
    assert len(logs) == 3
    for log in logs:
        assert not FAULTS.search(log), log


# ---- Incidents ----

class Trio:
    """Three nodes on an address of their own."""

    def __init__(self, directory):
        self.address, self.directory, self.nodes, self.printed = loopback_address(), directory, {}, ''

    def peers(self, numbers=(1, 2, 3)):
        return ','.join(f'{n}={self.address}:{2280 + n}' for n in numbers)

    def spawn(self, number, members=(1, 2, 3), place=None):
        node = Daemon(self.directory / str(place or number), '--id', number, '--peers', self.peers(members),
                      '--map-size', '1GiB')
        self.nodes[number] = node
        node.spawn()
        return node

    def start(self, *numbers):
        nodes = [self.spawn(number) for number in numbers]
        for node in nodes:
            node.port = int(node.wait_line(r'msg="listening" address=\S+:(\d+)').group(1))
        for node in nodes:
            node.wait_ready()

    def stop(self, *numbers):
        for number in numbers:
            node = self.nodes.pop(number)
            node.terminate()
            self.printed += node.log()

    def log(self):
        return (self.printed + ''.join(node.log() for node in self.nodes.values())).replace(self.address, ADDRESS)

    def place(self, number):
        return self.directory / str(number)


@pytest.fixture
def trio(tmp_path):
    made = Trio(tmp_path)
    yield made
    for node in made.nodes.values():
        node.kill()


def expect_lines(trio, title, count=None):
    """Waits until the log has the lines that stand below the title; `count`: only the first ones."""
    wanted = log_lines(section(document(), title))[:count]
    assert wanted
    limit = time.monotonic() + DEADLINE_S
    while missing := [line for line in wanted if line not in trio.log()]:
        assert time.monotonic() < limit, f'never logged: {missing}\nlog:\n{trio.log()}'
        time.sleep(0.02)


def test_the_founding(trio):
    trio.spawn(1)
    expect_lines(trio, 'The founding', 1)
    trio.spawn(2)
    trio.spawn(3)
    expect_lines(trio, 'The founding')


def test_a_lost_directory(trio):
    trio.start(1, 2, 3)
    trio.stop(3)
    shutil.rmtree(trio.place(3))
    trio.spawn(3)
    expect_lines(trio, 'A data directory is lost')


def test_an_older_copy(trio):
    trio.start(1, 2, 3)
    trio.stop(3)
    shutil.copytree(trio.place(3), trio.place('copy'))
    trio.start(3)
    trio.stop(3)
    shutil.rmtree(trio.place(3))
    shutil.move(trio.place('copy'), trio.place(3))
    trio.spawn(3)
    expect_lines(trio, 'An older copy of a data directory')


def test_swapped_directories(trio):
    trio.start(1, 2, 3)
    trio.stop(2, 3)
    node = trio.spawn(2, place=3)
    assert node.process.wait(DEADLINE_S) == 78
    expect_lines(trio, 'The directories of two nodes are swapped', 1)


def test_an_edited_list(trio):
    trio.start(1, 2, 3)
    trio.stop(3)
    node = trio.spawn(3, (1, 2, 3, 4, 5))
    assert node.process.wait(DEADLINE_S) == 78
    trio.spawn(4, (1, 2, 3, 4, 5))
    expect_lines(trio, 'The list of members was edited')


# ---- What nodes say of themselves ----

def ask(node, target, method='GET', body=None, wait=1):
    client = Client(node.port)
    try:
        return client.request(method, target, body, {'Prefer': f'wait={wait}'})
    finally:
        client.close()


def wait_until(check, what):
    limit = time.monotonic() + DEADLINE_S
    while not check():
        assert time.monotonic() < limit, what
        time.sleep(0.02)


def why(node):
    reply = ask(node, '/readyz?verbose')
    return reply.json.get('detail', 'ready')


def test_a_lost_quorum(trio):
    trio.start(1, 2, 3)
    written = ask(trio.nodes[1], '/v1/znodes/a', 'PUT', b'x').zxid
    ask(trio.nodes[2], '/v1/znodes/a')  # has it too
    trio.stop(1, 3)
    node = trio.nodes[2]
    wait_until(lambda: why(node).startswith('no quorum'), f'{node.log()}')
    assert why(node) in document()
    status = ask(node, '/v1/cluster').json
    assert status['leader'] is None
    assert [member['healthy'] for member in status['members']] == [False, True, False]
    assert (ask(node, '/v1/znodes/a').slug, ask(node, '/livez').status) == ('no-leader', 200)
    refused = ask(node, '/v1/znodes/a', 'PUT', b'y')
    assert (refused.slug, refused.json['outcome']) == ('no-leader', 'not_applied')
    local = ask(node, f'/v1/znodes/a?raw&consistency=local&min_zxid={written}')
    first, age = local.body, int(local.headers['X-Staleness-Ms'])
    assert first == b'x' and age > 0
    assert ask(node, f'/v1/znodes/a?consistency=local&min_zxid={written + 1}').slug == 'behind'
    assert int(ask(node, '/v1/znodes/a?consistency=local').headers['X-Staleness-Ms']) >= age + 1000
    trio.stop(2)
    node = trio.spawn(2)
    node.port = int(node.wait_line(r'msg="listening" address=\S+:(\d+)').group(1))
    assert 'X-Staleness-Ms' not in ask(node, '/v1/znodes/a?consistency=local').headers
    roles = [member['role'] for member in ask(node, '/v1/cluster').json['members']]
    assert roles[0] == roles[2] == 'starting'


def test_waits_of_a_follower(trio):
    trio.start(1, 2, 3)
    leader = ask(trio.nodes[1], '/v1/cluster').json['leader']
    follower = trio.nodes[leader % 3 + 1]
    zxid = ask(follower, '/v1/znodes/a', 'PUT', b'x', wait=5).zxid
    assert ask(follower, '/v1/znodes/a?raw', wait=5).body == b'x'
    assert ask(follower, f'/v1/znodes/a?min_zxid={zxid + 1}').slug == 'future-position'


# ---- Sentences ----

STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def literals():
    """Every text of the source, as a pattern of what it prints; adjacent literals are one."""
    found = set()
    for room in ('server', 'storage', 'paxos'):
        for file in (SOURCE / room).rglob('*.c'):
            text = re.sub(r'"\s*PRI\w+\s*"?', '@', file.read_text())
            for joined in re.findall(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+', text):
                found.add(''.join(STRING.findall(joined)))
    return [re.compile(re.sub(r'%[a-z.*0-9]+|%@', '.*', re.escape(text).replace('\\%', '%'))) for text in found]


def test_logged_sentences_are_those_of_the_source():
    patterns = literals()
    lines = log_lines(document())
    assert len(lines) > 12
    for line in lines:
        for key in ('msg', 'reason'):
            for value in re.findall(rf' {key}="((?:[^"\\]|\\.)*)"', line):
                assert any(each.fullmatch(value) and len(each.pattern) > 10 for each in patterns), \
                    f'no line of the source says: {value}'


def test_only_options_that_exist_are_named():
    offered = subprocess.run([binary(), '--help'], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r'--[a-z]+(?:-[a-z]+)*', offered))
    prose = re.sub(r'^```console\n.*?^```$', '', document(), flags=re.M | re.S)
    named = set(re.findall(r'`?(--[a-z]+(?:-[a-z]+)*)', prose)) - {'--help'}
    assert len(named) > 8
    assert named <= known
    variables = set(re.findall(r'CURLEW_[A-Z_]+[A-Z]', prose)) - {'CURLEW_PEER'}
    assert {name.lower().replace('curlew_', '--').replace('_', '-') for name in variables} <= known
