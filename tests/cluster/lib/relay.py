# SPDX-License-Identifier: Apache-2.0
"""Carries Ethernet frames between two devices, late: relay.py ONE OTHER DELAY_MS JITTER_MS REPEAT SEED.
Each frame waits for its own time, so with jitter frames overtake each other; the share REPEAT of them
is sent twice."""
import heapq
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
LONGEST = 65536


def wire(device):
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    one.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    one.bind((device, 0))
    one.setblocking(False)
    return one


class Relay:
    def __init__(self, one, other, delay_s, jitter_s, repeat, seed):
        self.to = {one: other, other: one}
        self.delay_s, self.jitter_s, self.repeat = delay_s, jitter_s, repeat
        self.chance = random.Random(seed)
        self.due = []  # (time, number, wire, frame)
        self.number = 0

    def run(self):
        while True:
            wait = max(0, self.due[0][0] - time.monotonic()) if self.due else None
            for each in select.select(list(self.to), [], [], wait)[0]:
                self._take(each)
            self._put()

    def _take(self, one):
        try:
            while True:
                frame = one.recv(LONGEST)
                for _ in range(2 if self.chance.random() < self.repeat else 1):
                    late = self.delay_s + self.chance.uniform(-self.jitter_s, self.jitter_s)
                    self.number += 1
                    heapq.heappush(self.due, (time.monotonic() + late, self.number, self.to[one], frame))
        except BlockingIOError:
            pass

    def _put(self):
        while self.due and self.due[0][0] <= time.monotonic():
            _, _, one, frame = heapq.heappop(self.due)
            try:
                one.send(frame)
            except OSError:
                pass  # lost, as on a wire


def main():
    delay_ms, jitter_ms, repeat = map(float, sys.argv[3:6])
    relay = Relay(wire(sys.argv[1]), wire(sys.argv[2]), delay_ms / 1000, jitter_ms / 1000, repeat,
                  int(sys.argv[6]))
    print('ready', flush=True)
    relay.run()


if __name__ == '__main__':
    main()
