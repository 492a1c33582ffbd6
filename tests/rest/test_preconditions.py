# SPDX-License-Identifier: Apache-2.0
"""If-Match, If-None-Match and version on writes."""
import pytest

from client import expect

VIEWS = {'data': {}, 'raw': {'raw': True}, 'stat': {'view': 'stat'}}


@pytest.mark.parametrize('view', VIEWS)
@pytest.mark.parametrize('form', ['{0}', '"1", {0}', '{0} , "1"'])
def test_put_with_the_tag_that_was_read(api, top, view, form):
    tag = api.get(top, **VIEWS[view]).etag
    expect(api.put(top, 'x', headers={'If-Match': form.format(tag)}), 200)
    expect(api.put(top, 'y', headers={'If-Match': form.format(tag)}), 412, 'precondition-failed')
    assert api.data(top) == b'x'


def test_a_child_does_not_spoil_the_tag_of_the_value(api, top):
    tag = api.get(top).etag
    api.put(top + '/child')
    expect(api.put(top, 'x', headers={'If-Match': tag}), 200)


def test_a_failed_precondition_tells_what_is_there(api, top):
    api.put(top, 'x')
    stat = api.stat(top)
    for reply in (api.put(top, 'y', version=9), api.delete(top, version=9),
                  api.put(top, 'y', headers={'If-Match': '"1"'}),
                  api.delete(top, headers={'If-Match': '"1"'})):
        problem = expect(reply, 412).json
        assert problem['current'] == {'version': 1, 'etag': f'"{stat["mzxid"]}"'}
        assert problem['outcome'] == 'not_applied' and problem['retryable'] is False
    assert api.stat(top) == stat


def test_current_etag_can_be_used_at_once(api, top):
    current = expect(api.put(top, 'y', version=9), 412).json['current']
    expect(api.put(top, 'y', headers={'If-Match': current['etag']}), 200)


def test_a_wrong_version_says_both_versions(api, top):
    detail = expect(api.put(top, 'y', version=9), 412, 'bad-version').json['detail']
    assert '0' in detail and '9' in detail and top in detail


def test_if_match_star_needs_the_znode(api, top):
    headers = {'If-Match': '*'}
    expect(api.put(top + '/a', 'x', headers=headers), 412, 'precondition-failed')
    assert api.stat(top + '/a') is None
    api.put(top + '/a', 'x')
    expect(api.put(top + '/a', 'y', headers=headers), 200)
    expect(api.delete(top + '/a', headers=headers), 204)


def test_if_match_of_an_absent_znode_creates_nothing(api, top):
    expect(api.put(top + '/a', 'x', headers={'If-Match': '"5"'}), 412, 'precondition-failed')
    assert api.children(top) == []


def test_if_none_match_star_needs_absence(api, top):
    headers = {'If-None-Match': '*'}
    expect(api.put(top + '/a', 'x', headers=headers), 201)
    problem = expect(api.put(top + '/a', 'y', headers=headers), 412, 'precondition-failed').json
    assert problem['current']['version'] == 0
    assert api.data(top + '/a') == b'x'


@pytest.mark.parametrize('query', [{'version': 0}, {'version': -1}])
def test_delete_with_the_version(api, top, query):
    expect(api.delete(top, **query), 204)
    assert api.stat(top) is None


def test_delete_with_the_tag(api, top):
    expect(api.delete(top, headers={'If-Match': '"3"'}), 412, 'precondition-failed')
    expect(api.delete(top, headers={'If-Match': api.get(top).etag}), 204)


def test_version_and_tag_must_both_hold(api, top):
    tag = api.get(top).etag
    expect(api.put(top, 'x', version=9, headers={'If-Match': tag}), 412)
    expect(api.put(top, 'x', version=0, headers={'If-Match': '"1"'}), 412)
    assert api.stat(top)['version'] == 0
    expect(api.put(top, 'x', version=0, headers={'If-Match': tag}), 200)


def test_recursive_delete_with_a_precondition(api, top):
    api.put(top + '/a/b', parents=True)
    expect(api.delete(top, recursive=True, version=5), 412)
    assert api.stat(top + '/a/b') is not None
    expect(api.delete(top, recursive=True, version=0), 204)


@pytest.mark.parametrize('value', ['5', '"5', '5"', '"a" "b"', '""x', '', ',', '"5",,x', '*, "5"'])
def test_malformed_if_match_changes_nothing(api, top, value):
    reply = api.put(top, 'x', headers={'If-Match': value})
    assert reply.status in (400, 412), reply
    assert api.stat(top)['version'] == 0


def test_a_weak_tag_never_matches_strongly(api, top):
    reply = api.put(top, 'x', headers={'If-Match': 'W/' + api.get(top, raw=True).etag})
    assert reply.status in (400, 412), reply
    assert api.stat(top)['version'] == 0


def test_many_tags_are_taken_or_refused_but_never_forgotten(api, top):
    tag = api.get(top, raw=True).etag
    others = ', '.join(f'"{number}"' for number in range(100000, 100100))
    reply = api.put(top, 'x', headers={'If-Match': f'{others}, {tag}'})
    assert reply.status in (200, 400), reply
    assert api.stat(top)['version'] == (1 if reply.status == 200 else 0)


def test_a_tag_of_another_znode_does_not_match(api, top):
    other = api.put(top + '/other').json['stat']['mzxid']
    expect(api.put(top, 'x', headers={'If-Match': f'"{other}"'}), 412, 'precondition-failed')


def test_a_children_tag_is_no_tag_of_a_value(api, top):
    api.put(top + '/child')
    tag = api.get(top, view='children').etag
    assert api.put(top, 'x', headers={'If-Match': tag}).status in (400, 412)
    assert api.stat(top)['version'] == 0
