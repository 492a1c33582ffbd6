# SPDX-License-Identifier: Apache-2.0
"""openapi.yaml and the daemon, held against each other in both directions."""
import re

import jsonschema
import pytest

import contract
from client import expect, target

METHODS = ('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH')
OPERATIONS = [(template, method, operation['operationId'])
              for template, method, operation in contract.operations()]


def url_of(template, top):
    return {'/v1/znodes/{path}': target(top), '/problems/{slug}': '/problems/internal',
            '/v1/sessions/{id}': '/v1/sessions/0x1',
            '/v1/sessions/{id}/stream': '/v1/sessions/0x1/stream',
            '/v1/watch/{path}': '/v1/watch' + top}.get(template, template)


def finite(template, method):
    """The method whose reply ends: that of a stream does not, but HEAD stands in for its GET."""
    streams = template.startswith('/v1/watch') or template.endswith('/stream')
    return 'HEAD' if streams and method == 'GET' else method


def body_of(method):
    return b'{}' if method in ('PUT', 'POST', 'PATCH') else None


def test_operation_ids_are_unique_snake_case_names():
    ids = [name for _, _, name in OPERATIONS]
    assert len(set(ids)) == len(ids)
    for _, method, name in OPERATIONS:
        assert re.fullmatch(r'[a-z]+(_[a-z]+)*', name) and name.endswith('_' + method.lower())


def test_every_reference_leads_somewhere():
    def walk(node):
        if isinstance(node, dict):
            if '$ref' in node:
                contract.resolve({'$ref': node['$ref']})
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)
    walk(contract.document())


def test_every_component_is_used():
    text = contract.FILE.read_text(encoding='utf-8')
    for kind, items in contract.document()['components'].items():
        for name in items:
            if (kind, name) in (('responses', 'MethodNotAllowed'), ('schemas', 'ProblemSlug')):
                continue
            assert f"'#/components/{kind}/{name}'" in text, f'{kind}/{name}'


def test_every_schema_is_one():
    for schema in contract.document()['components']['schemas'].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_operation_and_parameter_is_described():
    for template, method, operation in contract.operations():
        assert operation['summary'] and operation['tags'], (template, method)
        for parameter in operation.get('parameters', []):
            assert contract.resolve(parameter)['description']


def examples(node):
    """(schema, example) of every media type object in the document."""
    if isinstance(node, dict):
        schema = node.get('schema')
        if schema is not None and 'name' not in node:
            if 'example' in node:
                yield schema, node['example']
            for example in node.get('examples', {}).values():
                yield schema, example['value']
        for value in node.values():
            yield from examples(value)
    elif isinstance(node, list):
        for value in node:
            yield from examples(value)


def test_every_example_obeys_its_schema():
    document = contract.document()
    seen = 0
    for schema, example in examples(document):
        jsonschema.Draft202012Validator(
            {**schema, 'components': document['components']}).validate(example)
        seen += 1
    assert seen > 8


@pytest.mark.parametrize('template, method, name', OPERATIONS, ids=[o[2] for o in OPERATIONS])
def test_every_documented_operation_is_served(api, top, template, method, name):
    method = finite(template, method)
    reply = api.request(method, url_of(template, top), body_of(method))
    assert reply.status != 405, reply
    assert method == 'HEAD' or reply.status < 400 or reply.slug != 'not-found', reply


@pytest.mark.parametrize('template', contract.document()['paths'])
@pytest.mark.parametrize('method', METHODS)
def test_every_other_method_is_405_with_allow(api, top, template, method):
    allowed = contract.allowed(template)
    if method in allowed:
        return
    reply = api.request(method, url_of(template, top), body_of(method))
    expect(reply, 405, None if method == 'HEAD' else 'method-not-allowed')
    assert {name.strip() for name in reply.headers['Allow'].split(',')} == allowed


@pytest.mark.parametrize('template', contract.document()['paths'])
def test_options_names_the_documented_methods(api, top, template):
    reply = expect(api.request('OPTIONS', url_of(template, top)), 204)
    assert {name.strip() for name in reply.headers['Allow'].split(',')} == \
        contract.allowed(template)


# A value with which each documented query parameter must be accepted, by operation where it differs.
ACCEPTED = {'view': 'stat', 'raw': '', 'encoding': 'base64', 'detail': 'stat&view=children',
            'depth': '1&view=tree', 'limit': '5&view=children', 'consistency': 'local',
            'min_zxid': '0', 'parents': '', 'sequential': '', 'version': '-1', 'recursive': '',
            'verbose': '', 'wait': '0s', 'since': '0&wait=0s', 'initial': '', 'data': '', 'path': '/',
            'ephemeral': '', 'container': '', 'ttl': '1h', 'grace': '500ms'}
ACCEPTED_BY_WATCH = {'since': '0'}
ACCEPTED_BY_DELETE = {'limit': '5&recursive'}
ACCEPTED_BY_SESSIONS = {'limit': '5'}
QUERIES = [(template, method, contract.resolve(parameter)['name'])
           for template, method, operation in contract.operations()
           for parameter in operation.get('parameters', [])
           if contract.resolve(parameter)['in'] == 'query']


@pytest.mark.parametrize('template, method, name', QUERIES, ids=lambda value: value.strip('/'))
def test_every_documented_parameter_is_known(api, top, template, method, name):
    url = url_of(template, top)
    if name == 'cursor' and 'sessions' in template:
        for _ in range(2):
            api.request('POST', '/v1/sessions', b'{"timeout_ms": 60000}')
        value = api.request('GET', '/v1/sessions?limit=1').json['next']
    elif name == 'cursor':
        api.put(top + '/a')
        api.put(top + '/b')
        page = api.request('GET', f'{url}?view=children&limit=1').json
        value = page['next'] + '&view=children'
    else:
        special = ACCEPTED_BY_WATCH if 'watch' in template else \
            ACCEPTED_BY_SESSIONS if 'sessions' in template else \
            ACCEPTED_BY_DELETE if method == 'DELETE' else {}
        value = special.get(name) or ACCEPTED[name]
    method = finite(template, method)
    reply = api.request(method, f'{url}?{name}={value}', body_of(method))
    # Of a HEAD there is no problem to read; the stream of a session wants a credential.
    assert reply.status < 400 or reply.slug != 'bad-query' if method != 'HEAD' \
        else reply.status == (403 if template.endswith('/stream') else 200), reply


@pytest.mark.parametrize('template, method, name', OPERATIONS, ids=[o[2] for o in OPERATIONS])
def test_undocumented_parameters_are_unknown(api, top, template, method, name):
    known = {query for t, m, query in QUERIES if (t, m) == (template, method)}
    method = finite(template, method)
    for query in (set(ACCEPTED) | {'ttl'}) - known:
        reply = api.request(method, f'{url_of(template, top)}?{query}=1', body_of(method))
        assert reply.status == 400, (query, reply)
        assert method == 'HEAD' or reply.slug == 'bad-query', (query, reply)


def test_the_checker_notices_an_undocumented_member():
    with pytest.raises(AssertionError):
        contract.validate('Health', {'status': 'ok', 'surprise': 1})
