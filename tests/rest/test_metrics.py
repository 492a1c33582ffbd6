# SPDX-License-Identifier: Apache-2.0
"""/metrics, Server-Timing, the slow-request log and the two forms of log lines."""
import json
import re

import pytest

from client import Client, expect
from exposition import families, value

KEYS = ('ts', 'level', 'msg')


def scrape(api):
    reply = expect(api.request('GET', '/metrics'), 200)
    assert reply.headers['Content-Type'].startswith('text/plain; version=0.0.4')
    return families(reply.body.decode())


def requests(metrics, op, result):
    return value(metrics, 'curlew_request_duration_seconds', suffix='_count', op=op, result=result)


REQUESTS = [
    ('read', 'done', lambda api, top: expect(api.get(top), 200)),
    ('read', 'refused', lambda api, top: expect(api.get(top + '/none'), 404)),
    ('write', 'done', lambda api, top: expect(api.put(top, 'x'), 200)),
    ('write', 'refused', lambda api, top: expect(api.put(top + '/a/b', 'x'), 404)),
    ('delete', 'refused', lambda api, top: expect(api.request('DELETE', f'/v1/znodes{top}/no'), 404)),
    ('multi', 'refused', lambda api, top: expect(api.request('POST', '/v1/multi', b'[]'), 400)),
    ('session', 'done', lambda api, top: expect(api.request('GET', '/v1/sessions'), 200)),
    ('service', 'done', lambda api, top: expect(api.request('GET', '/livez'), 200)),
    ('service', 'refused', lambda api, top: expect(api.request('GET', '/nowhere'), 404)),
]


@pytest.mark.parametrize('op, result, request_', REQUESTS, ids=[f'{o}-{r}' for o, r, _ in REQUESTS])
def test_a_request_is_counted_once(api, top, op, result, request_):
    before = requests(scrape(api), op, result)
    request_(api, top)
    own = 1 if (op, result) == ('service', 'done') else 0  # the first scrape
    assert requests(scrape(api), op, result) == before + 1 + own


def test_histograms_are_whole(api, top):
    metrics = scrape(api)
    for name, family in metrics.items():
        if family.type != 'histogram':
            continue
        for labels, count in family.counts().items():
            buckets = family.buckets(labels)
            assert [b for b, _ in buckets] == sorted(b for b, _ in buckets), name
            assert [c for _, c in buckets] == sorted(c for _, c in buckets), name
            assert buckets[-1] == (float('inf'), count), name


def test_names_follow_the_conventions(api):
    for name, family in scrape(api).items():
        assert re.fullmatch(r'(curlew|process)_[a-z_]+', name), name
        assert family.help.endswith('.'), name
        assert (family.type == 'counter') == name.endswith('_total'), name
        if family.type == 'histogram':
            assert name.endswith('_seconds'), name


def test_the_state_is_counted(api, top):
    before = scrape(api)
    expect(api.put(top + '/child', 'x'), 201)
    after = scrape(api)
    assert value(after, 'curlew_znodes') == value(before, 'curlew_znodes') + 1
    assert value(after, 'curlew_zxid') == value(before, 'curlew_zxid') + 1
    assert value(after, 'curlew_wal_fsync_duration_seconds', suffix='_count') > \
        value(before, 'curlew_wal_fsync_duration_seconds', suffix='_count')
    assert value(after, 'curlew_apply_duration_seconds', suffix='_count') > \
        value(before, 'curlew_apply_duration_seconds', suffix='_count')
    assert value(after, 'curlew_journal_written_bytes_total') > \
        value(before, 'curlew_journal_written_bytes_total')
    for name in ('curlew_has_leader', 'curlew_is_leader', 'curlew_ready', 'curlew_connections'):
        assert value(after, name) >= 1, name


def test_replays_are_counted(api, top):
    before = value(scrape(api), 'curlew_idempotent_replays_total')
    for status in (201, 201):
        expect(api.put(top + '/once', 'x', headers={'Idempotency-Key': f'"{top}"'}), status)
    assert value(scrape(api), 'curlew_idempotent_replays_total') == before + 1


def test_sessions_and_ephemerals_are_counted(api, top):
    before = scrape(api)
    session = expect(api.request('POST', '/v1/sessions', b'{"timeout_ms": 60000}'), 201).json
    headers = {'Curlew-Session': session['credential']}
    expect(api.request('POST', f'/v1/znodes{top}/e?ephemeral', b'', headers), 201)
    during = scrape(api)
    assert value(during, 'curlew_sessions') == value(before, 'curlew_sessions') + 1
    assert value(during, 'curlew_ephemerals') == value(before, 'curlew_ephemerals') + 1
    expect(api.request('DELETE', f'/v1/sessions/{session["id"]}', headers=headers), 204)
    assert value(scrape(api), 'curlew_ephemerals') == value(before, 'curlew_ephemerals')


def test_a_write_tells_where_its_time_went(api, top):
    timing = expect(api.put(top, 'x'), 200).headers['Server-Timing']
    assert [part.split(';')[0] for part in timing.split(', ')] == ['queue', 'commit', 'execute']
    assert sum(float(d) for d in re.findall(r'dur=([\d.]+)', timing)) < 20000


def test_a_read_that_did_not_wait_has_no_timing(api, top):
    assert 'Server-Timing' not in expect(api.get(top, consistency='local'), 200).headers


def test_slow_requests_are_logged_with_their_phases(start):
    daemon = start('--slow-request', '1ms')
    api = Client(daemon.port)
    sent = 0
    while 'resource=znode_put' not in daemon.log() and sent < 2000:
        assert api.put('/a', 'x' * 200000).status in (200, 201)
        sent += 1
    line = daemon.wait_line(r'msg="slow request" (.*resource=znode_put.*)').group(1)
    assert re.fullmatch(r'request=\S+ resource=znode_put status=20[01] total_ms=[\d.]+ '
                        r'queue_ms=[\d.]+ commit_ms=[\d.]+ execute_ms=[\d.]+ send_ms=[\d.]+', line)


def test_who_was_asked_to_wait_is_not_slow(start):
    daemon = start('--slow-request', '100ms')
    api = Client(daemon.port)
    expect(api.get('/', wait='150ms', since='0'), 204)
    expect(api.get('/'), 200)
    assert 'resource=root_znode_get' not in daemon.log()


def test_log_lines_as_json(start):
    daemon = start('--log-format', 'json')
    expect(Client(daemon.port).get('/'), 200)
    daemon.terminate()
    lines = [json.loads(line) for line in daemon.log().splitlines()]
    assert all(tuple(line)[:3] == KEYS for line in lines)
    assert {'starting', 'listening'} <= {line['msg'] for line in lines}
