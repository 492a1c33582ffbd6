# SPDX-License-Identifier: Apache-2.0
"""What many sessions cost: opening and renewing them, what renewals leave in the journal, and how long other
requests wait while many end at once. One node, the clients on the same machine. Nothing here passes or
fails."""
import argparse
import collections
import json
import multiprocessing
import re
import resource
import signal
import socket
import tempfile
import threading
import time

from measure import curlewd, request, row

CONNECTIONS = 16
AHEAD = 32  # requests under way on a connection
GONE_S = 120


class Pipe:
    """One connection with several requests under way."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, method, path, body=b"", credential=None):
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
        head += f"Curlew-Session: {credential}\r\n" if credential else ""
        head += f"Content-Length: {len(body)}\r\n" if method in ("PUT", "POST") else ""
        self.socket.sendall(head.encode() + b"\r\n" + body)

    def receive(self):
        """Status and body of the next reply."""
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        length = int(found.group(1)) if found else 0
        while len(self.buffer) < length:
            self.more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return int(head[9:12]), body

    def more(self):
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionError("closed")
        self.buffer += piece


def run(port, requests):
    """Sends (method, path, body, credential) over several connections; returns the bodies in order."""
    results = [None] * len(requests)

    def work(first):
        pipe, waiting = Pipe(port), collections.deque()
        for index in range(first, len(requests), CONNECTIONS):
            pipe.send(*requests[index])
            waiting.append(index)
            if len(waiting) == AHEAD:
                take(pipe, waiting.popleft())
        while waiting:
            take(pipe, waiting.popleft())
        pipe.socket.close()

    def take(pipe, index):
        status, body = pipe.receive()
        if status >= 300:
            raise RuntimeError(f"{requests[index]}: {status} {body}")
        results[index] = body

    threads = [threading.Thread(target=work, args=(first,)) for first in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def timed(name, port, requests):
    began = time.monotonic()
    results = run(port, requests)
    row(name, len(requests) / (time.monotonic() - began), "req/s")
    return results


def metric(port, name):
    text = request(port, "GET", "/metrics")[1].decode()
    return float(re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M).group(1))


def open_sessions(name, port, count, timeout_ms):
    body = json.dumps({"timeout_ms": timeout_ms}).encode()
    replies = timed(name, port, [("POST", "/v1/sessions", body)] * count)
    return [json.loads(reply)["credential"] for reply in replies]


class Prober(threading.Thread):
    """Asks the same again and again and keeps when each answer came and how long it took."""

    def __init__(self, port, method, path):
        super().__init__()
        self.pipe, self.request = Pipe(port), (method, path, b"x" if method == "PUT" else b"")
        self.samples, self.ending = [], False

    def run(self):
        while not self.ending:
            asked = time.monotonic()
            self.pipe.send(*self.request)
            self.pipe.receive()
            self.samples.append((asked, time.monotonic() - asked))
            time.sleep(0.001)

    def longest_ms(self, since, until):
        return 1000 * max((took for asked, took in self.samples if since <= asked + took and asked <= until),
                          default=0)


PROBES = {"write": ("PUT", "/v1/znodes/probe"), "read": ("GET", "/v1/znodes/probe"),
          "list of znodes": ("GET", "/v1/znodes?view=children")}


def await_timeout(port, credentials, timeout_s):
    """Lets the sessions expire: all are heard of now, and not again."""
    run(port, [("GET", "/livez", b"", credential) for credential in credentials])
    time.sleep(timeout_s - 0.2)
    return lambda: None


def hold(port, credentials, ready):
    """A process that hangs the sessions on its connections until it is killed."""
    pipes = [Pipe(port) for _ in credentials]
    for pipe, credential in zip(pipes, credentials):
        pipe.send("GET", f"/v1/sessions/{credential.split('.')[0]}/stream", b"", credential)
    for pipe in pipes:
        while b"event: bound" not in pipe.buffer:
            pipe.more()
    ready.set()
    signal.pause()


def await_kill(port, credentials, _):
    ready = multiprocessing.Event()
    holder = multiprocessing.Process(target=hold, args=(port, credentials, ready))
    holder.start()
    ready.wait()
    return holder.kill


def end_together(port, name, count, timeout_s, prepare):
    """How long others wait while `count` sessions, each with a znode, end at once."""
    credentials = open_sessions(f"open {count}", port, count, timeout_s * 1000)
    run(port, [("POST", f"/v1/znodes/m/{i}?ephemeral", b"", credential)
               for i, credential in enumerate(credentials)])
    open_count = metric(port, "curlew_sessions")
    end = prepare(port, credentials, timeout_s)
    probers = {kind: Prober(port, *probe) for kind, probe in PROBES.items()}
    quiet = time.monotonic()
    for prober in probers.values():
        prober.start()
    time.sleep(0.1)
    end()
    wait_for(lambda: metric(port, "curlew_sessions") < open_count)
    begun = time.monotonic() - 0.1
    wait_for(lambda: metric(port, "curlew_sessions") <= open_count - count)
    ended = time.monotonic() + 0.1
    for prober in probers.values():
        prober.ending = True
        prober.join()
        prober.pipe.socket.close()
    row(f"{count} {name}: from the first to the last", ended - begun - 0.2, "s")
    for kind, prober in probers.items():
        row(f"  longest {kind} before", prober.longest_ms(quiet, begun), "ms")
        row(f"  longest {kind} meanwhile", prober.longest_ms(begun, ended), "ms", aim="50 at most")


def wait_for(condition):
    until = time.monotonic() + GONE_S
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.005)


def renew(port, credentials):
    """Renewals, and what they leave in the journal."""
    before = metric(port, "curlew_journal_written_bytes_total"), metric(port, "curlew_zxid")
    timed("renew by a request", port, [("GET", "/livez", b"", credential) for credential in credentials])
    timed("renew for certain (PUT)", port,
          [("PUT", f"/v1/sessions/{credential.split('.')[0]}", b"", credential) for credential in credentials])
    after = metric(port, "curlew_journal_written_bytes_total"), metric(port, "curlew_zxid")
    row("journal written by these renewals", after[0] - before[0], "bytes")
    row("changes made by these renewals", after[1] - before[1], "zxids")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100000, help="open all the time")
    parser.add_argument("--ending", type=int, default=10000, help="that expire at once")
    parser.add_argument("--timeout", type=int, default=15, help="of those, in seconds")
    parser.add_argument("--leaving", type=int, default=5000, help="whose streams end at once, as their process does")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as directory:
        server = curlewd(directory)
        try:
            request(server.port, "PUT", "/v1/znodes/m", b"")
            request(server.port, "PUT", "/v1/znodes/probe", b"")
            empty = server.resident_mib()
            many = open_sessions("open", server.port, options.sessions, 3600000)
            row("memory per session", (server.resident_mib() - empty) * 1024 / options.sessions, "KiB")
            renew(server.port, many)
            end_together(server.port, "expire", options.ending, options.timeout, await_timeout)
            end_together(server.port, "leave", options.leaving, 3600, await_kill)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
