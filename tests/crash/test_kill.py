# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any instant loses nothing that was acknowledged and doubles nothing."""
import random
import time

import pytest

from client import Client
from ledger import LONG, Ledger, Problem

KILLS = 1000 if LONG else 50


def test_nothing_acknowledged_is_lost_by_kill(make, seed):
    chance = random.Random(seed)
    daemon = make('--checkpoint-journal-bytes', 1 << 20).start()
    ledger = Ledger()
    ledger.prepare(daemon.port)
    for _ in range(KILLS):
        ledger.begin(daemon.port)
        time.sleep(chance.uniform(0.0, 0.2))
        daemon.kill()
        ledger.end()
        if chance.random() < 0.2:
            daemon.spawn()
            time.sleep(chance.uniform(0.0, 0.1))
            daemon.kill()
        daemon.start()
        ledger.check(daemon.port)
    assert ledger.acknowledged() > KILLS * 10
    daemon.terminate()
    daemon.start()
    ledger.check(daemon.port)
    daemon.stop()


def test_kills_at_start_up_lose_nothing(make, seed):
    chance = random.Random(seed)
    daemon = make('--checkpoint-journal-bytes', 1 << 20).start()
    ledger = Ledger()
    ledger.prepare(daemon.port)
    ledger.begin(daemon.port)
    time.sleep(0.5)
    daemon.kill()
    ledger.end()
    for _ in range(KILLS // 2):
        daemon.spawn()
        time.sleep(chance.uniform(0.0, 0.06))
        daemon.kill()
    daemon.start()
    ledger.check(daemon.port)
    daemon.stop()


def test_a_fresh_directory_survives_kills_at_its_first_start(make, seed):
    chance = random.Random(seed)
    for _ in range(10):
        daemon = make()
        for _ in range(3):
            daemon.spawn()
            time.sleep(chance.uniform(0.0, 0.04))
            daemon.kill()
        daemon.start()
        assert Client(daemon.port).put('/a', 'x').status == 201
        daemon.stop()


def test_the_ledger_notices_a_lost_write(make):
    daemon = make().start()
    ledger = Ledger()
    ledger.prepare(daemon.port)
    ledger.begin(daemon.port)
    time.sleep(0.2)
    daemon.kill()
    ledger.end()
    daemon.start()
    ledger.check(daemon.port)
    api = Client(daemon.port)
    api.delete('/single/' + api.children('/single')[0])
    with pytest.raises(Problem):
        ledger.check(daemon.port)
    daemon.stop()
