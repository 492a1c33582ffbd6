# SPDX-License-Identifier: Apache-2.0
"""A small HTTP client for tests. It holds every reply against the contract before a test sees it."""
import http.client
import json
import socket
import time
import urllib.parse

import contract

TIMEOUT_S = 20


class Headers:
    """Header fields of a reply, names without regard to case."""

    def __init__(self, pairs):
        self.pairs = [(name.lower(), value) for name, value in pairs]

    def all(self, name):
        return [value for key, value in self.pairs if key == name.lower()]

    def get(self, name, default=None):
        return next(iter(self.all(name)), default)

    def __getitem__(self, name):
        values = self.all(name)
        if len(values) != 1:
            raise AssertionError(f'{name} comes {len(values)} times in {self.pairs}')
        return values[0]

    def __contains__(self, name):
        return bool(self.all(name))


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = Headers(headers)
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def slug(self):
        """The slug of a problem."""
        return self.json['type'].rpartition('/')[2]

    @property
    def zxid(self):
        return int(self.headers['X-Zxid'])

    @property
    def etag(self):
        return self.headers['ETag']

    def __repr__(self):
        return f'<{self.status} {self.body[:400]!r} {self.headers.pairs}>'


def target(path, query=None):
    """The request target of a znode: path as str or bytes, flags as True."""
    quoted = urllib.parse.quote(path, safe='/')
    return '/v1/znodes' + ('/' if quoted == '/' else quoted) + query_string(query)


def query_string(query):
    if not query:
        return ''
    parts = [name if value is True else f'{name}={urllib.parse.quote(str(value), safe="")}'
             for name, value in query.items()]
    return '?' + '&'.join(parts)


class Client:
    """One keep-alive connection, opened again when the server closed it. Not for several threads."""

    def __init__(self, port, host='127.0.0.1', check=True, timeout_s=TIMEOUT_S):
        self.port, self.host, self.check, self.timeout_s = port, host, check, timeout_s
        self._connection = None

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def request(self, method, url, body=None, headers=None, check=None):
        """Sends one request. Without a body no Content-Length is sent. Bodies that are an iterator
        of bytes are sent in chunks."""
        reused = self._connection is not None
        try:
            response = self._exchange(method, url, body, headers or {})
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            if not reused or method not in ('GET', 'HEAD', 'OPTIONS'):
                raise
            response = self._exchange(method, url, body, headers or {})
        if self.check if check is None else check:
            contract.check(method, url, response)
        return response

    def _exchange(self, method, url, body, headers):
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.host, self.port,
                                                          timeout=self.timeout_s)
        connection = self._connection
        names = {name.lower() for name in headers}
        connection.putrequest(method, url, skip_host='host' in names, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        chunked = body is not None and not isinstance(body, (bytes, bytearray))
        if chunked:
            connection.putheader('Transfer-Encoding', 'chunked')
        elif body is not None and 'content-length' not in names:
            connection.putheader('Content-Length', str(len(body)))
        connection.endheaders(body, encode_chunked=chunked)
        reply = connection.getresponse()
        response = Response(reply.status, reply.getheaders(), reply.read())
        if reply.will_close:
            self.close()
        return response

    def get(self, path, headers=None, **query):
        return self.request('GET', target(path, query), headers=headers)

    def head(self, path, headers=None, **query):
        return self.request('HEAD', target(path, query), headers=headers)

    def put(self, path, data=b'', headers=None, **query):
        return self.request('PUT', target(path, query), as_bytes(data), headers)

    def post(self, path, data=b'', headers=None, **query):
        return self.request('POST', target(path, query), as_bytes(data), headers)

    def delete(self, path, headers=None, **query):
        return self.request('DELETE', target(path, query), headers=headers)

    def multi(self, *ops, headers=None):
        body = json.dumps({'ops': ops}).encode()
        return self.request('POST', '/v1/multi', body, headers)

    def stat(self, path):
        """The stat of a znode; None if there is none."""
        response = self.get(path, view='stat')
        if response.status == 404:
            return None
        return expect(response, 200).json['stat']

    def data(self, path):
        """The bytes of a znode; None if there is none."""
        response = self.get(path, raw=True)
        return None if response.status == 404 else expect(response, 200).body

    def children(self, path):
        return expect(self.get(path, view='children', limit=10000), 200).json['children']


def as_bytes(data):
    return data.encode() if isinstance(data, str) else data


def expect(response, status, slug=None):
    """Returns the response if it has the status and, for problems, the slug."""
    if response.status != status:
        raise AssertionError(f'expected {status}: {response}')
    if slug is not None and response.slug != slug:
        raise AssertionError(f'expected {slug}: {response}')
    return response


class Wire:
    """A socket for requests that no well-behaved client would send."""

    def __init__(self, port, data=b'', timeout_s=TIMEOUT_S, host='127.0.0.1'):
        self.socket = socket.create_connection((host, port), timeout=timeout_s)
        self.buffer = b''
        if data:
            self.send(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        try:
            piece = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            piece = b''
        self.buffer += piece
        return bool(piece)

    def _take(self, count):
        while len(self.buffer) < count:
            if not self._more():
                raise AssertionError(f'closed inside a body: {self.buffer!r}')
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def _line(self):
        while b'\r\n' not in self.buffer:
            if not self._more():
                raise AssertionError(f'closed inside a line: {self.buffer!r}')
        line, _, self.buffer = self.buffer.partition(b'\r\n')
        return line

    def response(self, method='GET', interim=False):
        """Reads one reply; None if the server closed instead. Skips 1xx unless interim."""
        if not self.buffer and not self._more():
            return None
        status = int(self._line().split(b' ')[1])
        headers = []
        while line := self._line():
            name, _, value = line.decode('latin-1').partition(':')
            headers.append((name, value.strip()))
        if status < 200 and not interim:
            return self.response(method)
        return Response(status, headers, self._body(method, status, Headers(headers)))

    def _body(self, method, status, headers):
        if method == 'HEAD' or status < 200 or status in (204, 304):
            return b''
        if 'Transfer-Encoding' in headers:
            body = b''
            while size := int(self._line().split(b';')[0], 16):
                body += self._take(size)
                self._line()
            self._line()
            return body
        if 'Content-Length' in headers:
            return self._take(int(headers['Content-Length']))
        while self._more():
            pass
        return self._take(len(self.buffer))

    def closed(self, deadline_s=TIMEOUT_S):
        """Whether the server closes the connection within the deadline, sending nothing more."""
        self.socket.settimeout(deadline_s)
        try:
            return not self.buffer and not self._more()
        except socket.timeout:
            return False


def wait_until(condition, deadline_s=TIMEOUT_S, what='condition'):
    """Polls until condition() is true and returns its value."""
    limit = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > limit:
            raise AssertionError(f'{what} did not come true in {deadline_s} s')
        time.sleep(0.01)
