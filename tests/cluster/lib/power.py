# SPDX-License-Identifier: Apache-2.0
"""Power cuts: kill -9, and of what was not synced a random part is undone (tests/crash/powerloss.py)."""
import signal

from powerloss import PowerLoss


class Power:
    """The power of every node of a cluster. Make it before the first start."""

    def __init__(self, cluster, library, lie=False, delay_us=500):
        self.cluster = cluster
        self.losses = {}
        for node in cluster:
            loss = PowerLoss(library, node.directory, cluster.directory / f'unsynced{node.number}', lie,
                             delay_us)
            node.environ = loss.environment()
            self.losses[node.number] = loss

    def cut(self, chance, nodes=None):
        """These nodes, or all, lose power at once; they stay off."""
        nodes = list(self.cluster if nodes is None else nodes)
        for node in nodes:
            if node.alive():
                node.send(signal.SIGKILL)
        for node in nodes:
            node.kill()
            self.losses[node.number].strike(chance)

    def strike_at_kills(self, chance, share):
        """From now on this share of the ends of processes are power cuts."""
        def died(node):
            loss = self.losses[node.number]
            if chance.random() < share:
                loss.strike(chance)
            else:
                loss.reset()

        for node in self.cluster:
            node.on_death = died

    def undone(self):
        """How many sectors were undone, of all nodes."""
        return sum(loss.undone['sectors'] for loss in self.losses.values())
