# SPDX-License-Identifier: Apache-2.0
"""docker/compose.yaml from nothing, what it publishes, what stays, and what breaks."""
import time

import engine
from client import Wire, wait_until
from project import NODES

UP_S = 15
STOP_S = 5


def test_up_from_nothing(running):
    started = time.monotonic()
    running.up()
    running.wait_healthy()
    assert time.monotonic() - started < UP_S
    for node in NODES:
        assert running.client(node).put(f'/n{node}', str(node)).status == 201
    for node in NODES:
        assert [running.client(node).data(f'/n{other}') for other in NODES] == [b'1', b'2', b'3']
        assert running.health(node) == 'ready'


def test_all_nodes_have_the_same_settings(cluster):
    containers = [engine.inspect(cluster.container(node)) for node in NODES]
    environments = [sorted(container['Config']['Env']) for container in containers]
    assert environments[0] == environments[1] == environments[2]
    assert 'CURLEW_PEERS=n1,n2,n3' in environments[0]
    for node, container in zip(NODES, containers):
        assert cluster.ask(node, '/v1/cluster').json['node'] == node
        assert container['Config']['User'] == '2180:2180'
        assert container['HostConfig']['ReadonlyRootfs']
        assert [mount['Destination'] for mount in container['Mounts']] == ['/data']
        published = container['NetworkSettings']['Ports']
        assert published.pop('2180/tcp') == [{'HostIp': cluster.address, 'HostPort': str(cluster.port(node))}]
        assert not any(published.values())
        assert 'name=--peers value="n1,n2,n3" from=CURLEW_PEERS' in cluster.log(node)


def test_only_known_hosts_are_answered(cluster):
    client = cluster.client(1)
    for host in ('127.0.0.1:2181', 'localhost:2181', 'n2:2180', f'{cluster.address}:2181'):
        assert client.request('GET', '/livez', headers={'Host': host}).status == 200
    assert client.request('GET', '/v1/cluster', headers={'Host': 'pages.example:2181'}).status == 421


def test_everything_stays_after_down_and_up(cluster):
    client = cluster.client(2)
    written = [client.put('/kept', f'{number}' * 1000).zxid for number in range(50)][-1]
    identity = cluster.ask(1, '/v1/cluster').json['cluster_id']
    cluster.down()
    assert cluster.container(1) is None
    cluster.up()
    cluster.wait_ready()
    for node in NODES:
        reply = cluster.client(node).get('/kept', raw=True)
        assert reply.body == b'49' * 1000 and reply.zxid >= written
        assert cluster.ask(node, '/v1/cluster').json['cluster_id'] == identity


def test_the_leader_is_killed(cluster):
    leader = cluster.leader()
    other = cluster.others(leader)[0]
    engine.docker('kill', cluster.container(leader))
    assert cluster.client(other).put('/killed', 'x').status in (200, 201)
    assert cluster.health(other) == 'ready'
    engine.docker('start', cluster.container(leader))
    cluster.wait_healthy(leader)
    assert cluster.client(leader).data('/killed') == b'x'


def livez_inside(cluster, node):
    """The status of /livez, asked where no network is needed."""
    script = r'exec 3<>/dev/tcp/127.0.0.1/2180; printf "GET /livez HTTP/1.1\r\nHost: localhost\r\n' \
             r'Connection: close\r\n\r\n" >&3; head -n 1 <&3'
    return engine.docker('exec', cluster.container(node), 'bash', '-c', script)


def test_the_leader_loses_the_network(cluster):
    leader = cluster.leader()
    other = cluster.others(leader)[0]
    cluster.wait_healthy(leader)  # before it is, failures do not count
    engine.docker('network', 'disconnect', cluster.network(), cluster.container(leader))
    try:
        assert cluster.client(other).put('/disconnected', 'x').status in (200, 201)
        wait_until(lambda: 'no quorum: this node reaches 1 of 3' in cluster.health(leader), 20, 'it is not ready')
        wait_until(lambda: cluster.state(leader)['Health']['Status'] == 'unhealthy', 20, 'it is unhealthy')
        assert ' 200 ' in livez_inside(cluster, leader)
        assert cluster.state(leader)['Running']  # nobody has restarted what only has to wait
    finally:
        engine.docker('network', 'connect', '--alias', f'n{leader}', cluster.network(), cluster.container(leader))
    started = time.monotonic()
    wait_until(lambda: cluster.health(leader) == 'ready', 20, f'it is ready again\n{cluster.log(leader)}')
    assert time.monotonic() - started < 6
    cluster.compose('up', '-d', '--force-recreate', '--no-deps', f'n{leader}')  # its port is published again
    cluster.wait_ready()
    assert cluster.client(leader).data('/disconnected') == b'x'


def test_addresses_change(cluster):
    """n1 and n2 come back with each other's address; n3 knows them by their names."""
    before = {node: cluster.ip(node) for node in NODES}
    for node in (1, 2):
        engine.docker('stop', cluster.container(node))
    assert cluster.client(3).get('/', consistency='local').status == 200
    for node in sorted((1, 2), key=before.get, reverse=True):
        engine.docker('start', cluster.container(node))
    assert {cluster.ip(1): 2, cluster.ip(2): 1} == {before[2]: 2, before[1]: 1}
    cluster.wait_ready()
    for node in NODES:
        assert cluster.client(node).put('/moved', str(node)).status in (200, 201)


def test_a_stop_is_quick_whatever_is_open(cluster):
    idle = [cluster.client(1) for _ in range(5)]
    assert [client.request('GET', '/livez').status for client in idle] == [200] * 5
    stream, poll = (Wire(cluster.port(1), f'GET {url} HTTP/1.1\r\nHost: localhost\r\n\r\n'.encode(),
                         host=cluster.address) for url in ('/v1/watch?recursive', '/v1/znodes?wait=60s'))
    assert stream.socket.recv(15) == b'HTTP/1.1 200 OK'
    started = time.monotonic()
    engine.docker('stop', cluster.container(1))
    assert time.monotonic() - started < STOP_S
    assert cluster.state(1)['ExitCode'] == 0
    assert 'msg="stopped"' in cluster.log(1)
    assert poll.response().slug == 'draining'  # what was received is answered
    while stream.socket.recv(65536):
        pass  # it ends
    engine.docker('start', cluster.container(1))
    cluster.wait_ready()
