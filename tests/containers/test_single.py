# SPDX-License-Identifier: Apache-2.0
"""One container, and volumes that are wrong, foreign, swapped, not writable or full."""
import json

import engine
from client import Client
from examples import loopback_address

PEERS = ('-e', 'CURLEW_PEERS=n1,n2,n3')


def test_one_container_is_a_durable_node(single):
    address, volume = loopback_address(), single.volume()
    options = ('--read-only', '--cap-drop', 'ALL', '-p', f'{address}:2180:2180', '-v', f'{volume}:/data')
    container = single.run(*options)
    single.healthy(container)
    client = Client(2180, host=address)
    assert client.put('/a', 'kept').status == 201
    engine.docker('rm', '-f', container)
    single.healthy(single.run(*options))
    client.close()
    assert client.data('/a') == b'kept'
    assert client.request('GET', '/livez', headers={'Host': 'localhost:2180'}).status == 200
    assert client.request('GET', '/livez', headers={'Host': 'pages.example'}).status == 421


def test_the_image_is_small_and_harmless(image):
    told = json.loads(engine.docker('image', 'inspect', image))[0]['Config']
    assert told['User'] == '2180:2180'
    assert told['Healthcheck']['Test'] == ['CMD', '/usr/bin/curlewd', 'health']
    assert list(told['Volumes']) == ['/data'] and told['Entrypoint'] == ['/usr/bin/curlewd']
    assert engine.size_of(image) - engine.size_of(engine.base_image()) < 10e6
    assert engine.docker('run', '--rm', image, '--version').startswith('curlewd ')
    found = engine.docker('run', '--rm', '--entrypoint', 'sh', image, '-c', 'ls -A /src /tmp /var/lib/apt/lists 2>&1; id -u')
    assert found.endswith('2180') and 'curlew.c' not in found


def test_a_blank_node_that_waits_is_alive_but_not_healthy(single):
    container = single.run('--hostname', 'n2', *PEERS)
    line = engine.docker('exec', container, 'sh', '-c',
                         'until curlewd health | grep n3; do sleep 0.1; done', timeout_s=20)
    assert line == 'not ready: waiting for node 1 (n1:2190), node 3 (n3:2190), to found the cluster'
    assert engine.inspect(container)['State']['Running']


def test_swapped_volumes_are_refused(cluster, single):
    """n1 and n2 are started with each other's volume, as a mistake in a compose file would."""
    for node in (1, 2):
        engine.docker('stop', cluster.container(node))
    for node, other in ((1, 2), (2, 1)):
        status, log = single.ended(single.run('--hostname', f'n{node}', *PEERS, '-v', f'{cluster.volume(other)}:/data'))
        assert status == 78
        assert (f'the data directory belongs to node {other}, but this host, n{node}, is node {node} in --peers: '
                'the directories (volumes) of two nodes were swapped') in log
    for node in (1, 2):
        engine.docker('start', cluster.container(node))
    cluster.wait_ready()


def test_a_foreign_volume_is_refused(single):
    volume = ('-v', f'{single.volume()}:/data')
    container = single.run(*volume)
    single.healthy(container)
    engine.docker('rm', '-f', container)
    status, log = single.ended(single.run('--hostname', 'n1', *PEERS, *volume))
    assert status == 78
    assert 'the data directory belongs to a cluster of the nodes 1, but --peers names 1,2,3' in log


def test_a_host_that_is_not_in_the_list_is_told(single):
    status, log = single.ended(single.run('--hostname', 'n4', *PEERS))
    assert status == 64
    assert "this host's name, n4, is not in --peers: give the number of this node with --id" in log


def test_a_volume_that_is_not_writable_is_named(single):
    status, log = single.ended(single.run('--tmpfs', '/data:uid=0,mode=0755'))
    assert status == 78
    assert '/data' in log and 'Permission denied' in log


def test_a_volume_without_room_for_a_start_is_named(single):
    status, log = single.ended(single.run('--tmpfs', '/data:uid=2180,mode=0700,size=1m'))
    assert status == 78
    assert 'No space left on device' in log and 'msg="cannot start" error=disk-full' in log


def test_a_volume_below_the_reserve_takes_no_writes(single):
    address = loopback_address()
    container = single.run('-p', f'{address}:2180:2180', '--tmpfs', '/data:uid=2180,mode=0700,size=60m')
    single.healthy(container)
    assert Client(2180, host=address).put('/a', 'x').slug == 'disk-full'
    assert 'msg="the disk is nearly full: only reads and deletes are served" free_bytes=' in engine.logs(container)


def test_a_full_volume(single):
    """Reads and deletes go on, writes are refused as not applied, and room that was made is used."""
    address = loopback_address()
    container = single.run('-p', f'{address}:2180:2180', '--tmpfs', '/data:uid=2180,mode=0700,size=160m',
                           '-e', 'CURLEW_DISK_RESERVE_BYTES=8MiB', '-e', 'CURLEW_MAP_SIZE=64MiB')
    single.healthy(container)
    client = Client(2180, host=address)
    reply, count = None, 0
    while reply is None or reply.status == 201:
        reply = client.put(f'/a{count}', b'x' * 1000000)
        count += 1
        assert count < 500, 'it is never full'
    assert (reply.status, reply.slug, reply.json['outcome']) == (507, 'disk-full', 'not_applied')
    assert client.data('/a0') == b'x' * 1000000
    assert engine.docker('exec', container, 'curlewd', 'health') == 'ready'
    assert 'msg="the disk is nearly full: only reads and deletes are served"' in engine.logs(container)
    for number in range(count - 1):
        assert client.delete(f'/a{number}').status == 204
