# SPDX-License-Identifier: Apache-2.0
"""A run of clients on a cluster, from the first znode to the last look, and the verdict about it."""
import threading
import time

import history
import linearizable
import witness
from clients import PAIRS, QUEUE, REGISTERS, SETTLE_S, TIMEOUT_S, Client, Unexpected
from history import OK, REFUSED, UNKNOWN, Found, Op

FIRST, PROBES, FINAL = 0, 900, 1000  # clients before, beside and after all others
SHOWN = 8               # problems that a failure tells

MIX = {Client.get: 30, Client.put: 20, Client.compare_and_set: 15, Client.local_get: 10,
       Client.append: 8, Client.set_pair: 6, Client.get_pair: 6, Client.create: 3, Client.delete: 3}


class Workload:
    def __init__(self, cluster, seed, clients=6, mix=None, think_s=(0.005, 0.03), padding=0,
                 pairs=PAIRS):
        self.cluster = cluster
        mix = MIX if mix is None else mix
        self.actions = (list(mix), list(mix.values()))
        self.think_s, self.padding, self.pairs = think_s, padding, pairs
        self.through = list(cluster)  # nodes that clients ask
        self.tries = 3                # after which a write that was not applied is given up
        self.stopping = threading.Event()
        self.ended = None
        self.answers = []             # of clients: (ns, node, outcome, is a write), in turn
        self.first = Client(FIRST, self, seed)
        self.clients = [Client(number, self, seed) for number in range(1, clients + 1)]
        self.final = Client(FINAL, self, seed)
        self.probes = []
        self.seed = seed
        self.first_zxid = self.last_zxid = None
        self.file = cluster.directory / 'history.jsonl'
        cluster.at_close.append(self.abandon)

    # ---- What clients need to know ----

    def count(self, op):
        self.answers.append((time.monotonic_ns(), op.node, op.outcome, op.is_write))

    def is_late(self):
        return self.ended is not None and time.monotonic() > self.ended + SETTLE_S

    # ---- What tests need ----

    def probe(self, node):
        """A client for the test itself, which asks this node only."""
        self.probes.append(Client(PROBES + len(self.probes), self, self.seed))
        self.probes[-1].through = [node]
        return self.probes[-1]

    def leave(self, node):
        """Returns when no client has a request at this node, and none will make one."""
        self.through = self.cluster.others(node)
        before = {client: client.requests for client in self.clients}
        self.cluster.wait(lambda: all(client.requests >= before[client] + 2 for client in self.clients),
                          f'the clients leave {node}')

    def failures(self, since_ns):
        """Requests since then that were neither done nor decided not to be."""
        return [answer for answer in list(self.answers)
                if answer[0] >= since_ns and answer[2] not in (OK, REFUSED)]

    # ---- The run ----

    def begin(self):
        """Makes the znodes that the clients need, then lets them go."""
        self.first_zxid = self.cluster.nodes[1].ask('GET', '/v1/znodes').zxid
        for top in ('/r', '/p', '/q'):
            self.first.create(top)
        for key in REGISTERS:
            self.first.put(key)
        for pair in self.pairs:
            self.first.create_pair(pair)
        for op in self.first.ops:
            if op.outcome != OK:
                raise Unexpected(f'the cluster was not fit for the first writes: {op}')
        for client in self.clients:
            client.start()
        return self

    def acknowledged(self, since_ns=0, nodes=None):
        """How many writes were acknowledged since then, by these nodes."""
        numbers = None if nodes is None else {node.number for node in nodes}
        return sum(at >= since_ns and outcome == OK and is_write and
                   (numbers is None or node in numbers)
                   for at, node, outcome, is_write in list(self.answers))

    def wait_progress(self, nodes=None, writes=20, deadline_s=20):
        """Waits until these nodes, or any, acknowledge so many writes from now on."""
        now = time.monotonic_ns()
        where = 'any node' if nodes is None else ', '.join(map(str, nodes))
        self.cluster.wait(lambda: self._alive() and self.acknowledged(now, nodes) >= writes,
                          f'{writes} more writes through {where}', deadline_s)

    def _alive(self):
        for client in self.clients:
            if client.failure is not None:
                raise client.failure
        return True

    def finish(self):
        """Heals everything, lets every client come to an end, and holds all that it was told against
        what all nodes hold."""
        try:
            self.cluster.heal()
            self.cluster.wait_ready()
            self._stop()
            tree = self._look()
        finally:
            self.abandon()
            history.save(self.file, self.ops(), self.cluster.events)
            print(f'history: {self.file}, logs: {self.cluster.directory}/node*.log')
        self.cluster.check_logs()
        self._check(tree)

    def abandon(self):
        """Ends the clients wherever they are."""
        self.stopping.set()
        self.ended = -SETTLE_S
        for client in self.clients:
            if client.ident is not None:
                client.join(4 * TIMEOUT_S)

    def _stop(self):
        """What has no answer yet is repeated until it has one."""
        self.ended = time.monotonic()
        self.stopping.set()
        for client in self.clients:
            client.join(SETTLE_S + 6 * TIMEOUT_S)
            if client.is_alive():
                raise AssertionError(f'{client.name} hangs\n{self.cluster.describe()}')
        self._alive()

    def _look(self):
        """Reads everything through every node, then each node's own state; what was still unknown may
        happen meanwhile, so until nothing changes."""
        for node in self.cluster:
            for key in [*REGISTERS, *(path for pair in self.pairs for path in pair)]:
                self.final.get(key, node)
        for _ in range(10):
            reply = self.cluster.nodes[1].ask('GET', '/v1/znodes', timeout_s=TIMEOUT_S)
            if reply is not None and reply.status == 200:
                tree = self.cluster.same_state(reply.zxid)
                if tree is not None:
                    self.last_zxid = reply.zxid
                    return tree
        raise AssertionError(f'the state does not come to rest\n{self.cluster.describe()}')

    # ---- The verdict ----

    def ops(self):
        return [op for client in (self.first, *self.clients, *self.probes, self.final)
                for op in client.ops]

    def _check(self, tree):
        ops = place_in_queue(self.ops(), tree)
        ops += final_reads(ops, tree, self.last_zxid)
        problems = witness.check(ops, self.first_zxid, self.last_zxid) + check_queue(tree)
        problems += linearizable.check(ops)
        unknown = sum(op.outcome == UNKNOWN for op in ops)
        print(f'{len(ops)} operations, {self.acknowledged()} acknowledged writes, {unknown} unknown')
        assert not problems, '\n'.join([f'{len(problems)} problems, history: {self.file}',
                                        *problems[:SHOWN]])


def place_in_queue(ops, tree):
    """A sequential znode that nobody was told of has a name all the same."""
    names = {data.partition('|')[0]: path for path, (data, _) in tree.items() if path.startswith(QUEUE)}
    for op in ops:
        if op.key == QUEUE:
            op.key = names.get(op.value, QUEUE)
    return ops


def final_reads(ops, tree, zxid):
    """The state at the end as reads: of every znode that there is, and of every one that a client knew.
    """
    now = time.monotonic_ns()
    reads = []
    for key in {op.key for op in ops if op.key != QUEUE} | {path for path in tree if in_use(path)}:
        data, stat = tree.get(key, (None, None))
        found = None if stat is None else Found(data.partition('|')[0], stat['version'], stat['mzxid'],
                                                stat['czxid'])
        reads.append(Op(FINAL, 'get', key, now, local=True, returned=now, outcome=OK, zxid=zxid,
                        status=404 if stat is None else 200, found=found))
    return reads


def in_use(path):
    return path != '/' and not path.startswith('/zookeeper')


def check_queue(tree):
    """Later znodes have larger numbers."""
    made = sorted((stat['czxid'], path) for path, (_, stat) in tree.items() if path.startswith(QUEUE))
    names = [path for _, path in made]
    return [] if names == sorted(names) else [f'numbers are not in the order of creation: {names}']
