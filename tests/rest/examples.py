# SPDX-License-Identifier: Apache-2.0
"""Executes the examples of a document.

A fenced block marked `console` is executed: lines that begin with `$ ` are commands (lines behind that
begin with `> ` go on with it), the lines behind each are what it prints, where `...` stands for anything
within a line and a line of only `...` for any number of lines. Blocks marked `sh` are only shown.

All commands of one run are given to one shell, in a directory of its own. The documents speak of
127.0.0.1; an example that has fixed ports runs on another address of the loopback network, so that it is
in nobody's way."""
import os
import random
import re
import select
import signal
import subprocess
import time

FENCE = re.compile(r'^```console\n(.*?)^```$', re.M | re.S)
DEADLINE_S = 60
END = 'end-of-command'


def examples(text):
    """(command, expected lines) of every executed block."""
    found = []
    for block in FENCE.findall(text):
        for line in block.splitlines():
            if line.startswith('$ '):
                found.append((line[2:], []))
            elif not found:
                raise AssertionError(f'output without a command: {line}')
            elif line.startswith('> '):
                command, expected = found.pop()
                found.append((command + '\n' + line[2:], expected))
            else:
                found[-1][1].append(line)
    return found


def section(text, title):
    """What stands below the heading `title`, up to the next one of its level."""
    found = re.search(rf'^(#+) {re.escape(title)}\n(.*?)(?=^\1 |\Z)', text, re.M | re.S)
    if not found:
        raise AssertionError(f'there is no section "{title}"')
    return found.group(2)


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


def loopback_address():
    """An address of this machine that nobody else uses."""
    return '127.{}.{}.{}'.format(*(random.SystemRandom().randrange(2, 250) for _ in range(3)))


class Shell:
    """One shell for the commands of a document. What it has started is gone after close."""

    def __init__(self, directory, environ):
        self.errors = open(directory / 'stderr', 'w+', encoding='utf-8')
        self.process = subprocess.Popen(
            ['sh'], cwd=directory, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, start_new_session=True)
        self.printed = b''

    def run(self, command):
        """What the command prints. It may leave processes behind that print elsewhere."""
        self.process.stdin.write(f"{command}\nprintf '\\n{END}\\n'\n".encode())
        self.process.stdin.flush()
        limit = time.monotonic() + DEADLINE_S
        end = f'\n{END}\n'.encode()
        while end not in self.printed:
            left = limit - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f'$ {command}\nis not done after {DEADLINE_S} s: {self.printed!r}')
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise AssertionError(f'$ {command}\nends the shell\n{self.stderr()}')
            self.printed += more
        printed, self.printed = self.printed.split(end, 1)
        return printed.decode(errors='replace')

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read()

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()


def execute(shell, found, there=lambda text: text, back=lambda text: text):
    """Runs each command, changed by `there`; what it prints, changed by `back`, must be as shown."""
    for command, expected in found:
        printed = back(shell.run(there(command)))
        assert matches(expected, printed), \
            f'$ {command}\nshould print:\n' + '\n'.join(expected) + f'\nprints:\n{printed}' \
            f'\nerrors so far:\n{back(shell.stderr())}'
