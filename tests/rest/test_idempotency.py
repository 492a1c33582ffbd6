# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key: whatever is sent twice happens once."""
import concurrent.futures
import itertools
import uuid

import pytest

from client import Client, expect, target, wait_until


def keyed(key=None):
    return {'Idempotency-Key': key or f'"{uuid.uuid4()}"'}


def assert_replayed(first, second):
    assert second.headers['Idempotency-Replayed'] == 'true'
    assert 'Idempotency-Replayed' not in first.headers
    assert (second.status, second.zxid) == (first.status, first.zxid), (first, second)
    assert second.headers.get('Location') == first.headers.get('Location')
    if first.status < 300:
        assert second.body == first.body
    else:
        same = ('type', 'status', 'code', 'outcome', 'path', 'current', 'failed_op', 'results')
        assert [second.json.get(key) for key in same] == [first.json.get(key) for key in same]


MUTATIONS = {
    'put-create': lambda api, top, h: api.put(top + '/a', 'x', headers=h),
    'put-set': lambda api, top, h: api.put(top, 'x', headers=h),
    'post': lambda api, top, h: api.post(top + '/a', 'x', headers=h),
    'post-sequential': lambda api, top, h: api.post(top + '/', 'x', headers=h, sequential=True),
    'delete': lambda api, top, h: api.delete(top, headers=h),
    'delete-recursive': lambda api, top, h: api.delete(top, headers=h, recursive=True),
    'delete-limit': lambda api, top, h: api.delete(top, headers=h, recursive=True, limit=5),
    'multi': lambda api, top, h: api.multi(
        {'op': 'create', 'path': top + '/m-', 'data': 'x', 'sequential': True}, headers=h),
}


@pytest.mark.parametrize('kind', MUTATIONS)
def test_a_replay_gives_the_first_outcome(api, top, kind):
    headers = keyed()
    first = MUTATIONS[kind](api, top, headers)
    assert first.status < 300, first
    before = api.get('/').zxid
    for _ in range(3):
        assert_replayed(first, MUTATIONS[kind](api, top, headers))
    assert api.get('/').zxid == before


REFUSALS = {
    404: lambda api, top, h: api.put(top + '/missing/x', 'x', headers=h),
    409: lambda api, top, h: api.post(top, 'x', headers=h),
    412: lambda api, top, h: api.put(top, 'x', headers=h, version=9),
    'multi': lambda api, top, h: api.multi({'op': 'check', 'path': top, 'version': 0},
                                           {'op': 'delete', 'path': top + '/missing'}, headers=h),
}


@pytest.mark.parametrize('kind', REFUSALS)
def test_a_refusal_by_the_log_is_kept(api, top, kind):
    headers = keyed()
    first = REFUSALS[kind](api, top, headers)
    assert first.status == (404 if kind == 'multi' else kind)
    api.put(top + '/missing')
    assert_replayed(first, REFUSALS[kind](api, top, headers))


def test_a_refusal_outlives_its_reason(api, top):
    headers = keyed()
    expect(api.post(top + '/a/b', headers=headers), 404)
    api.put(top + '/a')
    expect(api.post(top + '/a/b', headers=headers), 404)
    assert api.children(top + '/a') == []


@pytest.mark.parametrize('send', [
    lambda api, top, h: api.put(top, 'x', headers=h, version='x'),
    lambda api, top, h: api.put(top + '//a', 'x', headers=h),
    lambda api, top, h: api.request('PUT', target(top), None, h),
    lambda api, top, h: api.put(top, b'x' * ((1 << 20) + 1), headers=h),
    lambda api, top, h: api.put(top, 'x', headers={**h, 'Content-Encoding': 'gzip'}),
], ids=['400-query', '400-path', '411', '413', '415'])
def test_a_refusal_before_the_log_is_not_kept(api, top, send):
    headers = keyed()
    assert send(api, top, headers).status >= 400
    reply = expect(api.put(top, 'good', headers=headers), 200)
    assert 'Idempotency-Replayed' not in reply.headers


OTHERS = {
    'body': lambda api, top, h: api.put(top, 'y', headers=h),
    'longer-body': lambda api, top, h: api.put(top, 'xx', headers=h),
    'path': lambda api, top, h: api.put(top + '/other', 'x', headers=h),
    'method': lambda api, top, h: api.post(top, 'x', headers=h),
    'query': lambda api, top, h: api.put(top, 'x', headers=h, version=1),
    'if-match': lambda api, top, h: api.put(top, 'x', headers={**h, 'If-Match': '*'}),
    'multi': lambda api, top, h: api.multi({'op': 'set', 'path': top, 'data': 'x'}, headers=h),
}


@pytest.mark.parametrize('kind', OTHERS)
def test_another_request_with_the_key_is_422(api, top, kind):
    headers = keyed()
    expect(api.put(top, 'x', headers=headers), 200)
    before = api.get('/').zxid
    problem = expect(OTHERS[kind](api, top, headers), 422, 'key-reused').json
    assert problem['outcome'] == 'not_applied'
    assert api.get('/').zxid == before
    expect(api.put(top, 'x', headers=headers), 200)


def test_headers_that_change_nothing_are_not_part_of_the_identity(api, top):
    headers = keyed()
    first = api.put(top, 'x', headers={**headers, 'User-Agent': 'one', 'Prefer': 'wait=3'})
    assert_replayed(first, api.put(top, 'x', headers={**headers, 'User-Agent': 'two'}))


def test_a_chunked_body_is_the_same_body(api, top):
    headers = keyed()
    first = expect(api.put(top, 'one two', headers=headers), 200)
    second = api.request('PUT', target(top), iter([b'one', b' two']), headers)
    assert_replayed(first, second)


def test_a_key_may_be_quoted_or_bare(api, top):
    name = str(uuid.uuid4())
    first = expect(api.put(top, 'x', headers=keyed(f'"{name}"')), 200)
    assert_replayed(first, api.put(top, 'x', headers=keyed(name)))


@pytest.mark.parametrize('length, good', [(1, True), (254, True), (255, True), (256, False)])
def test_a_key_has_up_to_255_bytes(api, top, length, good):
    key = (str(uuid.uuid4()) * 8)[:length] if length > 1 else '~'
    for form in (key, f'"{key}"'):
        reply = api.put(top, 'x', headers=keyed(form))
        expect(reply, 200 if good else 400, None if good else 'bad-header')


@pytest.mark.parametrize('key', ['', '""', '"open', 'open"', '"a"b', '"a" "b"'])
def test_a_malformed_key_is_refused(api, top, key):
    reply = api.request('PUT', target(top), b'x', {'Idempotency-Key': key})
    expect(reply, 400, 'bad-header')
    assert api.stat(top)['version'] == 0


def test_two_keys_are_refused(wire, api, top):
    connection = wire(f'PUT {target(top)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n'
                      'Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\nx'.encode())
    assert connection.response().status == 400
    assert api.stat(top)['version'] == 0


def test_requests_under_way_together_happen_once(daemon, api, top):
    headers = keyed()

    def send(_):
        client = Client(daemon.port)
        reply = client.post(top + '/', 'x', headers=headers, sequential=True)
        client.close()
        return reply

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(send, range(64)))
    assert {reply.status for reply in replies} == {201}
    assert len({reply.json['path'] for reply in replies}) == 1
    assert len({reply.zxid for reply in replies}) == 1
    assert sum('Idempotency-Replayed' not in reply.headers for reply in replies) == 1
    assert len(api.children(top)) == 1


@pytest.mark.parametrize('end', ['terminate', 'kill'])
def test_a_replay_works_after_a_restart(start, end):
    daemon = start()
    headers = [keyed() for _ in range(3)]
    sends = [lambda api, h: api.put('/a', 'x', headers=h),
             lambda api, h: api.post('/a', 'x', headers=h),
             lambda api, h: api.post('/s-', 'x', headers=h, sequential=True)]
    first = [send(Client(daemon.port), h) for send, h in zip(sends, headers)]
    assert [reply.status for reply in first] == [201, 409, 201]
    getattr(daemon, end)()
    daemon.start()
    api = Client(daemon.port)
    for send, h, before in zip(sends, headers, first):
        assert_replayed(before, send(api, h))
    assert api.stat('/a')['version'] == 0


def test_a_full_table_is_429_and_clears_by_itself(start):
    api = Client(start('--key-capacity', 3, '--key-retention', '1s').port)
    api.put('/n')
    for number in itertools.count():
        reply = api.put('/n', f'{number}', headers=keyed())
        if reply.status == 429:
            break
        assert reply.status == 200 and number < 1000
    problem = expect(reply, 429, 'keys-full').json
    assert (problem['outcome'], problem['retryable']) == ('not_applied', True)
    assert int(reply.headers['Retry-After']) >= 0
    assert api.data('/n') == str(number - 1).encode()
    expect(api.put('/n', 'without a key'), 200)
    wait_until(lambda: api.put('/n', 'later', headers=keyed()).status == 200,
               what='room in the table of keys')


def test_a_kept_key_answers_also_while_the_table_is_full(start):
    api = Client(start('--key-capacity', 2).port)
    headers = [keyed(), keyed()]
    first = [api.put('/n', 'x', headers=h) for h in headers]
    expect(api.put('/n', 'y', headers=keyed()), 429, 'keys-full')
    for h, before in zip(headers, first):
        assert_replayed(before, api.put('/n', 'x', headers=h))


def test_a_key_is_forgotten_after_its_retention(start):
    api = Client(start('--key-retention', '1s').port)
    headers = keyed()
    expect(api.put('/n', 'x', headers=headers), 201)
    wait_until(lambda: api.put('/tick') and api.put('/n', 'x', headers=headers).status == 200,
               what='the end of the retention')
    assert api.stat('/n')['version'] == 1


def test_a_key_on_a_read_changes_nothing(api, top):
    headers = keyed()
    expect(api.get(top, headers=headers), 200)
    reply = expect(api.put(top, 'x', headers=headers), 200)
    assert 'Idempotency-Replayed' not in reply.headers
