# SPDX-License-Identifier: Apache-2.0
"""Limits: each is an option, each refusal names its limit, and the server serves on afterwards."""
import concurrent.futures
import socket
import time

import pytest

from client import Client, Wire, expect, wait_until

LIMITS = ('--max-url-bytes', 400, '--max-header-bytes', 2000, '--max-body-bytes', 1024,
          '--max-json-depth', 8)


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    """A daemon with small limits."""
    from daemon import Daemon
    server = Daemon(tmp_path_factory.mktemp('small') / 'data', *LIMITS).start()
    yield server
    server.stop()


@pytest.fixture
def client(small):
    client = Client(small.port)
    yield client
    client.close()
    expect(Client(small.port).get('/'), 200)


def test_a_long_target_is_414(client):
    def target_of(length):
        return '/v1/znodes/' + 'a/' * ((length - 11) // 2) + 'a' * (1 + (length - 12) % 2)

    assert client.request('GET', target_of(400)).status == 404
    problem = expect(client.request('GET', target_of(401)), 414, 'uri-too-long').json
    assert '400' in problem['detail']


@pytest.mark.parametrize('length', [5000, 20000, 200000])
def test_a_target_beyond_every_buffer_is_414(small, length):
    with Wire(small.port) as wire:
        try:
            wire.send(b'GET /v1/znodes/' + b'a' * length + b' HTTP/1.1\r\nHost: localhost\r\n\r\n')
        except OSError:
            pass
        reply = wire.response()
        assert reply is None or reply.status == 414
    expect(Client(small.port).get('/'), 200)


def test_large_headers_are_431(client):
    expect(client.get('/', headers={'X-Padding': 'x' * 1500}), 200)
    reply = client.get('/', headers={'X-Padding': 'x' * 2100})
    assert '2000' in expect(reply, 431, 'headers-too-large').json['detail']


@pytest.mark.parametrize('count', [300, 1000])
def test_headers_beyond_every_buffer_are_431(client, count):
    headers = {f'X-{number}': 'x' for number in range(count)}
    reply = client.request('GET', '/v1/znodes', headers=headers, check=False)
    assert reply.status == 431  # here the library itself may answer, without a problem


def test_a_large_body_is_413_by_its_length(client):
    expect(client.put('/body', b'x' * 1024), 201)
    problem = expect(client.put('/body', b'x' * 1025), 413, 'body-too-large').json
    assert '1024' in problem['detail']
    assert client.data('/body') == b'x' * 1024


def test_a_large_body_is_413_before_it_is_sent(small):
    head = b'PUT /v1/znodes/announced HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n'
    for length in (1 << 40, 10 ** 18, 10 ** 30):  # a small excess may be read first
        with Wire(small.port, head % length, timeout_s=5) as wire:
            assert wire.response().status in (400, 413), length
    assert Client(small.port).stat('/announced') is None


def test_a_large_body_is_413_in_chunks(client):
    expect(client.request('PUT', '/v1/znodes/chunks', iter([b'x' * 512] * 2)), 201)
    reply = client.request('PUT', '/v1/znodes/chunks', iter([b'y' * 512] * 3))
    expect(reply, 413, 'body-too-large')
    assert client.data('/chunks') == b'x' * 1024


def test_an_endless_body_does_not_go_on(small):
    with Wire(small.port) as wire:
        wire.send(b'PUT /v1/znodes/endless HTTP/1.1\r\nHost: localhost\r\n'
                  b'Transfer-Encoding: chunked\r\n\r\n')
        sent = 0
        try:
            while sent < 64 << 20:
                wire.send(b'10000\r\n' + b'x' * 65536 + b'\r\n')
                sent += 65536
        except OSError:
            pass
        assert sent < 64 << 20, 'the server reads without end'
    assert Client(small.port).stat('/endless') is None


def test_a_deep_json_is_refused(client):
    for depth in (9, 100, 450):
        body = b'{"ops":' + b'[' * depth + b']' * depth + b'}'
        expect(client.request('POST', '/v1/multi', body), 400, 'bad-json')


def test_the_default_body_limit_is_a_mebibyte(api, top):
    expect(api.put(top, b'x' * (1 << 20)), 200)
    problem = expect(api.put(top, b'x' * ((1 << 20) + 1)), 413, 'body-too-large').json
    assert str(1 << 20) in problem['detail']


def occupy(daemon, count, source):
    """Opens connections from an address and proves that each is served: at first the one by which the start
    was awaited may still count."""
    def served():
        wire = Wire.__new__(Wire)
        wire.socket = socket.create_connection(('127.0.0.1', daemon.port), timeout=10,
                                               source_address=(source, 0))
        wire.buffer = b''
        wire.send(b'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n')
        if wire.response().status == 200:
            return wire
        wire.socket.close()
        return None

    return [wait_until(served, what='a free place') for _ in range(count)]


def knock(daemon, source, request=b'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'):
    """The answer to one more connection; None if it was closed without one."""
    wire = Wire.__new__(Wire)
    wire.socket = socket.create_connection(('127.0.0.1', daemon.port), timeout=10,
                                           source_address=(source, 0))
    wire.buffer = b''
    try:
        wire.send(request)
    except OSError:
        pass
    with wire:
        return wire.response()


def test_too_many_connections_are_503(start):
    daemon = start('--max-connections', 8, '--max-connections-per-address', 6)
    opened = occupy(daemon, 4, '127.0.0.2') + occupy(daemon, 4, '127.0.0.3')
    reply = knock(daemon, '127.0.0.4')
    assert reply is not None and expect(reply, 503, 'overloaded').json['retryable'] is True
    assert int(reply.headers['Retry-After']) >= 0
    opened.pop().socket.close()
    wait_until(lambda: knock(daemon, '127.0.0.4').status == 200, what='a free place')
    for wire in opened:
        wire.socket.close()


def test_too_many_connections_of_one_address_are_429(start):
    daemon = start('--max-connections', 50, '--max-connections-per-address', 3)
    opened = occupy(daemon, 3, '127.0.0.2')
    reply = expect(knock(daemon, '127.0.0.2'), 429, 'too-many-requests')
    assert int(reply.headers['Retry-After']) >= 0
    assert knock(daemon, '127.0.0.3').status == 200
    for wire in opened:
        wire.socket.close()
    wait_until(lambda: knock(daemon, '127.0.0.2').status == 200, what='a free place')


FOR_ALL = [b'GET /v1/znodes/a?wait=1s HTTP/1.1\r\n', b'GET /v1/sessions/0x1/stream HTTP/1.1\r\n',
           b'PUT /v1/watch HTTP/1.1\r\n', b'GET /v1/wat', b'', b'\r\n', b'\x16\x03\x01']


def test_who_wants_to_watch_is_not_refused_with_a_status(start):
    """An EventSource gives up on any but 200, and comes back after a connection that just ends."""
    daemon = start('--max-connections', 8, '--max-connections-per-address', 6)
    opened = occupy(daemon, 6, '127.0.0.2') + occupy(daemon, 2, '127.0.0.3')
    for source in ('127.0.0.2', '127.0.0.4'):  # too many of one address, too many in all
        for target in (b'/v1/watch', b'/v1/watch/a?recursive', b'/v1/watch?path=/a'):
            request = b'GET ' + target + b' HTTP/1.1\r\nHost: localhost\r\n\r\n'
            assert knock(daemon, source, request) is None
        for request in FOR_ALL:
            assert knock(daemon, source, request).status in (429, 503), request
    for wire in opened:
        wire.socket.close()


def test_refusals_are_answered_however_many_there_are(start):
    daemon = start('--max-connections', 4)
    opened = occupy(daemon, 4, '127.0.0.2')
    wires = [Wire(daemon.port) for _ in range(200)]  # which say nothing; 64 can wait
    for wire in wires:
        assert wire.response().status == 503
        wire.socket.close()
    for wire in opened:
        wire.socket.close()


SLOW = {
    'nothing-of-the-head': b'G',
    'half-a-head': b'GET / HTTP/1.1\r\nHost: loc',
    'half-a-body': b'PUT /v1/znodes/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab',
    'half-a-chunk': b'PUT /v1/znodes/slow HTTP/1.1\r\nHost: localhost\r\n'
                    b'Transfer-Encoding: chunked\r\n\r\n5\r\nab',
}


@pytest.fixture(scope='module')
def impatient(tmp_path_factory):
    from daemon import Daemon
    server = Daemon(tmp_path_factory.mktemp('impatient') / 'data',
                    '--request-timeout', '400ms', '--idle-timeout', '1s').start()
    yield server
    server.stop()


def ends(wire):
    reply = wire.response()
    assert reply is None or expect(reply, 408, 'request-timeout')
    assert wire.closed()


@pytest.mark.parametrize('kind', SLOW)
def test_a_request_that_stops_is_ended(impatient, kind):
    with Wire(impatient.port, SLOW[kind], timeout_s=8) as wire:
        ends(wire)
    assert Client(impatient.port).stat('/slow') is None


@pytest.mark.parametrize('part', ['head', 'body'])
def test_a_request_that_trickles_is_ended(impatient, part):
    head = b'PUT /v1/znodes/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n'
    with Wire(impatient.port, head if part == 'head' else head + b'\r\n', timeout_s=8) as wire:
        limit = time.monotonic() + 8
        wire.socket.settimeout(0.05)
        while time.monotonic() < limit:
            try:
                wire.send(b'X-A: b\r\n' if part == 'head' else b'x')
                if not wire.socket.recv(4096):
                    return
            except socket.timeout:
                continue
            except OSError:
                return
    pytest.fail('a sender of one byte at a time is served for ever')


def test_an_idle_connection_is_closed(impatient):
    with Wire(impatient.port, b'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n') as wire:
        assert wire.response().status == 200
        assert wire.closed(8)


def test_bodies_in_memory_are_bounded(start):
    daemon = start('--max-bodies-bytes', 4 << 20, '--request-timeout', '20s')
    head = (b'PUT /v1/znodes/held HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n')
    held = [Wire(daemon.port, head + b'x' * 900000) for _ in range(8)]
    api = Client(daemon.port)
    expect(api.get('/'), 200)
    for wire in held:
        try:
            wire.send(b'x' * 100000)
        except OSError:
            pass
    replies = [wire.response() for wire in held]
    assert {reply.status for reply in replies if reply is not None} <= {200, 201, 503}
    assert any(reply is None or reply.status == 503 for reply in replies)
    for reply in replies:
        if reply is not None and reply.status == 503:
            expect(reply, 503, 'overloaded')
    assert api.put('/held', b'y' * 1000000).status in (200, 201)
    for wire in held:
        wire.socket.close()


def test_many_clients_at_once_are_all_answered(daemon, top):
    def work(number):
        client = Client(daemon.port)
        statuses = [client.put(f'{top}/{number}-{turn}', b'x').status for turn in range(20)]
        client.close()
        return statuses

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        results = list(pool.map(work, range(32)))
    assert {status for statuses in results for status in statuses} == {201}
    assert Client(daemon.port).stat(top)['numChildren'] == 640


def test_very_many_query_parameters_are_answered(api):
    """The HTTP library, left to itself, answers nothing when they do not fit into its memory."""
    expect(api.request('GET', '/livez?' + '&'.join(['a=b'] * 1500)), 400, 'bad-query')
