# SPDX-License-Identifier: Apache-2.0
"""Which change wakes which watch: every cell of ZooKeeper's table (rules W5 to W10), as far as there are
such watches and changes here, for long polls and for streams."""
import concurrent.futures
import urllib.parse

import pytest

from client import Wire, expect
from sessions import Session, wait_gone
from streams import Stream, watch_url

# Each test has a znode "." with a child "n" or without, and perhaps a child "n/c".
#
# Polls, which wait for something new: 200 or 404 is what the GET answers then, "-" that it waits in vain.
#   data      GET n, with ?raw and ?view=stat as well; where n does not exist this is ZooKeeper's exists
#   children  GET n?view=children
#   .data, .children   the same of "."
# Streams: C created, S changed, D deleted, K children, and of which znode.
#   n  of n alone      .  of "." alone      ./  of "." and all below it
TABLE = """
change                  | data | children | .data | .children | n        | .     | ./
create                  | 200  | 200      | -     | 200       | Cn       | K.    | Cn
create ephemeral        | 200  | 200      | -     | 200       | Cn       | K.    | Cn
create container        | 200  | 200      | -     | 200       | Cn       | K.    | Cn
create with ttl         | 200  | 200      | -     | 200       | Cn       | K.    | Cn
create with parents     | 200  | 200      | -     | 200       | Cn Kn    | K.    | Cn Cn/c
create by put           | 200  | 200      | -     | 200       | Cn       | K.    | Cn
create sequential       | -    | -        | -     | 200       | -        | K.    | Cs
create another          | -    | -        | -     | 200       | -        | K.    | Cm
create a child          | -    | 200      | -     | -         | Kn       | -     | Cn/c
set                     | 200  | -        | -     | -         | Sn       | -     | Sn
set to the same value   | 200  | -        | -     | -         | Sn       | -     | Sn
set an ephemeral        | 200  | -        | -     | -         | Sn       | -     | Sn
set a child             | -    | -        | -     | -         | -        | -     | Sn/c
set the parent          | -    | -        | 200   | -         | -        | S.    | S.
delete                  | 404  | 404      | -     | 200       | Dn       | K.    | Dn
delete an ephemeral     | 404  | 404      | -     | 200       | Dn       | K.    | Dn
delete a child          | -    | 200      | -     | -         | Kn       | -     | Dn/c
delete recursively      | 404  | 404      | -     | 200       | Kn Dn    | K.    | Dn/c Dn
session closed          | 404  | 404      | -     | 200       | Dn       | K.    | Dn
session expired         | 404  | 404      | -     | 200       | Dn       | K.    | Dn
session left            | 404  | 404      | -     | 200       | Dn       | K.    | Dn
session with two        | 404  | 404      | -     | 200       | Dn       | K. K. | Dn Dm
session without any     | -    | -        | -     | -         | -        | -     | -
container reaped        | 404  | 200      | -     | 200       | Kn Dn    | K.    | Dn/c Dn
ttl has passed          | 404  | 404      | -     | 200       | Dn       | K.    | Dn
multi of create and set | 200  | 200      | -     | 200       | Cn Sn    | K.    | Cn Sn
multi that leaves none  | 404  | 404      | -     | 200       | Cn Dn    | K. K. | Cn Dn
multi that replaces     | 200  | 200      | -     | 200       | Dn Cn    | K. K. | Dn Cn
multi of two children   | -    | 200      | -     | -         | Kn Kn    | -     | Cn/c Cn/d
multi of checks         | -    | -        | -     | -         | -        | -     | -
failed multi            | -    | -        | -     | -         | -        | -     | -
failed create           | -    | -        | -     | -         | -        | -     | -
failed set              | -    | -        | -     | -         | -        | -     | -
failed delete           | -    | -        | -     | -         | -        | -     | -
"""


class Stage:
    """The znode of a test and the changes of the table. `has` is what exists before: a method that begins
    with an underscore."""

    def __init__(self, api, top):
        self.api, self.top, self.n = api, top, top + '/n'
        self.session = self.stream = None

    # ---- What exists before

    def _nothing(self):
        pass

    def _n(self):
        expect(self.api.put(self.n, 'x'), 201)

    def _child(self):
        self._n()
        expect(self.api.put(self.n + '/c', 'x'), 201)

    def _ephemeral(self, timeout_ms=60000):
        self.session = Session(self.api, timeout_ms)
        expect(self.session.ephemeral(self.n), 201)

    def _brief(self):
        self._ephemeral(1500)

    def _two(self):
        self._ephemeral()
        expect(self.session.ephemeral(self.top + '/m'), 201)

    def _session(self):
        self.session = Session(self.api, 60000)

    def _bound(self):
        self._ephemeral()
        self.stream = Stream(self.api.port, url=self.session.url + '/stream', schema='SessionEvent',
                             headers=self.session.headers)
        self.stream.next()

    def _container(self):
        expect(self.api.post(self.n, container=True), 201)
        expect(self.api.put(self.n + '/c'), 201)

    def _ttl(self):
        expect(self.api.post(self.n, ttl='1500ms'), 201)

    # ---- Changes

    def create(self, **query):
        expect(self.api.post(self.n, **query), 201)

    def create_ephemeral(self):
        self._ephemeral()

    def multi(self, *ops, status=200):
        named = [{**op, 'path': self.top + op['path']} for op in ops]
        expect(self.api.multi(*named), status)

    def expire(self):
        wait_gone(self.api, self.n)

    def reap(self):
        expect(self.api.delete(self.n + '/c'), 204)
        wait_gone(self.api, self.n)

    def leave(self):
        self.stream.close()
        wait_gone(self.api, self.n)


CREATE_N = {'op': 'create', 'path': '/n'}
SET_N = {'op': 'set', 'path': '/n', 'data': 'y'}
DELETE_N = {'op': 'delete', 'path': '/n'}
CHANGES = {
    'create': ('nothing', Stage.create),
    'create ephemeral': ('nothing', Stage.create_ephemeral),
    'create container': ('nothing', lambda s: s.create(container=True)),
    'create with ttl': ('nothing', lambda s: s.create(ttl='1h')),
    'create with parents': ('nothing', lambda s: expect(s.api.post(s.n + '/c', parents=True), 201)),
    'create by put': ('nothing', lambda s: expect(s.api.put(s.n), 201)),
    'create sequential': ('n', lambda s: expect(s.api.post(s.top + '/s', sequential=True), 201)),
    'create another': ('n', lambda s: expect(s.api.post(s.top + '/m'), 201)),
    'create a child': ('n', lambda s: expect(s.api.post(s.n + '/c'), 201)),
    'set': ('n', lambda s: expect(s.api.put(s.n, 'y'), 200)),
    'set to the same value': ('n', lambda s: expect(s.api.put(s.n, 'x'), 200)),
    'set an ephemeral': ('ephemeral', lambda s: expect(s.api.put(s.n, 'y'), 200)),
    'set a child': ('child', lambda s: expect(s.api.put(s.n + '/c', 'y'), 200)),
    'set the parent': ('n', lambda s: expect(s.api.put(s.top, 'y'), 200)),
    'delete': ('n', lambda s: expect(s.api.delete(s.n), 204)),
    'delete an ephemeral': ('ephemeral', lambda s: expect(s.api.delete(s.n), 204)),
    'delete a child': ('child', lambda s: expect(s.api.delete(s.n + '/c'), 204)),
    'delete recursively': ('child', lambda s: expect(s.api.delete(s.n, recursive=True), 204)),
    'session closed': ('ephemeral', lambda s: expect(s.session.close(), 204)),
    'session expired': ('brief', Stage.expire),
    'session left': ('bound', Stage.leave),
    'session with two': ('two', lambda s: expect(s.session.close(), 204)),
    'session without any': ('session', lambda s: expect(s.session.close(), 204)),
    'container reaped': ('container', Stage.reap),
    'ttl has passed': ('ttl', Stage.expire),
    'multi of create and set': ('nothing', lambda s: s.multi(CREATE_N, SET_N)),
    'multi that leaves none': ('nothing', lambda s: s.multi(CREATE_N, DELETE_N)),
    'multi that replaces': ('n', lambda s: s.multi(DELETE_N, CREATE_N)),
    'multi of two children': ('n', lambda s: s.multi({'op': 'create', 'path': '/n/c'},
                                                     {'op': 'create', 'path': '/n/d'})),
    'multi of checks': ('n', lambda s: s.multi({'op': 'check', 'path': '/n'})),
    'failed multi': ('n', lambda s: s.multi(SET_N, CREATE_N, status=409)),
    'failed create': ('n', lambda s: expect(s.api.post(s.n), 409)),
    'failed set': ('n', lambda s: expect(s.api.put(s.n, version=7), 412)),
    'failed delete': ('child', lambda s: expect(s.api.delete(s.n), 409)),
}
SLOW = {'session expired', 'container reaped', 'ttl has passed'}
IN_VAIN = '-'
KINDS = {'created': 'C', 'changed': 'S', 'deleted': 'D', 'children': 'K'}


def rows():
    lines = [[cell.strip() for cell in line.split('|')] for line in TABLE.strip().splitlines()]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def test_the_table_has_every_change():
    assert [row['change'] for row in rows()] == list(CHANGES)


class Polls:
    """The polls of all columns, each on a connection of its own, waiting."""

    COLUMNS = {'data': [('n', ''), ('n', 'raw&'), ('n', 'view=stat&')],
               'children': [('n', 'view=children&')],
               '.data': [('', ''), ('', 'raw&'), ('', 'view=stat&')],
               '.children': [('', 'view=children&')]}

    def __init__(self, port, top, since, row):
        self.waiting = {column: [self._send(port, top, name, query, since, row, column)
                                 for name, query in polls]
                        for column, polls in self.COLUMNS.items()}

    @staticmethod
    def _send(port, top, name, query, since, row, column):
        path = urllib.parse.quote(top + ('/' + name if name else ''))
        in_vain = '4s' if row['change'] in SLOW else '500ms'
        wait = in_vain if row[column] == IN_VAIN else '20s'
        return Wire(port, f'GET /v1/znodes{path}?{query}wait={wait}&since={since} HTTP/1.1\r\n'
                          'Host: localhost\r\n\r\n'.encode())

    def answers(self):
        """What each column was answered; its views agree."""
        found = {}
        for column, wires in self.waiting.items():
            statuses = {wire.response().status for wire in wires}
            for wire in wires:
                wire.socket.close()
            assert len(statuses) == 1, (column, statuses)
            found[column] = {204: IN_VAIN}.get(*statuses, str(*statuses))
        return found


class Streams:
    """The streams of all columns. Each also watches `mark`, whose change ends what they are asked for."""

    COLUMNS = {'n': ('/n', {}), '.': ('', {}), './': ('', {'recursive': True})}

    def __init__(self, port, top, mark):
        self.top, self.mark = top, mark
        self.opened = {column: Stream(port, url=watch_url(top + name, mark, **query))
                       for column, (name, query) in self.COLUMNS.items()}
        for stream in self.opened.values():
            assert stream.next().kind == 'bookmark'

    def _tag(self, event):
        name = event.path.removeprefix(self.top).removeprefix('/') or '.'
        return KINDS[event.kind] + ('s' if name.startswith('s0') else name)

    def _read(self, stream):
        tags, event = [], stream.change()
        while event.path != self.mark:
            tags.append(self._tag(event))
            event = stream.change()
        stream.close()
        return ' '.join(tags) or IN_VAIN

    def answers(self):
        return {column: self._read(stream) for column, stream in self.opened.items()}


@pytest.mark.parametrize('row', rows(), ids=lambda row: row['change'].replace(' ', '-'))
def test_what_wakes_whom(daemon, api, top, row):
    stage = Stage(api, top)
    mark = top + '-mark'
    before, change = CHANGES[row['change']]
    expect(api.put(mark), 201)
    getattr(stage, '_' + before)()
    streams = Streams(daemon.port, top, mark)
    polls = Polls(daemon.port, top, api.get('/').zxid, row)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answered = pool.submit(polls.answers)
        change(stage)
        expect(api.put(mark, 'x'), 200)
        found = {'change': row['change'], **answered.result(), **streams.answers()}
    assert found == row
