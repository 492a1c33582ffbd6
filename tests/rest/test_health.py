# SPDX-License-Identifier: Apache-2.0
"""`curlewd health`: what an orchestrator asks."""
import socket
import subprocess
import threading
import time

import pytest

from daemon import binary, environment


def health(listen, *more, **environ):
    result = subprocess.run([binary(), 'health', *more], capture_output=True, text=True, timeout=20,
                            env=environment(CURLEW_LISTEN=listen, **environ), stdin=subprocess.DEVNULL)
    assert result.stdout.count('\n') <= 1 and not (result.stdout and result.stderr)
    return result.returncode, result.stdout.strip()


def answer(connection, reply):
    try:
        connection.recv(4096)
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it does not take in everything


@pytest.fixture
def answers():
    """A port where every connection is answered with the same bytes; with None: not at all."""
    opened = []

    def serve(reply):
        server = socket.create_server(('127.0.0.1', 0))
        opened.append(server)

        def run():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                opened.append(connection)
                if reply is not None:
                    answer(connection, reply)

        threading.Thread(target=run, daemon=True).start()
        return '127.0.0.1:%d' % server.getsockname()[1]

    yield serve
    for each in opened:
        each.close()


def test_a_node_that_is_ready(daemon):
    assert health(f'127.0.0.1:{daemon.port}') == (0, 'ready')
    assert health(f'localhost:{daemon.port}') == (0, 'ready')
    assert health('127.0.0.1:1', '--listen', f'127.0.0.1:{daemon.port}') == (0, 'ready')


def test_a_node_that_listens_everywhere(start):
    node = start(listen='0.0.0.0:0')
    assert health(f'0.0.0.0:{node.port}') == (0, 'ready')


def test_nobody_is_there():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
    assert health(f'127.0.0.1:{port}') == \
        (1, f'not ready: nothing answers at 127.0.0.1 port {port}: Connection refused')


def test_silence_ends_after_two_seconds(answers):
    listen, started = answers(None), time.monotonic()
    assert health(listen) == (1, 'not ready: no answer after 2 s')
    assert 1.5 < time.monotonic() - started < 10


def problem(body):
    return (f'HTTP/1.1 503 Service Unavailable\r\nContent-Length: {len(body)}\r\n\r\n{body}').encode()


@pytest.mark.parametrize('reply, line', [
    (problem('{"title":"t","detail":"no quorum"}'), 'not ready: no quorum'),
    (problem('{"title":"The server is shutting down"}'), 'not ready: The server is shutting down'),
    (problem('{"detail":"two\\nlines\\u001b[2J"}'), 'not ready: two lines [2J')])
def test_the_reason_is_told(answers, reply, line):
    assert health(answers(reply)) == (1, line)


@pytest.mark.parametrize('reply', [b'SSH-2.0-x\r\n', b'\0' * 20000, problem('[1]'), problem('null'),
                                   problem('{"detail":5}'), problem('{"detail":'), problem('"x"'),
                                   b'HTTP/1.1 404 \r\n\r\n', b'HTTP/1.1 2000 \r\n\r\n'])
def test_what_is_no_node_is_not_ready(answers, reply):
    status, line = health(answers(reply))
    assert status == 1 and ('is no node of Curlew' in line or 'is closed' in line)


def test_a_connection_that_is_closed(answers):
    status, line = health(answers(b''))
    assert (status, line) == (1, 'not ready: the connection is closed without an answer')


def test_wrong_options_are_named():
    for arguments in (('--listn', 'x'), ('now',)):
        result = subprocess.run([binary(), 'health', *arguments], capture_output=True, text=True,
                                env=environment(), timeout=20)
        assert result.returncode == 64 and arguments[0] in result.stderr
    assert health('127.0.0.1:0') == (1, 'not ready: --listen is "127.0.0.1:0", which names no port')
