# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one daemon for most tests, where each works below a path of its own, and a factory for
daemons with other options."""
import itertools
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from client import Client, Wire, expect  # noqa: E402
from daemon import ALLOWED_HOST, ALLOWED_ORIGIN, Daemon  # noqa: E402

numbers = itertools.count(1)


@pytest.fixture(scope='session')
def daemon(tmp_path_factory):
    """A daemon with default limits, shared by all tests of the run."""
    server = Daemon(tmp_path_factory.mktemp('curlew') / 'data',
                    '--allowed-host', ALLOWED_HOST, '--cors-origin', ALLOWED_ORIGIN).start()
    yield server
    server.stop()


@pytest.fixture
def api(daemon):
    """A client of the shared daemon."""
    client = Client(daemon.port)
    yield client
    client.close()


@pytest.fixture
def top(api, request):
    """The path of a fresh znode of this test."""
    name = re.sub(r'[^A-Za-z0-9_]+', '-', request.node.name)[:80]
    path = f'/{name}-{next(numbers)}'
    expect(api.put(path), 201)
    return path


@pytest.fixture
def wire(daemon):
    """Opens raw connections to the shared daemon."""
    opened = []

    def connect(data=b''):
        opened.append(Wire(daemon.port, data))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.socket.close()


@pytest.fixture
def start(tmp_path):
    """Starts daemons with options of their own; each must end well."""
    started = []

    def run(*options, directory=None, **more):
        server = Daemon(directory or tmp_path / f'data{len(started)}', *options, **more)
        started.append(server)
        return server.start()

    yield run
    for server in started:
        server.stop()
