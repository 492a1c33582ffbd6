# SPDX-License-Identifier: Apache-2.0
"""The table of watches and sessions, of a single node: what many idle streams cost, how fast a change
reaches all who watch, and what many sessions cost while they live and when they end together."""
import contextlib
import http.client
import json
import pathlib
import re
import resource
import signal
import statistics
import subprocess
import sys
import time

from measure import BUILD, ROUNDS, SECONDS, curlewd, load, request, row, setting

PARTS = ["idle", "fanout", "rates", "holder", "sessions"]
HOLDER_RUNS = 100
GIVE_UP_S = 60
ROOM = ("--max-connections", "20000", "--max-connections-per-address", "20000")


class Streams:
    """Many streams, held by tests/bench/streams.c."""

    def __init__(self, port, count, path):
        self.count = count
        self.process = subprocess.Popen([BUILD / "tests/bench/streams", f"127.0.0.1:{port}", str(count), path],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the streams have ended")
        return json.loads(line)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def wait(self, changes):
        """Until so many changes have come since "zero"; None if they do not."""
        until = time.monotonic() + GIVE_UP_S
        while (counted := self.ask("count"))["changes"] < changes:
            if time.monotonic() > until:
                return None
            time.sleep(0.02)
        return counted

    def close(self):
        self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def streams(*arguments):
    made = Streams(*arguments)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def server(directory, *options):
    made = curlewd(directory, *ROOM, *options)
    try:
        request(made.port, "PUT", "/v1/znodes/w", b"")
        yield made
    finally:
        made.stop()


def write_load(port, connections=64, seconds=2 * SECONDS):
    return load(port, connections, "PUT", "/v1/znodes/w/k%u?parents", 100, seconds=seconds, keys=10000)


# ---- Idle streams ------------------------------------------------------------------------------

def idle(directory, count):
    """Writes that nobody watches, with and without many who watch other znodes, in turn."""
    with server(f"{directory}/crowded") as crowded, server(f"{directory}/quiet") as quiet:
        for one in (crowded, quiet):
            write_load(one.port)
        before_mib = crowded.resident_mib()
        with streams(crowded.port, count, "/v1/watch/idle/%u") as held:
            row(f"{count:,} idle streams, RSS of each", (crowded.resident_mib() - before_mib) * 1024 / count, "KiB")
            before_s, began = crowded.processor_s(), time.monotonic()
            time.sleep(2 * SECONDS)
            row("  processor while nothing happens",
                (crowded.processor_s() - before_s) / (time.monotonic() - began) * 100, "%")
            results = [[write_load(one.port) for one in (crowded, quiet)] for _ in range(ROUNDS)]
            if held.ask("count")["lost"] or held.ask("count")["changes"]:
                sys.exit("idle streams were closed, or were told something")
        for what, key, unit, aim in (("rate", "rate", "req/s", ">= 0.90"), ("p99", "p99_us", "us", "")):
            ours, other = (statistics.median(result[key] for result in column) for column in zip(*results))
            row(f"  writes with and without them: {what}", ours, unit, other, ours / other, aim)


# ---- One change, many streams ------------------------------------------------------------------

def last_ms(port, held):
    """From just before the request to the last of the streams that has the change."""
    held.ask("zero")
    began = time.monotonic_ns()
    request(port, "PUT", "/v1/znodes/hot", str(began).encode())
    counted = held.wait(held.count)
    if counted is None or counted["reached"] != held.count:
        sys.exit(f"a change did not reach all streams: {held.ask('count')}")
    return (counted["last_ns"] - began) / 1e6


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def fanout(directory, count):
    with server(f"{directory}/fanout") as one:
        request(one.port, "PUT", "/v1/znodes/hot", b"")
        with streams(one.port, count, "/v1/watch/hot?data") as held:
            times = [last_ms(one.port, held) for _ in range(20)]
            row(f"a change to {count:,} streams: the last", statistics.median(times), "ms", aim="<= 200")
            row("  the slowest of 20", max(times), "ms")
            held.ask("zero")
            alone = [write_load(one.port, 16)["p99_us"] for _ in range(ROUNDS)]
            beside = [beside_changes(one.port, held) for _ in range(ROUNDS)]
            ours, other = statistics.median(each["p99_us"] for each in beside), statistics.median(alone)
            row("  p99 of other writes, 2 changes/s, and none", ours / 1000, "ms", other / 1000, ours / other,
                "<= 3.00")
            row("  events/s of those changes", statistics.median(each["delivered"] for each in beside) / (2 * SECONDS),
                "1/s", 2.0 * count, aim=">= 0.90",
                ratio=statistics.median(each["delivered"] for each in beside) / (4 * SECONDS * count))


def beside_changes(port, held):
    """Other writes while twice a second something changes that all streams watch."""
    other = subprocess.Popen([sys.executable, __file__, "hot", str(port), "2"])
    held.wait(held.count)
    held.ask("zero")
    try:
        result = write_load(port, 16)
    finally:
        other.send_signal(signal.SIGTERM)
        other.wait()
    result["delivered"] = held.ask("count")["changes"]
    return result


def change_for_ever(port, rate):
    while True:
        request(port, "PUT", "/v1/znodes/hot", b"x")
        time.sleep(1 / rate)


# ---- Many changes ------------------------------------------------------------------------------

def rates(directory, count, rate):
    """Every stream watches everything that is written."""
    with server(f"{directory}/rate{count}") as one:
        with streams(one.port, count, "/v1/watch/w?recursive&data") as held:
            held.ask("zero")
            with setting(RATE=rate):
                result = load(one.port, 8, "PUT", "/v1/znodes/w/k%u", 100, seconds=5 * SECONDS, keys=100)
            counted = held.wait(result["requests"] * count)
            name = f"{count:,} streams, {rate:,} changes/s"
            if counted is None:
                counted = held.ask("count")
                print(f"   ! {counted['changes']:,} of {result['requests'] * count:,} events came")
            row(f"{name}: written", result["rate"], "req/s", rate, result["rate"] / rate, ">= 0.99")
            row("  events per second", result["rate"] * count, "1/s")
            row("  streams that were reset or closed", counted["resets"] + counted["lost"], "", aim="0")
            row("  from the last write to the last event", max(0, counted["last_ns"] / 1e6 - result["end_ms"]), "ms")
            row("  p99 of those writes", result["p99_us"] / 1000, "ms")


# ---- A holder dies -----------------------------------------------------------------------------

def open_session(port, timeout_ms):
    status, body = request(port, "POST", "/v1/sessions", json.dumps({"timeout_ms": timeout_ms}))
    if status != 201:
        sys.exit(f"no session: {body}")
    return json.loads(body)


class Holder:
    """A process that holds a session for as long as it lives; None as `process` where there is no such
    stream."""

    def __init__(self, port, timeout_ms):
        session = open_session(port, timeout_ms)
        self.headers = {"Curlew-Session": session["credential"]}
        self.process = subprocess.Popen(
            ["curl", "-sN", "-H", f"Curlew-Session: {session['credential']}",
             f"http://127.0.0.1:{port}/v1/sessions/{session['id']}/stream"], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("event: bound"):
                return
        self.process.wait()
        self.process = None

    def kill(self):
        self.process.kill()
        self.process.wait()


def gone_ms(port, held):
    """From the kill -9 of a holder to the event that its ephemeral is deleted; None where sessions do not
    end with connections."""
    holder = Holder(port, 10000)
    if holder.process is None:
        return None
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/v1/znodes/w/e?ephemeral", b"", holder.headers)
    if connection.getresponse().status != 201:
        sys.exit("the ephemeral was not made")
    connection.close()
    held.wait(1)
    held.ask("zero")
    began = time.monotonic_ns()
    holder.process.send_signal(signal.SIGKILL)
    counted = held.wait(1)
    holder.kill()
    held.ask("zero")
    return (counted["last_ns"] - began) / 1e6


def holders(directory):
    with server(f"{directory}/holder") as one, streams(one.port, 1, "/v1/watch/w/e") as held:
        times = [gone_ms(one.port, held)]
        if times[0] is None:
            print("holder killed -9: sessions do not end with connections here")
            return
        times += [gone_ms(one.port, held) for _ in range(HOLDER_RUNS - 1)]
        row("holder killed -9: others see it, median", statistics.median(times), "ms", aim="<= 20")
        row(f"  the slowest of {HOLDER_RUNS}", max(times), "ms")


# ---- Many sessions -----------------------------------------------------------------------------

def open_sessions(port, count, timeout_ms, file):
    """Opens sessions; `file` is then one of header lines with their credentials."""
    with setting(LIMIT=count, BODY=json.dumps({"timeout_ms": timeout_ms}), REPLIES=f"{file}.replies"):
        result = load(port, 64, "POST", "/v1/sessions", seconds=GIVE_UP_S)
    replies = pathlib.Path(f"{file}.replies").read_text().splitlines()
    lines = [f"Curlew-Session: {json.loads(line)['credential']}\n" for line in replies]
    if len(lines) < count:
        sys.exit(f"{len(lines)} of {count} sessions were opened")
    pathlib.Path(file).write_text("".join(lines))
    return result


def metric(port, name):
    text = request(port, "GET", "/metrics")[1].decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))


def sessions(directory, count):
    file = f"{directory}/credentials"
    with server(f"{directory}/sessions") as one:
        before_mib = one.resident_mib()
        result = open_sessions(one.port, count, 600000, file)
        row(f"{count:,} sessions: opened", result["rate"], "req/s")
        row("  RSS of each", (one.resident_mib() - before_mib) * 1024 / count, "KiB")
        before_s, began = one.processor_s(), time.monotonic()
        time.sleep(2 * SECONDS)
        row("  processor while nothing happens",
            (one.processor_s() - before_s) / (time.monotonic() - began) * 100, "%")
        time.sleep(SECONDS)
        written = metric(one.port, "curlew_journal_written_bytes_total")
        with setting(HEADERS=file, LIMIT=2 * count):
            result = load(one.port, 64, "GET", "/v1/znodes?view=stat&consistency=local", seconds=GIVE_UP_S)
        row("  each renewed twice, by reads", result["rate"], "req/s")
        row("  what that wrote into the journal",
            metric(one.port, "curlew_journal_written_bytes_total") - written, "bytes", aim="0")


def expiry(directory, count):
    """All sessions have their full timeout again after a restart, so they end at one instant."""
    data, file = f"{directory}/expiry", f"{directory}/mortals"
    timeout_ms = 6000
    with server(data) as one:
        open_sessions(one.port, count, timeout_ms, file)
        with setting(HEADERS=file, LIMIT=count):
            request(one.port, "PUT", "/v1/znodes/m", b"")
            load(one.port, 64, "POST", "/v1/znodes/m/e-?sequential&ephemeral", 20, seconds=GIVE_UP_S)
    with server(data) as one:
        quiet = [write_load(one.port, 4, 1.5) for _ in range(2)][1]
        if members(one.port) < count:
            sys.exit("sessions ended before the measurement")
        ending = while_they_end(one.port, timeout_ms)
        name = f"{count:,} sessions with ephemerals end: "
        for what, key, aim in (("p99", "p99_us", ""), ("longest", "max_us", "<= 50")):
            row(f"{name if what == 'p99' else '  '}{what} of other writes", ending[key] / 1000, "ms",
                quiet[key] / 1000, ending[key] / quiet[key], aim)
        row("  from the first to the last that ended", ending["seconds"], "s")


def members(port):
    """How many ephemerals there are."""
    return json.loads(request(port, "GET", "/v1/znodes/m?view=stat&consistency=local")[1])["stat"]["numChildren"]


def while_they_end(port, timeout_ms):
    """A load from now until they have ended; the time in which the number of ephemerals fell."""
    seconds = timeout_ms / 1000 + 2
    watch = subprocess.Popen([sys.executable, __file__, "fall", str(port), str(seconds)], stdout=subprocess.PIPE,
                             text=True)
    result = write_load(port, 4, seconds)
    result["seconds"] = float(watch.communicate()[0])
    return result


def time_the_fall(port, seconds):
    """Prints how long it took from the first ephemeral that went to the last."""
    first = last = None
    full = members(port)
    until = time.monotonic() + seconds
    while time.monotonic() < until and last is None:
        left, now = members(port), time.monotonic()
        if first is None and left < full:
            first = now
        if left == 0:
            last = now
        time.sleep(0.002)
    if last is None:
        sys.exit("sessions have not ended")
    print(last - first)


# ---- The table ---------------------------------------------------------------------------------

def table(directory, only):
    most = min(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500)
    if only in (None, "idle"):
        idle(directory, most)
    if only in (None, "fanout"):
        fanout(directory, most)
    if only in (None, "rates"):
        rates(directory, 1000, 100)
        rates(directory, 100, 1000)
    if only in (None, "holder"):
        holders(directory)
    if only in (None, "sessions"):
        sessions(directory, 100000)
        expiry(directory, 10000)


if __name__ == "__main__":
    {"hot": change_for_ever, "fall": time_the_fall}[sys.argv[1]](int(sys.argv[2]), float(sys.argv[3]))
