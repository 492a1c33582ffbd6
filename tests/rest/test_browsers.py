# SPDX-License-Identifier: Apache-2.0
"""Web pages of other origins cannot change anything: the Origin and Host rules, and the proof with a
real browser."""
import contextlib
import http.server
import json
import shutil
import subprocess
import threading

import pytest

from client import Client, expect, target
from daemon import ALLOWED_HOST, ALLOWED_ORIGIN, environment
from streams import Stream

FOREIGN = ['http://evil.example', 'https://evil.example:2180', 'null', 'http://localhost:1',
           'http://127.0.0.1', 'http://127.0.0.1:{port}.evil.example',
           'http://evil.example/127.0.0.1:{port}', 'file://', '', 'http://pages.example',
           'http://pages.example:8080.evil.example', 'http://pages.example:80801',
           'chrome-extension://abcdef', 'http://[::1]:{port}', 'http://127.0.0.1:{port}/']


@pytest.mark.parametrize('origin', FOREIGN)
@pytest.mark.parametrize('method', ['PUT', 'POST', 'DELETE', 'MULTI'])
def test_a_mutation_of_a_foreign_page_is_403(daemon, api, top, origin, method):
    api.put(top + '/victim', 'x')
    before = api.get('/').zxid
    headers = {'Origin': origin.format(port=daemon.port)}
    if method == 'MULTI':
        reply = api.multi({'op': 'delete', 'path': top + '/victim'}, headers=headers)
    else:
        body = None if method == 'DELETE' else b'x'
        path = top + ('/new' if method == 'POST' else '/victim')
        reply = api.request(method, target(path), body, headers)
    assert expect(reply, 403, 'cross-origin').json['outcome'] == 'not_applied'
    assert api.get('/').zxid == before


@pytest.mark.parametrize('origin', ['http://127.0.0.1:{port}', ALLOWED_ORIGIN, None])
def test_a_mutation_of_our_own_page_is_served(daemon, api, top, origin):
    headers = {'Origin': origin.format(port=daemon.port)} if origin else {}
    expect(api.put(top, 'x', headers=headers), 200)
    expect(api.multi({'op': 'check', 'path': top}, headers=headers), 200)
    expect(api.delete(top, headers=headers), 204)


def test_own_is_what_host_says(daemon, api, top):
    host = f'localhost:{daemon.port}'
    expect(api.put(top, 'x', headers={'Host': host, 'Origin': f'http://{host}'}), 200)
    expect(api.put(top, 'x', headers={'Host': host, 'Origin': 'http://127.0.0.1:1'}), 403)


def test_a_foreign_page_may_ask_but_not_read(api, top):
    reply = expect(api.get(top, headers={'Origin': 'http://evil.example'}), 200)
    assert not [name for name, _ in reply.headers.pairs if name.startswith('access-control')]


def test_a_preflight_is_not_granted(api, top):
    reply = api.request('OPTIONS', target(top), headers={
        'Origin': 'http://evil.example', 'Access-Control-Request-Method': 'PUT'})
    assert not [name for name, _ in reply.headers.pairs if name.startswith('access-control')]


@pytest.mark.parametrize('host', ['evil.example', 'evil.example:2180', 'localhost.evil.example',
                                  '127.0.0.1.evil.example', 'xlocalhost', 'curlew.example.evil',
                                  '2130706433.evil', 'example'])
@pytest.mark.parametrize('method', ['GET', 'PUT'])
def test_a_host_that_we_are_not_is_421(api, top, host, method):
    body = b'x' if method == 'PUT' else None
    reply = api.request(method, target(top), body, {'Host': host})
    expect(reply, 421, 'misdirected')
    assert api.stat(top)['version'] == 0


@pytest.mark.parametrize('host', ['localhost', 'localhost:1', 'LOCALHOST', '127.0.0.1', '127.9.9.9:80',
                                  '[::1]', '[::1]:2180', '192.0.2.7', ALLOWED_HOST,
                                  ALLOWED_HOST + ':99', ALLOWED_HOST.upper()])
def test_a_host_that_can_be_ours_is_served(api, top, host):
    expect(api.get(top, headers={'Host': host}), 200)


@pytest.mark.parametrize('host', ['', ':80', '[::1', 'a b', 'localhost:x', 'user@localhost',
                                  'localhost/', 'evil.example, localhost'])
def test_a_malformed_host_is_refused(api, top, host):
    assert api.get(top, headers={'Host': host}).status in (400, 421)


# ---- a real browser --------------------------------------------------------------------------------

PAGE = '''<!doctype html><title>page</title><script>
const attempts = %s;
async function run() {
  const results = [];
  for (const [url, options] of attempts) {
    try {
      const reply = await fetch(url, options);
      results.push([url, options.method, reply.type, reply.status]);
    } catch (error) {
      results.push([url, options.method, 'error', String(error)]);
    }
  }
  for (const url of %s)
    results.push([url, 'beacon', navigator.sendBeacon(url, 'beacon')]);
  await fetch('/done', {method: 'POST', body: JSON.stringify(results)});
}
run();
</script>'''


class Page(http.server.BaseHTTPRequestHandler):
    """Serves the page and takes its report."""

    def do_GET(self):
        body = self.server.page.encode()
        self.send_response(200)
        self.send_header('Content-Type', 'text/html; charset=utf-8')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        report = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        self.send_response(204)
        self.end_headers()
        if self.path == '/done':
            self.server.report = report
            self.server.done.set()
        else:
            self.server.refused()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def page_server():
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Page)
    server.done, server.report, server.page = threading.Event(), None, ''
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def browse(url, server, profile):
    """Opens the URL in a headless browser until its page has reported."""
    browser = shutil.which('chromium') or shutil.which('chromium-browser')
    if browser is None:
        pytest.skip('CHROMIUM IS NOT INSTALLED: no proof with a real browser '
                    '(apt-get install chromium)')
    process = subprocess.Popen(
        [browser, '--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run',
         '--disable-dev-shm-usage', '--disable-background-networking', '--disable-extensions',
         '--host-resolver-rules=MAP evil.example 127.0.0.1', f'--user-data-dir={profile}', url],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())
    try:
        if not server.done.wait(40):
            process.kill()
            pytest.fail(f'the page did not report:\n{process.stderr.read().decode()[-2000:]}')
    finally:
        process.kill()
        process.communicate()
    return server.report


def attempts(base, path):
    """Everything a page can try, with and without asking for permission first."""
    node, text = base + target(path), {'Content-Type': 'text/plain'}
    tries = []
    for mode in ('no-cors', 'cors'):
        tries += [
            [f'{node}/new-{mode}', {'method': 'POST', 'mode': mode, 'headers': text, 'body': 'x'}],
            [f'{node}/seq-?sequential', {'method': 'POST', 'mode': mode, 'body': 'x'}],
            [f'{base}/v1/multi', {'method': 'POST', 'mode': mode, 'headers': text, 'body':
             json.dumps({'ops': [{'op': 'delete', 'path': path + '/victim'}]})}],
        ]
    tries += [[f'{node}/victim', {'method': method, 'mode': 'cors', **more}]
              for method, more in (('PUT', {'body': 'x'}), ('DELETE', {}))]
    return tries


def visit(daemon, path, profile, host, base_host):
    base = f'http://{base_host}:{daemon.port}'
    with page_server() as server:
        server.page = PAGE % (json.dumps(attempts(base, path)),
                              json.dumps([f'{base}{target(path)}/beacon']))
        return browse(f'http://{host}:{server.server_address[1]}/', server, profile)


@pytest.mark.parametrize('host, base_host', [('localhost', '127.0.0.1'),
                                             ('evil.example', 'evil.example')],
                         ids=['other-port', 'rebound-name'])
def test_a_real_page_of_another_origin_changes_nothing(daemon, api, top, tmp_path, host, base_host):
    api.put(top + '/victim', 'precious')
    before = api.get(top, view='tree').json
    report = visit(daemon, top, tmp_path / 'profile', host, base_host)
    assert len(report) == 9
    assert api.get(top, view='tree').json == before, report
    assert api.data(top + '/victim') == b'precious'


def test_a_real_page_of_an_allowed_origin_writes(start, tmp_path):
    """The control: without the rule the same page would have changed something."""
    with page_server() as server:
        origin = f'http://localhost:{server.server_address[1]}'
        daemon = start('--cors-origin', origin)
        api = Client(daemon.port)
        api.put('/t/victim', 'precious', parents=True)
        base = f'http://127.0.0.1:{daemon.port}'
        server.page = PAGE % (json.dumps(attempts(base, '/t')), '[]')
        report = browse(origin + '/', server, tmp_path / 'profile')
    assert 'new-no-cors' in api.children('/t'), report
    assert api.stat('/t/victim') is None, report


WATCHING = '''<!doctype html><title>page</title><script>
const source = new EventSource('%s');
let refusals = 0;
function report(...what) {
  fetch('/done', {method: 'POST', body: JSON.stringify(what)});
}
source.addEventListener('bookmark', () => report('bookmark', refusals));
source.onerror = () => {
  refusals++;
  if (source.readyState === EventSource.CLOSED)
    report('gave up', refusals);
  else
    fetch('/refused', {method: 'POST', body: '[]'});
};
</script>'''


def test_a_real_event_source_comes_back_to_an_overloaded_server(start, tmp_path):
    with page_server() as server:
        origin = f'http://localhost:{server.server_address[1]}'
        daemon = start('--cors-origin', origin, '--max-connections', '3')
        opened = [Stream(daemon.port, '/') for _ in range(3)]
        for stream in opened:
            stream.next()
        server.page = WATCHING % f'http://127.0.0.1:{daemon.port}/v1/watch/a'
        server.refused = lambda: [stream.close() for stream in opened]
        kind, refusals = browse(origin + '/', server, tmp_path / 'profile')
    assert kind == 'bookmark' and refusals >= 1


# ---- CORS ----------------------------------------------------------------------------------------

@pytest.mark.parametrize('origin', ['http://evil.example', 'null', 'http://pages.example'])
def test_other_origins_get_no_leave_to_read(api, top, origin):
    for reply in (api.get(top, {'Origin': origin}),
                  api.request('OPTIONS', target(top), headers={
                      'Origin': origin, 'Access-Control-Request-Method': 'PUT'})):
        assert not [name for name, _ in reply.headers.pairs if name.startswith('access-control')]


def test_pages_of_a_named_origin_may_read_everything(api, top):
    origin = {'Origin': ALLOWED_ORIGIN}
    tag = api.get(top).etag
    for reply in (api.get(top, origin), api.get(top + '/absent', origin), api.put(top, 'x', origin),
                  api.get(top, {**origin, 'If-None-Match': tag}), api.get(top, origin, wait='1ms'),
                  api.request('GET', '/readyz', headers=origin)):
        assert reply.headers['Access-Control-Allow-Origin'] == ALLOWED_ORIGIN
        exposed = {name.strip() for name in
                   reply.headers['Access-Control-Expose-Headers'].split(',')}
        assert {'ETag', 'X-Zxid', 'Location', 'Retry-After', 'Curlew-Stat'} <= exposed
        assert 'Origin' in reply.headers['Vary']
    assert 'Access-Control-Allow-Origin' not in api.get(top).headers


def test_preflight_requests_of_a_named_origin(api, top):
    ask = {'Origin': ALLOWED_ORIGIN, 'Access-Control-Request-Method': 'DELETE',
           'Access-Control-Request-Headers': 'if-match, idempotency-key'}
    reply = expect(api.request('OPTIONS', target(top), headers=ask), 204)
    assert reply.headers['Access-Control-Allow-Origin'] == ALLOWED_ORIGIN
    assert 'DELETE' in reply.headers['Access-Control-Allow-Methods']
    allowed = reply.headers['Access-Control-Allow-Headers'].lower()
    assert all(name in allowed for name in ('if-match', 'idempotency-key', 'last-event-id'))
    plain = api.request('OPTIONS', target(top), headers={'Origin': ALLOWED_ORIGIN})
    assert 'Access-Control-Allow-Methods' not in plain.headers


def test_streams_of_a_named_origin(daemon, top):
    with Stream(daemon.port, top, headers={'Origin': ALLOWED_ORIGIN}) as stream:
        assert stream.headers['Access-Control-Allow-Origin'] == ALLOWED_ORIGIN
        assert stream.next().kind == 'bookmark'
