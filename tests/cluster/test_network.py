# SPDX-License-Identifier: Apache-2.0
"""The faults themselves: a test with a partition that cuts nothing would prove nothing."""
import socket
import time

import pytest

PORT = 7000


def receiver(network, node, kind=socket.SOCK_DGRAM):
    one = network.spaces[node].socket(socket.AF_INET, kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((network.peer_address(node), PORT))
    one.settimeout(5)
    if kind == socket.SOCK_STREAM:
        one.listen()
    return one


def passes(network, one, other, count=1):
    """How many of so many packets arrive."""
    with receiver(network, other) as into, \
            network.spaces[one].socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        into.settimeout(0.3)
        into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096 * count)
        for _ in range(count):
            out.sendto(b'x', (network.peer_address(other), PORT))
        return received(into, count)


def received(into, most):
    count = 0
    try:
        while count < most and into.recv(100):
            count += 1
    except TimeoutError:
        pass
    return count


def links_up(network):
    return {link for link in network.links() if passes(network, *link)}


def test_every_node_reaches_every_other(network):
    assert links_up(network) == set(network.links())


def test_a_cut_goes_one_way(network):
    network.lose(1, [(1, 2)])
    assert links_up(network) == set(network.links()) - {(1, 2)}
    network.heal()
    assert links_up(network) == set(network.links())


def test_an_isolated_node_reaches_nobody(network):
    network.isolate(2)
    assert links_up(network) == {(1, 3), (3, 1)}


def test_a_bridge_joins_two_sides(network):
    network.split((1, 2), (2, 3))
    assert links_up(network) == {(1, 2), (2, 1), (2, 3), (3, 2)}


def test_packets_are_lost(network):
    network.lose(0.3, [(1, 2)])
    assert 220 < passes(network, 1, 2, 400) < 340
    assert passes(network, 2, 1, 400) == 400


def test_a_refused_connection_breaks_at_once(network):
    with receiver(network, 2, socket.SOCK_STREAM) as server, \
            network.spaces[1].socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.connect((network.peer_address(2), PORT))
        accepted, _ = server.accept()
        network.refuse(1, 2)
        accepted.sendall(b'x')
        accepted.settimeout(5)
        with pytest.raises(ConnectionResetError):
            accepted.recv(1)
        accepted.close()
    network.heal()
    assert passes(network, 1, 2)


def transfer_s(network, one, other, size):
    """How long one TCP stream of that size takes until the last byte is there."""
    with receiver(network, other, socket.SOCK_STREAM) as server, \
            network.spaces[one].socket(socket.AF_INET, socket.SOCK_STREAM) as out:
        out.connect((network.peer_address(other), PORT))
        accepted, _ = server.accept()
        out.settimeout(30)
        started = time.monotonic()
        out.setblocking(False)
        data, left = bytes(size), size
        while left:
            try:
                data = data[out.send(data):]
            except BlockingIOError:
                pass
            left -= len(accepted.recv(65536))
        accepted.close()
        return time.monotonic() - started


def test_a_narrow_link_is_slow(network):
    network.narrow(1, '1mbit')
    assert transfer_s(network, 1, 2, 125000) > 0.6
    assert transfer_s(network, 2, 1, 125000) > 0.6
    assert transfer_s(network, 2, 3, 125000) < 0.6
    network.widen(1)
    assert transfer_s(network, 1, 2, 125000) < 0.6


def arrival_ms(network, one, other):
    with receiver(network, other) as into, \
            network.spaces[one].socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        started = time.monotonic()
        out.sendto(b'x', (network.peer_address(other), PORT))
        into.recv(100)
        return (time.monotonic() - started) * 1000


def test_a_delayed_node_is_late_both_ways(network):
    network.delay(1, 50)
    assert min(arrival_ms(network, 1, 2) for _ in range(5)) >= 50
    assert min(arrival_ms(network, 2, 1) for _ in range(5)) >= 50
    assert min(arrival_ms(network, 2, 3) for _ in range(5)) < 50
    assert transfer_s(network, 1, 2, 1 << 20) > 0.05, 'whole TCP streams pass'
    network.undelay(1)
    assert min(arrival_ms(network, 1, 2) for _ in range(5)) < 50
    assert links_up(network) == set(network.links())


def test_delayed_packets_overtake_each_other_and_come_twice(network):
    network.delay(1, 20, jitter_ms=20, repeat=0.5)
    with receiver(network, 2) as into, \
            network.spaces[1].socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        into.settimeout(0.5)
        for number in range(200):
            out.sendto(bytes([number]), (network.peer_address(2), PORT))
        got = []
        try:
            while True:
                got.append(into.recv(100)[0])
        except TimeoutError:
            pass
    assert set(got) == set(range(200)) and len(got) > 250 and got != sorted(got)


def test_cuts_hold_for_a_delayed_node_too(network):
    network.delay(1, 5)
    network.isolate(1)
    assert links_up(network) == {(2, 3), (3, 2)}
    network.heal()
    assert links_up(network) == set(network.links())
