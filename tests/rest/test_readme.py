# SPDX-License-Identifier: Apache-2.0
"""The examples of README.md are true: see examples.py for how they are written. The first sections run
against one fresh node; "A cluster" runs with a copy of ./dev, on an address of its own."""
import shutil
import stat

import pytest

from daemon import FAULTS, SOURCE, binary, environment
from examples import Shell, examples, execute, loopback_address, matches, section

ADDRESS = '127.0.0.1'
ONE_NODE = f'{ADDRESS}:2180'
CLUSTER = 'A cluster'
CONTAINERS = 'In containers'  # executed by tests/containers/test_documents.py
BUILD = '    build_release\n    cluster_stop\n'  # of cluster_start in ./dev


@pytest.fixture
def shell(tmp_path):
    if shutil.which('curl') is None:
        pytest.skip('CURL IS NOT INSTALLED: the examples of README.md were not executed')
    made = Shell(tmp_path, environment())
    yield made
    made.close()


def readme():
    return (SOURCE / 'README.md').read_text(encoding='utf-8')


def test_the_readme_tells_the_truth_about_one_node(start, shell):
    text = readme()
    found = examples(text.replace(section(text, CLUSTER), '').replace(section(text, CONTAINERS), ''))
    assert len(found) > 10
    address = f'{ADDRESS}:{start().port}'
    execute(shell, found, lambda command: command.replace(ONE_NODE, address),
            lambda printed: printed.replace(address, ONE_NODE))


def copy_dev(directory, address):
    """./dev as the reader has it, but on another address, with the daemon under test."""
    text = (SOURCE / 'dev').read_text(encoding='utf-8')
    assert BUILD in text, './dev cluster builds in another way'
    copy = directory / 'dev'
    copy.write_text(text.replace(BUILD, '    cluster_stop\n').replace(ADDRESS, address), encoding='utf-8')
    copy.chmod(copy.stat().st_mode | stat.S_IXUSR)
    (directory / 'build').mkdir()
    (directory / 'build' / 'curlewd').symlink_to(binary())


def test_the_readme_tells_the_truth_about_a_cluster(shell, tmp_path):
    found = examples(section(readme(), CLUSTER))
    assert any('kill -9' in command for command, _ in found)
    address = loopback_address()
    copy_dev(tmp_path, address)
    try:
        execute(shell, found, lambda command: command.replace(ADDRESS, address),
                lambda printed: printed.replace(address, ADDRESS))
    finally:
        shell.run('./dev cluster stop')
    logs = sorted(tmp_path.glob('data/cluster/*/log'))
    assert len(logs) == 3
    for log in logs:
        text = log.read_text(errors='replace')
        assert not FAULTS.search(text), text
    assert not list(tmp_path.glob('data/cluster/*/pid')), './dev cluster stop has left processes'


def test_the_comparison_notices_a_difference():
    assert matches(['{"zxid":...}'], '{"zxid":9}\n')
    assert matches(['a', '...', 'c'], 'a\nb\nb\nc\n')
    assert matches([], '')
    assert not matches(['{"zxid":...}'], '{"txid":9}\n')
    assert not matches(['a'], 'a\nb\n')
    assert not matches(['a'], '')


def test_blocks_are_found():
    assert examples('x\n```console\n$ curl \\\n>  -s a\nout\n$ b\n```\n```sh\n$ no\n```\n') == \
        [('curl \\\n -s a', ['out']), ('b', [])]


def test_sections_are_found():
    assert section('# a\n## b\nx\n### c\ny\n## d\n', 'b') == 'x\n### c\ny\n'
    assert section('## d\nz\n', 'd') == 'z\n'


def test_a_false_example_is_noticed(shell):
    with pytest.raises(AssertionError, match='should print'):
        execute(shell, [('echo one', ['two'])])
    with pytest.raises(AssertionError, match='ends the shell'):
        execute(shell, [('exit 3', [])])
