# SPDX-License-Identifier: Apache-2.0
"""Watchers while nodes die, hang and come back: every change is seen once, by everybody. Sessions have a
file of their own."""
import concurrent.futures
import itertools
import os
import select
import time

import pytest

from clients import PAIRS
from nemesis import isolated, killed, paused, terminated
from watchers import (NodeStream, Projection, Watcher, check_story, comparable, difference, finish,
                      whole_story)
from workload import Workload

IS_LONG = os.environ.get('CURLEW_LONG') == '1'
SECONDS = 300 if IS_LONG else 15
CROWD = tuple(f'/p/crowd{number:02}' for number in range(30))  # that one transaction sets
BOOKMARK_S = 5     # the longest time between two bookmarks
CONTACT_S = 2      # after which a node without a quorum takes nothing for granted
LATE_S = 2.5       # by which a loaded machine may be late


# ---- Nothing missing, nothing twice ----

def every_kind_of_watcher(cluster, seed, since):
    """Two of each: one reads Server-Sent Events, one JSON lines."""
    wanted = [(('/',), True, True), (('/p',), True, False), (('/q', '/r'), True, True),
              (('/r/0',), False, True), (('/q',), False, False),
              (('/r', '/r/1', '/p', CROWD[7], '/q'), False, False)]
    return [Watcher(number, cluster, seed, since, *paths, lines=lines, recursive=recursive, data=data)
            for number, (lines, (paths, recursive, data))
            in enumerate(itertools.product((False, True), wanted))]


def strike_in_turn(cluster, workload, seconds):
    """Each node, the leader too, is killed, asked to end and stopped, again and again for so long; at
    least everything once."""
    end = time.monotonic() + seconds
    faults = [(fault, node) for fault in (killed, terminated, paused) for node in cluster]
    for number, (fault, node) in enumerate(itertools.cycle(faults)):
        if number >= len(faults) and time.monotonic() > end:
            return
        cluster.note(f'begin {fault.__name__} {node}')
        with fault(node):
            workload.wait_progress(cluster.others(node), writes=10)
            time.sleep(0.5)
        cluster.note('end')
        cluster.wait_ready()


def test_every_watcher_sees_every_change_once(make_cluster, seed):
    cluster = make_cluster(3).start()
    workload = Workload(cluster, seed, pairs=[*PAIRS, CROWD]).begin()
    watchers = every_kind_of_watcher(cluster, seed, workload.first_zxid)
    for watcher in watchers:
        watcher.start()
    try:
        workload.wait_progress()
        strike_in_turn(cluster, workload, SECONDS)
        workload.finish()
        finish(watchers, cluster, workload.last_zxid)
    finally:
        for watcher in watchers:
            watcher.until = -1
            watcher.join(20)
    verdict(cluster, workload, watchers)


def verdict(cluster, workload, watchers):
    stories = [whole_story(node, workload.first_zxid, workload.last_zxid) for node in cluster]
    for story in stories[1:]:
        assert difference(stories[0], story) is None, 'nodes tell different stories'
    check_story(stories[0], workload.ops(), workload.first_zxid, workload.last_zxid)
    for watcher in watchers:
        expected = Projection(stories[0]).of(watcher.paths, watcher.recursive, watcher.data)
        found = difference(expected, [comparable(event) for event in watcher.seen])
        assert found is None, f'{watcher}: {found}'
        assert expected and len(watcher.nodes) > 1, f'{watcher} has proven nothing'
        print(f'{watcher}: {len(expected)} events, {sum(watcher.cuts.values())} cuts {dict(watcher.cuts)}')
    assert sum(watcher.cuts['inside a transaction'] for watcher in watchers) > 0, \
        'no transaction was cut: it was not shown that it comes again whole'


# ---- Bookmarks ----

def bookmarks(stream, seconds):
    """When bookmarks have come, for so long."""
    times, begin = [], time.monotonic()
    while (left := begin + seconds - time.monotonic()) > 0:
        if select.select([stream.socket], [], [], left)[0] and stream.next().kind == 'bookmark':
            times.append(time.monotonic() - begin)
    return times


@pytest.mark.parametrize('who', ['leader', 'follower'] if IS_LONG else ['leader'])
def test_a_node_that_is_cut_off_stops_its_bookmarks(make_cluster, who):
    """No bookmark for 10 s means that the picture may be old, so there must be none in a minority; and
    where there is a quorum they go on."""
    cluster = make_cluster(3).start()
    leader = cluster.leader()
    alone = leader if who == 'leader' else cluster.others(leader)[0]
    others = cluster.others(alone)
    streams = [NodeStream(node, '/', recursive=True) for node in (alone, *others)]
    for stream in streams:
        assert stream.next().kind == 'bookmark'
    with isolated(cluster, alone), concurrent.futures.ThreadPoolExecutor() as pool:
        looks = [pool.submit(bookmarks, stream, CONTACT_S + BOOKMARK_S + LATE_S) for stream in streams]
        stopped, *going = [look.result() for look in looks]
        assert all(at < CONTACT_S + LATE_S for at in stopped), \
            f'{alone} says that nothing has happened, and cannot know: {stopped}'
        assert all(len(times) >= 1 for times in going), f'bookmarks are missing: {going}'
        written = others[0].ask('PUT', '/v1/znodes/new', b'x')
        assert written.status == 201
    for stream in streams:
        assert stream.change().zxid == written.zxid, 'after the cut it goes on'
    assert streams[0].next().kind == 'bookmark'
    for stream in streams:
        stream.close()
    cluster.check_logs()


# ---- Long polls ----

@pytest.mark.parametrize('fault', [killed, isolated, terminated, paused] if IS_LONG else [killed, isolated])
def test_a_long_poll_survives_a_fail_over(make_cluster, fault):
    """The leader goes while polls wait at the others: those that end without a change say so only when
    the new leader has confirmed it, the rest show the change."""
    cluster = make_cluster(3).start()
    cluster[1].ask('PUT', '/v1/znodes/a', b'old')
    quiet = cluster[1].ask('PUT', '/v1/znodes/quiet', b'x').zxid
    leader = cluster.leader()
    others = cluster.others(leader)

    def poll(node, path, wait):
        return node.ask('GET', f'/v1/znodes/{path}?raw&since={quiet}&wait={wait}', timeout_s=40)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        changed = [pool.submit(poll, node, 'a', '30s') for node in others]
        unchanged = [pool.submit(poll, node, 'quiet', '2s') for node in others]
        assert not concurrent.futures.wait([*changed, *unchanged], 0.3).done, 'a poll has not waited'
        with fault(cluster, leader) if fault is isolated else fault(leader):
            written = others[0].ask('PUT', '/v1/znodes/a', b'new', timeout_s=20)
            assert written.status == 200
            for reply in (each.result(15) for each in changed):
                assert (reply.status, reply.body, reply.zxid) == (200, b'new', written.zxid)
            for reply in (each.result(15) for each in unchanged):
                assert reply.status == 204 and reply.zxid >= written.zxid, reply
    cluster.wait_ready()
    cluster.check_logs()


def test_a_long_poll_without_a_quorum_does_not_say_that_nothing_changed(make_cluster):
    cluster = make_cluster(3).start()
    alone, *others = cluster
    before = alone.ask('PUT', '/v1/znodes/a', b'old').zxid
    with isolated(cluster, alone):
        written = others[0].ask('PUT', '/v1/znodes/a', b'new', timeout_s=20)
        target = f'/v1/znodes/a?raw&since={before}&wait=1s'
        reply = alone.ask('GET', target, headers={'Prefer': 'wait=1'}, timeout_s=20)
        assert (reply.status, reply.problem) == (503, 'no-leader')
        reply = alone.ask('GET', target + '&consistency=local', timeout_s=20)
        assert reply.status == 204, 'a local poll tells of this node alone'
    cluster.wait_ready()
    reply = alone.ask('GET', target)
    assert (reply.status, reply.body, reply.zxid) == (200, b'new', written.zxid)
    cluster.check_logs()


# ---- The checks themselves ----

STORY = [{'event': 'created', 'path': '/a', 'zxid': 1, 'stat': {'version': 0}, 'data': '1'},
         {'event': 'created', 'path': '/a/b', 'zxid': 2, 'stat': {'version': 0}, 'data': '2'},
         {'event': 'changed', 'path': '/a/b', 'zxid': 3, 'stat': {'version': 1}, 'data': '3'},
         {'event': 'deleted', 'path': '/a/b', 'zxid': 4, 'stat': {'version': 1}}]


def test_what_a_watcher_must_see():
    def kinds(*paths, recursive=False):
        return [(event['event'], event['path'], event['zxid'])
                for event in Projection(STORY).of(paths, recursive, True)]

    assert kinds('/', recursive=True) == [('created', '/a', 1), ('created', '/a/b', 2),
                                          ('changed', '/a/b', 3), ('deleted', '/a/b', 4)]
    assert kinds('/a') == [('created', '/a', 1), ('children', '/a', 2), ('children', '/a', 4)]
    assert kinds('/a/b', '/a')[1:3] == [('created', '/a/b', 2), ('children', '/a', 2)]
    assert Projection(STORY).of(['/a'], False, False)[2]['stat'] == (2, 0)
    assert kinds('/', recursive=False) == [('children', '/', 1)]
    assert kinds('/aa', recursive=True) == []


def test_differences_are_seen():
    assert difference(STORY, list(STORY)) is None
    for wrong in (STORY[:-1], STORY[1:], [*STORY, STORY[-1]], [STORY[0], STORY[2], STORY[1], STORY[3]]):
        assert difference(STORY, wrong) is not None
    for story, last in ((STORY[:2] + STORY[3:], 4), (STORY, 5), (STORY + STORY[-1:], 4)):
        with pytest.raises(AssertionError):
            check_story(story, [], 0, last)
