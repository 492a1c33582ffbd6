# SPDX-License-Identifier: Apache-2.0
"""A page of another origin, with a plain EventSource in a real browser, sees every change once while all
nodes behind the name that it knows are restarted one after the other."""
import contextlib
import http.server
import itertools
import json
import os
import shutil
import signal
import subprocess
import threading

import pytest

from clients import PAIRS, Client
from daemon import environment
from http_client import NotSent
from nemesis import terminated
from tcp_relay import TcpRelay
from watchers import Projection, comparable, difference, whole_story
from workload import Workload

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
REPORT_S = 60  # by which the page must have seen everything

# It tells what it has seen whenever it has seen more; EventSource does all the rest.
PAGE = '''<!doctype html><title>page</title><script>
const seen = [], source = new EventSource(%s);
let opened = 0, sent = -1;
source.onopen = () => opened++;
for (const kind of ['created', 'changed', 'deleted', 'children', 'reset', 'problem', 'bookmark'])
  source.addEventListener(kind, (event) => seen.push(JSON.parse(event.data)));
async function tell() {
  if (seen.length !== sent || source.readyState === 2) {
    const body = JSON.stringify({seen, opened, state: source.readyState});
    sent = seen.length;
    await fetch('/seen', {method: 'POST', body});
  }
  setTimeout(tell, 100);
}
tell();
</script>'''


class Page(http.server.BaseHTTPRequestHandler):
    """Serves the page and takes what it tells."""

    def do_GET(self):
        body = self.server.page.encode()
        self.send_response(200)
        self.send_header('Content-Type', 'text/html; charset=utf-8')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.server.told = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def page_server():
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Page)
    server.page, server.told = '', {'seen': [], 'opened': 0, 'state': 0}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def browser(url, profile):
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip('CHROMIUM IS NOT INSTALLED: EventSource was not proven (apt-get install chromium)')
    process = subprocess.Popen(
        [program, '--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run',
         '--disable-dev-shm-usage', '--disable-background-networking', '--disable-extensions',
         f'--user-data-dir={profile}', url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(), start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with all the processes that it has started
        process.wait()


def reacher(node):
    def connect():
        connection = node.connection(5)
        try:
            made = connection.socket
        except NotSent as error:
            raise OSError(str(error)) from error
        made.settimeout(None)
        return made
    return connect


def changes(told):
    """What the page has seen, and how often a transaction came again because it had been cut."""
    whole, cuts = [], set()
    for event in told['seen']:
        if event['event'] == 'bookmark':
            continue
        run = itertools.takewhile(lambda earlier: earlier['zxid'] == event['zxid'], reversed(whole))
        if event in run:
            cuts.add(event['zxid'])
        else:
            whole.append(event)
    return whole, len(cuts)


def sees(server, zxid):
    """Whether the page knows everything up to there."""
    told = server.told
    assert told['state'] != 2, 'the EventSource has given up for good'
    return told['seen'] and told['seen'][-1]['zxid'] >= zxid


def test_an_event_source_of_another_origin_lives_through_a_rolling_restart(make_cluster, seed, tmp_path):
    with page_server() as server, contextlib.ExitStack() as stack:
        origin = f'http://localhost:{server.server_address[1]}'
        cluster = make_cluster(3, '--cors-origin', origin).start()
        relay = TcpRelay([reacher(node) for node in cluster])
        stack.callback(relay.close)
        workload = Workload(cluster, seed, pairs=PAIRS, mix={Client.put: 3, Client.set_pair: 2,
                                                             Client.create: 1, Client.delete: 1})
        workload.begin()
        url = f'http://127.0.0.1:{relay.port}/v1/watch/?recursive&data&since={workload.first_zxid}'
        server.page = PAGE % json.dumps(url)
        with browser(origin + '/', tmp_path / 'profile'):
            for node in list(cluster):
                workload.leave(node)
                now = cluster.others(node)[0].ask('GET', '/v1/znodes').zxid
                cluster.wait(lambda: sees(server, now), 'the page follows', REPORT_S)
                with terminated(node):
                    workload.wait_progress(cluster.others(node))
                cluster.wait_ready()
                workload.through = list(cluster)
            workload.finish()
            cluster.wait(lambda: sees(server, workload.last_zxid), 'the page sees everything', REPORT_S)
    story = whole_story(cluster[1], workload.first_zxid, workload.last_zxid)
    expected = Projection(story).of(['/'], True, True)
    seen, cuts = changes(server.told)
    found = difference(expected, [comparable(event) for event in seen])
    assert found is None, found
    breaks = server.told['opened'] - 1
    assert breaks > 0 and len(set(relay.taken)) > 1, 'it was never interrupted'
    assert cuts <= breaks, f'{cuts} transactions came again, and {breaks} connections broke'
    print(f'{len(expected)} changes, {breaks} breaks, {cuts} of them inside a transaction')
