# SPDX-License-Identifier: Apache-2.0
"""What clients asked and what they were told, with the time of both: the only thing that the checkers
look at. A history is a file of JSON lines, so that a failed run can be looked at again later."""
import collections
import dataclasses
import json
import typing

OK = 'ok'                    # done, as the reply says
REFUSED = 'refused'          # decided not to be done: 404, 409, 412
NOT_APPLIED = 'not_applied'  # promised not to have been done
UNKNOWN = 'unknown'          # no promise: it may take effect at any time later, or never

WRITES = ('put', 'create', 'delete')


class Found(typing.NamedTuple):
    """What a reply shows of a znode. Fields that it does not show are None."""
    value: str | None
    version: int
    mzxid: int
    czxid: int | None = None


@dataclasses.dataclass
class Op:
    """One request, or one request with all its retries under the same Idempotency-Key."""
    client: int
    kind: str                   # get, put, create or delete
    key: str                    # path of the znode
    invoked: int                # ns of a monotonic clock
    value: str | None = None    # what is written: no two writes have the same
    version: int | None = None  # the condition of a write
    group: str | None = None    # operations with the same group are one transaction
    node: int = 0               # that was asked last
    boot: int = 0               # how often that node had been started
    local: bool = False         # a read of this node's own state
    min_zxid: int = 0           # that a read demanded
    returned: int | None = None
    outcome: str = UNKNOWN
    status: int = 0
    zxid: int | None = None     # X-Zxid of the reply
    found: Found | None = None  # the znode after a write or at a read; None if there is none
    attempts: int = 0

    @property
    def is_write(self):
        return self.kind in WRITES

    def __str__(self):
        end = '...' if self.returned is None else f'{self.returned / 1e9:.6f}'
        condition = '' if self.version is None else f' if version {self.version}'
        value = '' if self.value is None else f' {self.value}'
        return (f'[{self.invoked / 1e9:.6f} {end}] client {self.client} node {self.node}: '
                f'{"local " if self.local else ""}{self.kind} {self.key}{value}{condition} -> '
                f'{self.outcome} {self.status} zxid {self.zxid} {tuple(self.found or ())}')


def save(path, ops, events=()):
    """Writes operations in the order of their invocation, and what else happened, as JSON lines."""
    lines = [(op.invoked, {name: value for name, value in dataclasses.asdict(op).items()
                           if value is not None}) for op in ops]
    lines += [(at, {'event': text, 'at': at}) for at, text in events]
    with open(path, 'w', encoding='utf-8') as file:
        for _, line in sorted(lines, key=lambda pair: pair[0]):
            file.write(json.dumps(line) + '\n')


def load(path):
    """The operations of a saved history."""
    ops = []
    with open(path, encoding='utf-8') as file:
        for line in map(json.loads, file):
            if 'event' not in line:
                found = line.pop('found', None)
                ops.append(Op(**line, found=None if found is None else Found(*found)))
    return ops


def by_key(ops):
    """{key: operations on it}"""
    keys = collections.defaultdict(list)
    for op in ops:
        keys[op.key].append(op)
    return dict(keys)


def settled(ops):
    """The history with what later replies reveal: a write of unknown outcome whose value was seen has
    happened, and before the first reply that shows it was complete. Values are unique, so nothing
    else can have written it. A transaction of which a part was seen has happened whole."""
    seen = {}
    for op in ops:
        if op.found is not None and op.found.value is not None:
            first = seen.setdefault((op.key, op.found.value), op)
            if op.returned < first.returned:
                seen[op.key, op.found.value] = op
    unknown = [op for op in ops if op.is_write and op.outcome == UNKNOWN]
    groups = {op.group: seen[op.key, op.value] for op in unknown
              if op.group is not None and (op.key, op.value) in seen}
    return [_settle(op, seen, groups) if op.is_write and op.outcome == UNKNOWN else op for op in ops]


def _settle(op, seen, groups):
    witness = seen.get((op.key, op.value)) if op.value is not None else None
    other = groups.get(op.group)
    if witness is None and other is None:
        return op
    first = min((each for each in (witness, other) if each is not None),
                key=lambda each: each.returned)
    return dataclasses.replace(op, outcome=OK, status=0, zxid=first.found.mzxid,
                               returned=max(first.returned, op.invoked),
                               found=None if witness is None else witness.found)
