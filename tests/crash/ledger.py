# SPDX-License-Identifier: Apache-2.0
"""Writers that remember what was acknowledged, and the check that the service remembers it too.

Each writer has a register (set again and again), creates znodes, deletes some, creates pairs in one
multi, and numbers znodes with an Idempotency-Key. What got no answer is unknown until the next check,
which may find it done or not done, but whole, once, and with a later zxid than what preceded it."""
import http.client
import threading
import time
import uuid

from client import Client, expect

TOPS = ('/register', '/single', '/pair', '/queue')
LOST = (OSError, http.client.HTTPException)


class Problem(AssertionError):
    """An acknowledged write is missing or wrong, or an unacknowledged one is not whole."""


def require(condition, message, *details):
    if not condition:
        raise Problem(' '.join([message, *map(repr, details)]))


def listing(api, path):
    """{name: node} of all children with their data, read page by page; and the parent's stat."""
    found, cursor = {}, {}
    while True:
        reply = api.get(path, view='children', detail='data', limit=10000, **cursor)
        require(reply.status == 200, 'a directory is gone', reply)
        page = reply.json
        found.update(zip(page['children'], page['nodes']))
        if 'next' not in page:
            return found, page['stat']
        cursor = {'cursor': page['next']}


class Writer(threading.Thread):
    """One client. Its lists are read only while it does not run."""

    def __init__(self, number, ledger, port, keyed=True):
        super().__init__(daemon=True)
        self.number, self.ledger, self.port, self.keyed = number, ledger, port, keyed
        self.failure = None
        self.stopping = threading.Event()

    def run(self):
        api = Client(self.port, check=False, timeout_s=10)
        own = self.ledger.own[self.number]
        steps = [self._register, self._single, self._pair, self._queue, self._single, self._remove]
        try:
            while not self.stopping.is_set():
                steps[own.turn % len(steps)](api, own)
                own.turn += 1
        except LOST:
            pass  # the daemon was killed: what was under way stays unknown
        except Exception as error:  # noqa: B902 the check reports it
            self.failure = error
        finally:
            own.turn += 1
            api.close()

    def _register(self, api, own):
        value = f'{self.number}:{own.turn}'
        own.pending = ('register', value)
        reply = api.put(f'/register/{self.number}', value)
        if self._answered(own, reply, (200, 201)):
            own.register = (value, reply.zxid, reply.json['stat']['version'])

    def _single(self, api, own):
        name = f'{self.number}-{own.turn}'
        own.pending = ('single', name)
        reply = api.post(f'/single/{name}', name)
        if self._answered(own, reply, (201,)):
            own.singles[name] = reply.zxid

    def _remove(self, api, own):
        if len(own.singles) % 3:
            return
        name = next(iter(own.singles))
        own.pending = ('delete', name)
        reply = api.delete(f'/single/{name}')
        if self._answered(own, reply, (204,)):
            del own.singles[name]
            self.ledger.count_delete()

    def _pair(self, api, own):
        name = f'{self.number}-{own.turn}'
        own.pending = ('pair', name)
        reply = api.multi(*({'op': 'create', 'path': f'/pair/{name}-{half}', 'data': name}
                            for half in 'ab'))
        if self._answered(own, reply, (200,)):
            own.pairs[name] = reply.zxid

    def _queue(self, api, own):
        value, key = f'{self.number}-{own.turn}', str(uuid.uuid4())
        own.pending = ('queue', value, key)
        reply = send_queue(api, value, key)
        if self._answered(own, reply, (201,)):
            own.queue[value] = (reply.json['path'], reply.zxid)

    def _answered(self, own, reply, good):
        """Whether it was applied; 503 and 507 say that it was not."""
        own.pending = None
        if reply.status in good:
            require(reply.zxid > own.zxid, 'zxid does not grow', reply, own.zxid)
            own.zxid = reply.zxid
            own.acknowledged += 1
            return True
        require(reply.status in (503, 507) and reply.json['outcome'] == 'not_applied',
                'unexpected answer', reply)
        time.sleep(0.005)
        return False


def send_queue(api, value, key):
    return api.post('/queue/n-', value, sequential=True, headers={'Idempotency-Key': key})


class Own:
    """What one writer knows."""

    def __init__(self):
        self.turn, self.zxid, self.acknowledged = 0, 0, 0
        self.register = None  # (value, zxid, version)
        self.singles, self.pairs, self.queue = {}, {}, {}
        self.pending = None   # the request under way


class Ledger:
    def __init__(self, writers=4):
        self.own = [Own() for _ in range(writers)]
        self.deletes = 0
        self.lock = threading.Lock()
        self.threads = []

    def count_delete(self):
        with self.lock:
            self.deletes += 1

    def prepare(self, port):
        for top in TOPS:
            expect(Client(port).put(top), 201)

    def begin(self, port):
        self.threads = [Writer(number, self, port) for number in range(len(self.own))]
        for thread in self.threads:
            thread.start()

    def end(self):
        """Waits for the writers; they end by themselves when the daemon is gone."""
        for thread in self.threads:
            thread.stopping.set()
        for thread in self.threads:
            thread.join(30)
            require(not thread.is_alive(), 'a writer hangs')
            if thread.failure is not None:
                raise thread.failure

    def acknowledged(self):
        return sum(own.acknowledged for own in self.own)

    def check(self, port):
        """Holds the state against everything acknowledged, and settles what was unknown."""
        api = Client(port, check=False)
        self._check_queue(api)
        self._check_registers(api)
        self._check_singles(api)
        self._check_pairs(api)
        zxid = api.get('/').zxid
        require(zxid >= max(own.zxid for own in self.own), 'the state is older than an answer', zxid)
        for own in self.own:
            own.pending = None
        api.close()

    def _pending(self, kind):
        return [(own, own.pending) for own in self.own if own.pending and own.pending[0] == kind]

    def _check_registers(self, api):
        found, _ = listing(api, '/register')
        for number, own in enumerate(self.own):
            node = found.pop(str(number), None)
            unknown = own.pending[1] if own.pending and own.pending[0] == 'register' else None
            if node is not None and node['data'] == unknown:
                version = own.register[2] + 1 if own.register else 0
                require(node['stat']['version'] == version, 'a set happened twice', node, own.register)
                require(node['stat']['mzxid'] > own.zxid, 'zxid went back', node, own.zxid)
                own.zxid = node['stat']['mzxid']
                own.register = (unknown, own.zxid, version)
            elif own.register is None:
                require(node is None, 'a register that nobody set', node)
            else:
                require(node is not None, 'an acknowledged register is gone', own.register)
                stat = node['stat']
                require((node['data'], stat['mzxid'], stat['version']) == own.register,
                        'a register is not what was acknowledged', node, own.register)
        require(not found, 'registers of nobody', list(found))

    def _check_singles(self, api):
        found, stat = listing(api, '/single')
        for own, (_, name) in self._pending('delete'):
            if name not in found:
                del own.singles[name]
                self.count_delete()
        for own, (_, name) in self._pending('single'):
            if name in found:
                own.zxid = self._whole(found[name], name, own.zxid)
                own.singles[name] = own.zxid
        wanted = {name: zxid for own in self.own for name, zxid in own.singles.items()}
        self._same({name: node['stat']['czxid'] for name, node in found.items()}, wanted)
        for name, node in found.items():
            require(node['data'] == name, 'a value is not whole', node)
        require(stat['numChildren'] == len(found), 'numChildren is wrong', stat, len(found))
        require(stat['cversion'] == len(found) + 2 * self.deletes, 'cversion is wrong', stat,
                len(found), self.deletes)

    def _check_pairs(self, api):
        found, stat = listing(api, '/pair')
        for own, (_, name) in self._pending('pair'):
            if name + '-a' in found or name + '-b' in found:
                own.zxid = self._whole(found.get(name + '-a'), name, own.zxid)
                own.pairs[name] = own.zxid
        wanted = {f'{name}-{half}': zxid for own in self.own
                  for name, zxid in own.pairs.items() for half in 'ab'}
        self._same({name: node['stat']['czxid'] for name, node in found.items()}, wanted)
        require(stat['cversion'] == len(found), 'cversion is wrong', stat, len(found))

    def _check_queue(self, api):
        for own, (_, value, key) in self._pending('queue'):
            reply = send_queue(api, value, key)
            require(reply.status == 201, 'a keyed retry fails', reply)
            own.queue[value] = (reply.json['path'], reply.zxid)
            require(reply.zxid > own.zxid, 'zxid went back', reply, own.zxid)
            own.zxid = reply.zxid
        found, stat = listing(api, '/queue')
        wanted = {path.rpartition('/')[2]: (zxid, value) for own in self.own
                  for value, (path, zxid) in own.queue.items()}
        self._same({name: (node['stat']['czxid'], node['data']) for name, node in found.items()},
                   wanted)
        require(stat['cversion'] == stat['numChildren'] == len(found), 'the queue miscounts', stat)
        require(sorted(found) == [f'n-{number:010d}' for number in range(len(found))],
                'numbers are missing or double')

    @staticmethod
    def _whole(node, value, after):
        require(node is not None and node['data'] == value, 'a write is not whole', node, value)
        require(node['stat']['czxid'] > after, 'zxid went back', node, after)
        return node['stat']['czxid']

    @staticmethod
    def _same(found, wanted):
        missing = {name: wanted[name] for name in wanted if name not in found}
        surplus = {name: found[name] for name in found if name not in wanted}
        differ = {name: (found[name], wanted[name]) for name in found
                  if name in wanted and found[name] != wanted[name]}
        require(not missing, 'acknowledged writes are lost:', dict(list(missing.items())[:5]))
        require(not surplus, 'writes that nobody made:', dict(list(surplus.items())[:5]))
        require(not differ, 'writes differ (found, acknowledged):', dict(list(differ.items())[:5]))
