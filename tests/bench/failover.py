# SPDX-License-Identifier: Apache-2.0
"""How long a cluster of three is without a leader: from the fault to the first write that was sent after
it and is acknowledged through another node. Both other nodes are asked at the instant of the fault, and
the first answer counts. Clients write through them all the time; what fails there is counted.

Needs network namespaces (root). Nothing here passes or fails."""
import argparse
import pathlib
import random
import select
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / 'cluster' / 'lib'), str(TESTS / 'rest')]

import netns  # noqa: E402
from cluster import Cluster, knows_peers  # noqa: E402
from http_client import Lost, NotSent  # noqa: E402

WAIT_S = 30  # after which a write is given up


class Writer(threading.Thread):
    """Writes through one node, one request behind the other."""

    def __init__(self, node, number):
        super().__init__(daemon=True)
        self.connection = node.connection(WAIT_S)
        self.target = f'/v1/znodes/load{number}'
        self.stopping = threading.Event()
        self.done, self.failed = 0, 0
        self.longest_s = 0.0

    def run(self):
        while not self.stopping.wait(0.001):
            begin = time.monotonic()
            try:
                good = self.connection.request('PUT', self.target, b'x' * 100).status in (200, 201)
            except (NotSent, Lost):
                good = False
            self.done += good
            self.failed += not good
            self.longest_s = max(self.longest_s, time.monotonic() - begin)
        self.connection.close()


class Probe:
    """A write that is ready to be sent on an open connection."""

    def __init__(self, node):
        self.connection = node.connection(WAIT_S)
        self.connection.request('PUT', '/v1/znodes/probe', b'x')
        self.socket = self.connection.socket
        self.head = (f'PUT /v1/znodes/probe HTTP/1.1\r\nHost: {node.address}\r\nContent-Length: 1\r\n'
                     f'Prefer: wait={WAIT_S}\r\n\r\nx').encode()

    def send(self):
        self.socket.sendall(self.head)

    def acknowledged(self):
        return self.socket.recv(65536).startswith((b'HTTP/1.1 200', b'HTTP/1.1 201'))


def first_acknowledged(probes, begin):
    """Seconds until one of the writes is acknowledged; None if all failed."""
    waiting = {probe.socket: probe for probe in probes}
    while waiting:
        for ready in select.select(list(waiting), [], [], WAIT_S)[0] or list(waiting):
            if waiting.pop(ready).acknowledged():
                return time.monotonic() - begin
    return None


def kill(cluster, leader):
    leader.send(signal.SIGKILL)

    def over():
        leader.kill()
        leader.spawn()

    return over


def terminate(cluster, leader):
    leader.send(signal.SIGTERM)

    def over():
        leader.terminate()
        leader.spawn()

    return over


def stop(cluster, leader):
    leader.pause()
    return leader.resume


def silence(cluster, leader):
    """Every packet between it and the others is lost, and nobody is told."""
    cluster.network.isolate(leader.number)
    return cluster.network.heal


FAULTS = {'kill -9': kill, 'SIGTERM': terminate, 'SIGSTOP': stop, 'silent partition': silence}


def measure(cluster, fault, chance):
    """(seconds to the next acknowledged write, requests that failed, longest request in seconds)"""
    cluster.wait_ready()
    leader = cluster.leader()
    others = cluster.others(leader)
    probes = [Probe(node) for node in others]
    writers = [Writer(node, number) for number, node in enumerate(others)]
    for writer in writers:
        writer.start()
    cluster.wait(lambda: all(writer.done > 20 for writer in writers), 'the writers write')
    time.sleep(chance.uniform(0, 0.2))  # anywhere between two heartbeats
    begin = time.monotonic()
    over = fault(cluster, leader)
    for probe in probes:
        probe.send()
    seconds = first_acknowledged(probes, begin)
    before = [writer.done for writer in writers]
    cluster.wait(lambda: all(writer.done > done + 20 for writer, done in zip(writers, before)),
                 'both other nodes serve')
    for writer in writers:
        writer.stopping.set()
    for writer in writers:
        writer.join(WAIT_S)
    over()
    for probe in probes:
        probe.connection.close()
    return seconds, sum(writer.failed for writer in writers), max(w.longest_s for w in writers)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def row(name, results):
    times = [seconds * 1000 for seconds, _, _ in results if seconds is not None]
    lost = sum(seconds is None for seconds, _, _ in results)
    failed = sum(failed for _, failed, _ in results)
    longest = [longest_s * 1000 for _, _, longest_s in results]
    if not times:
        print(f'{name:18} never')
        return
    print(f'{name:18} {len(results):4} {statistics.median(times):9.1f} {percentile(times, 0.99):9.1f} '
          f'{max(times):9.1f} {statistics.median(longest):13.1f} {max(longest):9.1f} {failed:8}'
          + (f'  {lost} probes failed' if lost else ''), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--runs', type=int, default=30, help='of each fault')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--only', choices=list(FAULTS))
    arguments = parser.parse_args()
    reason = netns.why_not() or (None if knows_peers() else 'this curlewd knows no --peers')
    if reason is not None:
        sys.exit(f'fail-over cannot be measured here: {reason}')
    chance = random.Random(arguments.seed)
    directory = pathlib.Path(tempfile.mkdtemp(prefix='failover-', dir=TESTS.parent / 'build'))
    cluster = Cluster(3, directory)
    print(f'{"fault":18} {"runs":>4} {"median ms":>9} {"p99":>9} {"max":>9} {"longest req.":>13} {"max":>9} '
          f'{"failed":>8}')
    try:
        cluster.start()
        for name in [arguments.only] if arguments.only else FAULTS:
            row(name, [measure(cluster, FAULTS[name], chance) for _ in range(arguments.runs)])
        cluster.wait_ready()
        cluster.check_logs()
    finally:
        cluster.close()
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == '__main__':
    main()
