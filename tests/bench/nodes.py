# SPDX-License-Identifier: Apache-2.0
"""The table of a cluster: all its nodes, the load and what it is compared with share one machine, so the
figures tell what replication costs, not what a cluster on machines of its own can do. The limits are those
of the bare server and, for local reads, of a single node."""
import json
import socket
import statistics
import subprocess
import sys
import threading
import time

from measure import BUILD, ROOT, ROUNDS, SECONDS, START_S, Server, baseline, compare, curlewd, load, request, row

PARTS = ["writes", "reads", "catch_up", "failover"]
MISSED_S = 8  # of writes that the node which catches up was away for
CATCH_UP_S = 120
FAILOVER_RUNS = 10
FAILOVER_S = 600


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Cluster:
    """Nodes on loopback that serve; the leader is asked for when it matters."""

    def __init__(self, directory, count):
        peers = ",".join(f"{i}=127.0.0.1:{port}" for i, port in enumerate(free_ports(count), 1))
        self.nodes = [Server([BUILD / "curlewd", "--id", str(i), "--peers", peers, "--listen", "127.0.0.1:0",
                              "--data-dir", f"{directory}/node{i}"], r"listening.*?:(\d+)")
                      for i in range(1, count + 1)]
        try:
            for node in self.nodes:
                node.wait()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def wait_ready(self):
        until = time.monotonic() + START_S
        while any(request(node.port, "GET", "/readyz")[0] != 200 for node in self.nodes):
            if time.monotonic() > until:
                sys.exit("the cluster is not ready")
            time.sleep(0.05)

    def leader(self):
        number = json.loads(request(self.nodes[0].port, "GET", "/v1/cluster")[1])["leader"]
        return self.nodes[number - 1]

    def follower(self):
        leader = self.leader()
        return next(node for node in self.nodes if node is not leader)

    def ports(self):
        return [node.port for node in self.nodes]

    def processor_s(self):
        return sum(node.processor_s() for node in self.nodes)

    def stop(self):
        for node in self.nodes:
            if node.process.poll() is None:
                node.stop()


def priced(servers, load_once):
    """A load, with the processor time of the servers for 100,000 of its requests."""
    before = servers.processor_s()
    result = load_once()
    result["cost_s"] = (servers.processor_s() - before) * 100000 / max(1, result["requests"])
    return result


def side_by_side(ours, theirs):
    """Medians of all figures of two loads that run in turn."""
    results = [(ours(), theirs()) for _ in range(ROUNDS)]
    return [{key: statistics.median(one[key] for one in column) for key in column[0]} for column in zip(*results)]


def write_rows(name, cluster, ports, bare, connections, aims):
    def ours():
        return priced(cluster, lambda: load(ports, connections, "PUT", "/v1/znodes/w/k%u?parents", 100, keys=10000))

    def theirs():
        return priced(bare, lambda: load(bare.port, connections, "PUT", "/", 100))

    our, their = side_by_side(ours, theirs)
    for what, key, unit in ((f"write, {name}: rate", "rate", "req/s"), ("  p50", "p50_us", "us"),
                            ("  p99", "p99_us", "us"), ("  processor, 100,000 requests", "cost_s", "s")):
        row(what, our[key], unit, their[key], our[key] / max(their[key], 1e-9), aims.get(key, ""))


def writes(cluster, directory):
    request(cluster.nodes[0].port, "PUT", "/v1/znodes/w", b"")
    bare = baseline(150, f"{directory}/fixed")
    # More workers, because the library's own threads stall when exactly 128 sockets of one are ready.
    many = baseline(150, f"{directory}/many", workers=4)
    try:
        write_rows("1 connection, to the leader", cluster, cluster.leader().port, bare, 1, {"p50_us": "<= 1.80"})
        write_rows("1 connection, to a follower", cluster, cluster.follower().port, bare, 1, {})
        write_rows("64 connections, to all", cluster, cluster.ports(), bare, 64, {"rate": ">= 0.45"})
        write_rows("256 connections, to all", cluster, cluster.ports(), many, 256, {"rate": ">= 0.45"})
    finally:
        bare.stop()
        many.stop()


def reads(cluster, directory):
    alone = curlewd(f"{directory}/alone")

    def get(node, query):
        return lambda: load(node.port, 64, "GET", "/v1/znodes/r" + query)

    def cost(name, node, query):
        result = priced(cluster, get(node, query))
        row(f"  {name} read: processor, 100,000 requests", result["cost_s"], "s")

    try:
        for port in (cluster.nodes[0].port, alone.port):
            request(port, "PUT", "/v1/znodes/r", b"x" * 100)
        leader, follower = cluster.leader(), cluster.follower()
        local = "?consistency=local"
        compare("local read of a follower, of a single node", get(follower, local), get(alone, local), ">= 0.90")
        compare("linearizable read of the leader, local", get(leader, ""), get(leader, local), ">= 0.40")
        compare("linearizable read of a follower, local", get(follower, ""), get(follower, local), "")
        for name, node, query in (("local", follower, local), ("leader's", leader, ""), ("follower's", follower, "")):
            cost(name, node, query)
        for name, node in (("the leader", leader), ("a follower", follower)):
            one = load(node.port, 1, "GET", "/v1/znodes/r")
            row(f"linearizable read of {name}, 1 connection: p50", one["p50_us"], "us")
    finally:
        alone.stop()


def is_ready(server):
    try:
        return request(server.port, "GET", "/readyz")[0] == 200
    except (AttributeError, OSError):  # it has printed no port yet, or does not listen
        return False


def catch_up(cluster):
    """What the clients of the others notice while a node that was away catches up. It shares the processors
    with them here, as it would not on machines of their own."""
    away = cluster.follower()
    away.process.kill()
    away.process.wait()
    others = [node for node in cluster.nodes if node is not away]
    ports = [node.port for node in others]
    load(ports, 64, "PUT", "/v1/znodes/w/k%u?parents", 4000, seconds=MISSED_S, keys=20000)

    def processor_s():
        return sum(node.processor_s() for node in others)

    def writes():
        used = processor_s()
        result = load(ports, 64, "PUT", "/v1/znodes/w/k%u?parents", 100, seconds=1, keys=10000)
        result["cost_s"] = (processor_s() - used) * 100000 / max(1, result["requests"])
        return result

    before = [writes() for _ in range(5)]
    back = Server(away.process.args, away.pattern)
    cluster.nodes[cluster.nodes.index(away)] = back
    began = time.monotonic()
    threading.Thread(target=back.wait, daemon=True).start()
    during = [writes()]
    while not is_ready(back) and time.monotonic() - began < CATCH_UP_S:
        during.append(writes())
    for what, key, unit, aim in (("write while a node catches up: rate", "rate", "req/s", ">= 0.90"),
                                 ("  p99", "p99_us", "us", ""),
                                 ("  processor of the others, 100,000 requests", "cost_s", "s", "")):
        with_it, without = (statistics.median(one[key] for one in column) for column in (during, before))
        row(what, with_it, unit, without, with_it / without, aim)
    row("  it took, after writes of 8 s were missed", time.monotonic() - began, "s")


def failover():
    """The table of failover.py, which makes a cluster of its own in network namespaces."""
    script = ROOT / "tests/bench/failover.py"
    print()
    try:
        subprocess.run([sys.executable, script, "--runs", str(FAILOVER_RUNS)], timeout=FAILOVER_S)
    except subprocess.TimeoutExpired:
        print(f"fail-over: not done within {FAILOVER_S} s")


def table(directory, count, only):
    cluster = Cluster(directory, count)
    try:
        row("idle RSS of a node, the largest", max(node.resident_mib() for node in cluster.nodes), "MiB")
        before = cluster.processor_s()
        time.sleep(SECONDS)
        row("idle: processor of a node", (cluster.processor_s() - before) / SECONDS / count * 100, "%")
        if only in (None, "writes"):
            writes(cluster, directory)
            row("  RSS of a node after that, the largest", max(node.resident_mib() for node in cluster.nodes), "MiB")
        if only in (None, "reads"):
            reads(cluster, directory)
        if only in (None, "catch_up"):
            catch_up(cluster)
    finally:
        cluster.stop()
    if only in (None, "failover"):
        failover()
