# SPDX-License-Identifier: Apache-2.0
"""What the zxids say. Every change of the tree has a number, the next change the next number, and every
reply says at which number it was true: so one order is claimed for all operations on all znodes, and
only that order has to be checked. This is stronger than a search for any order, and it sees what a
search by znode cannot: transactions, local reads, and how many changes there were in all."""
import bisect
import collections
import dataclasses

from history import NOT_APPLIED, OK, REFUSED, UNKNOWN, Found, by_key, settled


@dataclasses.dataclass
class Effect:
    """A change of one znode that is known to have happened."""
    zxid: int
    found: Found | None  # the znode after it; None if it was deleted
    op: object           # that did it; None if only a version and a zxid of it were seen


class Timeline:
    """Everything known about one znode, in the order of the zxids."""

    def __init__(self, key, ops):
        self.key, self.ops = key, ops
        self.problems = []
        self.effects = {}
        self.writers = {op.value: op for op in ops if op.is_write and op.value is not None}
        self.hidden = [op for op in ops if op.is_write and op.outcome == UNKNOWN]
        self._acknowledged()
        self._observed()
        self.order = sorted(self.effects)

    def problem(self, text, *ops):
        shown = [str(op) for op in ops if op is not None]
        self.problems.append('\n    '.join([f'{self.key}: {text}', *shown]))

    def _acknowledged(self):
        for op in self.ops:
            if not op.is_write or op.outcome != OK:
                continue
            if op.zxid in self.effects:
                self.problem('two writes have one zxid', self.effects[op.zxid].op, op)
            elif op.found is not None and op.found.mzxid != op.zxid:
                self.problem('the zxid of a write is not the mzxid of its result', op)
            self.effects[op.zxid] = Effect(op.zxid, op.found, op)

    def _observed(self):
        """Every state that a reply shows was made by somebody: exactly once, and not by one who was
        told that nothing happened."""
        shown = [op for op in self.ops if op.found is not None]
        for op in sorted(shown, key=lambda op: op.found.value is None):
            effect = self.effects.get(op.found.mzxid)
            if effect is None:
                self._explain(op)
            elif _is_delete(effect):
                self.problem('a znode is seen whose last change was a delete', effect.op, op)
            elif effect.found is None:
                effect.found = op.found  # part of a transaction whose result shows no znode
            elif not _agree(effect.found, op.found):
                self.problem(f'one zxid, two states: {effect.found}, {op.found}', effect.op, op)

    def _explain(self, op):
        writer = self.writers.get(op.found.value)
        if op.found.value is None:
            self.effects[op.found.mzxid] = Effect(op.found.mzxid, op.found, None)
        elif writer is None:
            self.problem('a value that nobody wrote', op)
        elif writer.outcome in (NOT_APPLIED, REFUSED):
            self.problem('a write that was promised not to have happened has', writer, op)
        else:
            self.problem('a write has happened twice, or at another zxid than was said', writer, op)

    def last_effect(self, zxid):
        """The last known change at or before a zxid; None before the first."""
        at = bisect.bisect_right(self.order, zxid)
        return self.effects[self.order[at - 1]] if at else None

    def may_hide(self, op, kinds=('put', 'create', 'delete')):
        """Whether a change that nobody saw may have come before op returned."""
        return any(each.invoked < op.returned and each.kind in kinds for each in self.hidden)

    def check_states(self):
        """Every reply shows the state at its own zxid."""
        for op in self.ops:
            if op.zxid is None or op.returned is None:
                continue
            if op.kind == 'get' and op.outcome == OK or op.outcome == REFUSED:
                self._check_state(op, self.last_effect(op.zxid))

    def _check_state(self, op, effect):
        if op.status == 409:
            if (effect is None or _is_delete(effect)) and not self.may_hide(op, ('put', 'create')):
                self.problem('it exists, says a reply, but nothing had made it', op)
        elif op.status == 404:
            if effect is not None and not _is_delete(effect) and not self.may_hide(op, ('delete',)):
                self.problem('it does not exist, says a reply, but it had been made', effect.op, op)
        elif op.found is None:
            pass  # a 412 that does not say what there is
        elif op.found.mzxid > op.zxid:
            self.problem('a reply shows something newer than its own zxid', op)
        elif effect is not None and effect.zxid > op.found.mzxid:
            self.problem('a reply shows an old state: a later change is not later than its zxid',
                         effect.op, op)

    def check_versions(self):
        """From one known change to the next the version grows by one and by what nobody saw."""
        before, between = None, 0
        for effect in (self.effects[zxid] for zxid in self.order):
            if _is_delete(effect):
                before, between = None, 0
            elif effect.found is None:
                between += 1
            else:
                hidden = _growth(before, effect.found) - between
                if not 0 <= hidden <= len(self.hidden):
                    self.problem(f'the version grew by {hidden} more than by the known writes, and '
                                 f'{len(self.hidden)} are unknown: {before}, {effect.found}',
                                 effect.op)
                before, between = effect.found, 0


def _growth(before, after):
    """How many changes lie between two sights of a znode; before None: since it did not exist."""
    if before is None:
        return after.version
    told = None not in (before.czxid, after.czxid)
    if before.czxid != after.czxid if told else after.version <= before.version:
        return after.version + 1  # it was deleted, and made again
    return after.version - before.version - 1


def _is_delete(effect):
    return effect.op is not None and effect.op.kind == 'delete'


def _agree(one, other):
    """Whether two sights of one state fit; a field that was not shown fits everything."""
    return all(a is None or b is None or a == b for a, b in zip(one, other))


def real_time(ops):
    """A reply's zxid is not below that of any reply which came before the request was made, and a
    write's is above it."""
    problems, best = [], None
    events = []
    for op in ops:
        if op.zxid is None:
            continue
        if not op.local and op.outcome in (OK, REFUSED):
            events.append((op.invoked, 0, op))
        if op.returned is not None and op.outcome in (OK, REFUSED):
            events.append((op.returned, 1, op))
    for _, is_return, op in sorted(events, key=lambda event: event[:2]):
        if is_return:
            if best is None or op.zxid > best.zxid:
                best = op
        elif best is not None and (op.zxid < best.zxid or
                                   op.zxid == best.zxid and op.is_write and op.outcome == OK):
            problems.append(f'time runs backwards: the first of these was answered before the second '
                            f'was asked\n    {best}\n    {op}')
    return problems


def local_reads(ops):
    """A node's own state is as new as was demanded, and never gets older while the process lives."""
    problems, newest = [], {}
    events = []
    for op in ops:
        if op.local and op.outcome == OK:
            events += [(op.invoked, 0, op), (op.returned, 1, op)]
            if op.zxid < op.min_zxid:
                problems.append(f'older than min_zxid={op.min_zxid}: {op}')
    for _, is_return, op in sorted(events, key=lambda event: event[:2]):
        before = newest.get((op.node, op.boot))
        if is_return:
            if before is None or op.zxid > before.zxid:
                newest[op.node, op.boot] = op
        elif before is not None and op.zxid < before.zxid:
            problems.append(f'a node went back in time\n    {before}\n    {op}')
    return problems


def transactions(ops):
    """A transaction changes all of its znodes at one zxid, and that zxid is nobody else's."""
    problems, owners = [], {}
    zxids = collections.defaultdict(dict)
    for op in ops:
        if op.is_write and op.outcome == OK:
            owner = owners.setdefault(op.zxid, op)
            if owner is not op and (owner.group is None or owner.group != op.group):
                problems.append(f'two changes have one zxid\n    {owner}\n    {op}')
            if op.group is not None:
                zxids[op.group][op.zxid] = op
    for group, places in zxids.items():
        if len(places) > 1:
            problems.append('\n    '.join([f'transaction {group} happened in parts',
                                           *map(str, places.values())]))
    return problems


def total(ops, timelines, first_zxid, last_zxid):
    """Between two positions there are as many changes as were acknowledged, and of the unknown ones at
    most all: nothing happened twice and nothing by itself."""
    effects = {zxid: effect for timeline in timelines for zxid, effect in timeline.effects.items()}
    known = {zxid for zxid in effects if first_zxid < zxid}
    if known and max(known) > last_zxid:
        return [f'the last zxid is {last_zxid}, below that of {effects[max(known)].op}']
    hidden = {op.group or id(op) for op in ops if op.is_write and op.outcome == UNKNOWN}
    changes = last_zxid - first_zxid
    if len(known) <= changes <= len(known) + len(hidden):
        return []
    return [f'{changes} changes from zxid {first_zxid} to {last_zxid}, but {len(known)} are known to '
            f'have happened and {len(hidden)} are unknown']


def check(ops, first_zxid=None, last_zxid=None):
    """Sentences about everything in a history that no order of zxids explains. With the positions
    before the first and after the last operation also the number of changes is checked."""
    ops = settled(ops)
    timelines = [Timeline(key, own) for key, own in sorted(by_key(ops).items())]
    problems = real_time(ops) + local_reads(ops) + transactions(ops)
    for timeline in timelines:
        timeline.check_states()
        timeline.check_versions()
        problems += timeline.problems
    if first_zxid is not None:
        problems += total(ops, timelines, first_zxid, last_zxid)
    return problems
