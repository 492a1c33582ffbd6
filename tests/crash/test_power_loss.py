# SPDX-License-Identifier: Apache-2.0
"""A power loss takes any part of what was not synced and nothing that was acknowledged."""
import random
import time

from client import Client
from ledger import LONG, Ledger, Problem
from powerloss import PowerLoss

ROUNDS = 500 if LONG else 25


def lose_power(make, library, tmp_path, chance, lie, rounds):
    """Rounds of write, power loss, restart, check. Returns what was undone."""
    loss = PowerLoss(library, tmp_path / 'data', tmp_path / 'log', lie)
    daemon = make('--checkpoint-journal-bytes', 1 << 20, directory=tmp_path / 'data',
                  environ=loss.environment()).start()
    ledger = Ledger()
    ledger.prepare(daemon.port)
    for _ in range(rounds):
        ledger.begin(daemon.port)
        time.sleep(chance.uniform(0.02, 0.3))
        daemon.kill()
        ledger.end()
        loss.strike(chance)
        if chance.random() < 0.3:
            daemon.spawn()
            time.sleep(chance.uniform(0.0, 0.1))
            daemon.kill()
            loss.strike(chance)
        daemon.start()
        ledger.check(daemon.port)
    daemon.stop()
    assert ledger.acknowledged() > rounds
    return loss.undone


def test_nothing_acknowledged_is_lost_by_power_loss(make, library, tmp_path, seed):
    undone = lose_power(make, library, tmp_path, random.Random(seed), False, ROUNDS)
    print(undone)
    assert undone['sectors'] > 0, 'nothing was ever lost: the test proved nothing'


def test_a_device_that_lies_is_noticed(make, library, tmp_path, seed):
    """The control: without syncs the same rounds must fail, by a refusal to start or by a loss."""
    try:
        undone = lose_power(make, library, tmp_path, random.Random(seed), True, ROUNDS)
    except RuntimeError as error:
        assert 'level=error' in str(error), 'it ended without saying why'
        return
    except Problem:
        return
    raise AssertionError(f'{undone} was undone and nobody noticed')


def test_a_first_start_survives_power_loss(make, library, tmp_path, seed):
    chance = random.Random(seed)
    for number in range(10):
        directory = tmp_path / f'data{number}'
        loss = PowerLoss(library, directory, tmp_path / 'log')
        daemon = make(directory=directory, environ=loss.environment())
        for _ in range(3):
            daemon.spawn()
            time.sleep(chance.uniform(0.0, 0.1))
            daemon.kill()
            loss.strike(chance)
        daemon.start()
        assert Client(daemon.port).put('/a', 'x').status == 201
        daemon.stop()
