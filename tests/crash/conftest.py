# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the crash tests. CURLEW_LONG=1 makes them go on for longer, CURLEW_SEED repeats one."""
import os
import pathlib
import random
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / 'rest')]

import powerloss  # noqa: E402
from daemon import Daemon  # noqa: E402


@pytest.fixture
def seed():
    """Decides everything that is random in a test; printed, and so shown when the test fails."""
    value = int(os.environ.get('CURLEW_SEED') or random.SystemRandom().randrange(1 << 32))
    print(f'repeat with CURLEW_SEED={value}')
    return value


@pytest.fixture(scope='session')
def library(tmp_path_factory):
    path = powerloss.build(tmp_path_factory.mktemp('shim'))
    if path is None:
        pytest.skip('NO C COMPILER: power loss was not tested')
    return path


@pytest.fixture
def make(tmp_path):
    """Makes daemons that are gone after the test, however it ends."""
    made = []

    def run(*options, directory=None, **more):
        made.append(Daemon(directory or tmp_path / f'data{len(made)}', *options, **more))
        return made[-1]

    yield run
    for daemon in made:
        if daemon.alive():
            daemon.kill()
