# SPDX-License-Identifier: Apache-2.0
"""Watchers of a cluster: each reads a stream of changes at some node until that breaks, is silent for too
long or is given up on a whim, and goes on at any node behind the last id. At the end each must have seen
every change of what it watches, once, in order, as the changes were."""
import collections
import http.client
import random
import threading
import time

from http_client import Lost, NotSent
from streams import Ended, Stream, watch_url

SILENCE_S = (1.5, 8)  # after which a watcher gives a node up; bookmarks come at least every 5 s
WHIM = 0.004          # share of the events after which it leaves without a reason
BROKEN = (NotSent, Lost, Ended, OSError, http.client.HTTPException)


class NodeStream(Stream):
    """A stream of a node in its namespace. The contract of each event is for tests/rest to check."""

    def __init__(self, node, *paths, lines=False, last_id=None, timeout_s=20, **query):
        self.lines, self.comments, self.retry, self.last_id = lines, 0, None, last_id
        self._text = b''
        self._connection = node.connection(timeout_s)
        headers = {'Accept': 'application/x-ndjson' if lines else 'text/event-stream'}
        if last_id is not None:
            headers['Last-Event-ID'] = last_id
        try:
            self._reply = self._connection.begin('GET', watch_url(*paths, **query), headers)
        except BROKEN:
            self._connection.close()
            raise
        if self._reply.status != 200:
            raise AssertionError(f'a stream is {self._reply.status}: {self._reply.read()!r}')
        self.socket = self._connection.socket

    def next(self):
        event = None
        while event is None:
            event = self._parse_line() if self.lines else self._parse_block()
        self.last_id = event.id or self.last_id
        return event


class Watcher(threading.Thread):
    """What it has seen may be read when it has ended."""

    def __init__(self, number, cluster, seed, since, *paths, lines=False, recursive=False, data=False):
        super().__init__(daemon=True, name=f'watcher {number}')
        self.cluster, self.chance = cluster, random.Random(f'watcher/{seed}/{number}')
        self.since, self.paths, self.lines = since, paths, lines
        self.recursive, self.data = recursive, data
        self.position, self.last_id = since, None
        self.seen = []       # bodies of the events, without bookmarks
        self.pending = []    # of the transaction whose last event has not come
        self.cuts = collections.Counter()  # why streams ended, and where
        self.nodes = collections.Counter()
        self.until = None    # position at which it has seen enough
        self.failure = None

    def __str__(self):
        return f'{self.name} of {", ".join(self.paths)} {"below" if self.recursive else "alone"}'

    def run(self):
        node = None
        try:
            while not self.is_done():
                node = self.chance.choice(self.cluster.others(node))
                try:
                    self._follow(node)
                except BROKEN as error:
                    self._cut(type(error).__name__)
                    time.sleep(self.chance.uniform(0, 0.1))
        except Exception as error:  # noqa: B902 whoever waits for it reports it
            self.failure = error

    def is_done(self):
        return self.until is not None and self.position >= self.until

    def _follow(self, node):
        query = {name: True for name in ('recursive', 'data') if getattr(self, name)}
        if self.last_id is None:
            query['since'] = self.since
        patience_s = max(SILENCE_S) if self.until is not None else self.chance.uniform(*SILENCE_S)
        with NodeStream(node, *self.paths, lines=self.lines, last_id=self.last_id, timeout_s=patience_s,
                        **query) as stream:
            self.nodes[node.number] += 1
            while not self.is_done():
                self._take(stream.next(), node)
                if self.chance.random() < WHIM:
                    return self._cut('whim')

    def _cut(self, why):
        """What has come of a transaction that is not whole comes again."""
        self.cuts[why] += 1
        self.cuts['inside a transaction'] += bool(self.pending)
        self.pending = []

    def _take(self, event, node):
        if event.kind not in ('created', 'changed', 'deleted', 'children', 'bookmark'):
            raise AssertionError(f'{self}, at {node}: {event}')
        if event.zxid < self.position or event.kind != 'bookmark' and event.zxid == self.position:
            raise AssertionError(f'{self}, at {node}, had all up to {self.position}, and now {event}')
        if event.kind != 'bookmark':
            self.pending.append({name: value for name, value in event.data.items() if name != 'id'})
        if event.id is None:
            return
        if event.kind == 'bookmark' and self.pending:
            raise AssertionError(f'{self}, at {node}: a bookmark inside a transaction: {self.pending}')
        self.seen += self.pending
        self.pending = []
        self.position, self.last_id = event.zxid, event.id


def finish(watchers, cluster, zxid):
    """They end when they know everything up to there."""
    for watcher in watchers:
        watcher.until = zxid
    for watcher in watchers:
        cluster.wait(lambda: not watcher.is_alive(), f'{watcher}, at {watcher.position}, comes to {zxid}')
        if watcher.failure is not None:
            raise watcher.failure


def whole_story(node, since, zxid):
    """Every change of the tree between two positions, as one node tells it."""
    told = []
    with NodeStream(node, '/', recursive=True, data=True, since=since) as stream:
        while not told or told[-1].zxid < zxid or told[-1].id is None:  # the last transaction is whole
            told.append(stream.change())
    strange = [event for event in told if event.kind not in ('created', 'changed', 'deleted')]
    assert not strange, f'{node}: {strange}'
    return [event.data for event in told]


def parent_of(path):
    return path.rpartition('/')[0] or '/'


class Projection:
    """What a watcher must see of a story that begins with no znode but the root."""

    def __init__(self, story):
        self.story = story
        self.lists = {}  # path: [cversion, numChildren]

    def of(self, paths, recursive, data):
        self.lists = {'/': [None, None]}
        seen = []
        for event in self.story:
            self._count(event)
            if any(covers(path, event['path'], recursive) for path in paths):
                seen.append(event if data else without_data(event))
            if not recursive and event['event'] != 'changed' and parent_of(event['path']) in paths:
                seen.append(self._children(event))
        return seen

    def _count(self, event):
        if event['event'] == 'changed':
            return
        step = 1 if event['event'] == 'created' else -1
        if step > 0:
            self.lists[event['path']] = [0, 0]
        parent = self.lists[parent_of(event['path'])]
        if parent[0] is not None:
            parent[0], parent[1] = parent[0] + 1, parent[1] + step

    def _children(self, event):
        path = parent_of(event['path'])
        return {'event': 'children', 'path': path, 'zxid': event['zxid'],
                'stat': tuple(self.lists[path])}


def covers(watched, path, recursive):
    return path == watched or recursive and path.startswith(watched.rstrip('/') + '/')


def without_data(event):
    return {name: value for name, value in event.items() if name not in ('data', 'encoding')}


def comparable(event):
    """Of a list of children only what a story tells is compared."""
    if event['event'] != 'children':
        return event
    stat = event['stat']
    assert stat['pzxid'] == event['zxid'], event
    return {**event, 'stat': (stat['cversion'], stat['numChildren'])}


def difference(expected, seen):
    """A sentence about the first event that is not as it should be; None if all are."""
    for number, (one, other) in enumerate(zip(expected, seen)):
        if one != other:
            return f'event {number} should be\n    {one}\nand is\n    {other}'
    if len(expected) != len(seen):
        first = (expected if len(expected) > len(seen) else seen)[min(len(expected), len(seen))]
        return f'{len(expected)} events were expected and {len(seen)} came; the first too few or many: {first}'
    return None


def check_story(story, ops, first_zxid, last_zxid):
    """A story has a change at every zxid, and exactly those that clients were told of, and perhaps those
    whose outcome they do not know."""
    zxids = sorted({event['zxid'] for event in story})
    assert zxids == list(range(first_zxid + 1, last_zxid + 1)), 'zxids are missing, or come from nowhere'
    assert [event['zxid'] for event in story] == sorted(event['zxid'] for event in story)
    places = {(event['zxid'], event['path']): event for event in story}
    assert len(places) == len(story), 'a change is told twice'
    for op in ops:
        if op.is_write and op.outcome == 'ok':
            event = places.pop((op.zxid, op.key), None)
            assert event is not None and fits(event, op), f'acknowledged, and told as {event}: {op}'
    unknown = {(op.key, op.value) for op in ops if op.is_write and op.outcome == 'unknown'}
    for event in places.values():
        value = None if event['event'] == 'deleted' else event['data'].partition('|')[0]
        assert (event['path'], value) in unknown, f'nobody wrote this: {event}'


def fits(event, op):
    if op.kind == 'delete':
        return event['event'] == 'deleted'
    kind = 'created' if op.found.version == 0 else 'changed'
    return (event['event'], event['stat']['version'], event['data'].partition('|')[0]) == \
        (kind, op.found.version, op.value)
