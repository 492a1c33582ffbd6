# SPDX-License-Identifier: Apache-2.0
"""Problems: their shape, and that what base/errors.h, openapi.yaml and the server say agrees. The
client holds every problem of every test against the schema; here are those that others do not meet."""
import re

import pytest

import contract
from client import expect, target
from daemon import SOURCE

ROW = re.compile(r'X\(\s*(?P<name>[A-Z_]+),\s*(?P<zk>-?\d+),\s*"(?P<code>[^"]+)",\s*"(?P<slug>[^"]+)",'
                 r'\s*(?P<status>\d+),\s*(?P<outcome>[A-Z_]+),\s*(?P<retryable>true|false),'
                 r'\s*"(?P<title>[^"]+)"\)')
# Rows that no client meets: success, those of a node that refuses to start.
INTERNAL = {'ok', 'foreign', 'locked', 'missing', 'usage'}


def table():
    text = (SOURCE / 'base' / 'errors.h').read_text(encoding='utf-8').replace('\\\n', ' ')
    rows = [match.groupdict() for match in ROW.finditer(text)]
    assert len(rows) > 30, 'base/errors.h does not look as expected'
    return rows


def test_openapi_lists_every_slug_that_a_client_can_meet():
    slugs = {row['slug'] for row in table()}
    assert set(contract.document()['x-problem-slugs']) == slugs - INTERNAL
    assert INTERNAL <= slugs


@pytest.mark.parametrize('slug', contract.document()['x-problem-slugs'])
def test_each_slug_is_explained(api, slug):
    row = next(row for row in table() if row['slug'] == slug)
    page = expect(api.request('GET', f'/problems/{slug}'), 200).json
    assert page == {'type': f'/problems/{slug}', 'title': row['title'],
                    'status': int(row['status']), 'code': row['code'],
                    'outcome': row['outcome'].lower(), 'retryable': row['retryable'] == 'true'}


@pytest.mark.parametrize('path', ['nonsense', 'BAD-VERSION', 'bad-version/', '', '%62ad-version'])
def test_other_slugs_are_404(api, path):
    expect(api.request('GET', f'/problems/{path}'), 404, 'not-found')


@pytest.mark.parametrize('path', ['/v1', '/v1/', '/v2/znodes/a', '/v1/znodesx', '/V1/znodes', '/x',
                                  '/v1/sessions/', '/v1/sessions/0x1/a', '/metric', '/v1/cluster/',
                                  '/livez/', '//', '//v1/znodes', '/.', '/v1/../v1/cluster'])
def test_other_resources_are_404(api, path):
    problem = expect(api.request('GET', path), 404, 'not-found').json
    assert (problem['code'], problem['outcome']) == ('NOT-FOUND', 'not_applied')


@pytest.mark.parametrize('name', ['wait', 'since', 'ephemeral', 'container', 'ttl', 'Raw', 'views',
                                  'raw%20', '', 'version', 'sequential', 'recursive'])
def test_an_unknown_parameter_is_named(api, top, name):
    problem = expect(api.request('GET', f'{target(top)}?{name}=1'), 400, 'bad-query').json
    assert name.replace('%20', ' ') in problem['detail']


@pytest.mark.parametrize('query', ['raw&raw', 'view=stat&view=stat', 'limit=1&view=children&limit=2'])
def test_a_repeated_parameter_is_refused(api, top, query):
    expect(api.request('GET', f'{target(top)}?{query}'), 400, 'bad-query')


@pytest.mark.parametrize('query', ['&', 'raw&', '&raw', 'raw&&', '?', 'view=stat?'])
def test_a_sloppy_query_is_refused_or_harmless(api, top, query):
    reply = api.request('GET', f'{target(top)}?{query}')
    assert reply.status in (200, 400), reply


def test_an_empty_query_is_none(api, top):
    expect(api.request('GET', f'{target(top)}?'), 200)


@pytest.mark.parametrize('url', ['/livez?x=1', '/readyz?verbos', '/v1/cluster?x', '/?a=b',
                                 '/openapi.yaml?v=1', '/problems/internal?x=1'])
def test_unknown_parameters_are_refused_everywhere(api, url):
    expect(api.request('GET', url), 400, 'bad-query')


@pytest.mark.parametrize('value', ['%73tat', 'st%61t'])
def test_parameters_are_percent_decoded(api, top, value):
    assert 'data' not in expect(api.request('GET', f'{target(top)}?view={value}'), 200).json


@pytest.mark.parametrize('value', ['%', '%4', '%zz', 'stat%00'])
def test_malformed_percent_encoding_in_a_query_is_refused(api, top, value):
    assert api.request('GET', f'{target(top)}?view={value}').status == 400


@pytest.mark.parametrize('coding', ['gzip', 'deflate', 'br', 'gzip, identity', 'x'])
@pytest.mark.parametrize('method', ['PUT', 'POST'])
def test_content_encoding_is_415(api, top, method, coding):
    reply = api.request(method, target(top + '/a'), b'x', {'Content-Encoding': coding})
    expect(reply, 415, 'unsupported-encoding')
    assert api.children(top) == []


@pytest.mark.parametrize('prefer', ['wait=x', 'wait', 'wait=-1', 'wait=1.5'])
def test_a_wrong_wait_is_refused_or_ignored_but_never_fatal(api, top, prefer):
    assert api.put(top, 'x', headers={'Prefer': prefer}).status in (200, 400)


@pytest.mark.parametrize('prefer', ['wait=5', 'respond-async, wait=2', 'wait=0', 'wait=100000000'])
def test_a_wait_is_taken(api, top, prefer):
    expect(api.put(top, 'x', headers={'Prefer': prefer}), 200)


def test_the_detail_escapes_what_came_from_outside(api, top):
    reply = api.request('GET', f'{target(top)}?%22%3C%00%0A%ff=1')
    assert reply.status == 400 and reply.json['detail']


def test_a_problem_names_no_file_and_no_line(api, top):
    for reply in (api.put(top, 'x', version=5), api.get(top + '/missing'), api.get(top, view='x')):
        assert not re.search(r'\.[ch]\b|0x[0-9a-f]{6}', reply.json['detail'])


def test_head_of_a_problem_has_no_body(api, top):
    assert api.head(top, view='nonsense').body == b''


def test_a_body_on_delete_is_refused_or_ignored(api, top):
    reply = api.request('DELETE', target(top), b'surprise')
    assert reply.status in (204, 400), reply
    expect(api.get('/'), 200)
