# SPDX-License-Identifier: Apache-2.0
"""Sessions that hang on a connection, over several nodes: whoever serves the stream, whoever leads."""
import contextlib
import json
import time


LONG_MS = 60000
AT_ONCE_S = 10  # on a loaded machine, a change of leader included


class Bound:
    """A session with an ephemeral znode, and its streams."""

    def __init__(self, node, timeout_ms, path):
        reply = node.ask('POST', '/v1/sessions', json.dumps({'timeout_ms': timeout_ms}))
        assert reply is not None and reply.status == 201, reply
        self.timeout_s, self.path = timeout_ms / 1000, path
        self.id = reply.json['id']
        self.headers = {'Curlew-Session': reply.json['credential']}
        reply = node.ask('POST', f'/v1/znodes{path}?ephemeral', None, self.headers)
        assert reply is not None and reply.status == 201, reply

    @contextlib.contextmanager
    def stream(self, node, grace=None):
        """A connection on which the session hangs; the client leaves at the end."""
        connection = node.connection(timeout_s=20)
        answer = connection.begin('GET', f'/v1/sessions/{self.id}/stream' + (f'?grace={grace}' if grace else ''),
                                  {**self.headers, 'Accept': 'application/x-ndjson'})
        assert answer.status == 200
        assert json.loads(answer.readline())['event'] == 'bound'
        try:
            yield answer
        finally:
            answer.close()
            connection.close()

    def lives(self, node):
        """Whether its znode exists; None if nobody can tell."""
        reply = node.ask('GET', f'/v1/znodes{self.path}?view=stat', timeout_s=15)
        return None if reply is None or reply.status not in (200, 404) else reply.status == 200

    def await_end(self, cluster, node, deadline_s=AT_ONCE_S):
        cluster.wait(lambda: self.lives(node) is False, 'the session ends', deadline_s)

    def live_for(self, node, duration_s):
        until = time.monotonic() + duration_s
        while time.monotonic() < until:
            assert self.lives(node) is not False, 'the session has ended'
            time.sleep(0.05)


def test_a_client_that_leaves_any_node_is_missed_by_all(make_cluster):
    cluster = make_cluster(3).start()
    for node in cluster:
        session = Bound(cluster.leader(), LONG_MS, f'/e{node.number}')
        with session.stream(node):
            session.live_for(cluster[1], 0.3)
        for other in cluster:
            session.await_end(cluster, other)
    cluster.check_logs()


def test_a_stream_survives_the_death_of_the_leader(make_cluster):
    cluster = make_cluster(3).start()
    leader = cluster.leader()
    follower, other = cluster.others(leader)
    session = Bound(leader, 2000, '/e')
    with session.stream(follower):
        session.live_for(other, 1.5 * session.timeout_s)
        leader.kill()
        cluster.leader(among=[follower, other])
        session.live_for(other, 2.5 * session.timeout_s)
    session.await_end(cluster, other)
    cluster.check_logs()


def test_who_leaves_while_there_is_no_leader_is_missed_once_there_is_one(make_cluster):
    cluster = make_cluster(3).start()
    leader = cluster.leader()
    follower, other = cluster.others(leader)
    session = Bound(leader, LONG_MS, '/e')
    with session.stream(follower):
        leader.kill()
        other.kill()
        time.sleep(1)
    other.spawn()
    cluster.leader(among=[follower, other])
    session.await_end(cluster, follower)
    cluster.check_logs()


def test_the_death_of_the_node_leaves_the_session_to_another_stream(make_cluster):
    cluster = make_cluster(3).start()
    leader = cluster.leader()
    follower, other = cluster.others(leader)
    session = Bound(leader, 3000, '/e')
    with session.stream(follower):
        follower.kill()
        with session.stream(other):
            session.live_for(leader, 1.5 * session.timeout_s)
            follower.spawn()  # it has forgotten the stream and does nothing about it
            cluster.wait_ready()
            session.live_for(follower, 1.5 * session.timeout_s)
    session.await_end(cluster, follower)
    cluster.check_logs()


def test_the_death_of_the_node_alone_ends_the_session_after_its_timeout(make_cluster):
    cluster = make_cluster(3).start()
    leader = cluster.leader()
    follower = cluster.others(leader)[0]
    session = Bound(leader, 2000, '/e')
    with session.stream(follower, grace='1h'):
        began = time.monotonic()
        follower.kill()
        session.await_end(cluster, leader)
        # The last renewal came up to a third of the timeout before.
        assert time.monotonic() - began >= 0.6 * session.timeout_s
    cluster.check_logs()


def test_a_grace_is_kept_by_a_stream_to_another_node(make_cluster):
    cluster = make_cluster(3).start()
    first, second, third = cluster
    session = Bound(third, LONG_MS, '/e')
    with session.stream(first, grace='2s'):
        pass
    with session.stream(second) as newer:
        session.live_for(third, 3)
        with session.stream(third):  # it takes over at once; the older one is told
            line = newer.readline()
            while json.loads(line)['event'] == 'heartbeat':
                line = newer.readline()
            assert json.loads(line)['event'] == 'replaced'
            session.live_for(first, 0.5)
        session.await_end(cluster, first)
    cluster.check_logs()


def test_a_node_that_is_cut_off_cannot_hold_a_session(make_cluster):
    """The client is there and its node too, but the leader hears nothing of it. The node tells when it does."""
    cluster = make_cluster(3).start()
    leader = cluster.leader()
    follower, other = cluster.others(leader)
    session = Bound(leader, 1500, '/e')
    with session.stream(follower) as stream:
        began = time.monotonic()
        cluster.network.isolate(follower.number)
        session.await_end(cluster, other)
        assert time.monotonic() - began >= 0.6 * session.timeout_s
        cluster.network.heal()
        kinds = [json.loads(line)['event'] for line in read_to_end(stream)]
        assert kinds[-1] == 'expired' and set(kinds[:-1]) <= {'heartbeat'}
    cluster.check_logs()


def read_to_end(stream):
    while line := stream.readline():
        yield line


def test_draining_a_node_leaves_its_sessions(make_cluster):
    cluster = make_cluster(3).start()
    for node in (cluster.others(cluster.leader())[0], cluster.leader()):
        session = Bound(node, 4000, f'/e{node.number}')
        other = cluster.others(node)[0]
        with session.stream(node) as stream:
            node.terminate()
            assert all(json.loads(line)['event'] == 'heartbeat' for line in read_to_end(stream))
        with session.stream(other):
            session.live_for(other, 1.2 * session.timeout_s)
        session.await_end(cluster, other)
        node.spawn()
        cluster.wait_ready()
    cluster.check_logs()
