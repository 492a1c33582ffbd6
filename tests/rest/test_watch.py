# SPDX-License-Identifier: Apache-2.0
"""Streams of changes: kinds, order, ids, snapshots, resuming and resets. Rules W1 to W17 as far as they
are about a server."""
import json
import random
import threading
import time

import pytest

from client import Client, Wire, expect
from exposition import families, value
from sessions import Session
from streams import Stream, Ended, wait_until


@pytest.fixture
def watch(daemon):
    """Opens streams of the shared daemon."""
    opened = []

    def connect(*paths, **query):
        opened.append(Stream(daemon.port, *paths, **query))
        return opened[-1]

    yield connect
    for stream in opened:
        stream.close()


def tags(events):
    return [(event.kind, event.path) for event in events]


# ---- The shape -----------------------------------------------------------------------------------

def test_the_head_of_a_stream(watch, top):
    stream = watch(top)
    assert stream.status == 200
    assert stream.headers['Content-Type'] == 'text/event-stream'
    assert stream.headers['Cache-Control'] == 'no-store'
    assert stream.headers['X-Accel-Buffering'] == 'no'
    assert stream.headers['X-Zxid'].isdigit() and 'Content-Length' not in stream.headers
    first = stream.next()
    assert first.kind == 'bookmark' and first.id.endswith(f'.{first.zxid}')
    assert 250 <= stream.retry <= 2000
    assert watch(top, lines=True).headers['Content-Type'] == 'application/x-ndjson'


def test_an_event_has_path_zxid_stat_and_the_value_if_wanted(api, watch, top):
    plain, full = watch(top), watch(top, data=True, lines=True)
    plain.next(), full.next()
    written = api.put(top, 'hällo')
    for stream in (plain, full):
        event = stream.change()
        assert (event.kind, event.path, event.zxid) == ('changed', top, written.zxid)
        assert event.data['stat'] == written.json['stat']
        assert event.id.endswith(f'.{written.zxid}')
        assert (event.data.get('data') == 'hällo') == (stream is full)
    api.put(top, b'\xff\n\n')
    assert full.change().data['encoding'] == 'base64'


def test_bookmarks_come_while_nothing_happens(watch, top):
    stream = watch(top)
    first, second = stream.next(), stream.next()
    assert second.kind == 'bookmark' and second.zxid >= first.zxid


def test_other_methods_and_wrong_targets(api, top):
    assert expect(api.head(top), 200)
    reply = expect(api.request('HEAD', '/v1/watch' + top), 200)
    assert reply.headers['Content-Type'] == 'text/event-stream'
    expect(api.request('PUT', '/v1/watch' + top, b''), 405)
    for url in ('/v1/watch/a/', '/v1/watch/a//b', '/v1/watch?path=a', '/v1/watch?path=/a&path='):
        expect(api.request('GET', url), 400, 'bad-path')
    for query in ('since=x', 'recursive=2', 'wait=1s', 'path=/a', 'since=1&since=2'):
        expect(api.request('GET', f'/v1/watch{top}?{query}'), 400, 'bad-query')
    expect(api.request('GET', '/v1/watch?' + '&'.join(['path=/'] * 1001)), 400)


# ---- What comes, and in which order --------------------------------------------------------------

def test_w2_a_watch_of_one_node_sees_the_node_and_its_list_of_children(api, watch, top):
    stream = watch(top)
    api.put(top + '/a', 'x')       # created, of a child
    api.put(top + '/a', 'y')       # rule W7: none
    api.put(top + '/a/b')          # rule W7: none
    api.delete(top + '/a/b')
    api.delete(top + '/a')
    api.put(top, 'z')
    api.delete(top)
    api.post(top)
    events = stream.changes(5)
    assert tags(events) == [('children', top), ('children', top), ('changed', top),
                            ('deleted', top), ('created', top)]
    assert [event.data['stat']['numChildren'] for event in events] == [1, 0, 0, 0, 0]
    assert [event.data['stat']['cversion'] for event in events] == [1, 2, 2, 2, 0]
    assert all(event.id for event in events)


def test_w6_a_recursive_watch_sees_all_below_and_no_children_events(api, watch, top):
    stream = watch(top, recursive=True)
    api.put(top + '/a')
    api.put(top + '/a/b', 'x')
    api.put(top + '/a/b', 'x')
    api.put(top + 'x')
    api.delete(top + '/a', recursive=True)
    api.put(top, 'end')
    events = stream.changes(6)
    assert tags(events) == [('created', top + '/a'), ('created', top + '/a/b'),
                            ('changed', top + '/a/b'), ('deleted', top + '/a/b'),
                            ('deleted', top + '/a'), ('changed', top)]
    assert events[3].zxid == events[4].zxid and events[3].id is None and events[4].id


def test_w10_the_node_comes_before_its_parent(api, watch, top):
    stream = watch(top, top + '/a', top + '/b')
    api.put(top + '/a')
    api.delete(top + '/a')
    events = stream.changes(4)
    assert tags(events) == [('created', top + '/a'), ('children', top),
                            ('deleted', top + '/a'), ('children', top)]
    assert [bool(event.id) for event in events] == [False, True, False, True]


def test_w5_overlapping_paths_make_one_event(api, watch, top):
    stream = watch(top + '/a', top, top + '/a/b', top, recursive=True)
    api.put(top + '/a/b', parents=True)
    api.put(top, 'end')
    assert tags(stream.changes(3)) == [('created', top + '/a'), ('created', top + '/a/b'),
                                       ('changed', top)]


def test_the_root_can_be_watched(api, watch, top):
    alone, below = watch('/'), watch('/', recursive=True)
    api.put(top + 'new')
    api.put(top + 'new/a')
    assert below.change().path == top + 'new' and below.change().path == top + 'new/a'
    assert tags([alone.change()]) == [('children', '/')]


def test_a_multi_is_one_piece_with_one_id(api, watch, top):
    stream = watch(top, recursive=True, data=True)
    api.put(top + '/x', '0')
    reply = expect(api.multi({'op': 'create', 'path': top + '/a', 'data': '1'},
                             {'op': 'set', 'path': top + '/a', 'data': '2'},
                             {'op': 'check', 'path': top},
                             {'op': 'delete', 'path': top + '/x'}), 200)
    expect(api.multi({'op': 'create', 'path': top + '/b'}, {'op': 'delete', 'path': '/absent'}), 404)
    api.put(top, 'end')
    events = stream.changes(5)
    assert [(e.kind, e.data.get('data')) for e in events[1:4]] == \
        [('created', '1'), ('changed', '2'), ('deleted', None)]
    assert {event.zxid for event in events[1:4]} == {reply.json['zxid']}
    assert [bool(event.id) for event in events] == [True, False, False, True, True]


def test_w15_order_is_that_of_zxids_under_load(daemon, watch, top):
    stream = watch(top, recursive=True, data=True)
    stream.next()

    def write(name):
        api = Client(daemon.port)
        for i in range(100):
            expect(api.put(f'{top}/{name}', str(i)), 201 if i == 0 else 200)
        api.close()

    writers = [threading.Thread(target=write, args=(f'n{i}',)) for i in range(5)]
    for writer in writers:
        writer.start()
    events = stream.changes(500)
    for writer in writers:
        writer.join()
    zxids = [event.zxid for event in events]
    assert zxids == sorted(set(zxids))
    for i in range(5):
        values = [e.data['data'] for e in events if e.path == f'{top}/n{i}']
        assert values == [str(n) for n in range(100)]


def test_a_large_value_is_that_of_its_transaction_or_said_to_be_left_out(api, watch, top):
    large = 'x' * 200000
    before = api.put(top, large).zxid - 1
    assert watch(top, data=True, since=before).change().data['data'] == large
    api.put(top, 'small')
    first, second = watch(top, data=True, since=before).changes(2)
    assert first.data['data_omitted'] is True and 'data' not in first.data
    assert second.data['data'] == 'small'


# ---- Snapshots -----------------------------------------------------------------------------------

class Picture:
    """What a reader knows, from events alone."""

    def __init__(self):
        self.nodes, self.listed = {}, {}

    def take(self, event):
        if event.kind == 'reset':
            self.nodes = {}
        elif event.kind in ('snapshot', 'created', 'changed'):
            self.nodes[event.path] = event.data['data']
        elif event.kind == 'deleted':
            self.nodes.pop(event.path, None)


def tree(api, top):
    """Path and value of all of a subtree, at one zxid."""
    paths = [node['path'] for node in expect(api.get(top, view='tree', limit=10000), 200).json['nodes']]
    return {path: api.get(path).json['data'] for path in paths}


def test_initial_lists_what_exists_and_then_a_bookmark(api, watch, top):
    for name in ('b', 'a', 'a/x', 'a-', 'c'):
        api.put(f'{top}/{name}', name)
    events = watch(top, recursive=True, initial=True, data=True).until_bookmark()
    assert [e.path for e in events[:-1]] == \
        [top] + [f'{top}/{name}' for name in ('a', 'a/x', 'a-', 'b', 'c')]
    assert {e.kind for e in events[:-1]} == {'snapshot'}
    assert not any(e.id for e in events[:-1]) and events[-1].id
    alone = watch(top + '/c', top + '/a', top + '/absent', initial=True).until_bookmark()
    assert tags(alone[:-1]) == [('snapshot', top + '/a'), ('snapshot', top + '/c')]


def test_a_path_that_does_not_exist_waits_for_created(api, watch, top):
    stream = watch(top + '/a', initial=True, recursive=True)
    assert tags(stream.until_bookmark()) == [('bookmark', None)]
    api.put(top + '/a')
    assert tags([stream.change()]) == [('created', top + '/a')]


def test_what_comes_behind_a_snapshot_is_told_at_once(api, watch, top):
    """Not with the next bookmark, which takes half of five seconds on average."""
    api.put(top + '/a')
    waited = 0
    for number in range(10):
        stream = watch(top + '/a', initial=True)
        stream.until_bookmark()
        tree(api, top)  # meanwhile the stream falls asleep
        started = time.monotonic()
        api.put(top + '/a', str(number))
        assert tags([stream.change()]) == [('changed', top + '/a')]
        waited += time.monotonic() - started
        stream.close()
    assert waited < 5


def test_a_snapshot_of_many_pages_while_writers_write(daemon, api, watch, top):
    """2,000 nodes of 1 KB are some 50 pages; at every bookmark the picture must be the state."""
    chance = random.Random(1)
    for start in range(0, 2000, 500):
        expect(api.multi(*({'op': 'create', 'path': f'{top}/n{i:04}', 'data': 'x' * 1000}
                           for i in range(start, start + 500))), 200)
    stop = threading.Event()

    def write():
        writer = Client(daemon.port)
        while not stop.is_set():
            path = f'{top}/n{chance.randrange(2500):04}'
            if chance.random() < 0.4:
                writer.delete(path)
            else:
                writer.put(path, str(chance.random()))
        writer.put(top, 'end')
        writer.close()

    stream = watch(top, recursive=True, initial=True, data=True, receive_buffer=4096)
    picture = Picture()
    writer = threading.Thread(target=write)
    writer.start()
    for event in stream.until_bookmark():
        assert event.kind == 'bookmark' or event.id is None
        picture.take(event)
    stop.set()
    while picture.nodes.get(top) != 'end':
        picture.take(stream.next())
    writer.join()
    assert picture.nodes == tree(api, top)


# ---- Resuming ------------------------------------------------------------------------------------

@pytest.mark.parametrize('lines', [False, True])
def test_resuming_at_every_id_gives_exactly_what_came_behind_it(api, watch, top, lines):
    stream = watch(top, recursive=True, lines=lines)
    start = stream.next()
    for i in range(5):
        api.put(f'{top}/{i}')
    api.multi(*({'op': 'delete', 'path': f'{top}/{i}'} for i in range(5)))
    events = stream.changes(10)
    ids = [start.id] + [event.id for event in events]
    for index, id_ in enumerate(ids):
        if id_ is None:
            continue
        for position in ({'since': id_}, {'headers': {'Last-Event-ID': id_}},
                         {'since': id_.rpartition('.')[2]}):
            again = watch(top, recursive=True, lines=lines, **position)
            first = again.next()
            assert first.kind == 'bookmark' and first.id == id_
            assert tags(again.changes(len(events) - index)) == tags(events[index:])
            again.close()


def test_last_event_id_comes_before_since_and_initial(api, watch, top):
    id_ = watch(top).next().id
    api.put(top, 'x')
    stream = watch(top, since=0, initial=True, headers={'Last-Event-ID': id_})
    assert [stream.next().kind for _ in range(2)] == ['bookmark', 'changed']


def test_a_position_that_cannot_be_is_a_reset_and_a_snapshot(api, watch, top):
    own = watch(top).next().id
    other = f'{int(own[:8], 16) ^ 1:08x}{own[8:]}'
    cases = [({'headers': {'Last-Event-ID': 'nonsense'}}, 'cluster'), ({'since': other}, 'cluster'),
             ({'since': api.put(top).zxid + 1000}, 'future')]
    for position, reason in cases:
        stream = watch(top, **position)
        assert stream.status == 200
        events = stream.until_bookmark()
        assert [event.kind for event in events] == ['reset', 'snapshot', 'bookmark']
        assert events[0].data['reason'] == reason and events[0].id is None and events[2].id
        api.put(top, 'x')
        assert stream.change().kind == 'changed'


def test_resuming_across_a_restart(start):
    daemon = start()
    api = Client(daemon.port)
    api.put('/a', '0')
    stream = Stream(daemon.port, '/', recursive=True, data=True)
    last = stream.next().id
    api.put('/a', '1')
    api.put('/b', '2')
    api.close()
    daemon.kill()
    stream.close()
    daemon.start()
    with Stream(daemon.port, '/', recursive=True, data=True, headers={'Last-Event-ID': last}) as again:
        assert again.next().id == last
        Client(daemon.port).put('/a', '3')
        assert [(e.kind, e.path, e.data['data']) for e in again.changes(3)] == \
            [('changed', '/a', '1'), ('created', '/b', '2'), ('changed', '/a', '3')]


# ---- Long histories and slow readers -------------------------------------------------------------

def overflow(api, path):
    """Writes more than the history keeps of values (32 MiB) and returns the last position."""
    for i in range(40):
        reply = expect(api.multi(*({'op': 'set', 'path': path, 'data': f'{i}.{j}' + 'x' * 60000}
                                   for j in range(16))), 200)
    return reply.zxid


def test_a_position_older_than_the_history_is_a_reset(start):
    daemon = start()
    api = Client(daemon.port, timeout_s=60)
    api.put('/a/b', 'first', parents=True)
    old = api.put('/big').zxid
    idle = Stream(daemon.port, '/a', recursive=True)
    idle.next()
    overflow(api, '/big')
    with Stream(daemon.port, '/a', recursive=True, since=old, data=True) as stream:
        events = stream.until_bookmark()
        assert [event.kind for event in events] == ['reset', 'snapshot', 'snapshot', 'bookmark']
        assert events[0].data['reason'] == 'history' and events[2].data['data'] == 'first'
    api.put('/a', 'end')
    assert idle.change().kind == 'changed'  # it was never behind: nothing of it was lost
    idle.close()


def test_a_slow_reader_gets_a_reset_and_costs_no_memory(start):
    daemon = start()
    api = Client(daemon.port, timeout_s=60)
    api.put('/big')
    slow = [Stream(daemon.port, '/big', data=True, receive_buffer=4096) for _ in range(50)]
    for stream in slow:
        stream.next()
    overflow(api, '/big')
    before = resident_kib(daemon)
    overflow(api, '/big')
    last = api.put('/big', 'last').zxid
    assert resident_kib(daemon) - before < 100000  # 50 readers x 32 MiB would be 1.6 GB
    for stream in slow[:5]:
        events = read_to(daemon, stream, last)
        assert 'reset' in {event.kind for event in events}
        assert events[-1].data['data'] == 'last'
    for stream in slow:
        stream.close()


def read_to(daemon, stream, zxid):
    """Events up to the znode as it is at the zxid. A reader that stood still for half a minute has been cut
    off, and goes on where it was."""
    events = []
    while not events or events[-1].zxid != zxid or events[-1].kind not in ('snapshot', 'changed'):
        try:
            events.append(stream.next())
        except ConnectionResetError:
            position = {'Last-Event-ID': stream.last_id}
            stream = Stream(daemon.port, '/big', data=True, headers=position)
    return events


def resident_kib(daemon):
    with open(f'/proc/{daemon.process.pid}/status', encoding='ascii') as status:
        return int(next(line for line in status if line.startswith('VmRSS')).split()[1])


def test_a_transaction_larger_than_a_piece_has_one_id_at_its_end(api, watch, top):
    stream = watch(top, recursive=True, data=True)
    reply = expect(api.multi(*({'op': 'create', 'path': f'{top}/{i:03}', 'data': 'x' * 1500}
                               for i in range(300))), 200)
    events = stream.changes(300)
    assert [event.path for event in events] == [f'{top}/{i:03}' for i in range(300)]
    assert {event.zxid for event in events} == {reply.json['zxid']}
    assert [event.id for event in events[:-1]] == [None] * 299 and events[-1].id


# ---- Credentials ---------------------------------------------------------------------------------

def test_a_wrong_credential_is_not_ignored(api, watch, top):
    session = Session(api, 60000)
    assert watch(top, headers=session.headers).next().kind == 'bookmark'
    wrong = {'Curlew-Session': session.id + '.' + '0' * 32}
    for method in ('GET', 'HEAD'):
        expect(api.request(method, '/v1/watch' + top, headers=wrong), 403)
    expect(api.request('GET', '/v1/watch' + top + '?since=999999999', headers=wrong), 403,
           'session-denied')
    expect(session.close(), 204)
    expect(api.request('GET', '/v1/watch' + top, headers=session.headers), 410, 'session-expired')
    malformed = {'Curlew-Session': 'x'}
    expect(api.request('GET', '/v1/watch' + top, headers=malformed), 400, 'bad-header')


# ---- Many, gone, draining ------------------------------------------------------------------------

def test_a_thousand_streams_all_hear_of_a_change(daemon, api, top):
    request = f'GET /v1/watch{top} HTTP/1.1\r\nHost: localhost\r\n\r\n'.encode()
    wires = [Wire(daemon.port, request) for _ in range(1000)]

    def read_until(wire, text):
        while text not in wire.buffer:
            piece = wire.socket.recv(65536)
            assert piece
            wire.buffer += piece

    for wire in wires:
        read_until(wire, b'event: bookmark')
    api.put(top, 'x')
    for wire in wires:
        read_until(wire, b'event: changed')
        wire.socket.close()


def test_a_client_that_dies_frees_its_stream(start):
    daemon = start('--max-connections', '10')
    api = Client(daemon.port)
    for _ in range(5):
        streams = [Stream(daemon.port, '/a') for _ in range(8)]
        for stream in streams:
            stream.next()
            stream.close()
        wait_until(lambda: served(daemon, 8), 5)
        wait_until(lambda: connections(api) == 1, 5)
    api.close()


def connections(api):
    """How many the daemon has not seen the end of."""
    return value(families(api.request('GET', '/metrics').body.decode()), 'curlew_connections')


def served(daemon, count):
    request = b'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'
    wires = [Wire(daemon.port, request) for _ in range(count)]
    replies = [wire.response() for wire in wires]
    for wire in wires:
        wire.socket.close()
    return all(reply is not None and reply.status == 200 for reply in replies)


def test_draining_closes_streams_so_that_browsers_come_back(start):
    daemon = start()
    Client(daemon.port).put('/a')
    streams = [Stream(daemon.port, '/a') for _ in range(30)]
    streams.append(Stream(daemon.port, '/', recursive=True, initial=True))
    for stream in streams:
        stream.until_bookmark()
    assert daemon.terminate() == 0
    for stream in streams:
        assert {event.kind for event in stream.rest()} <= {'bookmark'}
        stream.close()


def test_a_stream_that_does_not_read_does_not_keep_the_daemon(start):
    daemon = start()
    api = Client(daemon.port)
    api.put('/a')
    stream = Stream(daemon.port, '/a', data=True, receive_buffer=4096)
    stream.next()
    for i in range(200):
        api.put('/a', str(i) * 20000)
    api.close()
    assert daemon.terminate() == 0
    stream.close()


def test_a_stream_on_a_used_connection(wire, top):
    connection = wire(b'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n')
    assert connection.response().status == 200
    connection.send(f'GET /v1/watch{top} HTTP/1.1\r\nHost: localhost\r\n\r\n'.encode())
    while b'event: bookmark' not in connection.buffer:
        assert connection._more()


def test_http_1_0_streams_end_with_the_connection(daemon, api, wire, top):
    connection = wire(f'GET /v1/watch{top} HTTP/1.0\r\nAccept: application/x-ndjson\r\n\r\n'.encode())
    while b'bookmark' not in connection.buffer:
        assert connection._more()
    head, _, body = connection.buffer.partition(b'\r\n\r\n')
    assert b'200' in head and b'chunked' not in head
    assert json.loads(body.splitlines()[0])['event'] == 'bookmark'


def test_a_request_line_that_comes_in_pieces(wire, top):
    connection = wire(b'GET /v1/wat')
    for piece in (b'ch', top.encode(), b' HTTP/1.1\r\nHost: loc', b'alhost\r\n\r\n'):
        connection.send(piece)
    while b'event: bookmark' not in connection.buffer:
        assert connection._more()
