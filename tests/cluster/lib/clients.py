# SPDX-License-Identifier: Apache-2.0
"""Clients that read and write through all nodes at once and write down what they asked and were told.

Registers are set, conditionally or not, created, deleted and read. Pairs are two znodes, or more, that
one transaction sets. The queue takes sequential znodes. Most writes carry an Idempotency-Key and are
repeated, on any node, until there is an answer; the rest are sent once, and may stay unknown."""
import dataclasses
import json
import random
import threading
import time
import uuid

from history import NOT_APPLIED, OK, REFUSED, UNKNOWN, Found, Op
from http_client import Lost, NotSent, znode

REGISTERS = [f'/r/{number}' for number in range(6)]
PAIRS = [(f'/p/{number}a', f'/p/{number}b') for number in range(2)]
QUEUE = '/q/n-'
HOLD_S = 1         # how long a node may hold a request without a leader
TIMEOUT_S = 3      # after which a client gives an answer up
AVOID_S = (0.5, 5)  # for which it then asks others
SETTLE_S = 30      # how long a keyed write is repeated after the end
DECIDED = (404, 409, 412)


class Unexpected(AssertionError):
    """An answer that no fault explains."""


def stat_of(body):
    """What the reply to a write shows."""
    stat = body['stat']
    return Found(None, stat['version'], stat['mzxid'], stat['czxid'])


def current_of(reply):
    """What a 412 shows: {"current":{"version":7,"etag":"\"41\""}}."""
    current = reply.json.get('current')
    if not current:
        return None
    return Found(None, current['version'], int(current['etag'].strip('"')))


class Client(threading.Thread):
    """One thread. Its history may be read when it has ended."""

    def __init__(self, number, workload, seed):
        super().__init__(daemon=True, name=f'client {number}')
        self.number, self.workload, self.cluster = number, workload, workload.cluster
        self.chance = random.Random(f'{seed}/{number}')
        self.ops, self.failure = [], None
        self.connections = {}
        self.through = None  # nodes that it asks, if not those of the workload
        self.avoided = {}    # until when it does not ask a node that failed it
        self.silent = {}     # likewise of a node that said nothing: not even for a local read
        self.requests = 0    # that it has made
        self.count = 0
        self.newest = 0    # zxid that it has seen
        self.versions = {}  # version of a register when it last looked

    # ---- Life ----

    def run(self):
        try:
            while not self.workload.stopping.is_set():
                self.turn()
                self.workload.stopping.wait(self.chance.uniform(*self.workload.think_s))
        except Exception as error:  # noqa: B902 the workload reports it
            self.failure = error
        finally:
            for connection in self.connections.values():
                connection.close()

    def turn(self):
        action = self.chance.choices(*self.workload.actions)[0]
        action(self)

    # ---- Requests ----

    def _pick(self, local=False):
        nodes, now = self.through or self.workload.through, time.monotonic()
        bad = self.silent if local else self.avoided
        return self.chance.choice([node for node in nodes if bad.get(node.number, 0) < now] or nodes)

    def _connection(self, node):
        if node.number not in self.connections:
            self.connections[node.number] = node.connection(TIMEOUT_S)
        return self.connections[node.number]

    def _value(self):
        self.count += 1
        return f'{self.number}:{self.count}'

    def _send(self, op, node, method, target, body, headers):
        """One attempt; the outcome of it alone, and the reply."""
        outcome, reply = self._attempt(op, node, method, target, body, headers)
        if outcome in (NOT_APPLIED, UNKNOWN):
            until = time.monotonic() + self.chance.uniform(*AVOID_S)
            self.avoided[node.number] = until
            if reply is None:
                self.silent[node.number] = until
        return outcome, reply

    def _attempt(self, op, node, method, target, body, headers):
        op.node, op.boot = node.number, node.boots
        op.attempts += 1
        try:
            reply = self._connection(node).request(method, target, body,
                                                   {'Prefer': f'wait={HOLD_S}', **headers})
        except NotSent:
            return NOT_APPLIED, None
        except Lost:
            return UNKNOWN, None
        finally:
            self.requests += 1
        op.status = reply.status
        if reply.status < 300 or reply.status in DECIDED:
            op.zxid = reply.zxid
            self.newest = max(self.newest, reply.zxid)
            return OK if reply.status < 300 else REFUSED, reply
        outcome = reply.json.get('outcome') if reply.problem else None
        if outcome not in (NOT_APPLIED, UNKNOWN) or reply.status not in (503, 504, 507):
            raise Unexpected(f'{op}\n{reply}')
        return outcome, reply

    def _once(self, op, method, target, body=None, headers=None):
        op.outcome, reply = self._send(op, self._pick(), method, target, body, headers or {})
        return reply

    def _repeated(self, op, method, target, body=None):
        """Asks one node after the other until the outcome is known. It is not applied if every attempt
        said so; once one has said nothing, only a decision will do."""
        headers = {'Idempotency-Key': str(uuid.UUID(int=self.chance.getrandbits(128)))}
        op.outcome = NOT_APPLIED
        while True:
            outcome, reply = self._send(op, self._pick(), method, target, body, headers)
            if outcome in (OK, REFUSED):
                op.outcome = outcome
                return reply
            if outcome == UNKNOWN:
                op.outcome = UNKNOWN
            if op.outcome == NOT_APPLIED and op.attempts >= self.workload.tries or \
                    self.workload.is_late():
                return None
            time.sleep(0.02)

    def _write(self, op, method, target, body=None, keyed=None):
        op.invoked = time.monotonic_ns()
        if keyed is None:
            keyed = self.chance.random() < 0.8
        reply = (self._repeated if keyed else self._once)(op, method, target, body)
        return self._finish(op, reply)

    def _finish(self, op, reply):
        if op.outcome != UNKNOWN:
            op.returned = time.monotonic_ns()
        if op.outcome == REFUSED and op.status == 412:
            op.found = current_of(reply)
        if op.is_write or op.outcome in (OK, REFUSED):
            self.ops.append(op)
        self.workload.count(op)
        return reply

    def _op(self, kind, key, value=None, version=None, **more):
        return Op(self.number, kind, key, 0, value, version, **more)

    # ---- Registers ----

    def put(self, key=None, version=None, keyed=None):
        op = self._op('put', key or self.chance.choice(REGISTERS), self._value(), version)
        reply = self._write(op, 'PUT', znode(op.key, version=version), self._body(op.value), keyed)
        if op.outcome == OK:
            op.found = stat_of(reply.json)._replace(value=op.value)
            self.versions[op.key] = op.found.version
        return op

    def _body(self, value):
        """The value with padding behind it, which readers cut off."""
        return (value + '|' + 'x' * self.workload.padding).encode()

    def compare_and_set(self):
        key = self.chance.choice(REGISTERS)
        self.put(key, self.versions.get(key, 0))

    def create(self, key=None):
        op = self._op('create', key or self.chance.choice(REGISTERS), self._value())
        reply = self._write(op, 'POST', znode(op.key), self._body(op.value))
        if op.outcome == OK:
            op.found = stat_of(reply.json)._replace(value=op.value)

    def delete(self, key=None):
        key = key or self.chance.choice(REGISTERS)
        version = self.versions.get(key) if self.chance.random() < 0.5 else None
        op = self._op('delete', key, None, version)
        self._write(op, 'DELETE', znode(key, version=version), keyed=True)
        return op

    def get(self, key=None, node=None):
        op = self._op('get', key or self.chance.choice(REGISTERS))
        return self._read(op, node or self._pick(), znode(op.key))

    def local_get(self):
        op = self._op('get', self.chance.choice(REGISTERS), local=True)
        if self.chance.random() < 0.5:
            op.min_zxid = self.newest
        self._read(op, self._pick(local=True),
                   znode(op.key, consistency='local', min_zxid=op.min_zxid or None))

    def _read(self, op, node, target):
        op.invoked = time.monotonic_ns()
        outcome, reply = self._send(op, node, 'GET', target, None, {})
        op.outcome = OK if outcome == REFUSED else outcome
        op.returned = time.monotonic_ns()
        if op.outcome == OK and op.status == 200:
            op.found = seen_in(reply.json)
            self.versions[op.key] = op.found.version
        if op.outcome == OK:
            self.ops.append(op)
        self.workload.count(op)
        return op

    # ---- Pairs ----

    def _multi(self, op, pair, verb, **member):
        body = json.dumps({'ops': [{'op': verb, 'path': path, **member} for path in pair]}).encode()
        reply = self._write(op, 'POST', '/v1/multi', body, keyed=None if op.is_write else False)
        if op.outcome == REFUSED:
            raise Unexpected(f'a pair is not as it should be: {op}\n{reply}')
        others = [dataclasses.replace(op, key=path) for path in pair[1:]]
        if op.is_write or op.outcome == OK:
            self.ops += others
        if op.outcome == OK:
            for each, result in zip((op, *others), reply.json['results']):
                self._show(each, result)

    @staticmethod
    def _show(op, result):
        """Takes what one operation of a transaction gave."""
        op.status = 200 if 'stat' in result else 404
        if op.kind == 'create':
            op.status = 201
        if op.status < 300:
            op.found = stat_of(result)._replace(value=op.value) if op.is_write else seen_in(result)

    def create_pair(self, pair):
        value = self._value()
        self._multi(self._op('create', pair[0], value, group=value), pair, 'create', data=value + '|')

    def set_pair(self):
        pair, value = self.chance.choice(self.workload.pairs), self._value()
        self._multi(self._op('put', pair[0], value, group=value), pair, 'set', data=value + '|')

    def get_pair(self):
        pair = self.chance.choice(self.workload.pairs)
        self._multi(self._op('get', pair[0]), pair, 'get')

    # ---- The queue ----

    def append(self):
        op = self._op('create', QUEUE, self._value())
        reply = self._write(op, 'POST', znode(QUEUE, sequential=True), self._body(op.value), keyed=True)
        if op.outcome == OK:
            op.key = reply.json['path']
            op.found = stat_of(reply.json)._replace(value=op.value)


def seen_in(body):
    """What a JSON view shows, without the padding."""
    return stat_of(body)._replace(value=body['data'].partition('|')[0])
