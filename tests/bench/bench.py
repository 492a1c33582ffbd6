# SPDX-License-Identifier: Apache-2.0
"""The performance table: every figure beside the limit of a bare libmicrohttpd server, all measured
in one run on one machine. Figures are ratios because machines differ; both sides run in turn and the
medians are compared because machines are noisy. Nothing here passes or fails."""
import argparse
import json
import resource
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time

import nodes
import watch
from measure import ROOT, ROUNDS, SECONDS, baseline, compare, curlewd, load, request, row


def reads(server, fixed, raw):
    def get(query):
        return lambda: load(server.port, 64, "GET", "/v1/znodes/r" + query)

    def limit(bare):
        return lambda: load(bare.port, 64, "GET", "/")

    compare("local read, JSON, 64 connections", get("?consistency=local"), limit(fixed), ">= 0.70")
    compare("local read, raw, 64 connections", get("?raw&consistency=local"), limit(raw), ">= 0.75")
    compare("linearizable read, JSON, 64 connections", get(""), limit(fixed), "")


def writes(server, fixed, many):
    def put(connections):
        return lambda: load(server.port, connections, "PUT", "/v1/znodes/w/k%u?parents", 100, keys=10000)

    def limit(bare, connections):
        return lambda: load(bare.port, connections, "PUT", "/", 100)

    compare("write, 100 bytes, 64 connections", put(64), limit(fixed, 64), ">= 0.60")
    compare("write, 100 bytes, 256 connections", put(256), limit(many, 256), ">= 0.60")
    compare("write, 1 connection, p50", put(1), limit(fixed, 1), "<= 1.40", "p50_us", "us")


def reads_and_writes(directory):
    server = curlewd(f"{directory}/small")
    row("idle RSS", server.resident_mib(), "MiB", aim="<= 12")
    request(server.port, "PUT", "/v1/znodes/r", b"x" * 100)
    request(server.port, "PUT", "/v1/znodes/w", b"")
    size = len(request(server.port, "GET", "/v1/znodes/r")[1])
    fixed, raw = baseline(size, f"{directory}/fixed"), baseline(100, f"{directory}/raw")
    # More workers, because the library's own threads stall when exactly 128 sockets of one are ready.
    many = baseline(size, f"{directory}/many", workers=4)
    reads(server, fixed, raw)
    writes(server, fixed, many)
    row("  RSS after that", server.resident_mib(), "MiB")
    for one in (server, fixed, raw, many):
        one.stop()


def idle_connections(port, count):
    """Keep-alive connections that have made one request."""
    opened = []
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        opened.append(one)
    for one in opened:
        one.recv(4096)
    return opened


def many_connections(directory, count):
    servers = [curlewd(f"{directory}/crowded"), curlewd(f"{directory}/quiet")]
    for server in servers:
        request(server.port, "PUT", "/v1/znodes/w", b"")
        load(server.port, 64, "PUT", "/v1/znodes/w/k%u?parents", 100, keys=10000)
    crowded = servers[0]
    before_mib = crowded.resident_mib()
    opened = idle_connections(crowded.port, count)
    row(f"{count:,} idle connections, RSS of each", (crowded.resident_mib() - before_mib) * 1024 / count, "KiB")
    side_by_side("  writes with and without them", servers, "/v1/znodes/w/k%u?parents", keys=10000)
    for one in opened:
        one.close()
    for server in servers:
        server.stop()


def side_by_side(name, servers, path, keys):
    """Throughput and p99 of writes at 64 connections to two servers in turn."""
    results = [[load(server.port, 64, "PUT", path, 100, seconds=2 * SECONDS, keys=keys) for server in servers]
               for _ in range(ROUNDS)]
    for what, key, unit in (("rate", "rate", "req/s"), ("p99", "p99_us", "us")):
        ours, other = (statistics.median(result[key] for result in column) for column in zip(*results))
        row(f"{name}: {what}", ours, unit, other, ours / other)


def fill(port, nodes):
    for first in range(0, nodes, 1000):
        ops = [{"op": "create", "path": f"/w/k{number}", "data": "x" * 100} for number in range(first, first + 1000)]
        status, body = request(port, "POST", "/v1/multi", json.dumps({"ops": ops}))
        if status != 200:
            sys.exit(f"multi failed: {body[:500]}")


def live_directories(directory, memory):
    """Random writes over a tree of 100,000 znodes: the live tree beside the journal, or in memory."""
    servers = [curlewd(f"{directory}/beside"), curlewd(f"{directory}/apart", "--live-dir", memory)]
    for server in servers:
        request(server.port, "PUT", "/v1/znodes/w", b"")
        fill(server.port, 100000)
    side_by_side("random writes, live dir on disk and tmpfs", servers, "/v1/znodes/w/k%u", keys=100000)
    for server in servers:
        server.stop()


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


def check_million(port, nodes):
    """What was loaded is there: a fast empty tree would make fine figures."""
    for parent in range(nodes // 100000):
        page = json.loads(request(port, "GET", f"/v1/znodes/big/p{parent}?view=children&limit=1000")[1])
        if page["stat"]["numChildren"] != 100000 or len(page["children"]) != 1000:
            sys.exit(f"/big/p{parent} lost children")


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
    check_million(server.port, nodes)
    row("  RSS after the restart", server.resident_mib(), "MiB")
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


def table(directory, memory, arguments, most_files):
    if arguments.only in (None, "small"):
        reads_and_writes(directory)
    if arguments.only in (None, "connections"):
        many_connections(directory, min(9900, most_files - 200))
    if arguments.only in (None, "live"):
        live_directories(directory, f"{memory}/live")
    if arguments.only in (None, "million"):
        million(directory, arguments.znodes)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, choices=range(1, 8), default=1, metavar="1..7",
                        help="of the cluster; 1: the table of a single one")
    parser.add_argument("--znodes", type=int, default=1000000, help="of the large tree")
    parser.add_argument("--watch", action="store_true", help="the table of watches and sessions")
    parser.add_argument("--only", choices=["small", "connections", "live", "million", *nodes.PARTS, *watch.PARTS])
    arguments = parser.parse_args()
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    directory = tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build")
    memory = tempfile.mkdtemp(prefix="curlew-bench-", dir="/dev/shm")
    print(f"{'':46} {'curlewd':>12} {'':8} {'limit':>12} {'ratio':>6}  aim")
    try:
        if arguments.watch:
            watch.table(directory, arguments.only)
        elif arguments.nodes > 1:
            nodes.table(directory, arguments.nodes, arguments.only)
        else:
            table(directory, memory, arguments, most_files)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(memory, ignore_errors=True)


if __name__ == "__main__":
    main()
