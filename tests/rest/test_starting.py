# SPDX-License-Identifier: Apache-2.0
"""What a node answers before it serves: while a cluster is founded, while a journal is replayed."""
import http.client
import os

import pytest

from client import Client, Wire, expect, wait_until
from daemon import Daemon
from examples import loopback_address
from exposition import families, value

OPEN = r'msg="the client port is open, the node is starting" address=\S+:(\d+)'


@pytest.fixture
def spawn():
    """Starts a node and returns when its client port is open."""
    spawned = []

    def make(directory, *options, **more):
        node = Daemon(directory, *options, **more)
        spawned.append(node)
        node.spawn()
        node.port = int(node.wait_line(OPEN).group(1))
        return node

    yield make
    for node in spawned:
        node.kill()


def why(node):
    return Client(node.port).request('GET', '/readyz?verbose')


def test_the_founding_is_told(spawn, tmp_path):
    address = loopback_address()
    peers = ','.join(f'{n}={address}:{2280 + n}' for n in (1, 2, 3))

    def node(number):
        return spawn(tmp_path / str(number), '--id', number, '--peers', peers)

    first = node(1)
    waiting = f'waiting for node 2 ({address}:2282), node 3 ({address}:2283), to found the cluster'
    wait_until(lambda: why(first).json['detail'] == waiting, what=f'{why(first)}')
    api = Client(first.port)
    assert api.request('GET', '/livez').status == 200
    assert api.get('/', headers={'Curlew-Session': f'{"0" * 16}.{"0" * 32}'}).status in (400, 503)
    status = expect(api.request('GET', '/v1/cluster'), 200).json
    assert (status['node'], status['leader']) == (1, None)
    metrics = families(expect(api.request('GET', '/metrics'), 200).body.decode())
    assert (value(metrics, 'curlew_ready'), value(metrics, 'curlew_has_leader')) == (0, 0)
    assert [member['peer'] for member in status['members']] == peers.translate({61: 44}).split(',')[1::2]
    for method, url, body in (('PUT', '/v1/znodes/a', b'x'), ('GET', '/v1/znodes/a', None),
                              ('GET', '/v1/znodes/a?wait=1s', None),
                              ('POST', '/v1/multi', b'{"ops":[]}'), ('POST', '/v1/sessions', b'{}')):
        reply = expect(api.request(method, url, body), 503, 'starting')
        assert (reply.json['outcome'], reply.json['detail']) == ('not_applied', waiting)
        assert int(reply.headers['Retry-After']) >= 1
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        api.request('GET', '/v1/watch/a')  # from which an EventSource comes back
    expect(api.request('GET', '/v1/watch/a?no=1'), 400, 'bad-query')
    node(2)
    wait_until(lambda: f'waiting for node 3 ({address}:2283), to' in why(first).json['detail'], what=f'{why(first)}')
    node(3)
    first.wait_ready()
    expect(api.put('/a', 'x'), 201)  # over the connection of before


def test_a_replay_is_told(spawn, start):
    daemon = start()
    daemon.terminate()
    (daemon.directory / 'checkpoint').mkdir(exist_ok=True)
    obstacle = daemon.directory / 'checkpoint' / '0000000000000001'
    os.mkfifo(obstacle)  # to open it takes for ever
    node = spawn(daemon.directory)
    assert 'reads its journal' in expect(why(node), 503, 'starting').json['detail']
    assert Client(node.port).request('GET', '/livez').status == 200
    node.terminate()
    obstacle.unlink()
    daemon.start()
