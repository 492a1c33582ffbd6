# SPDX-License-Identifier: Apache-2.0
"""What goes wrong. Each fault is a context manager, `with fault(cluster, chance)`: it begins, and is over
at the end of the block. Nemesis takes them at random, from a seed that is printed."""
import contextlib
import random
import threading
import time

# ---- Processes ----


@contextlib.contextmanager
def killed(*nodes):
    """kill -9, and a start at the end."""
    for node in nodes:
        if node.alive():
            node.kill()
    yield
    for node in nodes:
        if not node.alive():
            node.spawn()


@contextlib.contextmanager
def terminated(*nodes):
    """SIGTERM, and a start at the end."""
    for node in nodes:
        if node.serves():
            node.terminate()
    yield
    for node in nodes:
        if not node.alive():
            node.spawn()


@contextlib.contextmanager
def paused(*nodes):
    """SIGSTOP, and SIGCONT at the end: it comes back and believes that no time has passed."""
    for node in nodes:
        if node.serves():
            node.pause()
    yield
    for node in nodes:
        if node.paused:
            node.resume()


@contextlib.contextmanager
def restarting(node, chance, longest_s=0.3):
    """kill -9 and start, again and again, mostly in the middle of the start."""
    over = threading.Event()

    def loop():
        while not over.wait(chance.uniform(0, longest_s)):
            if node.alive():
                node.kill()
            node.spawn()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if not node.alive():
        node.spawn()


# ---- The network ----

@contextlib.contextmanager
def lost(cluster, share, links):
    """This share of the packets of these links is lost; 1 is a cut, silent."""
    cluster.network.lose(share, links)
    yield
    cluster.network.heal()


def isolated(cluster, node):
    return lost(cluster, 1, cluster.network.links([node.number]))


def deaf(cluster, node):
    """It is heard, and hears nobody."""
    return lost(cluster, 1, [link for link in cluster.network.links() if link[1] == node.number])


def mute(cluster, node):
    """It hears everybody, and nobody hears it."""
    return lost(cluster, 1, [link for link in cluster.network.links() if link[0] == node.number])


@contextlib.contextmanager
def split(cluster, *groups):
    """Only nodes that are in one group together reach each other. A node in two groups is a bridge."""
    cluster.network.split(*[[node.number for node in group] for group in groups])
    yield
    cluster.network.heal()


@contextlib.contextmanager
def refused(cluster, node, other):
    """All connections between two nodes are reset, and every new one."""
    cluster.network.refuse(node.number, other.number)
    yield
    cluster.network.heal()


@contextlib.contextmanager
def flapping(cluster, node, chance, longest_s=0.5):
    """A node that is cut off and back again, again and again."""
    over = threading.Event()

    def loop():
        while not over.wait(chance.uniform(0, longest_s)):
            cluster.network.isolate(node.number)
            over.wait(chance.uniform(0, longest_s))
            cluster.network.heal()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    cluster.network.heal()


@contextlib.contextmanager
def narrow(cluster, rate, *nodes):
    for node in nodes:
        cluster.network.narrow(node.number, rate)
    yield
    for node in nodes:
        cluster.network.widen(node.number)


@contextlib.contextmanager
def delayed(cluster, delay_ms, jitter_ms, repeat, *nodes):
    for node in nodes:
        cluster.network.delay(node.number, delay_ms, jitter_ms, repeat)
    yield
    for node in nodes:
        cluster.network.undelay(node.number)


# ---- At random ----

def _leader(cluster, chance):
    """The leader if somebody names one, else anybody."""
    said = [status['leader'] for node in cluster if node.serves() and (status := node.status())]
    named = [number for number in said if number is not None]
    return cluster[named[0]] if named else chance.choice(list(cluster))


def _anybody(cluster, chance):
    return chance.choice(list(cluster))


def _target(cluster, chance):
    """The leader half of the time."""
    return (_leader if chance.random() < 0.5 else _anybody)(cluster, chance)


def _many(cluster, chance):
    """A random set of nodes, at least one."""
    nodes = list(cluster)
    return chance.sample(nodes, chance.randint(1, len(nodes)))


def _halves(cluster, chance):
    nodes = list(cluster)
    chance.shuffle(nodes)
    at = chance.randint(1, len(nodes) - 1)
    return split(cluster, nodes[:at], nodes[at:])


def _bridge(cluster, chance):
    """Two sides that only one node reaches both of."""
    nodes = list(cluster)
    chance.shuffle(nodes)
    middle = len(nodes) // 2
    return split(cluster, nodes[:middle + 1], nodes[middle:])


def _some_links(cluster, chance):
    links = cluster.network.links()
    return chance.sample(links, chance.randint(1, len(links)))


FAULTS = {
    'kill': lambda c, r: killed(_target(c, r)),
    'kill several': lambda c, r: killed(*_many(c, r)),
    'kill all': lambda c, r: killed(*c),
    'terminate': lambda c, r: terminated(_target(c, r)),
    'pause': lambda c, r: paused(_target(c, r)),
    'pause several': lambda c, r: paused(*_many(c, r)),
    'restart loop': lambda c, r: restarting(_target(c, r), r),
    'isolate': lambda c, r: isolated(c, _target(c, r)),
    'deaf': lambda c, r: deaf(c, _target(c, r)),
    'mute': lambda c, r: mute(c, _target(c, r)),
    'halves': _halves,
    'bridge': _bridge,
    'cut some links': lambda c, r: lost(c, 1, _some_links(c, r)),
    'lose packets': lambda c, r: lost(c, r.uniform(0.02, 0.3), _some_links(c, r)),
    'reset': lambda c, r: refused(c, *r.sample(list(c), 2)),
    'flap': lambda c, r: flapping(c, _target(c, r), r),
    'narrow': lambda c, r: narrow(c, r.choice(['256kbit', '1mbit', '4mbit']), _target(c, r)),
    'delay': lambda c, r: delayed(c, r.uniform(1, 30), r.choice([0, 1]) * r.uniform(0, 10),
                                  r.choice([0, 0.1]), *_many(c, r)),
}
# Of each at most one at a time: they share what they break.
PROCESSES = ('kill', 'kill several', 'kill all', 'terminate', 'pause', 'pause several', 'restart loop')
WIRES = ('narrow', 'delay')


def _kind(name):
    return 'process' if name in PROCESSES else 'wire' if name in WIRES else 'links'


class Nemesis:
    """Faults one after the other, sometimes several at once, for some time."""

    def __init__(self, cluster, seed, names=None):
        self.cluster, self.chance = cluster, random.Random(f'nemesis/{seed}')
        self.names = list(FAULTS if names is None else names)
        self.done = {name: 0 for name in self.names}

    def _choose(self):
        first = self.chance.choice(self.names)
        chosen = {_kind(first): first}
        while self.chance.random() < 0.3:
            more = self.chance.choice(self.names)
            chosen.setdefault(_kind(more), more)
        return list(chosen.values())

    def run(self, seconds, recovered):
        """Goes on for so long; between faults mostly, and at the end, waits until recovered() returns.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            names = self._choose()
            self.cluster.note(f'begin {", ".join(names)}')
            with contextlib.ExitStack() as stack:
                for name in names:
                    stack.enter_context(FAULTS[name](self.cluster, self.chance))
                    self.done[name] += 1
                time.sleep(self.chance.choice([0.2, 0.5, 1, 2, 4]) * self.chance.uniform(0.5, 1.5))
            self.cluster.note(f'end {", ".join(names)}')
            if self.chance.random() < 0.7:
                recovered()
                self.cluster.note('recovered')
            else:
                time.sleep(self.chance.uniform(0, 0.5))
        recovered()
