# SPDX-License-Identifier: Apache-2.0
"""ZooKeeper's rules, one test per rule id: paths (P), names and numbers (C), stat (S), operations (O,
4.1), special znodes, and the conformance vectors (T). Those of multi (M) are in test_multi.py."""
import pytest

from client import expect, target

ILLEGAL = {
    'P5-trailing-slash': '/a/', 'P7-empty-component': '/a//b', 'P8-dot': '/a/./b',
    'P8-last-dot': '/a/.', 'P9-dot-dot': '/a/../b', 'P9-last-dot-dot': '/a/..',
    'P10-first-control': '/a/\x01', 'P10-last-control': '/a/x\x1f', 'P10-delete': '/a/\x7f',
    'P10-c1-first': '/a/\x80', 'P10-c1-last': '/a/\x9f',
    'P11-first-surrogate': b'/a/\xed\xa0\x80', 'P11-private-first': '/a/\ue000',
    'P11-private-last': '/a/\uf8ff', 'P11-astral': '/a/\U00010000', 'P11-emoji': '/a/\U0001f600',
    'P12-first-special': '/a/\ufff0', 'P12-replacement': '/a/\ufffd', 'P12-last': '/a/\uffff',
    'P12-malformed': b'/a/\xff', 'P12-truncated': b'/a/\xe2\x82', 'P12-overlong': b'/a/\xc0\xae',
    'name-of-501-bytes': '/a/' + 'x' * 501,
}
LEGAL = {
    'P8-dot-first': '/.b', 'P8-dot-last': '/b.', 'P9-three-dots': '/...', 'P9-dots-first': '/..a',
    'P9-dots-last': '/a..', 'P10-space': '/ ', 'P10-after-c1': '/\xa0', 'P11-below': '/\ud7ff',
    'P11-above': '/\uf900', 'P12-below': '/\uffef', 'name-of-500-bytes': '/' + 'x' * 500,
    'name-of-500-bytes-in-umlauts': '/' + 'ä' * 250,
}


def join(top, path):
    return top.encode() + path if isinstance(path, bytes) else top + path


@pytest.mark.parametrize('rule', ILLEGAL)
def test_put_refuses_an_illegal_path(api, top, rule):
    api.put(top + '/a')
    problem = expect(api.put(join(top, ILLEGAL[rule]), 'x'), 400, 'bad-path').json
    assert (problem['code'], problem['outcome']) == ('BADARGUMENTS', 'not_applied')
    assert api.children(top + '/a') == []


# Their parents are illegal too, so they do not exist, and that comes first (1.2).
ILLEGAL_PARENT = {'P7-empty-component', 'P8-dot', 'P9-dot-dot'}


@pytest.mark.parametrize('rule', ILLEGAL)
def test_post_refuses_an_illegal_path(api, top, rule):
    api.put(top + '/a')
    reply = api.post(join(top, ILLEGAL[rule]), 'x')
    if rule in ILLEGAL_PARENT:
        expect(reply, 404, 'no-node')
    else:
        expect(reply, 400, 'bad-path')
    assert api.children(top + '/a') == []


@pytest.mark.parametrize('rule', ILLEGAL)
def test_multi_refuses_an_illegal_path(api, top, rule):
    path = join(top, ILLEGAL[rule])
    if isinstance(path, bytes):
        pytest.skip('not expressible in JSON')
    api.put(top + '/a')
    reply = api.multi({'op': 'create', 'path': path, 'data': 'x'})
    assert reply.status == (404 if rule in ILLEGAL_PARENT else 400), reply
    assert api.children(top + '/a') == []


@pytest.mark.parametrize('rule', LEGAL)
def test_legal_names(api, top, rule):
    expect(api.post(top + LEGAL[rule], 'x'), 201)
    assert api.children(top) == [LEGAL[rule][1:]]
    assert api.data(top + LEGAL[rule]) == b'x'
    expect(api.delete(top + LEGAL[rule]), 204)


def test_sequential_names_count_with_their_digits(api, top):
    expect(api.post(top + '/' + 'x' * 490, sequential=True), 201)
    expect(api.post(top + '/' + 'x' * 491, sequential=True), 400, 'bad-path')


@pytest.mark.parametrize('part', ['%00', 'a%00b', '%2F', 'a%2fb'])
@pytest.mark.parametrize('method', ['GET', 'PUT', 'POST', 'DELETE'])
def test_p6_nul_and_encoded_slash_are_refused(api, top, method, part):
    body = b'x' if method in ('PUT', 'POST') else None
    expect(api.request(method, f'{target(top)}/{part}', body), 400, 'bad-path')
    assert api.children(top) == []


@pytest.mark.parametrize('part', ['%', '%4', '%zz', 'a%g1'])
def test_malformed_percent_encoding_is_refused(api, top, part):
    assert expect(api.request('PUT', f'{target(top)}/{part}', b'x'), 400).json['outcome'] == \
        'not_applied'
    assert api.children(top) == []


@pytest.mark.parametrize('path', ['/a//b', '/a/.', '/a/..', '/\x7f'])
def test_t17_reading_an_illegal_path_finds_nothing(api, top, path):
    expect(api.get(top + path), 404, 'no-node')


@pytest.mark.parametrize('path', ['/a/.', '/a/..', '/\x7f', '/\U0001f600'])
def test_1_2_deleting_an_illegal_path_finds_nothing(api, top, path):
    api.put(top + '/a')
    expect(api.delete(top + path), 404, 'no-node')


def test_1_2_a_missing_parent_precedes_an_illegal_name(api, top):
    expect(api.post(top + '/missing/x\x1e'), 404, 'no-node')


def test_p14_depth_is_free(api, top):
    path = top + '/d' * 300
    expect(api.put(path, 'deep', parents=True), 201)
    assert api.data(path) == b'deep'
    assert api.get(path).json['path'] == path


@pytest.mark.parametrize('path', ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'])
def test_p25_t16_special_znodes_cannot_be_deleted(api, path):
    for query in ({}, {'version': 99}, {'recursive': True}):
        assert expect(api.delete(path, **query), 400).json['code'] == 'BADARGUMENTS'
    assert api.stat(path) is not None


@pytest.mark.parametrize('method, path', [
    ('PUT', '/zookeeper'), ('PUT', '/zookeeper/quota'), ('PUT', '/zookeeper/config'),
    ('PUT', '/zookeeper/new'), ('POST', '/zookeeper/new'), ('POST', '/zookeeper/quota/new'),
    ('PUT', '/zookeeper/config/new')])
def test_the_reserved_subtree_is_read_only(api, method, path):
    before = api.get('/zookeeper', view='tree').json
    reply = expect(api.request(method, target(path), b'x'), 403, 'no-auth')
    assert reply.json['outcome'] == 'not_applied'
    assert api.get('/zookeeper', view='tree').json == before


def test_p27_the_root_can_be_set(api):
    expect(api.put('/', 'at the root'), 200)
    assert api.data('/') == b'at the root'
    expect(api.put('/', b''), 200)


def test_p28_the_root_lists_zookeeper(api):
    assert 'zookeeper' in api.children('/')


def test_p29_the_root_exists(api):
    assert expect(api.post('/'), 409, 'node-exists').json['code'] == 'NODEEXISTS'


def test_t1_the_first_state(start):
    from client import Client
    api = Client(start().port)
    root, zookeeper = api.stat('/'), api.stat('/zookeeper')
    assert (root['cversion'], zookeeper['cversion']) == (-1, -2)
    assert (root['numChildren'], zookeeper['numChildren']) == (1, 2)
    for stat in (root, zookeeper, api.stat('/zookeeper/quota')):
        assert stat['version'] == stat['pzxid'] == stat['czxid'] == stat['mzxid'] == 0
    assert api.children('/zookeeper') == ['config', 'quota']
    assert api.get('/').zxid == 0


# ---- stat ------------------------------------------------------------------------------------------

def changed(before, after):
    return {key for key in before if before[key] != after[key]}


def test_s_create_sets_every_field(api, top):
    reply = api.post(top + '/a', 'xyz')
    stat = api.stat(top + '/a')
    assert stat['czxid'] == stat['mzxid'] == stat['pzxid'] == reply.zxid
    assert stat['ctime'] == stat['mtime']
    assert stat['version'] == stat['cversion'] == stat['aversion'] == stat['numChildren'] == 0
    assert stat['dataLength'] == 3


def test_s_create_changes_of_the_parent_only_what_it_must(api, top):
    before = api.stat(top)
    reply = api.post(top + '/a')
    after = api.stat(top)
    assert changed(before, after) == {'pzxid', 'cversion', 'numChildren'}
    assert (after['pzxid'], after['cversion'], after['numChildren']) == (reply.zxid, 1, 1)


def test_s_delete_changes_of_the_parent_only_what_it_must(api, top):
    api.post(top + '/a')
    before = api.stat(top)
    reply = api.delete(top + '/a')
    after = api.stat(top)
    assert changed(before, after) == {'pzxid', 'cversion', 'numChildren'}
    assert (after['pzxid'], after['cversion'], after['numChildren']) == (reply.zxid, 2, 0)


def test_s_set_changes_only_what_it_must(api, top):
    before, parent = api.stat(top), api.stat('/')
    reply = api.put(top, 'abc')
    after = api.stat(top)
    assert changed(before, after) <= {'mzxid', 'mtime', 'version', 'dataLength'}
    assert (after['mzxid'], after['version'], after['dataLength']) == (reply.zxid, 1, 3)
    assert api.stat('/')['pzxid'] == parent['pzxid']


def test_s1_grandchildren_do_not_touch_grandparents(api, top):
    api.put(top + '/a')
    before = api.stat(top)
    api.put(top + '/a/b')
    api.delete(top + '/a/b')
    assert api.stat(top) == before


def test_s2_setting_the_same_bytes_counts(api, top):
    api.put(top, 'same')
    before = api.stat(top)
    api.put(top, 'same')
    after = api.stat(top)
    assert after['version'] == before['version'] + 1
    assert after['mzxid'] == before['mzxid'] + 1


def test_s3_cversion_counts_creates_and_deletes(api, top):
    api.put(top + '/c1')
    api.put(top + '/c2')
    assert api.stat(top)['cversion'] == 2
    api.delete(top + '/c1')
    assert api.stat(top)['cversion'] == 3
    reply = api.post(top + '/', sequential=True)
    assert reply.json['path'] == top + '/0000000002'
    assert api.stat(top)['cversion'] == 4


def test_failed_writes_change_nothing(api, top):
    api.put(top + '/a', 'x')
    before = api.stat(top), api.stat(top + '/a')
    expect(api.post(top + '/a'), 409)
    expect(api.put(top + '/a', 'y', version=5), 412)
    expect(api.delete(top + '/a', version=5), 412)
    expect(api.delete(top), 409)
    assert (api.stat(top), api.stat(top + '/a')) == before


# ---- names and numbers -----------------------------------------------------------------------------

def test_t2_numbers_go_on_after_a_delete(api, top):
    api.post(top + '/a')
    api.post(top + '/b')
    api.delete(top + '/a')
    assert api.post(top + '/s-', sequential=True).json['path'] == top + '/s-0000000002'
    stat = api.stat(top)
    assert (stat['cversion'], stat['numChildren']) == (4, 2)


def test_t3_a_failed_create_burns_no_number(api, top):
    api.post(top + '/x')
    expect(api.post(top + '/x'), 409)
    assert api.post(top + '/', sequential=True).json['path'] == top + '/0000000001'


def test_c8_every_create_counts_whatever_its_prefix(api, top):
    assert api.post(top + '/a-', sequential=True).json['path'].endswith('/a-0000000000')
    api.post(top + '/plain')
    assert api.post(top + '/b-', sequential=True).json['path'].endswith('/b-0000000002')
    api.put(top, 'set')
    assert api.post(top + '/a-', sequential=True).json['path'].endswith('/a-0000000003')


def test_c9_a_parent_made_again_starts_at_zero(api, top):
    api.post(top + '/p')
    api.post(top + '/p/', sequential=True)
    expect(api.delete(top + '/p', recursive=True), 204)
    api.post(top + '/p')
    assert api.post(top + '/p/', sequential=True).json['path'] == top + '/p/0000000000'


# ---- versions and the order of errors (4.1) --------------------------------------------------------

@pytest.mark.parametrize('version, status', [(-1, 200), (0, 200), (1, 412), (-2, 412),
                                             (2147483647, 412), (-2147483648, 412)])
def test_o1_set_compares_the_version(api, top, version, status):
    assert api.put(top, 'x', version=version).status == status


@pytest.mark.parametrize('version', ['', 'x', '1.0', '2147483648', '-2147483649', '0x1', '+1', '1 '])
def test_o1_a_version_is_an_int32(api, top, version):
    expect(api.put(top, 'x', version=version), 400, 'bad-query')
    assert api.stat(top)['version'] == 0


def test_t15_a_wrong_version_precedes_children(api, top):
    api.put(top + '/child')
    assert expect(api.delete(top, version=7), 412, 'bad-version').json['code'] == 'BADVERSION'
    assert expect(api.delete(top, version=0), 409, 'not-empty').json['code'] == 'NOTEMPTY'


def test_4_1_a_missing_znode_precedes_the_version(api, top):
    expect(api.put(top + '/missing', 'x', version=3), 404, 'no-node')
    expect(api.delete(top + '/missing', version=3), 404, 'no-node')


def test_4_1_a_version_of_minus_one_needs_the_znode(api, top):
    expect(api.put(top + '/missing', 'x', version=-1), 404, 'no-node')


def test_4_1_a_missing_parent_precedes_everything_of_a_create(api, top):
    expect(api.post(top + '/missing/child'), 404, 'no-node')
    expect(api.post(top + '/missing/', sequential=True), 404, 'no-node')


def test_4_1_deleting_below_a_missing_parent(api, top):
    expect(api.delete(top + '/missing/child', version=4), 404, 'no-node')


def test_4_1_a_bad_path_precedes_a_missing_parent_of_a_set(api, top):
    expect(api.put(top + '/missing//x', 'x'), 400, 'bad-path')
