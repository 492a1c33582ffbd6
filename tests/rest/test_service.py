# SPDX-License-Identifier: Apache-2.0
"""What surrounds the znodes: /, health, cluster, OPTIONS, and the headers of every reply."""
import re

import pytest

from client import Client, expect


def test_the_root_says_what_this_is_and_where_to_go(api):
    page = expect(api.request('GET', '/'), 200).json
    assert page['name'] == 'curlew'
    for link in ('/v1/znodes', '/openapi.yaml', '/v1/cluster'):
        assert link in str(page), link


@pytest.mark.parametrize('path', ['/livez', '/readyz', '/readyz?verbose'])
def test_a_healthy_node_is_alive_and_ready(api, path):
    expect(api.request('GET', path), 200)


def test_openapi_yaml_is_the_file(api):
    from contract import FILE
    reply = expect(api.request('GET', '/openapi.yaml'), 200)
    assert reply.body == FILE.read_bytes()


def test_a_cluster_of_one_leads_itself(api, top):
    reply = expect(api.request('GET', '/v1/cluster'), 200)
    cluster = reply.json
    assert cluster['leader'] == cluster['node'] == int(reply.headers['X-Node'])
    assert cluster['zxid'] >= api.stat(top)['czxid']
    assert re.fullmatch(r'\d+\.\d+', cluster['ballot'])
    assert [(m['id'], m['role'], m['healthy'], m['lag_zxids']) for m in cluster['members']] == \
        [(cluster['node'], 'leader', True, 0)]


def test_the_cluster_id_stays_and_the_ballot_grows(start):
    daemon = start()
    before = Client(daemon.port).request('GET', '/v1/cluster').json
    daemon.terminate()
    daemon.start()
    after = Client(daemon.port).request('GET', '/v1/cluster').json
    assert after['cluster_id'] == before['cluster_id']
    assert int(after['ballot'].split('.')[0]) > int(before['ballot'].split('.')[0])


def test_the_node_number_is_an_option(start):
    daemon = start('--id', 7)
    reply = Client(daemon.port).get('/')
    assert reply.headers['X-Node'] == '7'


URLS = ['/', '/livez', '/readyz', '/openapi.yaml', '/v1/cluster', '/v1/znodes', '/problems/internal']


@pytest.mark.parametrize('url', URLS)
def test_head_is_answered_wherever_get_is(api, url):
    got, head = api.request('GET', url), expect(api.request('HEAD', url), 200)
    assert head.body == b''
    assert head.headers.get('Content-Type') == got.headers.get('Content-Type')


def test_request_ids_are_unique(daemon, api):
    other = Client(daemon.port)
    ids = [client.request('GET', url).headers['X-Request-Id']
           for url in URLS * 20 for client in (api, other)]
    assert len(set(ids)) == len(ids)


def test_request_ids_differ_between_runs(start):
    daemon = start()
    first = {Client(daemon.port).get('/').headers['X-Request-Id'] for _ in range(5)}
    daemon.terminate()
    daemon.start()
    assert not first & {Client(daemon.port).get('/').headers['X-Request-Id'] for _ in range(5)}


def test_positions_never_go_back(daemon, top):
    clients = [Client(daemon.port) for _ in range(3)]
    last = 0
    for turn in range(30):
        writer, reader = clients[turn % 3], clients[(turn + 1) % 3]
        written = writer.put(top, str(turn)).zxid
        assert written > last
        assert reader.get(top).zxid >= written
        last = written


def test_errors_carry_the_position_too(api, top):
    zxid = api.put(top, 'x').zxid
    assert api.get(top + '/missing').zxid >= zxid
    assert expect(api.put(top, 'y', version=9), 412).json['zxid'] >= zxid


@pytest.mark.parametrize('url', [*URLS, '/v1/multi', '/v1/znodes/some/where'])
def test_options_is_204_with_allow(api, url):
    reply = expect(api.request('OPTIONS', url), 204)
    assert reply.body == b'' and 'OPTIONS' in reply.headers['Allow']


def test_no_reply_names_the_library(api):
    assert 'microhttpd' not in str(api.get('/').headers.pairs).lower()


@pytest.mark.parametrize('url', URLS)
def test_json_is_not_guessed_by_browsers(api, url):
    reply = api.request('GET', url)
    assert 'html' not in reply.headers['Content-Type']


def test_nothing_allows_other_origins_to_read(api):
    reply = api.get('/', headers={'Origin': 'http://evil.example'})
    assert 'Access-Control-Allow-Origin' not in reply.headers
