# SPDX-License-Identifier: Apache-2.0
"""Sessions and what ends with them. Rules N are ZooKeeper's. What must not happen too early is held
against the clock of the client, which started before the server's."""
import concurrent.futures
import json
import re
import signal
import threading
import time

import pytest

from client import Client, expect, wait_until
from sessions import Session, listed, open_raw, wait_gone

LATE_S = 2.0  # how much later than its timeout a session may end on a loaded machine


@pytest.fixture
def session(api):
    return Session(api, 60000)


# ---- Opening, showing, closing -------------------------------------------------------------------

def test_opening_answers_id_and_credential(api):
    reply = expect(open_raw(api, 10000), 201)
    answer = reply.json
    assert answer['timeout_ms'] == 10000
    assert int(answer['id'], 16) == reply.zxid
    assert re.fullmatch(re.escape(answer['id']) + r'\.[0-9a-f]{32}', answer['credential'])
    assert reply.headers['Location'] == f'/v1/sessions/{answer["id"]}'
    assert reply.headers['Cache-Control'] == 'no-store'


def test_secrets_differ(api):
    secrets = {expect(open_raw(api, 500), 201).json['credential'].split('.')[1] for _ in range(20)}
    assert len(secrets) == 20


@pytest.mark.parametrize('timeout_ms', [500, 86400000])
def test_bounds_of_the_timeout_are_allowed(api, timeout_ms):
    expect(Session(api, timeout_ms).close(), 204)


@pytest.mark.parametrize('timeout_ms', [499, 0, -1, 86400001, 2**31 - 1])
def test_other_timeouts_are_refused_with_the_bounds(api, timeout_ms):
    problem = expect(open_raw(api, timeout_ms), 400, 'bad-json').json
    assert '500' in problem['detail'] and '86400000' in problem['detail']


@pytest.mark.parametrize('body', [b'', b'{}', b'{"timeout":5000}', b'{"timeout_ms":"5000"}', b'5000',
                                  b'{"timeout_ms":5000,"x":1}', b'{"timeout_ms":5000.5}'])
def test_a_malformed_body_is_refused(api, body):
    expect(api.request('POST', '/v1/sessions', body), 400, 'bad-json')


def test_a_session_is_not_opened_with_a_key(api):
    before = api.request('GET', '/v1/sessions').zxid
    expect(open_raw(api, 5000, **{'Idempotency-Key': 'k'}), 400, 'bad-header')
    assert api.request('GET', '/v1/sessions').zxid == before


def test_the_holder_sees_what_it_owns(session, top):
    first = expect(session.ephemeral(top + '/b'), 201).json['path']
    second = expect(session.ephemeral(top + '/a-', sequential=True), 201).json['path']
    shown = expect(session.show(), 200).json
    assert shown['paths'] == [first, second]
    assert (shown['id'], shown['timeout_ms'], shown['ephemeral_count']) == (session.id, 60000, 2)
    assert abs(shown['ctime'] / 1000 - time.time()) < 60


@pytest.mark.parametrize('method', ['GET', 'PUT', 'DELETE'])
def test_others_are_denied(api, session, method):
    wrong = session.credential[:-1] + ('0' if session.credential[-1] != '0' else '1')
    other = Session(api, 60000)
    for headers in ({}, {'Curlew-Session': wrong}, other.headers):
        expect(api.request(method, session.url, headers=headers), 403, 'session-denied')
    expect(session.show(), 200)
    other.close()


def test_the_list_has_no_secrets(api, session):
    reply = expect(api.request('GET', '/v1/sessions?limit=10000'), 200)
    assert reply.headers['Cache-Control'] == 'no-store'
    assert session.id in [item['id'] for item in reply.json['sessions']]
    assert session.credential.split('.')[1] not in reply.body.decode()


def test_the_list_comes_in_pages(api):
    opened = [Session(api, 60000) for _ in range(5)]
    seen, cursor = [], ''
    while True:
        page = expect(api.request('GET', f'/v1/sessions?limit=2{cursor}'), 200).json
        assert len(page['sessions']) <= 2
        seen += [item['id'] for item in page['sessions']]
        if 'next' not in page:
            break
        cursor = '&cursor=' + page['next']
    assert seen == sorted(seen, key=lambda name: int(name, 16))
    assert {session.id for session in opened} <= set(seen)
    for session in opened:
        session.close()


@pytest.mark.parametrize('query', ['limit=0', 'limit=10001', 'cursor=x', 'cursor=AXh4', 'view=stat'])
def test_the_lists_check_their_query(api, session, query):
    expect(api.request('GET', f'/v1/sessions?{query}'), 400, 'bad-query')
    expect(session.request('GET', f'{session.url}?{query}'), 400, 'bad-query')


def owned_pages(session, limit):
    pages, cursor = [], ''
    while True:
        page = expect(session.request('GET', f'{session.url}?limit={limit}{cursor}'), 200).json
        pages.append(page['paths'])
        if 'next' not in page:
            return pages
        cursor = '&cursor=' + page['next']


def test_what_a_session_owns_comes_in_pages(session, top):
    paths = [f'{top}/{9 - i}' for i in range(5)]
    for path in paths:
        expect(session.ephemeral(path), 201)
    assert owned_pages(session, 2) == [paths[:2], paths[2:4], paths[4:]]
    assert owned_pages(session, 5) == [paths]
    assert 'next' not in expect(session.show(), 200).json
    page = expect(session.request('GET', session.url + '?limit=2'), 200).json
    expect(session.api.delete(paths[1]), 204)  # where the page ended
    expect(session.api.delete(paths[2]), 204)  # where the next one would begin
    rest = session.request('GET', f'{session.url}?cursor={page["next"]}')
    assert expect(rest, 200).json['paths'] == paths[3:]


def test_a_page_of_what_a_session_owns_is_bounded_in_bytes(start):
    session = Session(Client(start('--max-page-bytes', '65536').port), 60000)
    paths = ['/' + 'x' * 400 + f'-{i:03}' for i in range(300)]
    ops = [{'op': 'create', 'path': path, 'ephemeral': True} for path in paths]
    expect(session.api.multi(*ops, headers=session.headers), 200)
    pages = owned_pages(session, 10000)
    assert len(pages) > 1 and [path for page in pages for path in page] == paths


def test_closing_deletes_all_at_one_zxid(api, session, top):
    for name in 'abc':
        expect(session.ephemeral(f'{top}/{name}'), 201)
    expect(api.put(top + '/kept'), 201)
    reply = expect(session.close(), 204)
    assert api.children(top) == ['kept']
    assert api.stat(top)['pzxid'] == reply.zxid
    assert session.id not in listed(api)
    for again in (session.show, session.close, lambda: session.request('PUT', session.url)):
        expect(again(), 410, 'session-expired')


def test_closing_with_a_key_is_done_once(session):
    key = {'Idempotency-Key': session.id}
    first = expect(session.request('DELETE', session.url, **key), 204)
    again = expect(session.request('DELETE', session.url, **key), 204)
    assert again.headers['Idempotency-Replayed'] == 'true' and again.zxid == first.zxid


@pytest.mark.parametrize('name', ['0x', '0x0', '0x01', '1', '0xA', '0x1g', '0x11111111111111111', '%30x1'])
def test_other_names_are_no_sessions(api, session, name):
    reply = session.request('GET', f'/v1/sessions/{name}')
    expect(reply, 404, 'not-found')


@pytest.mark.parametrize('credential', ['', 'x', '0x1', '0x1.', '0x1.' + 'a' * 31, '0x1.' + 'a' * 33,
                                        '0x1.' + 'A' * 32, '0x0.' + 'a' * 32, '1.' + 'a' * 32,
                                        '0x1.' + 'a' * 32 + ' x', '0x1f.secret', '"0x1.' + 'a' * 32 + '"'])
def test_a_malformed_credential_is_refused_and_not_repeated(api, top, credential):
    reply = expect(api.get(top, {'Curlew-Session': credential}), 400, 'bad-header')
    assert 'a' * 20 not in reply.json['detail'] and 'secret' not in reply.json['detail']


def test_a_credential_comes_once(wire, session):
    line = f'Curlew-Session: {session.credential}\r\n'
    connection = wire(f'GET /livez HTTP/1.1\r\nHost: localhost\r\n{line}{line}\r\n'.encode())
    assert connection.response().status == 400


def test_a_renewal_takes_no_body(session):
    expect(session.request('PUT', session.url, b'x'), 400, 'bad-request')
    expect(session.request('PUT', session.url, b''), 200)


# ---- What is asked with a credential ---------------------------------------------------------------

def test_an_ephemeral_needs_a_session(api, top):
    expect(api.post(top + '/e', ephemeral=True), 400, 'session-required')
    expect(api.multi({'op': 'create', 'path': top + '/e', 'ephemeral': True}), 400,
           'session-required')
    assert api.children(top) == []


def test_an_ephemeral_names_its_owner(api, session, top):
    reply = expect(session.ephemeral(top + '/e', 'x'), 201).json
    assert reply['stat']['ephemeralOwner'] == session.id
    assert api.stat(top + '/e')['ephemeralOwner'] == session.id
    assert api.stat(top)['ephemeralOwner'] is None
    head = api.head(top + '/e')
    assert f'ephemeralowner="{session.id}"' in head.headers['Curlew-Stat']


def test_an_ephemeral_has_no_children(api, session, top):
    expect(session.ephemeral(top + '/e'), 201)
    expect(api.post(top + '/e/child'), 409, 'no-children-for-ephemerals')
    expect(session.ephemeral(top + '/e/child'), 409, 'no-children-for-ephemerals')


def test_put_makes_no_ephemeral_and_says_so(session, top):
    reply = session.request('PUT', f'/v1/znodes{top}/e?ephemeral', b'')
    assert 'POST' in expect(reply, 400, 'bad-query').json['detail']


def test_a_multi_creates_what_ends(api, session, top):
    ops = [{'op': 'create', 'path': top + '/e', 'ephemeral': True},
           {'op': 'create', 'path': top + '/s-', 'ephemeral': True, 'sequential': True},
           {'op': 'create', 'path': top + '/c', 'container': True},
           {'op': 'create', 'path': top + '/t', 'ttl_ms': 3600000}]
    reply = expect(api.multi(*ops, headers=session.headers), 200)
    assert expect(session.show(), 200).json['paths'] == [top + '/e', top + '/s-0000000001']
    assert reply.json['results'][0]['stat']['ephemeralOwner'] == session.id
    expect(session.close(), 204)
    assert api.children(top) == ['c', 't']


@pytest.mark.parametrize('query', ['ephemeral&container', 'ephemeral&ttl=5s', 'container&ttl=5s',
                                   'container&sequential', 'ttl=0s', 'ttl=5', 'ttl=-5s', 'ttl=',
                                   'ttl=1099511627776ms', 'ttl=999999999h'])
def test_contradictions_are_refused(session, top, query):
    expect(session.request('POST', f'/v1/znodes{top}/x?{query}'), 400, 'bad-query')


@pytest.mark.parametrize('members', [{'ephemeral': True, 'container': True}, {'ttl_ms': 0},
                                     {'ephemeral': 1}, {'ttl_ms': 2**40}, {'ttl_ms': '5s'},
                                     {'container': True, 'sequential': True},
                                     {'container': True, 'ttl_ms': 5}])
def test_contradictions_in_a_multi_are_refused(api, session, top, members):
    op = {'op': 'create', 'path': top + '/x', **members}
    expect(api.multi(op, headers=session.headers), 400, 'bad-json')


def test_flags_that_are_off_make_persistent_znodes(api, session, top):
    query = 'ephemeral=0&container=false'
    expect(session.request('POST', f'/v1/znodes{top}/x?{query}'), 201)
    expect(session.close(), 204)
    assert api.children(top) == ['x']


def test_who_has_lost_its_session_writes_and_reads_nothing(api, top):
    session = Session(api, 60000)
    expect(session.close(), 204)
    expect(session.ephemeral(top + '/e'), 410, 'session-expired')
    expect(api.put(top + '/p', 'x', session.headers), 410, 'session-expired')
    expect(api.delete(top, session.headers), 410, 'session-expired')
    expect(api.multi({'op': 'check', 'path': top}, headers=session.headers), 410, 'session-expired')
    expect(api.get(top, session.headers), 410, 'session-expired')
    expect(open_raw(api, 5000, **session.headers), 410, 'session-expired')
    expect(api.get(top, session.headers, consistency='local'), 200)
    assert api.children(top) == []


def test_a_wrong_secret_does_nothing(api, session, top):
    wrong = {'Curlew-Session': session.id + '.' + '0' * 32}
    expect(api.post(top + '/e', headers=wrong, ephemeral=True), 403, 'session-denied')
    expect(api.put(top + '/e', headers=wrong), 403, 'session-denied')
    expect(api.get(top, wrong), 403, 'session-denied')
    assert api.children(top) == []


def test_the_key_of_another_session_is_another_request(api, session, top):
    other = Session(api, 60000)
    key = {'Idempotency-Key': top}
    expect(api.post(top + '/e', headers={**session.headers, **key}, ephemeral=True), 201)
    again = api.post(top + '/e', headers={**session.headers, **key}, ephemeral=True)
    assert expect(again, 201).headers['Idempotency-Replayed'] == 'true'
    expect(api.post(top + '/e', headers={**other.headers, **key}, ephemeral=True), 422, 'key-reused')
    other.close()


def test_no_secret_is_logged(start):
    server = start('--log-level', 'debug')
    api = Client(server.port)
    session = Session(api, 5000)
    session.renew()
    session.ephemeral('/e')
    api.request('GET', session.url, headers={'Curlew-Session': 'x' + session.credential})
    session.close()
    assert session.credential.split('.')[1] not in server.log()


def test_no_secret_is_stored(start):
    server = start()
    session = Session(Client(server.port), 5000)
    session.ephemeral('/e')
    secret = session.credential.split('.')[1].encode()
    server.stop()
    files = [path for path in server.directory.rglob('*') if path.is_file()]
    assert len(files) > 2
    assert not [path for path in files if secret in path.read_bytes()]


# ---- Time ----------------------------------------------------------------------------------------

def test_silence_ends_a_session_after_its_timeout_and_soon(api, top):
    """N11: between the timeout and a little more."""
    session = Session(api, 1000)
    expect(session.ephemeral(top + '/a'), 201)
    expect(session.ephemeral(top + '/b'), 201)
    asked = session.renew()
    seen = wait_gone(api, top + '/a')
    now = time.monotonic()
    assert now - asked >= session.timeout_s, 'it ended early'
    assert seen - asked <= session.timeout_s + LATE_S
    assert api.children(top) == []
    expect(session.show(), 410, 'session-expired')
    expect(session.ephemeral(top + '/c'), 410, 'session-expired')
    assert session.id not in listed(api)


def test_the_ephemerals_of_an_expired_session_go_at_one_zxid(api, top):
    session = Session(api, 500)
    for name in 'abcde':
        expect(session.ephemeral(f'{top}/{name}'), 201)
    before = api.stat(top)['pzxid']
    wait_gone(api, top + '/a')
    reply = expect(api.get(top, view='children'), 200)
    assert reply.json['children'] == []
    assert reply.json['stat']['pzxid'] > before
    assert reply.json['stat']['cversion'] == 10


RENEWALS = {
    'renewal': lambda session, top: session.renew(),
    'show': lambda session, top: expect(session.show(), 200),
    'read': lambda session, top: expect(session.api.get(top, session.headers), 200),
    'local': lambda session, top: expect(
        session.api.get(top, session.headers, consistency='local'), 200),
    'write': lambda session, top: expect(session.api.put(top, 'x', session.headers), 200),
    'livez': lambda session, top: expect(session.request('GET', '/livez'), 200),
    'watch': lambda session, top: expect(session.request('HEAD', '/v1/watch' + top), 200),
    'refused': lambda session, top: expect(session.api.post(top, headers=session.headers), 409),
}


@pytest.mark.parametrize('kind', RENEWALS)
def test_any_request_with_the_credential_renews(api, top, kind):
    """N12."""
    session = Session(api, 500)
    expect(session.ephemeral(top + '/e'), 201)
    until = time.monotonic() + 1.6
    while time.monotonic() < until:
        began = time.monotonic()
        RENEWALS[kind](session, top)
        if time.monotonic() - began > 0.25:
            pytest.skip('the machine is too slow for this timeout')
        time.sleep(0.1)
    assert api.stat(top + '/e') is not None
    expect(session.close(), 204)


def test_a_wrong_secret_does_not_renew(api, top):
    session = Session(api, 500)
    expect(session.ephemeral(top + '/e'), 201)
    wrong = {'Curlew-Session': session.id + '.' + '0' * 32}
    began = time.monotonic()

    def gone():
        api.get(top, wrong, consistency='local')
        return api.stat(top + '/e') is None
    wait_until(gone, 5)
    assert time.monotonic() - began < 0.5 + LATE_S


def test_a_stopped_server_ends_nobody_early(start):
    """A holder that goes on renewing lives, however long the server stood still."""
    server = start()
    api = Client(server.port)
    session = Session(api, 600)
    expect(session.ephemeral('/e'), 201)
    server.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(2)  # longer than the timeout: what is tested is that this time does not count
    finally:
        server.process.send_signal(signal.SIGCONT)
    asked = session.renew()
    wait_gone(api, '/e')
    assert time.monotonic() - asked >= 0.6
    api.close()


@pytest.mark.parametrize('end', ['terminate', 'kill'])
def test_a_restart_gives_the_full_time_again(start, end):
    """N14."""
    server = start()
    api = Client(server.port)
    session = Session(api, 2000)
    expect(session.ephemeral('/e'), 201)
    api.close()
    getattr(server, end)()
    time.sleep(1)  # of its time, which is given back
    began = time.monotonic()
    server.start()
    api = session.api = Client(server.port)
    assert api.stat('/e') is not None
    seen = wait_gone(api, '/e')
    assert time.monotonic() - began >= 2.0
    assert seen - began < 2.0 + 2 * LATE_S
    api.close()


def test_sessions_that_end_together_hold_nobody_up(start):
    """2,000 at once, while another client writes."""
    server = start()
    count, stop = 2000, threading.Event()

    def open_many(number):
        api = Client(server.port, check=False)
        for _ in range(count // 8):
            session = Session(api, 3000)
            expect(session.ephemeral(f'/e-{number}-', sequential=True), 201)
        api.close()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(open_many, range(8)))

    def write():
        api, slowest = Client(server.port, check=False), 0.0
        while not stop.is_set():
            began = time.monotonic()
            expect(api.put('/w', 'x'), 200)
            slowest = max(slowest, time.monotonic() - began)
        api.close()
        return slowest
    api = Client(server.port, check=False)
    expect(api.put('/w'), 201)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            wait_until(lambda: api.children('/') == ['w', 'zookeeper'], 30)
            assert expect(api.request('GET', '/v1/sessions'), 200).json['sessions'] == []
        finally:
            stop.set()
        assert writing.result() < 1.0
    api.close()


def test_a_znode_with_a_time_to_live_goes(api, top):
    began = time.monotonic()
    expect(api.post(top + '/t', ttl='700ms'), 201)
    wait_gone(api, top + '/t')
    assert 0.7 <= time.monotonic() - began < 0.7 + LATE_S


def test_a_set_starts_the_time_to_live_again(api, top):
    expect(api.post(top + '/t', ttl='700ms'), 201)
    time.sleep(0.4)  # of its time, which a set gives back
    began = time.monotonic()
    expect(api.put(top + '/t', 'x'), 200)
    wait_gone(api, top + '/t')
    assert time.monotonic() - began >= 0.7


def test_children_keep_a_znode_with_a_time_to_live(api, top):
    expect(api.post(top + '/t', ttl='500ms'), 201)
    expect(api.put(top + '/t/child'), 201)
    expect(api.post(top + '/u', ttl='500ms'), 201)
    wait_gone(api, top + '/u')
    assert api.stat(top + '/t') is not None
    expect(api.delete(top + '/t/child'), 204)
    wait_gone(api, top + '/t')


def test_a_container_goes_after_its_last_child(api, top):
    expect(api.post(top + '/c', container=True), 201)
    expect(api.post(top + '/never', container=True), 201)
    expect(api.put(top + '/c/child'), 201)
    expect(api.delete(top + '/c/child'), 204)
    wait_gone(api, top + '/c')
    assert api.children(top) == ['never']


def test_times_to_live_survive_a_restart(start):
    server = start()
    api = Client(server.port)
    expect(api.post('/t', ttl='1s'), 201)
    expect(api.post('/long', ttl='1h'), 201)
    api.close()
    server.kill()
    server.start()
    api = Client(server.port)
    wait_gone(api, '/t')
    assert api.stat('/long') is not None
    api.close()
