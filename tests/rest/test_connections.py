# SPDX-License-Identifier: Apache-2.0
"""Many connections at once, and clients that go away in the middle."""
import signal
import socket

from client import Client, Wire, expect

WRITE = b'PUT /v1/znodes/busy HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx'


def test_as_many_ready_sockets_as_the_library_takes_in_one_turn(start):
    """libmicrohttpd 0.9.75 with its own threads waits for ever when exactly 128 sockets of a worker
    are ready at once: all connections send together, nobody sends before all are answered."""
    daemon = start('--http-workers', '2')
    wires = [Wire(daemon.port) for _ in range(256)]
    for _ in range(20):
        for wire in wires:
            wire.send(WRITE)
        for wire in wires:
            assert wire.response('PUT').status in (200, 201)
    for wire in wires:
        wire.socket.close()


def test_clients_that_leave_while_parked_do_not_keep_the_daemon(start):
    daemon = start()
    for _ in range(20):
        wires = [Wire(daemon.port, WRITE) for _ in range(20)]
        for wire in wires:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
            wire.socket.close()
    api = Client(daemon.port)
    expect(api.put('/after', b'x'), 201)
    api.close()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(timeout=10) == 0


def test_clients_that_do_not_read_do_not_keep_the_daemon(start):
    daemon = start()
    api = Client(daemon.port)
    expect(api.put('/large', b'x' * (1 << 20)), 201)
    api.close()
    wires = [Wire(daemon.port) for _ in range(5)]
    for wire in wires:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send(b'GET /v1/znodes/large HTTP/1.1\r\nHost: localhost\r\n\r\n' * 20)
    assert wires[0].socket.recv(1)
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(timeout=15) == 0
    for wire in wires:
        wire.socket.close()
