# SPDX-License-Identifier: Apache-2.0
"""Several operations as one: all or nothing, one zxid, a code for each (rules M*)."""
import json

import pytest

from client import Client, expect


def create(path, data='', **more):
    return {'op': 'create', 'path': path, 'data': data, **more}


def put(path, data='', **more):
    return {'op': 'set', 'path': path, 'data': data, **more}


def delete(path, **more):
    return {'op': 'delete', 'path': path, **more}


def check(path, version=-1):
    return {'op': 'check', 'path': path, 'version': version}


def get(path):
    return {'op': 'get', 'path': path}


def children(path):
    return {'op': 'children', 'path': path}


def codes(reply):
    return [result['code'] for result in reply.json['results']]


def test_m3_all_at_one_zxid(api, top):
    api.put(top + '/old', 'x')
    before = api.get('/').zxid
    reply = expect(api.multi(check(top, 0), create(top + '/new', 'n'), put(top, 's', version=0),
                             delete(top + '/old', version=0)), 200)
    assert reply.json['zxid'] == reply.zxid == before + 1
    assert api.stat(top + '/new')['czxid'] == api.stat(top)['mzxid'] == reply.zxid
    assert api.stat(top)['pzxid'] == reply.zxid
    assert api.children(top) == ['new']
    assert (api.data(top), api.data(top + '/new')) == (b's', b'n')


def test_s6_ops_share_one_time(api, top):
    expect(api.multi(create(top + '/a'), create(top + '/b'), put(top)), 200)
    assert api.stat(top + '/a')['ctime'] == api.stat(top + '/b')['ctime'] == api.stat(top)['mtime']


def test_m9_results_stand_for_their_ops(api, top):
    ops = [check(top), create(top + '/a', 'xy'), put(top + '/a', 'xyz'), delete(top + '/a')]
    results = expect(api.multi(*ops), 200).json['results']
    assert [(r['op'], r['path']) for r in results] == [(op['op'], op['path']) for op in ops]
    assert (results[1]['stat']['version'], results[1]['stat']['dataLength']) == (0, 2)
    assert (results[2]['stat']['version'], results[2]['stat']['dataLength']) == (1, 3)


def test_m4_later_ops_see_earlier_ones(api, top):
    expect(api.multi(create(top + '/p'), create(top + '/p/c'), put(top + '/p', 'x', version=0),
                     put(top + '/p', 'y', version=1), check(top + '/p', 2),
                     create(top + '/t'), delete(top + '/t')), 200)
    assert api.children(top) == ['p'] and api.data(top + '/p') == b'y'
    assert api.stat(top)['cversion'] == 3


def test_m4_sequential_creates_get_consecutive_numbers(api, top):
    reply = expect(api.multi(create(top + '/a-', sequential=True),
                             create(top + '/b-', sequential=True),
                             create(top + '/', sequential=True)), 200)
    assert [r['path'] for r in reply.json['results']] == \
        [top + '/a-0000000000', top + '/b-0000000001', top + '/0000000002']


FAILURES = {
    'M8-bad-version': (lambda top: put(top, 'x', version=5), 412, 'BADVERSION'),
    'M8-check': (lambda top: check(top, 5), 412, 'BADVERSION'),
    'M8-no-node': (lambda top: put(top + '/missing'), 404, 'NONODE'),
    'M8-delete-missing': (lambda top: delete(top + '/missing'), 404, 'NONODE'),
    'M8-no-parent': (lambda top: create(top + '/missing/x'), 404, 'NONODE'),
    'M8-exists': (lambda top: create(top), 409, 'NODEEXISTS'),
    'M8-not-empty': (lambda top: delete(top), 409, 'NOTEMPTY'),
    'M16-check-missing': (lambda top: check(top + '/missing'), 404, 'NONODE'),
    'P25-special': (lambda top: delete('/zookeeper'), 400, 'BADARGUMENTS'),
}


@pytest.mark.parametrize('kind', FAILURES)
@pytest.mark.parametrize('place', [0, 1, 2])
def test_m6_m8_a_failure_undoes_everything(api, top, kind, place):
    make, status, code = FAILURES[kind]
    api.put(top + '/child')
    before = api.get(top, view='tree').json, api.get('/').zxid
    ops = [create(top + '/one'), put(top, 'two')]
    ops.insert(place, make(top))
    problem = expect(api.multi(*ops), status).json
    assert (problem['code'], problem['failed_op']) == (code, place)
    assert [r['code'] for r in problem['results']] == \
        ['OK'] * place + [code] + ['RUNTIMEINCONSISTENCY'] * (2 - place)
    assert problem['outcome'] == 'not_applied'
    assert (api.get(top, view='tree').json, api.get('/').zxid) == before


def test_t4_m6_no_number_is_burnt(api, top):
    expect(api.multi(create(top + '/', sequential=True), create(top + '/', sequential=True),
                     delete(top + '/missing')), 404)
    assert api.post(top + '/', sequential=True).json['path'] == top + '/0000000000'


def test_t18_the_second_version_0_fails(api, top):
    problem = expect(api.multi(create(top + '/m'), put(top + '/m', 'a', version=0),
                               put(top + '/m', 'b', version=0)), 412).json
    assert [r['code'] for r in problem['results']] == ['OK', 'OK', 'BADVERSION']
    assert api.stat(top + '/m') is None


def test_t19_behind_the_failure_nothing_is_tried(api, top):
    problem = expect(api.multi(check(top + '/x'), create(top + '/y')), 404).json
    assert [r['code'] for r in problem['results']] == ['NONODE', 'RUNTIMEINCONSISTENCY']


def test_m16_check_minus_one_is_existence(api, top):
    expect(api.multi(check(top, -1)), 200)
    expect(api.multi({'op': 'check', 'path': top}), 200)


def test_a_check_alone_changes_nothing(api, top):
    before = api.get(top)
    expect(api.multi(check(top, 0)), 200)
    assert api.get(top).json == before.json


def test_data_in_base64(api, top):
    expect(api.multi(create(top + '/a', '/wA=', encoding='base64'),
                     put(top, 'AA==', encoding='base64')), 200)
    assert (api.data(top + '/a'), api.data(top)) == (b'\xff\0', b'\0')


@pytest.mark.parametrize('data', ['A', '====', 'A===', 'AA=A', '!!!!', 'AAA', 'AB==', ' AAA='])
def test_bad_base64_is_refused(api, top, data):
    reply = api.multi(put(top, data, encoding='base64'))
    assert reply.status == 400, reply
    assert api.stat(top)['version'] == 0


def test_escapes_in_data(api, top):
    body = '{"ops":[{"op":"set","path":"%s","data":"\\u00e9\\ud83d\\udc26\\u0000\\n"}]}' % top
    expect(api.request('POST', '/v1/multi', body.encode()), 200)
    assert api.data(top) == 'é🐦\0\n'.encode()


BAD = {
    'empty': '', 'not-json': 'x', 'cut': '{"ops":[{"op":"check","path":"TOP"}', 'array': '[]',
    'no-ops': '{}', 'ops-not-array': '{"ops":{}}', 'no-op-at-all': '{"ops":[]}',
    'unknown-member': '{"ops":[{"op":"set","path":"TOP","data":"x"}],"atomic":true}',
    'unknown-op': '{"ops":[{"op":"sett","path":"TOP","data":"x"}]}',
    'unknown-op-member': '{"ops":[{"op":"set","path":"TOP","data":"x","verison":3}]}',
    'no-op': '{"ops":[{"path":"TOP","data":"x"}]}', 'no-path': '{"ops":[{"op":"set","data":"x"}]}',
    'no-data': '{"ops":[{"op":"set","path":"TOP"}]}',
    'data-on-delete': '{"ops":[{"op":"delete","path":"TOP","data":"x"}]}',
    'op-not-object': '{"ops":["set"]}', 'path-not-string': '{"ops":[{"op":"delete","path":7}]}',
    'data-not-string': '{"ops":[{"op":"set","path":"TOP","data":7}]}',
    'version-string': '{"ops":[{"op":"set","path":"TOP","data":"x","version":"0"}]}',
    'version-float': '{"ops":[{"op":"set","path":"TOP","data":"x","version":0.5}]}',
    'version-too-big': '{"ops":[{"op":"set","path":"TOP","data":"x","version":2147483648}]}',
    'version-huge': '{"ops":[{"op":"set","path":"TOP","data":"x","version":18446744073709551616}]}',
    'version-null': '{"ops":[{"op":"set","path":"TOP","data":"x","version":null}]}',
    'encoding-unknown': '{"ops":[{"op":"set","path":"TOP","data":"x","encoding":"latin1"}]}',
    'sequential-string': '{"ops":[{"op":"create","path":"TOP/a","data":"","sequential":"true"}]}',
    'duplicate-member': '{"ops":[{"op":"set","path":"TOP","data":"x","data":"y"}]}',
    'duplicate-ops': '{"ops":[],"ops":[{"op":"set","path":"TOP","data":"x"}]}',
    'single-quotes': "{'ops':[{'op':'set','path':'TOP','data':'x'}]}",
    'trailing': '{"ops":[{"op":"set","path":"TOP","data":"x"}]} x',
    'two-documents': '{"ops":[{"op":"set","path":"TOP","data":"x"}]}{}',
    'comment': '{"ops":[{"op":"set","path":"TOP","data":"x"}]/* */}',
    'trailing-comma': '{"ops":[{"op":"set","path":"TOP","data":"x"},]}',
    'nan': '{"ops":[{"op":"set","path":"TOP","data":"x","version":NaN}]}',
    'raw-control': '{"ops":[{"op":"set","path":"TOP","data":"a\nb"}]}',
    'lone-surrogate': '{"ops":[{"op":"set","path":"TOP","data":"\\ud800"}]}',
    'nul-behind': '{"ops":[{"op":"set","path":"TOP","data":"x"}]}\0',
    'capital-literal': '{"ops":[{"op":"create","path":"TOP/a","data":"","sequential":True}]}',
}


@pytest.mark.parametrize('kind', BAD)
def test_bad_json_is_refused_whole(api, top, kind):
    reply = api.request('POST', '/v1/multi', BAD[kind].replace('TOP', top).encode())
    problem = expect(reply, 400).json
    assert reply.slug in ('bad-json', 'session-required'), reply
    assert problem['outcome'] == 'not_applied'
    assert api.stat(top)['version'] == 0 and api.children(top) == []


@pytest.mark.parametrize('bad', [b'\xff', b'\xc0\xaf', b'\xed\xa0\x80', b'\xf5\x80\x80\x80'])
def test_json_must_be_utf8(api, top, bad):
    body = b'{"ops":[{"op":"set","path":"%s","data":"%s"}]}' % (top.encode(), bad)
    expect(api.request('POST', '/v1/multi', body), 400, 'bad-json')
    assert api.stat(top)['version'] == 0


def test_a_forgotten_body_is_no_multi(api):
    assert api.request('POST', '/v1/multi').status in (400, 411)


def test_json_is_parsed_whatever_the_content_type(api, top):
    body = json.dumps({'ops': [put(top, 'x')]}).encode()
    for media in ('text/plain', 'application/x-www-form-urlencoded', 'application/json'):
        expect(api.request('POST', '/v1/multi', body, {'Content-Type': media}), 200)


def test_white_space_around_json_is_fine(api, top):
    body = b' \r\n\t' + json.dumps({'ops': [put(top, 'x')]}, indent=4).encode() + b'\r\n '
    expect(api.request('POST', '/v1/multi', body), 200)


def test_reads_see_one_state(api, top):
    api.put(top + '/a', 'x')
    api.put(top + '/b', b'\xff')
    reply = expect(api.multi(get(top + '/a'), get(top + '/b'), children(top)), 200)
    first, second, third = reply.json['results']
    assert (first['data'], first['encoding']) == ('x', 'utf8')
    assert (second['data'], second['encoding']) == ('/w==', 'base64')
    assert third['children'] == ['a', 'b']
    assert first['stat'] == api.stat(top + '/a')
    assert reply.json['zxid'] == reply.zxid == api.get(top).zxid


def test_m11_a_read_of_a_missing_znode_fails_alone(api, top):
    results = expect(api.multi(get(top), get(top + '/missing'), children(top + '/missing')),
                     200).json['results']
    assert [result.get('code', 'OK') for result in results] == ['OK', 'NONODE', 'NONODE']


@pytest.mark.parametrize('ops', [lambda t: [get(t), put(t)], lambda t: [put(t), children(t)]])
def test_m1_t42_reads_and_writes_do_not_mix(api, top, ops):
    assert expect(api.multi(*ops(top)), 400).json['outcome'] == 'not_applied'
    assert api.stat(top)['version'] == 0


def test_a_thousand_ops(api, top):
    names = [f'{number:04d}' for number in range(1000)]
    reply = expect(api.multi(*(create(f'{top}/{name}') for name in names)), 200)
    assert len(reply.json['results']) == 1000
    assert api.children(top) == names
    expect(api.multi(*(put(top) for _ in range(1001))), 400)
    assert api.stat(top)['version'] == 0


def test_the_operator_bounds_the_ops(start):
    api = Client(start('--max-multi-ops', 3).port)
    expect(api.multi(*[check('/')] * 3), 200)
    assert '3' in expect(api.multi(*[check('/')] * 4), 400).json['detail']


def test_get_on_multi_is_405(api):
    assert expect(api.request('GET', '/v1/multi'), 405).headers['Allow']
