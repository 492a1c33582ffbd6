# SPDX-License-Identifier: Apache-2.0
"""HTTP as a client sees it when things break: either the request was not sent, or there is no answer and
nobody knows, or there is an answer."""
import http.client
import json
import select
import socket
import urllib.parse


class NotSent(Exception):
    """There was no connection: the service has not seen the request."""


class Lost(Exception):
    """The request may have arrived; no whole answer has come back."""


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def zxid(self):
        return int(self.headers['X-Zxid'])

    @property
    def problem(self):
        """The slug of a problem; '' if it is none."""
        if not self.headers.get('Content-Type', '').startswith('application/problem+json'):
            return ''
        return self.json['type'].rpartition('/')[2]

    def __repr__(self):
        return f'<{self.status} {self.body[:300]!r}>'


class Connection:
    """One keep-alive connection from a namespace, opened when it is needed. Nothing is repeated here."""

    def __init__(self, space, address, port, timeout_s=5):
        self.space, self.address, self.port, self.timeout_s = space, address, port, timeout_s
        self._http = None

    def close(self):
        if self._http is not None:
            self._http.close()
            self._http = None

    @property
    def socket(self):
        """The open connection, for one who sends bytes himself."""
        self.open()
        return self._http.sock

    def open(self):
        if self._http is not None:
            return
        made = self.space.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.settimeout(self.timeout_s)
            made.connect((self.address, self.port))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            made.close()
            raise NotSent(str(error)) from error
        self._http = http.client.HTTPConnection(self.address, self.port)
        self._http.auto_open = 0
        self._http.sock = made

    def _closed_meanwhile(self):
        """Whether the service has ended the idle connection: nothing else can have come."""
        return bool(select.select([self._http.sock], [], [], 0)[0])

    def begin(self, method, target, headers=None):
        """Sends a request, and returns the answer with its body still to be read; on a new connection."""
        self.open()
        try:
            self._http.request(method, target, None, headers or {})
            return self._http.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(f'{type(error).__name__}: {error}') from error

    def request(self, method, target, body=None, headers=None):
        if self._http is not None and self._closed_meanwhile():
            self.close()
        self.open()
        try:
            self._http.request(method, target, body, headers or {})
            answer = self._http.getresponse()
            reply = Reply(answer.status, answer.headers, answer.read())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(f'{type(error).__name__}: {error}') from error
        if answer.will_close:
            self.close()
        return reply


def znode(path, **query):
    """The request target of a znode; flags are True, what is None is left out."""
    parts = [name if value is True else f'{name}={value}' for name, value in query.items()
             if value is not None and value is not False]
    return '/v1/znodes' + urllib.parse.quote(path, safe='/') + ('?' + '&'.join(parts) if parts else '')
