# SPDX-License-Identifier: Apache-2.0
"""Deleting subtrees."""
import pytest

from client import Client, expect


def plant(api, top, names):
    """Creates znodes below top in few requests; names in an order that has parents first."""
    for first in range(0, len(names), 500):
        expect(api.multi(*({'op': 'create', 'path': f'{top}/{name}', 'data': ''}
                           for name in names[first:first + 500])), 200)


TREE = ['a', 'a/x', 'a/y', 'a/y/deep', 'b', 'c', 'c/z']  # 8 znodes with the top


def left(api, top):
    reply = api.get(top, view='tree')
    return [] if reply.status == 404 else [node['path'] for node in reply.json['nodes']]


def test_a_znode_with_children_is_kept(api, top):
    plant(api, top, TREE)
    problem = expect(api.delete(top), 409, 'not-empty').json
    assert (problem['code'], problem['outcome']) == ('NOTEMPTY', 'not_applied')
    assert len(left(api, top)) == 8


def test_a_leaf_is_deleted(api, top):
    reply = expect(api.delete(top), 204)
    assert reply.body == b''
    assert api.stat(top) is None
    expect(api.delete(top), 404, 'no-node')


def test_recursive_deletes_the_subtree_in_one_change(api, top):
    plant(api, top, TREE)
    plant(api, top + '/c', ['keep'])
    before = api.get('/').zxid
    reply = expect(api.delete(top + '/a', recursive=True), 204)
    assert reply.zxid == before + 1
    assert left(api, top) == [top + path for path in ('', '/b', '/c', '/c/keep', '/c/z')]
    assert api.stat(top)['pzxid'] == reply.zxid
    assert api.stat(top)['numChildren'] == 2


def test_recursive_of_a_missing_znode_is_404(api, top):
    expect(api.delete(top + '/missing', recursive=True), 404, 'no-node')


def test_a_sibling_with_a_longer_name_survives(api, top):
    plant(api, top, ['a', 'a/x', 'a-b', 'ab', 'a0', 'a '])
    expect(api.delete(top + '/a', recursive=True), 204)
    assert api.children(top) == ['a ', 'a-b', 'a0', 'ab']


@pytest.mark.parametrize('limit', [1, 2, 3, 7, 8, 9, 100])
def test_limit_deletes_leaves_first_until_nothing_is_left(api, top, limit):
    plant(api, top, TREE)
    count = 8
    while count:
        reply = expect(api.delete(top, recursive=True, limit=limit), 200).json
        assert reply['deleted'] == min(limit, count)
        count -= reply['deleted']
        assert reply['more'] == (count > 0)
        rest = left(api, top)
        assert len(rest) == count
        assert all(path == top or path.rpartition('/')[0] in rest for path in rest)


@pytest.mark.parametrize('query', [{'limit': 5}, {'recursive': '0', 'limit': 5}])
def test_limit_needs_recursive(api, top, query):
    assert 'limit' in expect(api.delete(top, **query), 400, 'bad-query').json['detail']
    assert api.stat(top) is not None


@pytest.mark.parametrize('limit', ['0', '-1', 'x', '', '1.5', '99999999999'])
def test_limit_is_a_number(api, top, limit):
    expect(api.delete(top, recursive=True, limit=limit), 400, 'bad-query')
    assert api.stat(top) is not None


def test_a_subtree_above_the_limit_is_refused_whole(start):
    api = Client(start('--max-delete-nodes', 10).port)
    api.put('/t')
    plant(api, '/t', [f'n{number}' for number in range(10)])
    problem = expect(api.delete('/t', recursive=True), 422, 'too-many-nodes').json
    assert problem['outcome'] == 'not_applied' and '10' in problem['detail']
    assert len(left(api, '/t')) == 11
    expect(api.delete('/t', recursive=True, limit=11), 400, 'bad-query')
    assert expect(api.delete('/t', recursive=True, limit=10), 200).json == \
        {'deleted': 10, 'more': True}
    expect(api.delete('/t', recursive=True), 204)


def test_exactly_the_limit_is_deleted(start):
    api = Client(start('--max-delete-nodes', 10).port)
    api.put('/t')
    plant(api, '/t', [f'n{number}' for number in range(9)])
    expect(api.delete('/t', recursive=True), 204)


def test_ten_thousand_znodes_in_one_change(api, top):
    api.put(top + '/big')
    plant(api, top + '/big', [f'{number:05d}' for number in range(9999)])
    assert api.stat(top + '/big')['numChildren'] == 9999
    before = api.get('/').zxid
    assert expect(api.delete(top + '/big', recursive=True), 204).zxid == before + 1
    assert api.children(top) == []
