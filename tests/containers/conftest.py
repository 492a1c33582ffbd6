# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests with containers. What they make has names and addresses of its own, and is gone
afterwards, but for images that only hold Debian's packages."""
import pathlib
import sys
import uuid

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE / 'lib'), str(HERE.parent / 'rest')]

import engine  # noqa: E402
from client import wait_until  # noqa: E402
from project import Project  # noqa: E402

built = []


@pytest.fixture(scope='session')
def image():
    """The image of this checkout."""
    reason = engine.why_not()
    if reason is not None:
        pytest.skip(f'THE CONTAINERS WERE NOT TESTED: {reason}')
    made = engine.Image()
    built.append(made)
    yield made.name
    made.remove()


def pytest_terminal_summary(terminalreporter):
    for made in built:
        terminalreporter.write_line(str(made))


@pytest.fixture(scope='session')
def running(image):
    made = Project(image)
    yield made
    made.close()


@pytest.fixture
def cluster(running):
    """Three nodes that are ready; one set for all tests, each of which leaves them so."""
    running.up()
    running.wait_ready()
    yield running
    running.check_logs()


class Single:
    """Containers that are run one by one, with volumes of their own."""

    def __init__(self, image):
        self.image, self.containers, self.volumes = image, [], []

    def volume(self):
        self.volumes.append(f'curlewtest{uuid.uuid4().hex[:8]}')
        return self.volumes[-1]

    def run(self, *arguments):
        """Starts a container and returns its id."""
        self.containers.append(engine.docker('run', '-d', *arguments, self.image))
        return self.containers[-1]

    def ended(self, container):
        """Exit status and log of a container that ends by itself."""
        wait_until(lambda: not engine.inspect(container)['State']['Running'], 20, 'the container has ended')
        return engine.inspect(container)['State']['ExitCode'], engine.logs(container)

    def healthy(self, container):
        wait_until(lambda: engine.inspect(container)['State']['Health']['Status'] == 'healthy', 20,
                   f'the container is healthy; log:\n{engine.logs(container)}')

    def close(self):
        for container in self.containers:
            engine.docker('rm', '-f', '-v', container, check=False)
        for volume in self.volumes:
            engine.docker('volume', 'rm', '-f', volume, check=False)


@pytest.fixture
def single(image):
    made = Single(image)
    yield made
    made.close()
