# SPDX-License-Identifier: Apache-2.0
"""What the tables of the bench share: servers, loads, rows."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
START_S = 30  # for a server to print its port
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A process that prints its port."""

    def __init__(self, arguments, pattern):
        self.name = arguments[0]
        self.pattern = pattern
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def wait(self):
        """Until it has printed its port."""
        late = threading.Timer(START_S, self.process.kill)
        late.start()
        for line in self.process.stdout:
            found = re.search(self.pattern, line)
            if found:
                self.port = int(found.group(1))
                break
        else:
            sys.exit(f"{self.name} did not start")
        late.cancel()
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def resident_mib(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024

    def processor_s(self):
        """Processor time, of user and system."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def curlewd(data, *options):
    started = time.monotonic()
    server = Server([BUILD / "curlewd", "--data-dir", data, "--listen", "127.0.0.1:0", *options],
                    r"listening.*?:(\d+)").wait()
    server.start_seconds = time.monotonic() - started
    return server


def baseline(size, file, workers=2):
    return Server([BUILD / "tests/bench/baseline", "0", str(size), file, str(workers)], r"port=(\d+)").wait()


@contextlib.contextmanager
def setting(**variables):
    """What load takes from the environment, for the loads inside."""
    os.environ.update({name: str(value) for name, value in variables.items()})
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


def load(ports, connections, method, path, body=0, seconds=SECONDS, keys=100000):
    """One load; the connections are spread over the ports."""
    servers = ",".join(f"127.0.0.1:{port}" for port in ([ports] if isinstance(ports, int) else ports))
    out = subprocess.run([BUILD / "tests/bench/load", servers, str(connections), str(seconds), method, path, str(body)],
                         check=True, stdout=subprocess.PIPE, env={**os.environ, "KEYS": str(keys)},
                         timeout=seconds + 60)
    result = json.loads(out.stdout)
    if result["errors"]:
        print(f"   ! {result['errors']} replies were not 2xx: {method} {path}")
    return result


def request(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body)
    reply = connection.getresponse()
    data = reply.read()
    connection.close()
    return reply.status, data


def row(name, value, unit, limit=None, ratio=None, aim=""):
    beside = f"{limit:12,.1f} {ratio:6.2f}" if limit is not None else " " * 19
    print(f"{name:46} {value:12,.1f} {unit:8} {beside}  {aim}", flush=True)


def in_turn(key, *loads):
    """The median of a figure for each load; the loads run in turn, several times."""
    results = [[load_once()[key] for load_once in loads] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*results)]


def compare(name, ours, theirs, aim, key="rate", unit="req/s"):
    our_median, their_median = in_turn(key, ours, theirs)
    row(name, our_median, unit, their_median, our_median / their_median, aim)
