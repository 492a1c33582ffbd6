# SPDX-License-Identifier: Apache-2.0
"""Reads streams: Server-Sent Events as WHATWG HTML section 9.2 says, or JSON lines."""
import http.client
import json
import socket
import time
import urllib.parse

import contract
from client import Headers

DEADLINE_S = 20


class Event:
    def __init__(self, kind, data, id_):
        self.kind, self.data, self.id = kind, data, id_

    @property
    def zxid(self):
        return self.data['zxid']

    @property
    def path(self):
        return self.data.get('path')

    def __repr__(self):
        return f'<{self.kind} {self.id} {self.data}>'


class Ended(Exception):
    """The server closed the stream."""


def watch_url(*paths, **query):
    """The target of a stream: one path in the URL, several as parameters; flags as True."""
    items = [(name, value) for name, value in query.items()]
    if len(paths) == 1:
        url = '/v1/watch' + urllib.parse.quote(paths[0], safe='/')
    else:
        url, items = '/v1/watch', [('path', path) for path in paths] + items
    text = '&'.join(name if value is True else f'{name}={urllib.parse.quote(str(value), safe="")}'
                    for name, value in items)
    return url + ('?' + text if text else '')


class Stream:
    """A stream over a connection of its own: of changes, or of `url`. Every event is held against the
    contract."""

    def __init__(self, port, *paths, url=None, schema='Event', lines=False, headers=None,
                 receive_buffer=None, **query):
        self.lines, self.schema = lines, schema
        self.comments = 0
        self.retry = None
        self.last_id = None  # as a browser keeps it
        self._text = b''
        self._connection = http.client.HTTPConnection('127.0.0.1', port, timeout=DEADLINE_S)
        if receive_buffer:
            self._connection.sock = socket.socket()
            self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self._connection.sock.settimeout(DEADLINE_S)
            self._connection.sock.connect(('127.0.0.1', port))
        accept = {'Accept': 'application/x-ndjson' if lines else 'text/event-stream'}
        self._connection.request('GET', url or watch_url(*paths, **query),
                                 headers={**accept, **(headers or {})})
        self.socket = self._connection.sock
        self._reply = self._connection.getresponse()
        self.status = self._reply.status
        self.headers = Headers(self._reply.getheaders())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._reply.close()
        self._connection.close()

    def _take(self, separator):
        while separator not in self._text:
            piece = self._reply.read1(65536)
            if not piece:
                raise Ended(self._text)
            self._text += piece
        taken, _, self._text = self._text.partition(separator)
        return taken.decode()

    def _parse_block(self):
        kind, data, id_ = None, None, None
        for line in self._take(b'\n\n').split('\n'):
            name, _, value = line.partition(': ')
            if line.startswith(':'):
                self.comments += 1
            elif name == 'retry':
                self.retry = int(value)
            elif name == 'event':
                kind = value
            elif name == 'data':
                data = json.loads(value)
            elif name == 'id':
                id_ = value
            else:
                raise AssertionError(f'not a line of an event stream: {line!r}')
        return None if kind is None else Event(kind, data, id_)

    def _parse_line(self):
        data = json.loads(self._take(b'\n'))
        if data['event'] == 'heartbeat':
            self.comments += 1
            return None
        return Event(data['event'], data, data.get('id'))

    def next(self):
        """The next event, whatever it is."""
        event = None
        while event is None:
            event = self._parse_line() if self.lines else self._parse_block()
        if event.kind != event.data['event']:
            raise AssertionError(f'the kinds differ: {event}')
        contract.validate(self.schema, event.data)
        self.last_id = event.id or self.last_id
        return event

    def change(self):
        """The next event that is no bookmark."""
        event = self.next()
        while event.kind == 'bookmark':
            event = self.next()
        return event

    def changes(self, count):
        return [self.change() for _ in range(count)]

    def until_bookmark(self):
        """Everything up to the next bookmark, which comes last."""
        events = [self.next()]
        while events[-1].kind != 'bookmark':
            events.append(self.next())
        return events

    def rest(self):
        """Everything until the server closes the stream."""
        events = []
        try:
            while True:
                events.append(self.next())
        except Ended:
            return events


def wait_until(condition, deadline_s=DEADLINE_S):
    limit = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError('it does not come true')
        time.sleep(0.01)
