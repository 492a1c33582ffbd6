# SPDX-License-Identifier: Apache-2.0
"""Runs a real curlewd for a test: starts it on a free port, waits until it serves, stops it, and
looks at how it ended."""
import http.client
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
START_DEADLINE_S = 20
# What the shared daemon is told to allow.
ALLOWED_ORIGIN = 'http://pages.example:8080'
ALLOWED_HOST = 'curlew.example'
STOP_DEADLINE_S = 20
LISTENING = re.compile(r'(?:msg="listening" address=|"msg":"listening","address":")(\S+):(\d+)')
# What no run of the daemon may ever print.
FAULTS = re.compile(
    r'AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:|'
    r'[Aa]ssertion|ASSERT|Segmentation fault|level=error|"level":"error"'
)


def binary():
    """The daemon under test: $CURLEWD or $CURLEW, else build/curlewd."""
    named = os.environ.get('CURLEWD') or os.environ.get('CURLEW')
    path = pathlib.Path(named or SOURCE / 'build' / 'curlewd').absolute()
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist: build it, or name it in $CURLEWD')
    return str(path)


def environment(**more):
    """The environment without the daemon's own variables, which would be options."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith('CURLEW')}, **more}


class Daemon:
    """One process of curlewd over one data directory; may be started again after its end."""

    def __init__(self, directory, *options, environ=None, listen='127.0.0.1:0', prefix=()):
        self.directory = pathlib.Path(directory)
        self.options = [str(option) for option in options]
        self.environ = environ or {}
        self.listen = listen
        self.prefix = list(prefix)
        self.process = None
        self.port = None
        self.address = None
        self.expected_errors = False  # a test that provokes level=error sets it
        self._lines = []
        self._changed = threading.Condition()
        self._ended = True
        self._reader = None

    def command(self):
        return [*self.prefix, binary(), '--data-dir', str(self.directory),
                '--listen', self.listen, *self.options]

    def spawn(self):
        """Starts the process and returns without waiting for anything."""
        self._lines, self._ended, self.port = [], False, None
        self.process = subprocess.Popen(
            self.command(), env=environment(**self.environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors='replace')
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def log(self):
        """What it has printed since its last start."""
        with self._changed:
            return ''.join(self._lines)

    def wait_line(self, pattern, deadline_s=START_DEADLINE_S):
        """Waits for a line that matches and returns the match; None if the process ended first."""
        limit = time.monotonic() + deadline_s
        seen = 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    found = re.search(pattern, line)
                    if found:
                        return found
                seen = len(self._lines)
                if self._ended:
                    return None
                if not self._changed.wait(max(0.0, limit - time.monotonic())):
                    raise TimeoutError(f'no line {pattern!r} in {deadline_s} s:\n'
                                       + ''.join(self._lines))

    def start(self):
        """Starts the process and waits until /readyz is 200."""
        self.spawn()
        try:
            found = self.wait_line(LISTENING)
            if found is None:
                raise RuntimeError(f'{self.command()} ended with {self.process.wait()}:\n{self.log()}')
            self.address, self.port = found.group(1), int(found.group(2))
            self.wait_ready()
        except TimeoutError:
            self.kill()
            raise
        return self

    def wait_ready(self, deadline_s=START_DEADLINE_S):
        limit = time.monotonic() + deadline_s
        last = None
        while time.monotonic() < limit:
            try:
                connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=5)
                connection.request('GET', '/readyz')
                last = connection.getresponse().status
                connection.close()
                if last == 200:
                    return
            except OSError as error:
                last = error
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise TimeoutError(f'not ready ({last}):\n{self.log()}')

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """Ends it as kill -9 does and waits until it is gone."""
        if self.alive():
            self.process.kill()
        return self._finish()

    def terminate(self):
        """Asks it to end and returns its exit status."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        return self._finish()

    def _finish(self):
        try:
            status = self.process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise TimeoutError(f'did not end in {STOP_DEADLINE_S} s:\n{self.log()}') from None
        self._reader.join(STOP_DEADLINE_S)
        return status

    def stop(self):
        """Ends it in order and fails unless it ended well."""
        if self.process is None:
            return
        status = self.terminate()
        self.process, log = None, self.log()
        if status != 0:
            raise AssertionError(f'curlewd ended with {status}:\n{log}')
        self.check_log(log)

    def check_log(self, log=None):
        for line in (self.log() if log is None else log).splitlines():
            found = FAULTS.search(line)
            if found and not (self.expected_errors and found.group() == 'level=error'):
                raise AssertionError(f'curlewd printed a fault: {line}\n{log or self.log()}')
