# SPDX-License-Identifier: Apache-2.0
"""Is there an order of the operations on one znode that explains every reply and that agrees with real
time? The search of Wing and Gong with the memory of Lowe: take any operation that may come next, go
back when no reply fits, never look at the same (set of operations taken, state) twice.

It looks at values and versions only; what the zxids say is checked on its own (witness.py)."""
import time

from history import NOT_APPLIED, OK, UNKNOWN, by_key, settled

IMPOSSIBLE = object()
LINEARIZABLE, VIOLATION, UNDECIDED = 'linearizable', 'violation', 'undecided'
LIMIT_S = 60


def outcome_of(state, op):
    """(status, state after) of an operation on a znode; a state is (value, version), or None."""
    if op.kind == 'get':
        return (404 if state is None else 200), state
    if op.kind == 'create':
        return (201, (op.value, 0)) if state is None else (409, state)
    if state is None:
        creates = op.kind == 'put' and op.version is None
        return (201, (op.value, 0)) if creates else (404, None)
    if op.version is not None and op.version != state[1]:
        return 412, state
    return (204, None) if op.kind == 'delete' else (200, (op.value, state[1] + 1))


def step(state, op):
    """The state after op, if op may come next and its reply fits; else IMPOSSIBLE."""
    status, after = outcome_of(state, op)
    if op.outcome == UNKNOWN:
        return after
    found = op.found
    if op.status and status != op.status:
        return IMPOSSIBLE
    if not op.status and (status >= 400) != (op.outcome != OK):
        return IMPOSSIBLE
    if found is None:
        return after
    if after is None or found.version != after[1] or found.value not in (None, after[0]):
        return IMPOSSIBLE
    return after


class Search:
    """One search over the operations on one znode. Those without a return may be taken or not; nobody
    has seen what they wrote, so of those that ask for the same it is enough to try the oldest.

    At most `unseen` of them are taken one behind the other (None: as many as there are)."""

    def __init__(self, ops, unseen=None, limit_s=LIMIT_S):
        self.done = sorted((op for op in ops if op.returned is not None), key=lambda op: op.invoked)
        self.open = sorted((op for op in ops if op.returned is None), key=lambda op: op.invoked)
        self.ops = self.done + self.open
        self.unseen = unseen
        self.limit = time.monotonic() + limit_s
        end = len(self.done)  # of the circle of operations not yet taken
        self.next = list(range(1, end + 1)) + [0]
        self.previous = [end] + list(range(end))
        self.stuck = None     # (operations taken, state, what could have come next), the furthest

    def _candidates(self, taken, row):
        """What may come next: nothing that is left returned before it was invoked. The order in which
        they are tried is that of the zxids, since mostly that is the answer; if the first does not
        fit, something that nobody saw may have come before it."""
        end, index = len(self.done), self.next[len(self.done)]
        first_return, found = None, []
        while index != end:
            op = self.done[index]
            if first_return is not None and op.invoked > first_return:
                break
            found.append(index)
            if first_return is None or op.returned < first_return:
                first_return = op.returned
            index = self.next[index]
        found.sort(key=self._rank)
        if self.unseen is not None and row >= self.unseen:
            return found
        return found[:1] + self._unknown(taken, first_return) + found[1:]

    def _rank(self, index):
        op = self.done[index]
        return op.zxid is None, op.zxid, not (op.is_write and op.outcome == OK), op.returned

    def _unknown(self, taken, first_return):
        kinds = {}
        for index in range(len(self.done), len(self.ops)):
            op = self.ops[index]
            if first_return is not None and op.invoked > first_return:
                break
            if not taken >> index & 1:
                kinds.setdefault((op.kind, op.version), index)
        return list(kinds.values())

    def _take(self, index):
        if index < len(self.done):
            self.next[self.previous[index]] = self.next[index]
            self.previous[self.next[index]] = self.previous[index]

    def _put_back(self, index):
        if index < len(self.done):
            self.next[self.previous[index]] = index
            self.previous[self.next[index]] = index

    def run(self):
        """LINEARIZABLE, VIOLATION (of what was allowed), or UNDECIDED when the time is over."""
        end, seen, path = len(self.done), set(), []
        state, taken, row = None, 0, 0
        candidates = self._candidates(taken, row)
        rest = iter(candidates)
        while self.next[end] != end:
            if len(seen) % 1024 == 0 and time.monotonic() > self.limit:
                return UNDECIDED
            for index in rest:
                after = step(state, self.ops[index])
                if after is IMPOSSIBLE or index >= end and after == state:
                    continue
                behind = 0 if index < end or self.unseen is None else row + 1
                mark = (taken | 1 << index, behind, after)
                if mark in seen:
                    continue
                seen.add(mark)
                path.append((index, state, taken, row, rest))
                self._take(index)
                taken, row, state = mark
                candidates = self._candidates(taken, row)
                rest = iter(candidates)
                break
            else:
                self._note(path, state, candidates)
                if not path:
                    return VIOLATION
                index, state, taken, row, rest = path.pop()
                self._put_back(index)
                candidates = ()
        return LINEARIZABLE

    def _note(self, path, state, candidates):
        if candidates and (self.stuck is None or len(path) > self.stuck[0]):
            before = [self.ops[index] for index, *_ in path[-6:]]
            self.stuck = (len(path), before, state, [self.ops[index] for index in candidates])

    def explain(self):
        """Where the longest order that was found cannot go on."""
        if self.stuck is None:
            return 'no order was tried'
        taken, before, state, candidates = self.stuck
        lines = [f'the longest order explains {taken} of {len(self.done)} replies; it ends with']
        lines += [f'    {op}' for op in before]
        lines += [f'  so that the state is {state}; none of these can come next:']
        lines += [f'    {op}' for op in candidates[:12]]
        return '\n'.join(lines)


def check_key(ops, limit_s=LIMIT_S):
    """(verdict, explanation) for the operations on one znode."""
    ops = [op for op in settled(ops) if op.outcome != NOT_APPLIED and not op.local
           and (op.is_write or op.returned is not None)]
    limit = time.monotonic() + limit_s
    for unseen in (0, 1, 2, 4, None):  # what nobody saw is needed seldom, and then little of it
        left = limit - time.monotonic()
        search = Search(ops, unseen, left if unseen is None else left / 4)
        verdict = search.run()
        if verdict == LINEARIZABLE:
            return verdict, ''
        if not search.open:
            break
    return verdict, search.explain()


def check(ops, limit_s=LIMIT_S):
    """Sentences about every znode whose history has no linearization, or none that was found in time:
    both are failures."""
    problems = []
    for key, own in sorted(by_key(settled(ops)).items()):
        verdict, explanation = check_key(own, limit_s)
        if verdict != LINEARIZABLE:
            problems.append(f'{key}: {verdict} after {len(own)} operations: {explanation}')
    return problems
