# SPDX-License-Identifier: Apache-2.0
"""Real daemons in namespaces of their own: started, stopped, killed, asked how they are. Everything that
waits has a deadline, and says how every node is when it passes."""
import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import time

from daemon import FAULTS, binary, environment
from http_client import NotSent, Lost, Connection
from netns import Network

CLIENT_PORT, PEER_PORT = 2180, 2190
DEADLINE_S = 30
POLL_S = 0.01
# setpriv ties a process to the thread that started it; this one lives as long as we do.
starter = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix='starter')


def knows_peers():
    """Whether the daemon under test can be one of several."""
    done = subprocess.run([binary(), '--help'], capture_output=True, text=True, env=environment())
    return '--peers' in done.stdout


class Node:
    """One member: a data directory, a log, and at times a process."""

    def __init__(self, cluster, number, directory):
        self.cluster, self.number, self.directory = cluster, number, pathlib.Path(directory)
        self.space = cluster.network.spaces[number]
        self.address = cluster.network.client_address(number)
        self.log = cluster.directory / f'node{number}.log'
        self.environ = {}
        self.options = []      # of this node alone
        self.prefix = []       # put before the daemon
        self.process = None
        self.boots = 0         # how often it was started
        self.paused = False
        self.expected_faults = None  # pattern of log lines that a test provokes
        self.on_death = lambda node: None
        self.strange = []      # ends that nobody asked for
        self._asked_to_end = True

    def __str__(self):
        return f'node {self.number}'

    def command(self):
        return [*self.space.prefix(), 'setpriv', '--pdeathsig', 'KILL', *self.prefix, binary(),
                '--id', str(self.number), '--listen', f'{self.address}:{CLIENT_PORT}',
                '--data-dir', str(self.directory), *self.cluster.peer_options(), *self.options]

    def spawn(self):
        """Starts the process and waits for nothing."""
        if self.alive():
            raise RuntimeError(f'{self} runs already')
        self._note_end()
        self._asked_to_end = False
        self.boots += 1
        self.process = starter.submit(self._popen).result()

    def _popen(self):
        with open(self.log, 'ab') as log:
            log.write(f'---- start {self.boots} ----\n'.encode())
            log.flush()
            return subprocess.Popen(self.command(), env=environment(**self.environ), stdout=log,
                                    stderr=log, stdin=subprocess.DEVNULL,
                                    pass_fds=[self.space.descriptor])

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def serves(self):
        """Whether it can be expected to answer."""
        return self.alive() and not self.paused

    def send(self, signal_number):
        """Makes it end, soon."""
        self._note_end()
        self._asked_to_end = True
        self.process.send_signal(signal_number)

    def kill(self):
        """kill -9; returns when it is gone."""
        self.send(signal.SIGKILL)
        self.paused = False
        self.process.wait(DEADLINE_S)
        self.on_death(self)

    def terminate(self):
        """Asks it to end, and waits until it has."""
        self.send(signal.SIGTERM)
        status = self.process.wait(DEADLINE_S)
        if status != 0:
            self.strange.append(f'{self}: asked to end, it ended with {status}')
        self.on_death(self)

    def _note_end(self):
        if self.process is not None and not self._asked_to_end and not self.alive():
            self.strange.append(f'{self}: ended by itself with {self.process.returncode}')
            self._asked_to_end = True

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def connection(self, timeout_s=5):
        return Connection(self.cluster.network.switch, self.address, CLIENT_PORT, timeout_s)

    def ask(self, method, target, body=None, headers=None, timeout_s=5):
        """One request on a connection of its own; None if there was no answer."""
        connection = self.connection(timeout_s)
        try:
            return connection.request(method, target, body, headers or {})
        except (NotSent, Lost):
            return None
        finally:
            connection.close()

    def status(self):
        """What /v1/cluster says; None if nothing."""
        reply = self.ask('GET', '/v1/cluster', timeout_s=2)
        return reply.json if reply is not None and reply.status == 200 else None

    def is_ready(self):
        reply = self.ask('GET', '/readyz', timeout_s=2)
        return reply is not None and reply.status == 200

    def describe(self):
        if not self.alive():
            ended = 'never started' if self.process is None else self.process.returncode
            return f'{self}: not running ({ended})'
        if self.paused:
            return f'{self}: stopped'
        ready = self.ask('GET', '/readyz?verbose', timeout_s=2)
        return f'{self}: {self.status()} {ready.body if ready else "no answer"}'

    def faults(self):
        """Lines of its log that no run may show, and ends that nobody asked for."""
        self._note_end()
        found = list(self.strange)
        for line in self.log.read_text(errors='replace').splitlines() if self.log.exists() else ():
            expected = self.expected_faults is not None and re.search(self.expected_faults, line)
            if FAULTS.search(line) and not expected:
                found.append(f'{self}: {line}')
        return found


class Cluster:
    """Several nodes and the network between them. Nothing of it is left after close."""

    def __init__(self, size, directory, options=(), place=None):
        """`place` gives the data directory of a node by its number."""
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.options = [str(option) for option in options]
        self.network = Network(size)
        place = place or (lambda number: self.directory / f'node{number}')
        self.nodes = {number: Node(self, number, place(number)) for number in self.network.nodes()}
        self.events = []    # (monotonic ns, what happened)
        self.at_close = []  # called before everything goes

    def note(self, text):
        self.events.append((time.monotonic_ns(), text))

    def __getitem__(self, number):
        return self.nodes[number]

    def __iter__(self):
        return iter(self.nodes.values())

    def __len__(self):
        return len(self.nodes)

    @property
    def majority(self):
        return len(self) // 2 + 1

    def peer_options(self):
        if len(self) == 1:
            return self.options
        peers = ','.join(f'{node}={self.network.peer_address(node)}:{PEER_PORT}'
                         for node in self.network.nodes())
        return ['--peers', peers, *self.options]

    def start(self):
        """Starts every node that does not run, and waits until all serve."""
        for node in self:
            if not node.alive():
                node.spawn()
        self.wait_ready()
        return self

    def close(self):
        for call in self.at_close:
            call()
        for node in self:
            if node.alive():
                node.send(signal.SIGKILL)
                node.process.wait()
        self.network.close()

    # ---- Waiting ----

    def wait(self, check, what, deadline_s=DEADLINE_S):
        """Waits until check() is true and returns what it gave."""
        limit = time.monotonic() + deadline_s
        while True:
            result = check()
            if result:
                return result
            if time.monotonic() > limit:
                raise AssertionError(f'{what}: not within {deadline_s} s\n{self.describe()}')
            time.sleep(POLL_S)

    def wait_ready(self, nodes=None, deadline_s=DEADLINE_S):
        """Waits until these nodes, or all, say that they are in quorum and caught up."""
        for node in self if nodes is None else nodes:
            self.wait(lambda: self._still_runs(node) and node.is_ready(), f'{node} is ready', deadline_s)

    def _still_runs(self, node):
        if not node.alive():
            raise AssertionError(f'{node} has ended\n{self.describe()}\n{tail(node.log)}')
        return True

    def leader(self, among=None, deadline_s=DEADLINE_S):
        """The node that leads, once a majority of the nodes, itself among them, say so. With `among`
        these are asked, and only one of them is accepted."""
        asked = list(self if among is None else among)

        def agreed():
            said = {node.number: status['leader'] for node in asked
                    if node.serves() and (status := node.status()) is not None}
            for number in set(said.values()) - {None}:
                votes = sum(leader == number for leader in said.values())
                if votes >= min(self.majority, len(asked)) and said.get(number) == number:
                    return self.nodes[number]
            return None

        return self.wait(agreed, 'one leader', deadline_s)

    def others(self, *nodes):
        return [node for node in self if node not in nodes]

    def heal(self):
        """Every node runs and every packet arrives."""
        self.network.heal()
        for node in self:
            if node.paused:
                node.resume()
            elif not node.alive():
                node.spawn()

    # ---- Looking ----

    def describe(self):
        lines = [node.describe() for node in self]
        return '\n'.join([*lines, f'logs: {self.directory}/node*.log'])

    def check_logs(self):
        faults = [line for node in self for line in node.faults()]
        assert not faults, '\n'.join(faults[:20] + [self.describe()])

    def same_state(self, zxid):
        """The tree that every node holds at this zxid; None if some node is past it, or moves. Nodes
        that differ at one zxid are a failure."""
        wanted, first = None, None
        for node in self:
            tree = local_tree(node, zxid)
            if tree is None:
                return None
            wanted, first = (tree, node) if wanted is None else (wanted, first)
            differ = [(path, tree.get(path), wanted.get(path)) for path in {*tree, *wanted}
                      if tree.get(path) != wanted.get(path)]
            assert not differ, f'{node} and {first} differ at zxid {zxid}: {differ[:5]}'
        return wanted


def local_tree(node, zxid):
    """{path: (data, stat)} of a node's own state at this zxid; None if the state is a later one."""
    found, parents = {}, [('/', '')]
    connection = node.connection(timeout_s=20)
    try:
        while parents:
            parent, cursor = parents.pop()
            reply = connection.request('GET', f'/v1/znodes{parent}?view=children&detail=data'
                                       f'&consistency=local&min_zxid={zxid}{cursor}')
            assert reply.status == 200, f'{node}: {reply!r}'
            if reply.zxid != zxid:
                return None
            page = reply.json
            found.setdefault(parent, (None, page['stat']))
            for each in page['nodes']:
                found[each['path']] = (each['data'], each['stat'])
                if each['stat']['numChildren']:
                    parents.append((each['path'], ''))
            if 'next' in page:
                parents.append((parent, f'&cursor={page["next"]}'))
    finally:
        connection.close()
    return found


def tail(file, lines=30):
    text = file.read_text(errors='replace') if os.path.exists(file) else ''
    return '\n'.join(text.splitlines()[-lines:])
