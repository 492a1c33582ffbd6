# SPDX-License-Identifier: Apache-2.0
"""Lists: children and subtrees, page by page."""
import pytest

from client import Client, expect, target
from test_delete_recursive import plant

NAMES = ['0', '10', '2', 'A', 'B', 'a', 'a ', 'a-', 'a.', 'aa', 'b', 'z', '~', 'é', 'ü', '日', '本']
TREE = ['a', 'a/x', 'a/x/1', 'a/x/2', 'a/y', 'a-', 'a-/k', 'a0', 'b', 'b/q', 'c']


def pages(api, path, **query):
    """All pages of a list; fails when a cursor goes round in circles."""
    cursor = {}
    for _ in range(2000):
        page = expect(api.get(path, **query, **cursor), 200).json
        yield page
        if 'next' not in page:
            return
        assert cursor.get('cursor') != page['next']
        cursor = {'cursor': page['next']}
    raise AssertionError('the list does not end')


@pytest.fixture
def family(api, top):
    plant(api, top, NAMES)
    return top


@pytest.fixture
def tree(api, top):
    plant(api, top, TREE)
    return top


def test_children_come_in_byte_order(api, family):
    page = expect(api.get(family, view='children'), 200).json
    assert page['children'] == sorted(NAMES, key=str.encode)
    assert 'next' not in page and 'nodes' not in page
    assert page['path'] == family and page['stat'] == api.stat(family)


def test_a_leaf_has_no_children(api, top):
    page = expect(api.get(top, view='children'), 200).json
    assert page['children'] == [] and 'next' not in page


@pytest.mark.parametrize('view', ['children', 'tree'])
def test_a_missing_znode_has_no_list(api, top, view):
    expect(api.get(top + '/missing', view=view), 404, 'no-node')


@pytest.mark.parametrize('limit', range(1, len(NAMES) + 2))
def test_pages_of_every_size_make_the_same_list(api, family, limit):
    got = list(pages(api, family, view='children', limit=limit))
    assert [name for page in got for name in page['children']] == sorted(NAMES, key=str.encode)
    assert all(1 <= len(page['children']) <= limit for page in got)
    assert len(got) <= len(NAMES) // limit + 1


def test_detail_stat_tells_each_stat(api, family):
    for page in pages(api, family, view='children', detail='stat', limit=5):
        assert [node['path'] for node in page['nodes']] == \
            [f'{family}/{name}' for name in page['children']]
        for node in page['nodes']:
            assert set(node) == {'path', 'stat'}
            assert node['stat'] == api.stat(node['path'])


def test_detail_data_tells_each_value(api, top):
    values = {'text': b'hello', 'binary': b'\xff\0', 'empty': b''}
    for name, value in values.items():
        api.put(f'{top}/{name}', value)
    for node in expect(api.get(top, view='children', detail='data'), 200).json['nodes']:
        assert node == api.get(node['path']).json


def test_a_cursor_outlives_its_znode(api, family):
    order = sorted(NAMES, key=str.encode)
    for count in (1, 5, len(order) - 1):
        page = api.get(family, view='children', limit=count).json
        api.delete(f'{family}/{order[count - 1]}')
        rest = api.get(family, view='children', cursor=page['next']).json
        assert rest['children'] == order[count:]
        api.put(f'{family}/{order[count - 1]}')


def test_a_list_shows_what_changed_behind_the_cursor(api, family):
    page = api.get(family, view='children', limit=5).json
    api.put(family + '/zz')
    api.put(family + '/!')
    rest = api.get(family, view='children', cursor=page['next']).json['children']
    assert 'zz' in rest and '!' not in rest


@pytest.mark.parametrize('cursor', ['', '!!!!', '..', 'x' * 3000, '=', 'AAAA%2FAAAA'])
@pytest.mark.parametrize('view', ['children', 'tree'])
def test_a_made_up_cursor_is_refused_or_a_position(api, family, view, cursor):
    reply = api.request('GET', f'{target(family)}?view={view}&cursor={cursor}')
    assert reply.status in (200, 400), reply
    if reply.status == 400:
        assert reply.slug == 'bad-query' and 'cursor' in reply.json['detail']


@pytest.mark.parametrize('limit', ['0', '-1', 'x', '', '10001', '1e3', '99999999999999999999'])
@pytest.mark.parametrize('view', ['children', 'tree'])
def test_limit_has_bounds(api, top, view, limit):
    assert 'limit' in expect(api.get(top, view=view, limit=limit), 400, 'bad-query').json['detail']


@pytest.mark.parametrize('query', [
    {'limit': 5}, {'view': 'stat', 'limit': 5}, {'cursor': 'x'}, {'depth': 1},
    {'view': 'children', 'depth': 1}, {'detail': 'stat'}, {'view': 'tree', 'detail': 'everything'},
    {'view': 'children', 'detail': 'everything'}, {'view': 'kids'}, {'view': ''},
    {'view': 'tree', 'depth': -1}, {'view': 'tree', 'depth': 'x'}])
def test_parameters_of_other_views_are_refused(api, top, query):
    expect(api.get(top, **query), 400, 'bad-query')


def order_of(top, names):
    """Preorder, children in byte order."""
    return sorted((f'{top}/{name}' for name in names), key=lambda p: p.encode().split(b'/'))


def test_a_tree_has_parents_first_and_siblings_in_order(api, tree):
    nodes = expect(api.get(tree, view='tree'), 200).json['nodes']
    paths = [node['path'] for node in nodes]
    assert paths[0] == tree and sorted(paths) == sorted([tree, *order_of(tree, TREE)])
    for number, path in enumerate(paths[1:], 1):
        parent = path.rpartition('/')[0]
        assert parent in paths[:number]
        siblings = [p for p in paths if p != tree and p.rpartition('/')[0] == parent]
        assert siblings == sorted(siblings, key=str.encode)


def test_a_tree_tells_each_stat(api, tree):
    for node in api.get(tree, view='tree').json['nodes']:
        assert node['stat'] == api.stat(node['path'])


@pytest.mark.parametrize('limit', range(1, len(TREE) + 3))
def test_tree_pages_of_every_size_make_the_same_list(api, tree, limit):
    whole = [node['path'] for node in api.get(tree, view='tree').json['nodes']]
    got = list(pages(api, tree, view='tree', limit=limit))
    assert [node['path'] for page in got for node in page['nodes']] == whole
    assert all(1 <= len(page['nodes']) <= limit for page in got)


@pytest.mark.parametrize('depth', range(4))
def test_depth_bounds_a_tree(api, tree, depth):
    for limit in (1, 3, 100):
        paths = [node['path'] for page in pages(api, tree, view='tree', depth=depth, limit=limit)
                 for node in page['nodes']]
        wanted = [tree, *(p for p in order_of(tree, TREE)
                          if p.count('/') - tree.count('/') <= depth)]
        assert sorted(paths) == sorted(wanted)


def test_a_tree_cursor_outlives_its_subtree(api, tree):
    whole = [node['path'] for node in api.get(tree, view='tree').json['nodes']]
    cut = whole.index(tree + '/a/x/1') + 1
    page = api.get(tree, view='tree', limit=cut).json
    expect(api.delete(tree + '/a/x', recursive=True), 204)
    rest = [node['path'] for node in api.get(tree, view='tree', cursor=page['next']).json['nodes']]
    assert rest == [path for path in whole[cut:] if '/a/x' not in path]


def test_the_root_lists_like_any_other(api, top):
    children = [name for page in pages(api, '/', view='children', limit=7)
                for name in page['children']]
    assert top[1:] in children and children == sorted(children, key=str.encode)
    paths = [node['path'] for page in pages(api, '/', view='tree', depth=1)
             for node in page['nodes']]
    assert paths[0] == '/' and set(paths[1:]) == {'/' + name for name in children}


def test_a_page_is_cut_by_bytes_and_goes_on(api, top):
    names = [f'{number:02d}' for number in range(24)]
    for name in names:
        api.put(f'{top}/{name}', b'x' * 500000)
    got = list(pages(api, top, view='children', detail='data'))
    assert len(got) > 1
    assert [name for page in got for name in page['children']] == names
    assert all(len(node['data']) == 500000 for page in got for node in page['nodes'])
    expect(api.delete(top, recursive=True), 204)


def test_default_page_is_a_thousand(api, top):
    names = [f'{number:04d}' for number in range(2001)]
    plant(api, top, names)
    assert [len(page['children']) for page in pages(api, top, view='children')] == [1000, 1000, 1]
    page = api.get(top, view='children', limit=10000).json
    assert page['children'] == names and 'next' not in page
    assert api.get(top, view='children', limit=2001).json.get('next') is None
    expect(api.delete(top, recursive=True), 204)


def test_the_operator_can_lower_the_page(start):
    api = Client(start('--max-list-items', 5).port)
    api.put('/t')
    plant(api, '/t', [str(number) for number in range(8)])
    expect(api.get('/t', view='children', limit=6), 400, 'bad-query')
    assert [len(page['children']) for page in pages(api, '/t', view='children')] == [5, 3]
