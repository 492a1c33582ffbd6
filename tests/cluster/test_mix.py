# SPDX-License-Identifier: Apache-2.0
"""Faults at random, one after the other and several at once, while clients work through all nodes. Two
minutes for both tests together; CURLEW_LONG=1 makes it ten and more, CURLEW_SECONDS any time."""
import os
import random

from nemesis import FAULTS, Nemesis
from power import Power
from workload import Workload

SECONDS = int(os.environ.get('CURLEW_SECONDS') or
              (800 if os.environ.get('CURLEW_LONG') == '1' else 120))
RECOVERY_S = 30


def run(cluster, workload, nemesis, seconds):
    cluster.start()
    workload.begin()

    def recovered():
        cluster.wait_ready(deadline_s=RECOVERY_S)
        workload.wait_progress(writes=10, deadline_s=RECOVERY_S)

    try:
        nemesis.run(seconds, recovered)
        workload.finish()
    finally:
        print({name: count for name, count in nemesis.done.items() if count})
    assert workload.acknowledged() > 5 * seconds, 'too little was written to prove anything'


def test_faults_at_random(make_cluster, library, seed):
    """Three nodes; whoever is killed may lose what it had not synced."""
    cluster = make_cluster(3, '--checkpoint-journal-bytes', 4 << 20)
    Power(cluster, library, random.Random(f'power/{seed}')).strike_at_kills(0.5)
    run(cluster, Workload(cluster, seed), Nemesis(cluster, seed), 3 * SECONDS // 4)


def test_faults_at_random_among_five(make_cluster, seed):
    cluster = make_cluster(5, '--checkpoint-journal-bytes', 4 << 20)
    run(cluster, Workload(cluster, seed), Nemesis(cluster, seed, list(FAULTS)), SECONDS // 4)
