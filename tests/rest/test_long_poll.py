# SPDX-License-Identifier: Apache-2.0
"""GET with ?wait: what wakes it, what it says, and what happens at its end."""
import socket
import threading
import time

import pytest

from client import Client, Wire, expect


class Poll(threading.Thread):
    """A poll under way on a connection of its own."""

    def __init__(self, port, path, headers=None, **query):
        super().__init__(daemon=True)
        self._api, self._call = Client(port), (path, headers, query)
        self._response = None
        self.start()

    def run(self):
        path, headers, query = self._call
        self._response = self._api.get(path, headers=headers, **{'wait': '15s', **query})
        self._api.close()

    def result(self):
        self.join(20)
        assert self._response is not None, 'the poll does not end'
        return self._response

    def waits(self):
        """Whether it is still waiting a moment later."""
        self.join(0.3)
        return self.is_alive()


def position(api, path):
    return api.get(path, view='stat').zxid


@pytest.mark.parametrize('view', [{}, {'raw': True}, {'view': 'stat'}])
def test_a_set_wakes_the_views_of_the_node(api, daemon, top, view):
    poll = Poll(daemon.port, top, since=position(api, top), **view)
    assert poll.waits()
    written = expect(api.put(top, 'new'), 200)
    reply = expect(poll.result(), 200)
    assert reply.zxid == written.zxid
    assert reply.body == expect(api.get(top, **view), 200).body


def test_creation_and_deletion_wake(api, daemon, top):
    poll = Poll(daemon.port, top + '/a', since=position(api, top))
    assert poll.waits()
    api.put(top + '/a', 'x')
    created = expect(poll.result(), 200)
    poll = Poll(daemon.port, top + '/a', since=created.zxid)
    assert poll.waits()
    api.delete(top + '/a')
    expect(poll.result(), 404, 'no-node')


def test_other_nodes_do_not_wake(api, daemon, top):
    poll = Poll(daemon.port, top, since=position(api, top))
    api.put(top + '/child', 'x')
    api.put(top + '/child', 'y')
    api.put(top + 'x', 'x')
    api.delete(top + 'x')
    assert poll.waits()
    last = api.put(top, 'mine')
    assert expect(poll.result(), 200).zxid == last.zxid


def test_children_are_woken_by_the_list_alone(api, daemon, top):
    poll = Poll(daemon.port, top, view='children', since=position(api, top))
    api.put(top, 'data')
    assert poll.waits()
    api.put(top + '/a')
    assert expect(poll.result(), 200).json['children'] == ['a']
    poll = Poll(daemon.port, top, view='children', since=position(api, top))
    api.put(top + '/a', 'data of a child')
    api.put(top + '/a/b')
    assert poll.waits()
    api.delete(top + '/a', recursive=True)
    assert expect(poll.result(), 200).json['children'] == []
    poll = Poll(daemon.port, top, view='children', since=position(api, top))
    api.delete(top)
    expect(poll.result(), 404)


def test_what_has_changed_since_is_answered_at_once(api, top):
    before = position(api, top)
    api.put(top, 'x')
    assert expect(api.get(top, wait='15s', since=before), 200).json['data'] == 'x'
    before = position(api, top)
    api.put(top + '/a')
    assert expect(api.get(top, wait='15s', since=before, view='children'), 200)
    before = position(api, top)
    api.delete(top + '/a')
    api.delete(top)
    expect(api.get(top, wait='15s', since=before), 404)
    expect(api.get(top + '/a', wait='15s', since=before), 404)


def test_a_node_that_came_and_went_since_counts_as_changed(api, top):
    before = position(api, top)
    api.put(top + '/a')
    api.delete(top + '/a')
    expect(api.get(top + '/a', wait='15s', since=before), 404)
    api.put(top + '/other')
    expect(api.get(top + '/a', wait='0s', since=position(api, top)), 204)


def test_no_since_means_from_now(api, daemon, top):
    api.put(top, 'old')
    poll = Poll(daemon.port, top)
    assert poll.waits()
    api.put(top, 'new')
    assert expect(poll.result(), 200).json['data'] == 'new'
    absent = Poll(daemon.port, top + '/absent')
    assert absent.waits()
    api.put(top + '/absent')
    expect(absent.result(), 200)


def test_the_end_of_a_wait_is_204_with_the_position_to_go_on_from(api, top):
    before = position(api, top)
    began = time.monotonic()
    reply = expect(api.get(top, wait='250ms', since=before), 204)
    assert time.monotonic() - began >= 0.25
    assert reply.zxid >= before and reply.body == b'' and 'ETag' not in reply.headers
    other = api.put(top + 'other')
    assert expect(api.get(top, wait='1ms', since=before), 204).zxid >= other.zxid
    expect(api.get(top + '/absent', wait='10ms'), 204)


def test_the_end_of_a_wait_is_304_when_the_tag_matches(api, top):
    tag = api.get(top).etag
    assert expect(api.get(top, {'If-None-Match': tag}, wait='10ms'), 304).etag == tag
    expect(api.get(top, {'If-None-Match': '"1"'}, wait='10ms'), 204)
    children = api.get(top, view='children').etag
    expect(api.get(top, {'If-None-Match': children}, wait='10ms', view='children'), 304)


def test_positions_and_parameters_that_cannot_be(api, top):
    beyond = position(api, top) + 1000000
    expect(api.get(top, wait='10s', since=beyond), 412, 'future-position')
    expect(api.get(top, wait='10s', since=f'00000000.{position(api, top)}'), 412, 'future-position')
    for query in ({'since': 1}, {'wait': '1'}, {'wait': '-1s'}, {'wait': '2h'}, {'wait': ''},
                  {'wait': '1s', 'since': 'x'}, {'wait': '1s', 'view': 'tree'},
                  {'wait': '1s', 'view': 'children', 'detail': 'stat'},
                  {'wait': '1s', 'view': 'children', 'cursor': 'AWE'}):
        expect(api.get(top, **query), 400, 'bad-query')
    expect(api.head(top, wait='1s'), 400)


def test_no_change_is_lost_between_two_polls(api, daemon, top):
    """A writer counts up; the poller must end at the last value without ever standing still."""
    last, since, seen = 300, position(api, top), []
    writer = threading.Thread(target=lambda: [Client(daemon.port).put(top, str(i))
                                              for i in range(1, last + 1)])
    writer.start()
    while not seen or seen[-1] != last:
        reply = expect(api.get(top, wait='10s', since=since), 200)
        assert reply.zxid > since
        since = reply.zxid
        seen.append(int(reply.json['data']))
    writer.join()
    assert seen == sorted(set(seen))


def test_many_polls_of_one_node_wake_together(api, daemon, top):
    wires = [Wire(daemon.port, f'GET /v1/znodes{top}?wait=15s&raw HTTP/1.1\r\nHost: localhost\r\n\r\n'
                  .encode()) for _ in range(500)]
    other = Poll(daemon.port, top + '/other')
    assert other.waits()
    api.put(top, 'news')
    assert all(wire.response().body == b'news' for wire in wires)
    for wire in wires:
        wire.socket.close()
    assert other.waits()
    api.put(top + '/other')
    expect(other.result(), 200)


def test_the_connection_of_a_poll_can_be_used_again(api, top, wire):
    get = f'GET /v1/znodes{top}?wait=20ms HTTP/1.1\r\nHost: localhost\r\n\r\n'.encode()
    connection = wire(get + get)
    assert [connection.response().status for _ in range(2)] == [204, 204]
    connection.send(get.replace(b'?wait=20ms', b''))
    assert connection.response().status == 200


def test_draining_ends_polls_at_once(start):
    daemon = start()
    Client(daemon.port).put('/a')
    polls = [Poll(daemon.port, '/a', wait='60s') for _ in range(20)]
    assert polls[0].waits()
    began = time.monotonic()
    daemon.terminate()
    assert time.monotonic() - began < 5
    for poll in polls:
        reply = expect(poll.result(), 503, 'draining')
        assert 'Retry-After' in reply.headers


@pytest.mark.parametrize('reset', [True, False])
def test_a_client_that_goes_away_frees_its_connection(start, reset):
    """Only so many connections may be open: one that is freed lets the next client in."""
    daemon = start('--max-connections', '8')
    Client(daemon.port).put('/a')
    request = b'GET /v1/znodes/a?wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n'
    for _ in range(10):
        wires = [Wire(daemon.port, request) for _ in range(6)]
        time.sleep(0.05)
        for wire in wires:
            if reset:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
            wire.socket.close()
        limit = time.monotonic() + 5
        while True:
            probes = [Wire(daemon.port, b'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n')
                      for _ in range(6)]
            served = [(probe.response() or Wire).__dict__.get('status') for probe in probes]
            for probe in probes:
                probe.socket.close()
            if served == [200] * 6:
                break
            assert time.monotonic() < limit, served
