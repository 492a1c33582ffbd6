# SPDX-License-Identifier: Apache-2.0
"""The examples of README.md are true.

A fenced block marked `console` is executed: lines that begin with `$ ` are commands (a `\\` at the end
goes on in the next line), the lines behind each are what it prints, where `...` stands for anything
within a line and a line of only `...` for any number of lines. All blocks run in order against one
fresh node, whose address takes the place of 127.0.0.1:2180; `curlewd` itself is started by the test,
so blocks that start it are marked `sh`."""
import re
import shutil
import subprocess

import pytest

from daemon import SOURCE, environment

ADDRESS = '127.0.0.1:2180'
FENCE = re.compile(r'^```console\n(.*?)^```$', re.M | re.S)


def examples(text):
    """(command, expected lines) of every executed block."""
    found = []
    for block in FENCE.findall(text):
        lines = iter(block.splitlines())
        for line in lines:
            if line.startswith('$ '):
                command = line[2:]
                while command.endswith('\\'):
                    command = command + '\n' + next(lines).removeprefix('> ')
                found.append((command, []))
            elif found:
                found[-1][1].append(line)
            else:
                raise AssertionError(f'output without a command: {line}')
    return found


def pattern(expected):
    """A regular expression for the expected lines."""
    parts = []
    for line in expected:
        if line.strip() == '...':
            parts.append(r'(?:[^\n]*\n)*?')
        else:
            parts.append('[^\n]*?'.join(map(re.escape, line.rstrip().split('...'))) + r'[ \t]*\n')
    return ''.join(parts)


def matches(expected, printed):
    lines = [line.rstrip('\r') for line in printed.splitlines()]
    return re.fullmatch(pattern(expected), ''.join(f'{line}\n' for line in lines)) is not None


def test_the_readme_tells_the_truth(start):
    text = (SOURCE / 'README.md').read_text(encoding='utf-8')
    found = examples(text)
    if not found and 'curl ' not in text:
        pytest.skip('README.md HAS NO EXAMPLES YET')
    assert found, 'README.md shows curl but no block is marked console'
    if shutil.which('curl') is None:
        pytest.skip('CURL IS NOT INSTALLED: the examples of README.md were not executed')
    address = f'127.0.0.1:{start().port}'
    for command, expected in found:
        result = subprocess.run(['sh', '-c', command.replace(ADDRESS, address)], timeout=30,
                                capture_output=True, text=True, env=environment())
        printed = result.stdout.replace(address, ADDRESS)
        assert matches(expected, printed), \
            f'$ {command}\nshould print:\n' + '\n'.join(expected) + f'\nprints:\n{printed}' \
            f'{result.stderr}'


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
