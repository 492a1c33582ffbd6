# SPDX-License-Identifier: Apache-2.0
"""Sessions that hang on a connection. What must happen "at once" is held against a timeout that is much
longer; what must not happen is held against the clock of the client."""
import contextlib
import ctypes
import os
import signal
import socket
import struct
import subprocess
import time

import pytest

from client import Client, expect, wait_until
from exposition import families, value
from sessions import Session, wait_gone
from streams import Ended, Stream

AT_ONCE_S = 5  # on a loaded machine; the timeouts below are longer
LONG_MS = 60000
SO_ATTACH_FILTER = 26  # Linux, on most machines


@pytest.fixture
def session(api):
    return Session(api, LONG_MS)


@pytest.fixture
def bind(daemon):
    """Opens streams; what a test leaves open is closed behind it."""
    with contextlib.ExitStack() as opened:
        def run(session, port=None, **more):
            return opened.enter_context(open_stream(port or daemon.port, session, **more))
        yield run


def open_stream(port, session, grace=None, headers=None, **more):
    url = f'{session.url}/stream' + (f'?grace={grace}' if grace else '')
    return Stream(port, url=url, schema='SessionEvent', headers=headers or session.headers, **more)


def bound(stream):
    """Waits until the stream is one that binds."""
    event = stream.next()
    assert event.kind == 'bound', event
    return event


def lives(session):
    return session.show().status == 200


def ended(session, deadline_s=AT_ONCE_S):
    wait_until(lambda: session.show().status == 410, deadline_s, 'the end of the session')


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    sock.close()


# ---- Opening -------------------------------------------------------------------------------------

@pytest.mark.parametrize('lines', [False, True])
def test_the_first_event_says_what_was_bound(session, bind, lines):
    stream = bind(session, lines=lines, grace='1500ms')
    assert stream.status == 200
    assert stream.headers['Cache-Control'] == 'no-store'
    assert stream.headers['Content-Type'] == ('application/x-ndjson' if lines else 'text/event-stream')
    event = bound(stream)
    assert event.data == {'event': 'bound', 'zxid': int(stream.headers['X-Zxid']), 'session': session.id,
                          'timeout_ms': LONG_MS, 'grace_ms': 1500}
    assert event.id is None and (lines or 250 <= stream.retry <= 2000)


def test_binding_is_a_change_of_the_state(api, session, bind):
    before = api.request('GET', '/v1/sessions').zxid
    assert bound(bind(session)).zxid > before


def test_who_may_not_is_refused_and_nothing_is_bound(api, session, bind):
    stream = bind(session)
    bound(stream)
    wrong = {'Curlew-Session': session.id + '.' + '0' * 32}
    for headers in ({}, wrong, Session(api, 5000).headers):
        for method in ('GET', 'HEAD'):
            expect(api.request(method, session.url + '/stream', headers=headers), 403)
    lost = Session(api, LONG_MS)
    expect(lost.close(), 204)
    for method in ('GET', 'HEAD'):
        expect(lost.request(method, lost.url + '/stream'), 410)
    expect(lost.request('GET', lost.url + '/stream'), 410, 'session-expired')
    expect(session.request('GET', '/v1/sessions/0x/stream'), 404, 'not-found')
    expect(session.request('GET', session.url + '/stream/'), 404, 'not-found')
    stream.close()
    ended(session)  # its own stream bound it all the time


@pytest.mark.parametrize('grace', ['5', '-1s', '', 'soon', '86400001ms', '25h'])
def test_a_malformed_grace_is_refused(session, grace):
    expect(session.request('GET', f'{session.url}/stream?grace={grace}'), 400, 'bad-query')


def test_head_binds_nothing(session, top):
    reply = expect(session.request('HEAD', session.url + '/stream'), 200)
    assert reply.headers['Content-Type'] == 'text/event-stream'
    session.api.close()  # the connection of that HEAD
    assert lives(session)


def test_streams_of_sessions_are_counted_apart(start):
    daemon = start()
    api = Client(daemon.port)

    def counted():
        text = families(api.request('GET', '/metrics').body.decode())
        return (value(text, 'curlew_session_streams'), value(text, 'curlew_watchers', kind='stream'),
                value(text, 'curlew_watchers', kind='long_poll'))

    streams = [open_stream(daemon.port, Session(api, LONG_MS)) for _ in range(3)]
    for stream in streams:
        bound(stream)
    with Stream(daemon.port, '/') as watch:
        watch.next()
        wait_until(lambda: counted() == (3, 1, 0), what=f'{counted()}')
    for stream in streams:
        stream.close()
    wait_until(lambda: counted() == (0, 0, 0), what=f'{counted()}')
    api.close()


# ---- Living --------------------------------------------------------------------------------------

@pytest.mark.parametrize('lines', [False, True])
def test_a_session_lives_while_its_stream_is_open(api, top, bind, lines):
    session = Session(api, 600)
    expect(session.ephemeral(top + '/e'), 201)
    stream = bind(session, lines=lines)
    bound(stream)
    api.close()  # nothing else speaks for the session
    time.sleep(3 * session.timeout_s)
    assert api.stat(top + '/e') is not None  # asked without the credential
    assert lives(session)
    expect(session.close(), 204)
    assert [event.kind for event in stream.rest()] == ['expired']
    assert stream.comments >= 6  # three per timeout


def test_a_process_that_stands_still_keeps_its_session_and_a_killed_one_does_not(daemon, api, top):
    """The kernel acknowledges for a stopped process."""
    session = Session(api, 600)
    expect(session.ephemeral(top + '/e'), 201)
    with holder(daemon.port, session) as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(3 * session.timeout_s)
        assert api.stat(top + '/e') is not None
        process.kill()
        wait_gone(api, top + '/e', AT_ONCE_S)


def silence(sock):
    """From now on the client's host takes no packet of the connection and acknowledges none: a filter
    (BPF: return 0) drops them as they come in."""
    nothing = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0))
    program = struct.pack('HP', 1, ctypes.addressof(nothing))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def test_a_network_that_is_silent_falls_back_to_the_timeout(api, top, bind):
    session = Session(api, 3000)
    expect(session.ephemeral(top + '/e'), 201)
    stream = bind(session)
    bound(stream)
    wait_until(lambda: time.monotonic() - session.asked > 1.2 * session.timeout_s)
    silence(stream.socket)
    began = time.monotonic()
    wait_gone(api, top + '/e')
    lasted = time.monotonic() - began
    # The last acknowledged heartbeat came up to a third of the timeout before, the last renewal up to a
    # third behind it. Renewing until TCP gives the connection up would take two timeouts.
    assert 2 / 3 * session.timeout_s <= lasted < 2 * session.timeout_s


def test_a_connection_that_is_given_up_is_no_departure(api, bind):
    """The client renews by another way."""
    session = Session(api, 600)
    stream = bind(session)
    bound(stream)
    silence(stream.socket)
    began = time.monotonic()
    while time.monotonic() - began < 5 * session.timeout_s:
        session.renew()
        time.sleep(session.timeout_s / 4)
    stream.close()
    session.close()


# ---- Leaving -------------------------------------------------------------------------------------

@contextlib.contextmanager
def holder(port, session):
    """A process that has the stream open."""
    url = f'http://127.0.0.1:{port}{session.url}/stream'
    process = subprocess.Popen(['curl', '-sN', '-H', f'Curlew-Session: {session.credential}', url],
                               stdout=subprocess.PIPE)
    seen = b''
    while b'event: bound' not in seen:
        piece = os.read(process.stdout.fileno(), 4096)
        assert piece
        seen += piece
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_death_of_a_process_is_an_event_for_those_who_watch(daemon, api, session, top):
    expect(session.ephemeral(top + '/e', 'x'), 201)
    with Stream(daemon.port, top, recursive=True) as watch, holder(daemon.port, session) as process:
        watch.next()
        process.kill()
        killed = time.monotonic()
        event = watch.change()
        assert (event.kind, event.path) == ('deleted', top + '/e')
        assert time.monotonic() - killed < AT_ONCE_S
    expect(session.show(), 410, 'session-expired')


LEAVING = {
    'close': lambda stream: stream.close(),
    'reset': lambda stream: (reset(stream.socket), stream.close()),
    'half-close': lambda stream: stream.socket.shutdown(socket.SHUT_WR),
}


@pytest.mark.parametrize('lines', [False, True])
@pytest.mark.parametrize('leave', LEAVING)
def test_a_client_that_leaves_ends_its_session_at_once(api, session, top, bind, leave, lines):
    for name in 'ab':
        expect(session.ephemeral(f'{top}/{name}'), 201)
    stream = bind(session, lines=lines)
    bound(stream)
    LEAVING[leave](stream)
    wait_gone(api, top + '/a', AT_ONCE_S)
    assert api.children(top) == []
    expect(session.show(), 410, 'session-expired')


def test_who_leaves_before_it_is_bound_ends_the_session(session, wire):
    connection = wire(f'GET {session.url}/stream HTTP/1.1\r\nHost: localhost\r\n'
                      f'Curlew-Session: {session.credential}\r\n\r\n'.encode())
    connection.socket.shutdown(socket.SHUT_WR)
    ended(session)


def test_a_stream_on_a_used_connection_binds(session, wire):
    connection = wire(b'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n')
    assert connection.response().status == 200
    connection.send(f'GET {session.url}/stream HTTP/1.1\r\nHost: localhost\r\n'
                    f'Curlew-Session: {session.credential}\r\n\r\n'.encode())
    while b'event: bound' not in connection.buffer:
        assert connection._more()
    assert lives(session)
    connection.socket.close()
    ended(session)


def test_a_thousand_that_leave_together_all_end(api, daemon, top):
    sessions = [Session(api, LONG_MS) for _ in range(1000)]
    for index, session in enumerate(sessions):
        expect(session.ephemeral(f'{top}/{index}'), 201)
    streams = [open_stream(daemon.port, session) for session in sessions]
    for stream in streams:
        bound(stream)
    for stream in streams:
        stream.close()
    wait_until(lambda: api.children(top) == [], 20, 'the end of all')


# ---- Grace ---------------------------------------------------------------------------------------

def test_the_grace_is_given(api, session, top, bind):
    expect(session.ephemeral(top + '/e'), 201)
    stream = bind(session, grace='700ms')
    bound(stream)
    left = time.monotonic()
    stream.close()
    wait_gone(api, top + '/e', AT_ONCE_S)
    assert time.monotonic() - left >= 0.7


def test_who_comes_back_within_the_grace_has_kept_its_session(api, session, top, bind):
    expect(session.ephemeral(top + '/e'), 201)
    first = bind(session, grace='2s')
    bound(first)
    first.close()
    second = bind(session)
    assert bound(second).data['grace_ms'] == 0
    time.sleep(2.5)  # past the grace of the first
    assert lives(session) and api.stat(top + '/e') is not None
    second.close()
    wait_gone(api, top + '/e', AT_ONCE_S)


def test_a_session_that_says_no_more_than_a_renewal_within_the_grace_ends(session, bind):
    """A renewal is no stream."""
    stream = bind(session, grace='1s')
    bound(stream)
    stream.close()
    session.renew()
    ended(session)


# ---- More than one stream ------------------------------------------------------------------------

def test_the_newest_stream_binds_and_the_older_one_is_told(api, session, top, bind):
    expect(session.ephemeral(top + '/e'), 201)
    first = bind(session)
    bound(first)
    second = bind(session)
    taken = bound(second)
    event = first.next()
    assert event.kind == 'replaced' and event.zxid >= taken.zxid
    assert event.data['session'] == session.id
    with pytest.raises(Ended):
        first.next()
    first.close()
    assert lives(session)
    second.close()
    wait_gone(api, top + '/e', AT_ONCE_S)


@pytest.mark.parametrize('leave', LEAVING)
def test_the_late_end_of_an_older_stream_ends_nothing(session, bind, leave):
    """It does not read, so it leaves without having seen that it was replaced."""
    older = [bind(session) for _ in range(10)]
    newest = bind(session)
    bound(newest)
    for stream in older:
        LEAVING[leave](stream)
    other = Session(session.api, LONG_MS)
    with open_stream(session.api.port, other) as stream:
        bound(stream)
    ended(other)  # what left later has ended, so what left before has been looked at
    assert lives(session)
    newest.close()
    ended(session)


def test_many_at_once_leave_one_that_binds(session, daemon):
    streams = [open_stream(daemon.port, session) for _ in range(20)]
    for stream in streams:
        bound(stream)
    left = [stream for stream in streams if is_replaced(stream)]
    assert len(left) == len(streams) - 1
    for stream in left:
        stream.close()
    assert lives(session)
    for stream in streams:
        stream.close()
    ended(session)


def is_replaced(stream):
    """Whether the stream is told so; the one that binds is told nothing for a while."""
    stream.socket.settimeout(1)
    try:
        return stream.next().kind == 'replaced'
    except socket.timeout:
        return False


# ---- Ends that the service makes -----------------------------------------------------------------

def test_a_session_that_is_closed_tells_its_stream(session, bind):
    stream = bind(session)
    bound(stream)
    reply = expect(session.close(), 204)
    event = stream.next()
    assert (event.kind, event.data['session']) == ('expired', session.id)
    assert event.zxid >= reply.zxid
    with pytest.raises(Ended):
        stream.next()


def test_draining_and_a_restart_leave_the_session(start):
    daemon = start()
    api = Client(daemon.port)
    session = Session(api, 3000)
    expect(session.ephemeral('/e'), 201)
    stream = open_stream(daemon.port, session)
    bound(stream)
    api.close()
    assert daemon.terminate() == 0
    assert stream.rest() == []
    stream.close()
    daemon.start()
    again = Client(daemon.port)
    session.api = again
    assert again.stat('/e') is not None
    assert lives(session)
    stream = open_stream(daemon.port, session)
    bound(stream)
    stream.close()
    wait_gone(again, '/e', 2)
    again.close()


def test_a_node_that_dies_leaves_the_session_to_its_timeout(start):
    daemon = start()
    api = Client(daemon.port)
    session = Session(api, 1500)
    expect(session.ephemeral('/e'), 201)
    stream = open_stream(daemon.port, session)
    bound(stream)
    api.close()
    daemon.kill()
    stream.close()
    restarted = time.monotonic()
    daemon.start()
    again = Client(daemon.port)
    wait_gone(again, '/e')
    assert time.monotonic() - restarted >= session.timeout_s
    again.close()


def test_draining_does_not_wait_for_a_grace(start):
    daemon = start()
    api = Client(daemon.port)
    stream = open_stream(daemon.port, Session(api, LONG_MS), grace='1h')
    bound(stream)
    stream.close()
    api.close()
    asked = time.monotonic()
    assert daemon.terminate() == 0
    assert time.monotonic() - asked < 10
