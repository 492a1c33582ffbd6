# SPDX-License-Identifier: Apache-2.0
"""Power cuts: kill -9, and of what was not synced a random part is undone (tests/crash/powerloss.py)."""
import signal

from powerloss import PowerLoss

FLUSHES_US = (200, 500, 20000)  # what a flush takes: a slow disk has much to lose


class Power:
    """The power of every node of a cluster. Make it before the first start."""

    def __init__(self, cluster, library, chance, lie=False):
        self.cluster, self.chance = cluster, chance
        self.losses = {}
        for node in cluster:
            self.losses[node.number] = PowerLoss(library, node.directory,
                                                 cluster.directory / f'unsynced{node.number}', lie)
            self._renew(node)

    def _renew(self, node):
        """Another disk, as far as speed goes."""
        loss = self.losses[node.number]
        loss.delay_us = self.chance.choice(FLUSHES_US)
        node.environ = loss.environment()

    def cut(self, nodes=None):
        """These nodes, or all, lose power at once; they stay off."""
        nodes = list(self.cluster if nodes is None else nodes)
        for node in nodes:
            if node.alive():
                node.send(signal.SIGKILL)
        for node in nodes:
            node.kill()
            self.losses[node.number].strike(self.chance)
            self._renew(node)

    def strike_at_kills(self, share):
        """From now on this share of the ends of processes are power cuts."""
        def died(node):
            loss = self.losses[node.number]
            if self.chance.random() < share:
                loss.strike(self.chance)
            else:
                loss.reset()
            self._renew(node)

        for node in self.cluster:
            node.on_death = died

    def undone(self):
        """How many sectors were undone, of all nodes."""
        return sum(loss.undone['sectors'] for loss in self.losses.values())
