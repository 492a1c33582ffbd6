# SPDX-License-Identifier: Apache-2.0
"""Upgrades that nobody notices: nodes restarted, or replaced by those of another image, one after the
other, while clients write through the others and read the stream of all changes."""
import http.client
import threading
import time

import engine
from client import Client, wait_until
from load import Load
from project import NODES

STOP_S = 5


def test_a_rolling_restart(cluster):
    load = Load(cluster)
    load.progress(*NODES)
    for node in NODES:
        load.leave(node)
        started = time.monotonic()
        engine.docker('stop', cluster.container(node))
        assert time.monotonic() - started < STOP_S
        load.progress(*cluster.others(node))
        engine.docker('start', cluster.container(node))
        cluster.wait_ready()
        load.come_back(node)
        load.progress(node)
    load.finish()
    assert load.watcher.opened > 1


def test_a_rolling_upgrade(cluster):
    load = Load(cluster)
    old, new = cluster.image, engine.build(f'curlew-test-next:{engine.TAG}', '--build-arg', 'VERSION=next')
    ids = {name: engine.inspect(name)['Id'] for name in (old, new)}
    assert ids[old] != ids[new]
    cluster.image = new
    try:
        for node in NODES:
            load.leave(node)
            cluster.up('--no-deps', f'n{node}')
            load.progress(*cluster.others(node))
            cluster.wait_ready()
            load.come_back(node)
            load.progress(node)
        load.finish()
        for node in NODES:
            assert engine.inspect(cluster.container(node))['Image'] == ids[new]
    finally:
        cluster.image = old


class Queue(threading.Thread):
    """Puts elements into a queue through one node, until that has gone."""

    def __init__(self, address, port, number):
        super().__init__(daemon=True)
        self.client = Client(port, host=address, check=False, timeout_s=20)
        self.number, self.count, self.open = number, 0, None
        self.problems = []

    def run(self):
        while True:
            self.count += 1
            self.open = f'{self.number}:{self.count}'
            try:
                reply = self.client.post('/queue/e-', self.open, sequential=True,
                                         headers={'Idempotency-Key': self.open})
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, http.client.IncompleteRead):
                    self.problems.append(f'half a reply: {self.open}')
                return  # nothing came: it was not received
            if reply.status == 503 and reply.slug == 'draining':
                return
            if reply.status != 201:
                self.problems.append(f'{self.open}: {reply}')
                return
            self.open = None


def test_who_leaves_answers_what_it_has_received(cluster):
    """Of each client at most the last request is without an answer, and repeated elsewhere it happens once."""
    node = cluster.leader()
    other = cluster.others(node)[0]
    through = cluster.client(other)
    assert through.put('/queue').status == 201
    clients = [Queue(cluster.address, cluster.port(node), number) for number in range(8)]
    for client in clients:
        client.start()
    wait_until(lambda: all(client.count > 5 for client in clients), 20, 'all have written')
    engine.docker('stop', cluster.container(node))
    for client in clients:
        client.join(20)
        assert not client.is_alive() and not client.problems, client.problems
        if client.open is not None:
            assert through.post('/queue/e-', client.open, sequential=True,
                                headers={'Idempotency-Key': client.open}).status == 201
    values = [through.data(f'/queue/{name}').decode() for name in through.children('/queue')]
    wanted = {f'{client.number}:{count}' for client in clients
              for count in range(1, client.count + (client.open is not None))}
    assert len(values) == len(set(values)) and wanted <= set(values)
    engine.docker('start', cluster.container(node))
    cluster.wait_ready()
