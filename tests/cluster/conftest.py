# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the cluster tests. CURLEW_LONG=1 makes them go on for longer, CURLEW_SEED repeats what was
random in one."""
import os
import pathlib
import random
import shutil
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE / 'lib'), str(HERE.parent / 'crash'), str(HERE.parent / 'rest')]

import netns  # noqa: E402
import powerloss  # noqa: E402
from cluster import Cluster, knows_peers  # noqa: E402


@pytest.fixture
def seed():
    """Decides everything that is random in a test; printed, and so shown when the test fails."""
    value = int(os.environ.get('CURLEW_SEED') or random.SystemRandom().randrange(1 << 32))
    print(f'repeat with CURLEW_SEED={value}')
    return value


@pytest.fixture(scope='session')
def namespaces():
    """Skips what needs network namespaces where none can be made."""
    reason = netns.why_not()
    if reason is not None:
        pytest.skip(f'NO NETWORK NAMESPACES, THE CLUSTER WAS NOT TESTED: {reason}')


@pytest.fixture
def network(namespaces):
    """Three nodes that are not there, and the network between them."""
    made = netns.Network(3)
    yield made
    made.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets fixtures know how the test itself ended."""
    outcome = yield
    if call.when == 'call':
        item.passed = outcome.get_result().passed


@pytest.fixture
def make_cluster(namespaces, tmp_path, request):
    """Makes clusters that are gone after the test, however it ends; what they wrote is kept if it
    failed."""
    made = []

    def make(size, *options, **more):
        if size > 1 and not knows_peers():
            pytest.skip('THIS curlewd KNOWS NO --peers, THE CLUSTER WAS NOT TESTED')
        made.append(Cluster(size, tmp_path / f'cluster{len(made)}', options, **more))
        print(f'logs: {made[-1].directory}/node*.log')
        return made[-1]

    yield make
    for each in made:
        each.close()
        if getattr(request.node, 'passed', False):
            shutil.rmtree(each.directory, ignore_errors=True)


@pytest.fixture
def library(tmp_path):
    """The preload library that loses what was not synced."""
    path = powerloss.build(tmp_path)
    if path is None:
        pytest.skip('NO C COMPILER: power loss was not tested')
    return path
