# SPDX-License-Identifier: Apache-2.0
"""The checkers themselves: they accept what a linearizable service can answer and refuse the rest. What
they are worth is shown by histories with one fault each, and by random ones beside a brute force."""
import itertools
import random

import pytest

import linearizable
import witness
from history import NOT_APPLIED, OK, REFUSED, UNKNOWN, Found, Op, load, save
from linearizable import IMPOSSIBLE, LINEARIZABLE, UNDECIDED, VIOLATION, check_key, outcome_of, step


def found(text):
    """'a 3 17': value a, version 3, mzxid 17; with a fourth word the czxid."""
    if text is None:
        return None
    value, *numbers = text.split()
    return Found(None if value == '?' else value, *map(int, numbers))


def op(kind, start, end, value=None, state=None, *, zxid=None, key='/k', outcome=OK, **more):
    shown = found(state)
    if zxid is None and kind in ('put', 'create') and shown is not None:
        zxid = shown.mzxid
    return Op(0, kind, key, start, value, returned=end, outcome=outcome, zxid=zxid, found=shown, **more)


def put(start, end, value, state, **more):
    return op('put', start, end, value, state, **more)


def get(start, end, state, zxid, **more):
    return op('get', start, end, None, state, zxid=zxid, status=404 if state is None else 200, **more)


def delete(start, end, zxid, **more):
    return op('delete', start, end, zxid=zxid, status=204, **more)


def unknown(kind, start, value=None, **more):
    return op(kind, start, None, value, outcome=UNKNOWN, **more)


def refused(kind, start, end, status, zxid, state=None, value='refused', **more):
    return op(kind, start, end, value, state, zxid=zxid, status=status, outcome=REFUSED, **more)


FIRST = put(1, 2, 'a', 'a 0 1')

GOOD = {
    'in turn': [FIRST, get(3, 4, 'a 0 1', 1), put(5, 6, 'b', 'b 1 2'), get(7, 8, 'b 1 2', 2)],
    'a read beside a write sees the old': [FIRST, put(3, 9, 'b', 'b 1 2'), get(4, 5, 'a 0 1', 1)],
    'a read beside a write sees the new': [FIRST, put(3, 9, 'b', 'b 1 2'), get(4, 5, 'b 1 2', 2)],
    'writes beside each other, in either order': [
        FIRST, put(3, 9, 'b', 'b 2 3'), put(4, 8, 'c', 'c 1 2'), get(10, 11, 'b 2 3', 3)],
    'an unknown write never happens': [FIRST, unknown('put', 3, 'b'), get(9, 10, 'a 0 1', 1)],
    'an unknown write happens late': [
        FIRST, unknown('put', 3, 'b'), get(9, 10, 'a 0 1', 1), put(11, 12, 'c', 'c 1 2'),
        get(13, 14, 'b 2 3', 3), put(15, 16, 'd', 'd 3 4')],
    'an unknown write is overwritten unseen': [FIRST, unknown('put', 3, 'b'), put(5, 6, 'c', 'c 2 3')],
    'an unknown delete': [FIRST, unknown('delete', 3), get(5, 6, None, 2), get(9, 10, None, 2)],
    'a delete, and made again': [FIRST, delete(3, 4, 2), get(5, 6, None, 2), put(7, 8, 'b', 'b 0 3')],
    'a condition holds': [FIRST, put(3, 4, 'b', 'b 1 2', version=0, status=200)],
    'refusals': [
        refused('put', 0, 1, 404, 0, version=4), put(2, 3, 'a', 'a 0 1'),
        refused('create', 4, 5, 409, 1), refused('put', 4, 5, 412, 1, '? 0 1', version=7),
        refused('delete', 4, 5, 412, 1, '? 0 1', version=7), delete(6, 7, 2, version=0),
        refused('delete', 8, 9, 404, 2), put(10, 11, 'b', 'b 0 3')],
    'a write that was not applied': [
        FIRST, op('put', 3, 4, 'b', outcome=NOT_APPLIED, status=503), get(5, 6, 'a 0 1', 1)],
    'an old local read': [
        FIRST, put(3, 4, 'b', 'b 1 2'), get(5, 6, 'a 0 1', 1, local=True, min_zxid=1)],
    'a local read of another node, and after a restart': [
        FIRST, put(3, 4, 'b', 'b 1 2'), get(5, 6, 'b 1 2', 2, local=True, node=1),
        get(7, 8, 'a 0 1', 1, local=True, node=2), get(9, 10, 'a 0 1', 1, local=True, node=1, boot=1)],
    'a transaction': [
        put(1, 2, 'a', 'a 0 1', group='g'), put(1, 2, 'a', 'a 0 1', group='g', key='/l')],
    'an unknown transaction of which a part was seen': [
        put(1, 2, 'x', 'x 0 1'), put(1, 2, 'y', 'y 0 2', key='/l'),
        unknown('put', 3, 'a', group='g'), unknown('put', 3, 'a', group='g', key='/l'),
        get(5, 6, 'a 1 3', 3), put(7, 8, 'b', 'b 2 4', key='/l')],
}

# name: (history, whether the search sees it, whether the zxids show it)
BAD = {
    'a stale read': ([FIRST, put(3, 4, 'b', 'b 1 2'), get(5, 6, 'a 0 1', 1)], True, True),
    'a stale read that lies about its position': (
        [FIRST, put(3, 4, 'b', 'b 1 2'), get(5, 6, 'a 0 1', 2)], True, True),
    'a new state and then an old one, beside the write': (
        [FIRST, put(3, 20, 'b', 'b 1 2'), get(4, 5, 'b 1 2', 2), get(6, 7, 'a 0 1', 1)], True, True),
    'a lost write': ([FIRST, put(3, 4, 'b', 'b 1 2'), put(5, 6, 'c', 'c 1 2')], True, True),
    'a lost creation': ([FIRST, get(3, 4, None, 1)], True, True),
    'a lost delete': ([FIRST, delete(3, 4, 2), get(5, 6, 'a 0 1', 2)], True, True),
    'a double write, by the version': ([FIRST, put(3, 4, 'b', 'b 2 3')], True, True),
    'a double write, seen': (
        [FIRST, put(3, 4, 'b', 'b 1 2'), put(5, 6, 'c', 'c 2 3'), get(7, 8, 'b 3 4', 4)], True, True),
    'an unknown write that happened twice': (
        [FIRST, unknown('put', 3, 'b'), get(5, 6, 'b 1 2', 2), put(7, 8, 'c', 'c 2 3'),
         get(9, 10, 'b 3 4', 4)], True, True),
    'an unknown write that was seen and vanished': (
        [FIRST, unknown('put', 3, 'b'), get(5, 6, 'b 1 2', 2), get(7, 8, 'a 0 1', 1)], True, True),
    'more unseen writes than unknown ones': (
        [FIRST, unknown('put', 3, 'b'), put(5, 6, 'c', 'c 3 4')], True, True),
    'a write seen before it was made': (
        [FIRST, get(3, 4, 'b 1 2', 2), put(5, 6, 'b', 'b 1 2')], True, True),
    'an unknown write seen before it was made': (
        [FIRST, get(3, 4, 'b 1 2', 2), unknown('put', 5, 'b')], True, True),
    'a write that was not applied, and is seen': (
        [FIRST, op('put', 3, 4, 'b', outcome=NOT_APPLIED, status=503), get(5, 6, 'b 1 2', 2)],
        True, True),
    'a refused write that is seen': (
        [FIRST, refused('put', 3, 4, 412, 1, '? 0 1', value='b', version=5), get(5, 6, 'b 1 2', 2)],
        True, True),
    'a value that nobody wrote': ([FIRST, get(3, 4, 'z 1 2', 2)], True, True),
    'a condition that did not hold': (
        [FIRST, put(3, 4, 'b', 'b 1 2'), put(5, 6, 'c', 'c 2 3', version=0, status=200)], True, False),
    'a refused condition that held': (
        [FIRST, refused('put', 3, 4, 412, 1, '? 0 1', version=0)], True, False),
    'exists, of what does not': ([refused('create', 3, 4, 409, 0)], True, True),
    'does not exist, of what does': ([FIRST, refused('delete', 3, 4, 404, 1)], True, True),
    'created twice': ([FIRST, op('create', 3, 4, 'b', 'b 0 2', status=201)], True, True),
    'zxids against real time, on two znodes': (
        [put(1, 2, 'a', 'a 0 5'), put(3, 4, 'b', 'b 0 4', key='/l')], False, True),
    'a read older than another znode': (
        [put(0, 1, 'a', 'a 0 1'), put(2, 3, 'b', 'b 0 5', key='/l'), get(4, 5, 'a 0 1', 4)],
        False, True),
    'one zxid for two writes': (
        [put(1, 9, 'a', 'a 0 3'), put(2, 8, 'b', 'b 0 3', key='/l')], False, True),
    'one zxid, two states': (
        [put(1, 9, 'a', 'a 0 3'), get(2, 8, 'b 0 3', 3)], True, True),
    'a transaction in parts': (
        [put(1, 2, 'a', 'a 0 1', group='g'), put(1, 2, 'a', 'a 0 2', group='g', key='/l')],
        False, True),
    'half of a transaction': (
        [put(1, 2, 'x', 'x 0 1'), put(1, 2, 'y', 'y 0 2', key='/l'),
         unknown('put', 3, 'a', group='g'), unknown('put', 3, 'a', group='g', key='/l'),
         get(5, 6, 'a 1 3', 3), get(7, 8, 'y 0 2', 4, key='/l')], True, True),
    'a local read older than was demanded': (
        [FIRST, put(3, 4, 'b', 'b 1 2'), get(5, 6, 'a 0 1', 1, local=True, min_zxid=2)], False, True),
    'a node that went back in time': (
        [FIRST, put(3, 4, 'b', 'b 1 2'), get(5, 6, 'b 1 2', 2, local=True),
         get(7, 8, 'a 0 1', 1, local=True)], False, True),
    'a local read of what never was': (
        [FIRST, put(3, 4, 'b', 'b 1 2'), get(5, 6, 'a 0 1', 2, local=True)], False, True),
    'a linearizable read older than a local one': (
        [FIRST, put(3, 20, 'b', 'b 1 2'), get(4, 5, 'b 1 2', 2, local=True), get(6, 7, 'a 0 1', 1)],
        False, True),
}


@pytest.mark.parametrize('name', GOOD)
def test_a_good_history_is_accepted(name):
    assert linearizable.check(GOOD[name]) == []
    assert witness.check(GOOD[name]) == []


@pytest.mark.parametrize('name', BAD)
def test_a_bad_history_is_refused(name):
    ops, by_search, by_zxid = BAD[name]
    assert bool(linearizable.check(ops)) == by_search
    assert bool(witness.check(ops)) == by_zxid


def test_changes_are_counted():
    ops = [FIRST, put(3, 4, 'b', 'b 1 2'), unknown('put', 5, 'c'), delete(7, 8, 4)]
    assert witness.check(ops, 0, 4) == []
    assert witness.check(ops, 0, 5), 'something happened by itself'
    assert witness.check(ops[:2], 0, 1), 'something acknowledged is not there'


def test_a_search_that_takes_too_long_is_a_failure():
    verdict, explanation = check_key([FIRST, get(3, 4, 'a 0 1', 1)], limit_s=-1)
    assert verdict == UNDECIDED and explanation
    assert linearizable.check([FIRST, get(3, 4, 'a 0 1', 1)], limit_s=-1)


def test_an_explanation_shows_where_it_cannot_go_on():
    _, explanation = check_key([FIRST, put(3, 4, 'b', 'b 1 2'), get(5, 6, 'a 0 1', 1)])
    assert "explains 2 of 3" in explanation and "('b', 1)" in explanation


def test_a_saved_history_is_the_same(tmp_path):
    ops = sorted(GOOD['refusals'] + BAD['half of a transaction'][0], key=lambda each: each.invoked)
    save(tmp_path / 'history.jsonl', ops, [(4, 'a fault begins')])
    assert load(tmp_path / 'history.jsonl') == ops


# ---- Random histories of a true register, and what becomes of them when one reply is changed --------

class Register:
    """A linearizable znode: every operation takes effect somewhere between request and reply, one
    without a reply at any time after the request, or never."""

    def __init__(self, chance, count, clients=3):
        self.chance, self.state, self.mzxid, self.czxid, self.zxid = chance, None, 0, 0, 0
        self.ops, self.now, self.waiting = [], 0, []
        self.left, self.values = count, itertools.count()
        self.idle = set(range(clients))
        while self.left or self.waiting:
            self.now += 1
            self._turn()

    def _turn(self):
        if self.left and self.idle and self.chance.random() < 0.6:
            self._invoke(self.idle.pop())
        elif self.waiting:
            self._go_on(self.chance.randrange(len(self.waiting)))

    def _invoke(self, client):
        kind = self.chance.choice(['get', 'get', 'put', 'put', 'put', 'create', 'delete'])
        value = f'v{next(self.values)}' if kind in ('put', 'create') else None
        version = self.chance.randrange(3) if kind in ('put', 'delete') and \
            self.chance.random() < 0.4 else None
        self.left -= 1
        self.ops.append(Op(client, kind, '/k', self.now, value, version))
        self.waiting.append(self.ops[-1])
        if kind != 'get' and self.chance.random() < 0.2:
            self.idle.add(client)  # it got no answer and goes on
            self.ops[-1].status = 504

    def _go_on(self, at):
        op = self.waiting[at]
        if op.status == 504:
            self.waiting.pop(at)
            if self.chance.random() < 0.6:
                self._apply(op)
        elif op.zxid is None:
            op.status, op.found = self._apply(op)
            op.zxid, op.outcome = self.zxid, OK if op.status < 400 or op.kind == 'get' else REFUSED
        else:
            self.waiting.pop(at)
            op.returned = self.now
            self.idle.add(op.client)

    def _apply(self, op):
        status, after = outcome_of(self.state, op)
        if op.is_write and status < 400:
            self.zxid += 1
            self.mzxid = self.zxid
            self.czxid = self.zxid if self.state is None else self.czxid
            self.state = after
        if self.state is None or status in (404, 409):
            return status, None
        seen = Found(self.state[0], self.state[1], self.mzxid, self.czxid)
        return status, seen._replace(value=None, czxid=None) if status == 412 else seen


def brute_force(ops):
    """Whether any order of any subset that holds every answered operation fits."""
    def explore(state, left):
        if all(op.returned is None for op in left):
            return True
        limit = min(op.returned for op in left if op.returned is not None)
        for op in left:
            if op.invoked < limit:
                after = step(state, op)
                if after is not IMPOSSIBLE and explore(after, [each for each in left if each is not op]):
                    return True
        return False

    return explore(None, ops)


def lie(chance, ops):
    """Changes what one reply shows."""
    told = [op for op in ops if op.found is not None]
    if not told:
        return False
    op = chance.choice(told)
    other = chance.choice(told).found
    op.found = other if chance.random() < 0.7 else op.found._replace(version=op.found.version + 1)
    return True


@pytest.mark.parametrize('seed', range(20))
def test_what_a_true_register_answers_is_accepted(seed):
    for number in range(30):
        register = Register(random.Random(seed * 1000 + number), 40)
        assert linearizable.check(register.ops) == []
        assert witness.check(register.ops, 0, register.zxid) == []


@pytest.mark.parametrize('seed', range(20))
def test_the_search_agrees_with_brute_force(seed):
    verdicts = set()
    for number in range(60):
        chance = random.Random(seed * 1000 + number)
        ops = Register(chance, 7).ops
        lied = number % 3 > 0 and lie(chance, ops)
        wanted = LINEARIZABLE if brute_force(ops) else VIOLATION
        assert check_key(ops)[0] == wanted, '\n'.join(map(str, ops))
        assert lied or wanted == LINEARIZABLE
        verdicts.add(wanted)
    assert verdicts == {LINEARIZABLE, VIOLATION}


def test_a_long_history_takes_seconds():
    """As long as one znode's in a run of minutes, with many more unknown outcomes."""
    ops = Register(random.Random(7), 5000, clients=8).ops
    assert linearizable.check(ops, limit_s=20) == []
    assert witness.check(ops) == []


def test_one_stale_read_in_a_long_history_is_found():
    ops = Register(random.Random(8), 3000, clients=8).ops
    last = max((op for op in ops if op.kind == 'get' and op.found), key=lambda each: each.invoked)
    first = min((op for op in ops if op.kind == 'get' and op.found), key=lambda each: each.invoked)
    last.found, last.zxid = first.found, first.zxid
    assert linearizable.check(ops, limit_s=2)
    assert witness.check(ops)
