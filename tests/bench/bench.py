# SPDX-License-Identifier: Apache-2.0
"""The performance table: every figure beside the limit of a bare libmicrohttpd server, all measured
in one run on one machine. Figures are ratios because machines differ; nothing here passes or fails."""
import argparse
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))


class Server:
    """A process that prints its port."""

    def __init__(self, arguments, pattern):
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            found = re.search(pattern, line)
            if found:
                self.port = int(found.group(1))
                break
        else:
            sys.exit(f"{arguments[0]} did not start")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def resident_mib(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024


def curlewd(data):
    started = time.monotonic()
    server = Server([BUILD / "curlewd", "--data-dir", data, "--listen", "127.0.0.1:0", "--max-list-items", "10000"],
                    r"listening.*?:(\d+)")
    server.start_seconds = time.monotonic() - started
    return server


def baseline(size, file):
    return Server([BUILD / "tests/bench/baseline", "0", str(size), file], r"port=(\d+)")


def load(port, connections, method, path, body=0, seconds=SECONDS, keys=100000):
    out = subprocess.run([BUILD / "tests/bench/load", f"127.0.0.1:{port}", str(connections), str(seconds), method,
                          path, str(body)], check=True, stdout=subprocess.PIPE, env={**os.environ, "KEYS": str(keys)})
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


def compare(name, ours, theirs, aim):
    row(name, ours["rate"], "req/s", theirs["rate"], ours["rate"] / theirs["rate"], aim)


def reads_and_writes(directory):
    server = curlewd(f"{directory}/small")
    row("idle RSS", server.resident_mib(), "MiB", aim="<= 12")
    request(server.port, "PUT", "/v1/znodes/r", b"x" * 100)
    request(server.port, "PUT", "/v1/znodes/w", b"")
    size = len(request(server.port, "GET", "/v1/znodes/r")[1])
    fixed, raw = baseline(size, f"{directory}/fixed"), baseline(100, f"{directory}/raw")
    compare("local read, JSON, 64 connections",
            load(server.port, 64, "GET", "/v1/znodes/r?consistency=local"), load(fixed.port, 64, "GET", "/"), ">= 0.70")
    compare("local read, raw, 64 connections", load(server.port, 64, "GET", "/v1/znodes/r?raw&consistency=local"),
            load(raw.port, 64, "GET", "/"), ">= 0.75")
    compare("linearizable read, JSON, 64 connections", load(server.port, 64, "GET", "/v1/znodes/r"),
            load(fixed.port, 64, "GET", "/"), "")
    for connections in (64, 256):
        theirs = load(fixed.port, connections, "PUT", "/", 100)
        compare(f"write, 100 bytes, {connections} connections",
                load(server.port, connections, "PUT", "/v1/znodes/w/k%u?parents", 100, keys=10000), theirs, ">= 0.60")
    theirs, ours = load(fixed.port, 1, "PUT", "/", 100), load(server.port, 1, "PUT", "/v1/znodes/r", 100)
    row("write, 1 connection, p50", ours["p50_us"], "us", theirs["p50_us"], ours["p50_us"] / theirs["p50_us"], "<= 1.40")
    row("write, 1 connection, p99", ours["p99_us"], "us", theirs["p99_us"], ours["p99_us"] / theirs["p99_us"])
    for one in (server, fixed, raw):
        one.stop()


def load_million(server, nodes):
    started = time.monotonic()
    request(server.port, "PUT", "/v1/znodes/big", b"")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    parents = nodes // 100000
    value = "x" * 100
    for parent in range(parents):
        request(server.port, "PUT", f"/v1/znodes/big/p{parent}", b"")
        for first in range(0, 100000, 1000):
            ops = [{"op": "create", "path": f"/big/p{parent}/n{number:06}", "data": value}
                   for number in range(first, first + 1000)]
            connection.request("POST", "/v1/multi", json.dumps({"ops": ops}))
            reply = connection.getresponse()
            body = reply.read()
            if reply.status != 200:
                sys.exit(f"multi failed: {body[:500]}")
    return time.monotonic() - started


def list_everything(port, until):
    cursor = ""
    while not until.is_set():
        path = "/v1/znodes/big?view=tree&limit=1000" + (f"&cursor={cursor}" if cursor else "")
        cursor = json.loads(request(port, "GET", path)[1]).get("next", "")


def million(directory, nodes):
    server = curlewd(f"{directory}/big")
    seconds = load_million(server, nodes)
    row(f"{nodes:,} znodes of 100 bytes: load by multi", seconds, "s")
    row("  RSS", server.resident_mib(), "MiB")
    server.stop()
    server = curlewd(f"{directory}/big")
    row("  restart until it listens", server.start_seconds, "s", aim="<= 3")
    page = load(server.port, 1, "GET", "/v1/znodes/big/p0?view=children&limit=1000")
    row("  children page, 1,000 of 100,000, p50", page["p50_us"] / 1000, "ms", aim="<= 3")
    request(server.port, "PUT", "/v1/znodes/busy", b"")
    alone = load(server.port, 16, "PUT", "/v1/znodes/busy/k%u?parents", 100, keys=10000)
    until = threading.Event()
    lister = threading.Thread(target=list_everything, args=(server.port, until))
    lister.start()
    beside = load(server.port, 16, "PUT", "/v1/znodes/busy/k%u?parents", 100, keys=10000)
    until.set()
    lister.join()
    row("  write p99 while a listing runs", beside["p99_us"] / 1000, "ms", alone["p99_us"] / 1000,
        beside["p99_us"] / alone["p99_us"], "<= 3.00")
    server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000000)
    parser.add_argument("--only", choices=["small", "million"])
    arguments = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build")
    print(f"{'':46} {'curlewd':>12} {'':8} {'limit':>12} {'ratio':>6}  aim")
    try:
        if arguments.only != "million":
            reads_and_writes(directory)
        if arguments.only != "small":
            million(directory, arguments.nodes)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
