# SPDX-License-Identifier: Apache-2.0
"""Sessions of several nodes: whoever hears of one, the leader keeps the time, whoever that is."""
import json
import threading
import time

from http_client import Lost, NotSent

LATE_S = 3.0  # how much later than its timeout a session may end on a loaded machine


class Session:
    """A session that is opened at one node."""

    def __init__(self, node, timeout_ms):
        reply = node.ask('POST', '/v1/sessions', json.dumps({'timeout_ms': timeout_ms}))
        assert reply is not None and reply.status == 201, reply
        self.timeout_s = timeout_ms / 1000
        self.id, credential = reply.json['id'], reply.json['credential']
        self.headers = {'Curlew-Session': credential}

    def ask(self, node, method, target, **headers):
        return node.ask(method, target, None, {**self.headers, **headers}, timeout_s=15)

    def renew(self, node, **headers):
        return self.ask(node, 'PUT', f'/v1/sessions/{self.id}', **headers)

    def ephemeral(self, node, path):
        reply = self.ask(node, 'POST', f'/v1/znodes{path}?ephemeral')
        assert reply is not None and reply.status == 201, reply


class LocalReader(threading.Thread):
    """Reads locally with the credential, at these nodes in turn, until it is stopped."""

    def __init__(self, session, nodes, pause_s):
        super().__init__(daemon=True)
        self.session, self.nodes, self.pause_s = session, nodes, pause_s
        self.stopped = threading.Event()
        self.last = None     # when the last read began that was answered
        self.longest = 0.0   # time between two of those
        self.start()

    def run(self):
        connections = [node.connection() for node in self.nodes]
        self.last = time.monotonic()
        turn = 0
        while not self.stopped.wait(self.pause_s):
            began, turn = time.monotonic(), turn + 1
            try:
                reply = connections[turn % len(connections)].request(
                    'GET', '/v1/znodes?view=stat&consistency=local', None, self.session.headers)
            except (Lost, NotSent):
                continue
            assert reply.status == 200, reply
            self.longest = max(self.longest, began - self.last)
            self.last = began
        for connection in connections:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stopped.set()
        self.join()
        if kind is None:
            assert self.longest < self.session.timeout_s / 2, 'the test itself was silent'


def exists(node, path):
    """Whether a znode exists, by a linearizable read; None if nobody could tell."""
    reply = node.ask('GET', f'/v1/znodes{path}?view=stat')
    return None if reply is None or reply.status not in (200, 404) else reply.status == 200


def live_for(cluster, node, path, duration_s):
    until = time.monotonic() + duration_s
    while time.monotonic() < until:
        assert exists(node, path) is not False, f'{path} is gone\n{cluster.describe()}'
        time.sleep(0.05)


def test_local_reads_at_a_follower_keep_a_session_through_the_death_of_the_leader(make_cluster):
    cluster = make_cluster(3).start()
    leader = cluster.leader()
    follower, other = cluster.others(leader)
    session = Session(other, 2000)
    session.ephemeral(leader, '/e')
    with LocalReader(session, [follower], 0.2) as reader:
        live_for(cluster, other, '/e', 2 * session.timeout_s)
        leader.kill()
        cluster.leader(among=[follower, other])
        live_for(cluster, other, '/e', 2.5 * session.timeout_s)
    cluster.wait(lambda: exists(other, '/e') is False, 'the silent session ends',
                 session.timeout_s + 2 * LATE_S)
    assert time.monotonic() - reader.last >= session.timeout_s, 'it ended early'
    reply = session.renew(follower)
    assert (reply.status, reply.problem) == (410, 'session-expired')
    cluster.check_logs()


def test_a_renewal_at_a_follower_is_known_to_the_leader(make_cluster):
    cluster = make_cluster(3).start()
    leader = cluster.leader()
    followers = cluster.others(leader)
    session = Session(followers[0], 1000)
    session.ephemeral(followers[0], '/e')
    asked = time.monotonic()
    until = asked + 3 * session.timeout_s
    turn = 0
    while asked < until:
        time.sleep(0.3)
        asked, turn = time.monotonic(), turn + 1
        assert session.renew(followers[turn % 2]).status == 200
    cluster.wait(lambda: exists(leader, '/e') is False, 'the silent session ends',
                 session.timeout_s + LATE_S)
    assert time.monotonic() - asked >= session.timeout_s, 'it ended early'
    cluster.check_logs()


def test_a_renewal_that_nobody_can_confirm_is_not_confirmed(make_cluster):
    cluster = make_cluster(3).start()
    leader = cluster.leader()
    session = Session(leader, 60000)
    for node in (leader, cluster.others(leader)[0]):
        cluster.network.isolate(node.number)
        reply = session.renew(node, Prefer='wait=1')
        assert (reply.status, reply.problem) == (503, 'no-leader')
        cluster.network.heal()
        cluster.wait_ready()
    assert session.renew(leader).status == 200
    cluster.check_logs()


def test_a_leader_that_is_cut_off_ends_nobody(make_cluster):
    """It hears of the session no more, and its proposals come to the others later. With slow heartbeats
    it leads for longer than the session has."""
    cluster = make_cluster(3, '--heartbeat', '500ms').start()
    session = Session(cluster[1], 500)
    session.ephemeral(cluster[1], '/e')
    for _ in range(3):
        leader = cluster.leader()
        others = cluster.others(leader)
        with LocalReader(session, others, 0.05):
            assert session.renew(others[0]).status == 200
            cluster.network.isolate(leader.number)
            cluster.leader(among=others)
            live_for(cluster, others[0], '/e', 2 * session.timeout_s)
            cluster.network.heal()
            cluster.wait_ready()
            live_for(cluster, others[0], '/e', session.timeout_s)
        assert session.renew(leader).status == 200
    cluster.check_logs()


def test_sessions_and_what_they_own_survive_the_end_of_all_nodes(make_cluster):
    cluster = make_cluster(3).start()
    session = Session(cluster[1], 5000)
    session.ephemeral(cluster[2], '/e')
    for node in cluster:
        node.kill()
    time.sleep(1)  # of its time, which is given back
    began = time.monotonic()
    cluster.start()
    assert session.renew(cluster[3]).status == 200
    assert exists(cluster[1], '/e')
    cluster.wait(lambda: exists(cluster[2], '/e') is False, 'the silent session ends')
    assert time.monotonic() - began >= session.timeout_s
    cluster.check_logs()
