# SPDX-License-Identifier: Apache-2.0
"""Clients that notice what an upgrade must not do: a writer for each node, and a reader of the stream of
all changes."""
import http.client
import itertools
import json
import threading
import time

from client import Client, wait_until
from project import DEADLINE_S

ROOT = '/load'
PACE_S = 0.004  # between two writes
AGAIN_S = 0.05  # before a stream is opened again


class Writer(threading.Thread):
    """Writes through one node, as long as it may. Nothing is repeated: what fails is kept."""

    def __init__(self, project, node):
        super().__init__(daemon=True, name=f'writer {node}')
        self.node = node
        self.client = Client(project.port(node), host=project.address, check=False, timeout_s=20)
        self.acknowledged, self.failures = [], []  # (zxid, value); sentences
        self.slowest_s = 0
        self.may = threading.Lock()  # held for one write
        self.stopping = False

    def run(self):
        for number in itertools.count(1):
            with self.may:
                if self.stopping:
                    return
                self._write(f'{self.node}:{number}')
            time.sleep(PACE_S)

    def _write(self, value):
        started = time.monotonic()
        try:
            reply = self.client.put(f'{ROOT}/w{self.node}', value)
        except (OSError, http.client.HTTPException) as error:
            self.client.close()
            self.failures.append(f'{value} through n{self.node}: {error!r}')
            return
        self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        if reply.status in (200, 201):
            self.acknowledged.append((reply.json['zxid'], value))
        else:
            self.failures.append(f'{value} through n{self.node}: {reply}')


class Watcher(threading.Thread):
    """Follows the stream as a browser does: when it ends it goes on behind the last id, at the next node."""

    def __init__(self, project):
        super().__init__(daemon=True, name='watcher')
        self.project = project
        self.events, self.resets, self.opened = [], [], 0  # (zxid, value); kinds
        self.position, self.last_id = 0, None
        self.stopping = False

    def run(self):
        for node in itertools.cycle((1, 2, 3)):
            if self.stopping:
                return
            try:
                self._follow(node)
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(AGAIN_S)

    def _follow(self, node):
        connection = http.client.HTTPConnection(self.project.address, self.project.port(node), timeout=10)
        resume = {'Last-Event-ID': self.last_id} if self.last_id else {}
        connection.request('GET', f'/v1/watch{ROOT}?recursive&initial&data', headers=resume)
        try:
            reply = connection.getresponse()
            self.opened += reply.status == 200
            fields = {}
            while reply.status == 200 and not self.stopping and (line := reply.readline()):
                name, _, value = line.decode().rstrip('\n').partition(': ')
                if name:
                    fields[name] = value
                elif fields:
                    self._take(fields)
                    fields = {}
        finally:
            connection.close()

    def _take(self, fields):
        kind, data = fields.get('event'), json.loads(fields.get('data', 'null'))
        if kind in ('created', 'changed'):
            self.events.append((data['zxid'], data['data']))
        elif kind in ('reset', 'deleted', 'problem'):
            self.resets.append(data)
        if data is not None:
            self.position = data.get('zxid', self.position)
        self.last_id = fields.get('id', self.last_id)


class Load:
    def __init__(self, project):
        client = project.client(1)
        assert client.put(ROOT).status in (200, 201)
        client.close()
        self.watcher = Watcher(project)
        self.watcher.start()
        wait_until(lambda: self.watcher.last_id, DEADLINE_S, 'the stream has begun')
        self.writers = {node: Writer(project, node) for node in (1, 2, 3)}
        for writer in self.writers.values():
            writer.start()

    def leave(self, node):
        """Writes through this node no more, until come_back."""
        self.writers[node].may.acquire()
        self.writers[node].client.close()

    def come_back(self, node):
        self.writers[node].may.release()

    def progress(self, *nodes):
        """Waits until each of the nodes has acknowledged more."""
        for node in nodes:
            writer = self.writers[node]
            before = len(writer.acknowledged)
            wait_until(lambda: len(writer.acknowledged) > before + 5 or writer.failures, DEADLINE_S,
                       f'writes through n{node} go on')

    def finish(self):
        """Ends all, and fails if a write failed or a change was not told, exactly once and in order."""
        for writer in self.writers.values():
            writer.stopping = True
        for writer in self.writers.values():
            writer.join(DEADLINE_S)
        failures = [failure for writer in self.writers.values() for failure in writer.failures]
        assert not failures, f'{len(failures)} writes failed: {failures[:5]}'
        written = sorted(pair for writer in self.writers.values() for pair in writer.acknowledged)
        watcher = self.watcher
        wait_until(lambda: watcher.position >= written[-1][0], DEADLINE_S, 'the stream has told everything')
        watcher.stopping = True
        assert not watcher.resets, watcher.resets
        assert watcher.events == written, \
            f'lost: {set(written) - set(watcher.events)}, not written: {set(watcher.events) - set(written)}'
        assert len(written) > 50
        return len(written)
