# SPDX-License-Identifier: Apache-2.0
"""Single znodes: every view, data of every kind, entity tags, Location, parents, numbers."""
import base64
import time
import urllib.parse

import pytest

from client import expect, target

STAT_KEYS = ['czxid', 'mzxid', 'pzxid', 'ctime', 'mtime', 'version', 'cversion', 'aversion',
             'ephemeralOwner', 'dataLength', 'numChildren']


def dictionary(text):
    """Parses an RFC 8941 dictionary of integers and booleans as far as Curlew-Stat uses it."""
    return {key: value for key, _, value in (item.strip().partition('=') for item in text.split(','))}


def test_put_creates_an_absent_znode(api, top):
    reply = expect(api.put(top + '/a', 'hello'), 201)
    assert reply.json['path'] == top + '/a'
    assert reply.json['zxid'] == reply.zxid == reply.json['stat']['czxid']
    assert reply.json['stat']['version'] == 0


def test_put_sets_a_present_znode(api, top):
    api.put(top + '/a', 'one')
    reply = expect(api.put(top + '/a', 'three'), 200)
    assert reply.json['stat']['version'] == 1
    assert reply.json['stat']['dataLength'] == 5
    assert reply.json['stat']['mzxid'] == reply.json['zxid'] == reply.zxid
    assert api.data(top + '/a') == b'three'


def test_put_with_an_empty_body_empties_the_value(api, top):
    api.put(top + '/a', 'x')
    expect(api.put(top + '/a', b''), 200)
    assert api.data(top + '/a') == b''


def test_put_without_a_body_is_refused(api, top):
    api.put(top + '/a', 'precious')
    problem = expect(api.request('PUT', target(top + '/a')), 411, 'length-required').json
    assert problem['outcome'] == 'not_applied'
    assert api.data(top + '/a') == b'precious'


def test_get_answers_value_and_stat(api, top):
    before = int(time.time() * 1000)
    written = api.put(top + '/a', 'hello')
    reply = expect(api.get(top + '/a'), 200)
    assert reply.json == {'path': top + '/a', 'data': 'hello', 'encoding': 'utf8',
                          'stat': written.json['stat']}
    assert list(reply.json) == ['path', 'data', 'encoding', 'stat']
    assert list(reply.json['stat']) == STAT_KEYS
    assert reply.json['stat']['ephemeralOwner'] is None
    assert before - 2000 <= reply.json['stat']['ctime'] <= int(time.time() * 1000) + 2000


def test_get_of_a_missing_znode_is_404(api, top):
    problem = expect(api.get(top + '/missing'), 404, 'no-node').json
    assert problem['code'] == 'NONODE'
    assert problem['path'] == top + '/missing'


def test_stat_view_has_no_data(api, top):
    api.put(top + '/a', 'hello')
    reply = expect(api.get(top + '/a', view='stat'), 200).json
    assert set(reply) == {'path', 'stat'}
    assert reply['stat'] == api.get(top + '/a').json['stat']


def test_raw_answers_exactly_the_bytes(api, top):
    data = bytes(range(256)) * 3
    api.put(top + '/a', data)
    reply = expect(api.get(top + '/a', raw=True), 200)
    assert reply.body == data
    assert reply.headers['Content-Type'] == 'application/octet-stream'
    assert reply.headers['X-Content-Type-Options'] == 'nosniff'
    assert reply.headers['Content-Security-Policy'] == 'sandbox'


def test_accept_octet_stream_is_raw(api, top):
    api.put(top + '/a', '<script>alert(1)</script>')
    reply = api.get(top + '/a', headers={'Accept': 'application/octet-stream'})
    assert expect(reply, 200).body == b'<script>alert(1)</script>'
    assert reply.headers['X-Content-Type-Options'] == 'nosniff'


@pytest.mark.parametrize('accept', ['*/*', 'application/json', 'text/html,*/*;q=0.8'])
def test_other_accepts_are_json(api, top, accept):
    reply = expect(api.get(top, headers={'Accept': accept}), 200)
    assert reply.headers['Content-Type'].startswith('application/json')


def test_raw_of_another_view_is_refused(api, top):
    expect(api.get(top, view='children', raw=True), 400, 'bad-query')


@pytest.mark.parametrize('query', [{}, {'raw': True}, {'view': 'stat'}, {'view': 'children'}],
                         ids=['data', 'raw', 'stat', 'children'])
def test_head_has_the_headers_of_get_and_no_body(api, top, query):
    api.put(top + '/a', 'hello')
    got, head = api.get(top + '/a', **query), expect(api.head(top + '/a', **query), 200)
    assert head.body == b''
    for name in ('Content-Type', 'ETag', 'X-Zxid', 'Vary', 'Cache-Control'):
        assert head.headers.get(name) == got.headers.get(name), name
    if 'Content-Length' in head.headers:
        assert head.headers['Content-Length'] == got.headers['Content-Length']


def test_head_tells_the_stat(api, top):
    api.put(top + '/a', 'hello')
    told = dictionary(api.head(top + '/a').headers['Curlew-Stat'])
    stat = api.stat(top + '/a')
    for key in STAT_KEYS:
        if stat[key] is not None:
            assert told[key.lower()] == str(stat[key]), key
    assert set(told) <= {key.lower() for key in STAT_KEYS}


def test_raw_tells_the_stat(api, top):
    reply = api.get(top, raw=True)
    assert dictionary(reply.headers['Curlew-Stat'])['czxid'] == str(api.stat(top)['czxid'])


def test_head_of_a_missing_znode_is_404_without_a_body(api, top):
    assert expect(api.head(top + '/missing'), 404).body == b''


TEXTS = {
    'empty': '', 'quotes': 'say "hi" \\ /', 'controls': ''.join(map(chr, range(32))) + '\x7f',
    'nul': 'a\0b', 'separators': '\u2028\u2029', 'umlaut': 'Grüße', 'astral': '🐦 \U0010ffff',
    'markup': '</script>&amp;', 'noncharacter': '\ufffe\uffff', 'bom': '\ufeffx', 'newline': 'a\n',
}


@pytest.mark.parametrize('name', TEXTS)
def test_utf8_values_are_text(api, top, name):
    api.put(top, TEXTS[name])
    node = expect(api.get(top), 200).json
    assert (node['data'], node['encoding']) == (TEXTS[name], 'utf8')
    assert api.data(top) == TEXTS[name].encode()


BINARIES = {
    'continuation': b'\x80', 'truncated': b'abc\xe2\x82', 'overlong': b'\xc0\xaf',
    'surrogate': b'\xed\xa0\x80', 'beyond': b'\xf4\x90\x80\x80', 'all': bytes(range(256)),
    'one': b'\xff', 'two': b'\xff\xfe', 'nul-and-high': b'\0\xff',
}


@pytest.mark.parametrize('name', BINARIES)
def test_other_values_are_base64(api, top, name):
    api.put(top, BINARIES[name])
    node = expect(api.get(top), 200).json
    assert node['encoding'] == 'base64'
    assert base64.b64decode(node['data'], validate=True) == BINARIES[name]
    assert node['stat']['dataLength'] == len(BINARIES[name])


def test_encoding_base64_is_forced(api, top):
    api.put(top, 'hello')
    node = expect(api.get(top, encoding='base64'), 200).json
    assert (node['data'], node['encoding']) == ('aGVsbG8=', 'base64')


def test_encoding_must_be_known(api, top):
    expect(api.get(top, encoding='latin1'), 400, 'bad-query')


def test_null_data_stays_apart_from_empty_data_c6(api, top):
    expect(api.multi({'op': 'create', 'path': top + '/null', 'data': None},
                     {'op': 'create', 'path': top + '/empty', 'data': ''}), 200)
    null, empty = api.get(top + '/null').json, api.get(top + '/empty').json
    assert null['data'] is None and empty['data'] == ''
    assert null['stat']['dataLength'] == empty['stat']['dataLength'] == 0
    assert api.data(top + '/null') == b''


def test_the_content_type_of_a_value_means_nothing(api, top):
    for media in ('application/x-www-form-urlencoded', 'application/json', 'multipart/form-data'):
        expect(api.put(top, 'a=b&c=%41', headers={'Content-Type': media}), 200)
        assert api.data(top) == b'a=b&c=%41'


def test_a_value_can_come_in_chunks(api, top):
    expect(api.request('PUT', target(top), iter([b'one ', b'two ', b'x' * 70000])), 200)
    assert api.data(top) == b'one two ' + b'x' * 70000


def test_an_empty_chunked_body_is_an_empty_value(api, top):
    api.put(top, 'x')
    expect(api.request('PUT', target(top), iter([])), 200)
    assert api.data(top) == b''


@pytest.mark.parametrize('size', [4095, 4096, 65536, 1 << 20])
def test_values_of_every_size(api, top, size):
    data = bytes(i * 31 % 251 for i in range(size))
    expect(api.put(top, data), 200)
    assert api.data(top) == data
    assert api.stat(top)['dataLength'] == size


def test_post_creates(api, top):
    reply = expect(api.post(top + '/a', 'hello'), 201)
    assert reply.headers['Location'].endswith(target(top + '/a'))
    assert reply.json['stat'] == api.stat(top + '/a')
    assert api.data(top + '/a') == b'hello'


def test_post_of_a_present_znode_is_409(api, top):
    api.post(top + '/a', 'first')
    problem = expect(api.post(top + '/a', 'second'), 409, 'node-exists').json
    assert (problem['code'], problem['outcome']) == ('NODEEXISTS', 'not_applied')
    assert api.data(top + '/a') == b'first'


def test_post_without_a_body_is_an_empty_znode(api, top):
    expect(api.request('POST', target(top + '/a')), 201)
    assert api.get(top + '/a').json['data'] == ''


NAMES = ['plain', 'with space', 'a+b', 'ünï', '100%', '%41', '?q', '#f', 'a&b=c', ';', '~', '"',
         '<x>', '[1]', ':', '@', "it's", 'a\\b', '...', '日本', '.b', 'b.', '=', '*', '|', '^`{}']


@pytest.mark.parametrize('name', NAMES)
def test_names_survive_and_location_leads_to_the_znode(api, top, name):
    path = f'{top}/{name}'
    reply = expect(api.post(path, name), 201)
    assert reply.json['path'] == path
    location = urllib.parse.urljoin('http://h' + target(path), reply.headers['Location'])
    url = location[len('http://h'):]
    assert urllib.parse.unquote(url) == '/v1/znodes' + path
    assert url.isascii() and not set(url) & set(' ?#"<>\\^`{}|')
    assert expect(api.request('GET', url), 200).json['data'] == name
    assert api.children(top) == [name]


def test_put_that_creates_has_a_location(api, top):
    assert expect(api.put(top + '/a b'), 201).headers['Location'].endswith('/a%20b')
    assert 'Location' not in expect(api.put(top + '/a b'), 200).headers


def test_percent_decoding_happens_once_per_component(api, top):
    expect(api.request('PUT', target(top) + '/%2541', b'x'), 201)
    assert api.children(top) == ['%41']
    expect(api.request('PUT', target(top) + '/%41', b'x'), 201)
    assert api.children(top) == ['%41', 'A']


def test_a_plus_in_a_path_is_a_plus(api, top):
    expect(api.request('PUT', target(top) + '/a+b', b'x'), 201)
    assert api.children(top) == ['a+b']


def test_names_are_not_normalised_p15(api, top):
    for name in ('é', 'e\u0301', 'E', 'e'):
        expect(api.post(f'{top}/{name}'), 201)
    assert api.children(top) == sorted(['é', 'e\u0301', 'E', 'e'], key=str.encode)


# ---- entity tags ----------------------------------------------------------------------------------

VIEWS = {'data': {}, 'raw': {'raw': True}, 'stat': {'view': 'stat'},
         'children': {'view': 'children'}}


def expected_tag(view, stat):
    if view == 'raw':
        return f'"{stat["mzxid"]}"'
    if view == 'children':
        return f'"c{stat["pzxid"]}"'
    return f'"{stat["mzxid"]}.{stat["pzxid"]}.{stat["aversion"]}"'


@pytest.mark.parametrize('view', VIEWS)
def test_etag_is_made_of_zxids(api, top, view):
    api.put(top + '/child')
    api.put(top, 'x')
    assert api.get(top, **VIEWS[view]).etag == expected_tag(view, api.stat(top))


@pytest.mark.parametrize('view', VIEWS)
@pytest.mark.parametrize('form', ['{0}', '"other", {0}', '*', 'W/{0}'])
def test_if_none_match_answers_304(api, top, view, form):
    tag = api.get(top, **VIEWS[view]).etag
    reply = api.get(top, headers={'If-None-Match': form.format(tag)}, **VIEWS[view])
    assert expect(reply, 304).body == b''
    assert reply.etag == tag


@pytest.mark.parametrize('view', VIEWS)
def test_if_none_match_with_another_tag_answers_200(api, top, view):
    expect(api.get(top, headers={'If-None-Match': '"1", "c1"'}, **VIEWS[view]), 200)


def test_if_none_match_of_a_missing_znode_is_404(api, top):
    expect(api.get(top + '/missing', headers={'If-None-Match': '*'}), 404)


@pytest.mark.parametrize('view, changed_by', [
    ('data', {'set', 'create'}), ('raw', {'set'}), ('stat', {'set', 'create'}),
    ('children', {'create'})])
@pytest.mark.parametrize('change', ['set', 'create', 'set child'])
def test_a_tag_changes_with_what_it_stands_for(api, top, view, changed_by, change):
    api.put(top + '/child', 'x')
    tag = api.get(top, **VIEWS[view]).etag
    path = {'set': top, 'create': top + '/new', 'set child': top + '/child'}[change]
    api.put(path, 'y')
    assert (api.get(top, **VIEWS[view]).etag != tag) == (change in changed_by)


@pytest.mark.parametrize('view', VIEWS)
def test_a_tag_never_comes_back(api, top, view):
    api.put(top + '/a', 'x')
    tag = api.get(top + '/a', **VIEWS[view]).etag
    api.delete(top + '/a')
    api.put(top + '/a', 'x')
    again = api.get(top + '/a', headers={'If-None-Match': tag}, **VIEWS[view])
    assert expect(again, 200).etag != tag


@pytest.mark.parametrize('query', [{'view': 'children', 'detail': 'stat'},
                                   {'view': 'children', 'detail': 'data'}, {'view': 'tree'}])
def test_lists_with_detail_have_no_tag(api, top, query):
    assert 'ETag' not in expect(api.get(top, **query), 200).headers


# ---- parents and numbers --------------------------------------------------------------------------

@pytest.mark.parametrize('method', ['PUT', 'POST'])
def test_parents_makes_the_ancestors_in_one_change(api, top, method):
    path = top + '/a/b/c'
    reply = expect(api.request(method, target(path, {'parents': True}), b'x'), 201)
    for made in (top + '/a', top + '/a/b', path):
        assert api.stat(made)['czxid'] == reply.zxid
    assert api.data(top + '/a') == b''
    assert api.stat(top)['pzxid'] == reply.zxid


@pytest.mark.parametrize('method', ['PUT', 'POST'])
@pytest.mark.parametrize('query', [{}, {'parents': '0'}, {'parents': 'false'}])
def test_without_parents_a_missing_parent_is_404_c5(api, top, method, query):
    url = target(top + '/a/b', query)
    assert expect(api.request(method, url, b'x'), 404, 'no-node').json['code'] == 'NONODE'
    assert api.children(top) == []


def test_parents_of_a_present_znode_changes_nothing_else(api, top):
    api.put(top + '/a/b', parents=True)
    before = api.stat(top + '/a')
    expect(api.put(top + '/a/b', 'x', parents=True), 200)
    assert api.stat(top + '/a') == before


def test_post_with_parents_of_a_present_znode_is_409(api, top):
    api.put(top + '/a')
    expect(api.post(top + '/a', parents=True), 409, 'node-exists')


def test_parents_with_a_bad_path_makes_nothing(api, top):
    expect(api.put(top + '/a/b\x1e', parents=True), 400, 'bad-path')
    assert api.children(top) == []


@pytest.mark.parametrize('value', ['1', 'true', 'TRUE', 'True', ''])
def test_a_flag_is_on(api, top, value):
    expect(api.request('PUT', target(top + '/a/b') + f'?parents={value}', b''), 201)


@pytest.mark.parametrize('value', ['0', 'false', 'FALSE'])
def test_a_flag_is_off(api, top, value):
    expect(api.request('PUT', target(top + '/a/b') + f'?parents={value}', b''), 404)


@pytest.mark.parametrize('value', ['2', 'yes', 'on', 'truee', ' 1'])
def test_a_flag_has_no_other_value(api, top, value):
    value = value.replace(' ', '%20')
    reply = api.request('PUT', target(top + '/a/b') + f'?parents={value}', b'')
    assert 'parents' in expect(reply, 400, 'bad-query').json['detail']


def test_sequential_numbers_the_children(api, top):
    for number in range(3):
        reply = expect(api.post(top + '/job-', 'x', sequential=True), 201)
        assert reply.json['path'] == f'{top}/job-{number:010d}'
        assert reply.headers['Location'].endswith(f'/job-{number:010d}')


def test_sequential_below_a_trailing_slash_has_a_bare_number_p13(api, top):
    reply = expect(api.post(top + '/', 'x', sequential=True), 201)
    assert reply.json['path'] == top + '/0000000000'
    assert api.children(top) == ['0000000000']


def test_sequential_below_the_root(api):
    reply = expect(api.post('/', 'x', sequential=True), 201)
    path = reply.json['path']
    assert path[1:].isdigit() and len(path) == 11
    expect(api.delete(path), 204)


def test_sequential_with_parents(api, top):
    reply = expect(api.post(top + '/queue/job-', 'x', sequential=True, parents=True), 201)
    assert reply.json['path'] == top + '/queue/job-0000000000'


def test_sequential_is_not_for_put(api, top):
    problem = expect(api.put(top + '/a', 'x', sequential=True), 400, 'bad-query').json
    assert 'sequential' in problem['detail']


@pytest.mark.parametrize('method', ['PUT', 'POST', 'DELETE'])
def test_a_trailing_slash_is_an_error(api, top, method):
    reply = api.request(method, target(top) + '/', b'x' if method != 'DELETE' else None)
    assert reply.status in ((400, 404) if method == 'DELETE' else (400,))
    assert api.stat(top)['version'] == 0


# ---- reads with a position ------------------------------------------------------------------------

def test_local_reads_tell_their_age(api, top):
    reply = expect(api.get(top, consistency='local'), 200)
    assert int(reply.headers['X-Staleness-Ms']) >= 0
    assert 'X-Staleness-Ms' not in api.get(top, consistency='linearizable').headers


def test_consistency_must_be_known(api, top):
    expect(api.get(top, consistency='eventual'), 400, 'bad-query')


def test_min_zxid_that_was_reached_is_answered(api, top):
    zxid = api.put(top, 'x').zxid
    assert expect(api.get(top, min_zxid=zxid), 200).json['data'] == 'x'
    expect(api.get(top, min_zxid=zxid, consistency='local'), 200)


def test_min_zxid_beyond_everything_is_412(api, top):
    zxid = api.put(top, 'x').zxid
    headers = {'Prefer': 'wait=0'}
    expect(api.get(top, min_zxid=zxid + 1000000, headers=headers), 412, 'future-position')


def test_a_read_tells_the_zxid_of_its_state(api, top):
    write = api.put(top, 'x')
    assert api.get(top).zxid >= write.zxid
    assert api.get(top).zxid == api.get(top, view='stat').zxid


def test_a_write_tells_its_own_zxid(api, top):
    first, second = api.put(top, 'x'), api.put(top, 'y')
    assert second.zxid == first.zxid + 1
    assert expect(api.delete(top), 204).zxid == second.zxid + 1


def test_a_failed_write_takes_no_zxid(api, top):
    first = api.put(top, 'x')
    expect(api.put(top, 'y', version=77), 412)
    assert api.put(top, 'z').zxid == first.zxid + 1


def test_caching_headers(api, top):
    for reply in (api.get(top), api.head(top), api.put(top, 'x'), api.get(top + '/missing')):
        assert reply.headers['Cache-Control'] == 'no-cache'
        vary = {name.strip().lower() for name in reply.headers['Vary'].split(',')}
        assert {'accept', 'authorization', 'origin'} <= vary
