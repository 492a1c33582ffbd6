# SPDX-License-Identifier: Apache-2.0
"""openapi/openapi.yaml as a checker: which operation a request is, whether a reply is one that the
document promises. In tests the schemas are closed: an undocumented member is a failure."""
import copy
import functools
import json
import pathlib
import re
import urllib.parse

import jsonschema
import yaml

SOURCE = pathlib.Path(__file__).resolve().parents[2]
FILE = SOURCE / 'openapi' / 'openapi.yaml'
METHODS = ('get', 'head', 'put', 'post', 'delete', 'options', 'patch', 'trace')


@functools.lru_cache(None)
def document():
    return yaml.load(FILE.read_text(encoding='utf-8'), Loader=yaml.CSafeLoader)


def resolve(node):
    """Follows a local $ref."""
    while isinstance(node, dict) and '$ref' in node:
        reference = node['$ref']
        node = document()
        for part in reference[2:].split('/'):
            node = node[part.replace('~1', '/').replace('~0', '~')]
    return node


def operations():
    """(path template, METHOD, operation) of everything that is documented."""
    for template, item in document()['paths'].items():
        for method, operation in item.items():
            if method in METHODS:
                yield template, method.upper(), operation


def template_of(url):
    """The documented path of a request target; None if there is none."""
    path = urllib.parse.urlsplit(url).path
    if path in ('/v1/znodes', '/v1/znodes/'):
        return '/v1/znodes'
    if path.startswith('/v1/znodes/'):
        return '/v1/znodes/{path}'
    if path == '/v1/watch/':
        return '/v1/watch'
    if path.startswith('/v1/watch/'):
        return '/v1/watch/{path}'
    if re.fullmatch(r'/problems/[^/]+', path):
        return '/problems/{slug}'
    if re.fullmatch(r'/v1/sessions/[^/]+/stream', path):
        return '/v1/sessions/{id}/stream'
    if re.fullmatch(r'/v1/sessions/[^/]+', path):
        return '/v1/sessions/{id}'
    return path if path in document()['paths'] else None


def operation_of(method, url):
    item = document()['paths'].get(template_of(url), {})
    if method == 'HEAD' and 'head' not in item:
        method = 'GET'
    return item.get(method.lower())


def allowed(template):
    """The methods that Allow must name."""
    methods = {m.upper() for m in document()['paths'][template] if m in METHODS} | {'OPTIONS'}
    return methods | ({'HEAD'} if 'GET' in methods else set())


def _close(schema):
    if isinstance(schema, dict):
        if 'properties' in schema:
            schema.setdefault('additionalProperties', False)
        for value in schema.values():
            _close(value)
    elif isinstance(schema, list):
        for value in schema:
            _close(value)


@functools.lru_cache(None)
def _schemas():
    schemas = copy.deepcopy(document()['components']['schemas'])
    _close(schemas)
    return {'components': {'schemas': schemas}}


@functools.lru_cache(None)
def validator(name):
    """The closed schema of that name."""
    schema = {**_schemas(), '$ref': f'#/components/schemas/{name}'}
    return jsonschema.Draft202012Validator(schema)


def validate(name, instance):
    errors = sorted(validator(name).iter_errors(instance), key=str)
    if errors:
        raise AssertionError(f'not a {name}: {errors[0].message} at {list(errors[0].path)}\n'
                             f'{json.dumps(instance)[:2000]}')


def reply_schema(method, url, media):
    """The name of the schema that describes the reply of a successful request."""
    operation = operation_of(method, url)
    if operation is None:
        return None
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True))
    for code, response in operation['responses'].items():
        schema = resolve(response).get('content', {}).get(media, {}).get('schema', {})
        if code[0] != '2' or not schema:
            continue
        if 'anyOf' in schema:
            return {'data': 'Node', 'stat': 'StatReply', 'children': 'ChildrenPage',
                    'tree': 'TreePage'}[query.get('view', 'data')]
        return schema.get('$ref', '').rpartition('/')[2] or None
    return None


def check(method, url, response):
    """Raises unless the reply is one that the document promises for this request."""
    try:
        _check_position(response)
        _check_status(method, url, response)
        _check_headers(method, url, response)
        if response.body:
            _check_body(method, url, response)
    except (AssertionError, KeyError, ValueError) as error:
        raise AssertionError(f'{method} {url} breaks the contract: {error}\n{response}') from error


def _check_position(response):
    for name in ('X-Zxid', 'X-Node'):
        if not response.headers[name].isdigit():
            raise AssertionError(f'{name} is not a number')
    if not response.headers['X-Request-Id']:
        raise AssertionError('X-Request-Id is empty')


def _check_status(method, url, response):
    operation = operation_of(method, url)
    if operation is None:
        if not (method == 'OPTIONS' and response.status == 204) and response.status < 400:
            raise AssertionError('an undocumented operation succeeds')
    elif str(response.status) not in operation['responses']:
        raise AssertionError(f'status {response.status} is not documented')


def _check_headers(method, url, response):
    operation = operation_of(method, url)
    if operation is None:
        return
    documented = resolve(operation['responses'][str(response.status)]).get('headers', {})
    for name, header in documented.items():
        header = resolve(header)
        values = response.headers.all(name)
        if not values and header.get('required'):
            raise AssertionError(f'{name} is missing')
        for value in values:
            schema = header['schema']
            instance = int(value) if schema['type'] == 'integer' else value
            jsonschema.validate(instance, schema)
    for name in ('ETag', 'Location', 'Curlew-Stat', 'Idempotency-Replayed', 'X-Staleness-Ms',
                 'Server-Timing'):
        if name in response.headers and name not in documented and response.status < 400:
            raise AssertionError(f'{name} is not documented')


def _check_body(method, url, response):
    media = response.headers['Content-Type'].partition(';')[0].strip()
    if response.status >= 400:
        if media != 'application/problem+json':
            raise AssertionError('an error is not a problem')
        _check_problem(response)
    elif media == 'application/json':
        if not response.body.endswith(b'\n'):
            raise AssertionError('the JSON does not end with a newline')
        name = reply_schema(method, url, media)
        if name is None:
            raise AssertionError('this JSON is not documented')
        validate(name, response.json)
    elif media not in ('application/octet-stream', 'application/yaml', 'text/plain'):
        raise AssertionError(f'the media type {media} is not documented')


def _check_problem(response):
    problem = response.json
    validate('Problem', problem)
    if response.slug not in document()['x-problem-slugs']:
        raise AssertionError(f'the slug {response.slug} is not documented')
    if problem['status'] != response.status:
        raise AssertionError('the problem has another status than the reply')
    if problem['request_id'] != response.headers['X-Request-Id']:
        raise AssertionError('the problem has another request id than the reply')
    if not response.body.endswith(b'\n'):
        raise AssertionError('the problem does not end with a newline')
