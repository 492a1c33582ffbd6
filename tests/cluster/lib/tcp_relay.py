# SPDX-License-Identifier: Apache-2.0
"""One address behind which all nodes are, as a load balancer makes it: each connection goes to the next
node that accepts one, and ends when either side ends it."""
import socket
import threading


class TcpRelay:
    """`connect` are functions that return a connected socket or raise OSError; they are tried in turn."""

    def __init__(self, connect):
        self._connect, self._turn = list(connect), 0
        self._server = socket.create_server(('127.0.0.1', 0))
        self.port = self._server.getsockname()[1]
        self.taken = []  # index of `connect`, for each connection that was passed on
        self._accepter = threading.Thread(target=self._accept, daemon=True)
        self._accepter.start()

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _reach(self):
        """A connection to the next node that takes one; None if none does."""
        for _ in self._connect:
            self._turn = (self._turn + 1) % len(self._connect)
            index = self._turn
            try:
                made = self._connect[index]()
            except OSError:
                continue
            self.taken.append(index)
            return made
        return None

    def _carry(self, client):
        node = self._reach()
        if node is None:
            client.close()
            return
        back = threading.Thread(target=self._pass, args=(node, client), daemon=True)
        back.start()
        self._pass(client, node)
        back.join()
        client.close()
        node.close()

    @staticmethod
    def _pass(one, other):
        """Carries bytes from one to the other until there are no more, and says so on both sides."""
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for each in (one, other):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._accepter.join()
