# SPDX-License-Identifier: Apache-2.0
"""A network of its own for each cluster: a namespace per node, joined by a bridge whose links can be
cut, made to lose packets, narrowed and delayed, each direction by itself. Clients reach the nodes over
a second bridge that no fault touches.

Namespaces have no names: they are held open by descriptors, and everything in them goes away with the
process, however it ends."""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading

CLONE_NEWNET = 0x40000000
SIOCETHTOOL = 0x8946
# Offloading on, the kernel hands checksums over undone and several packets as one.
OFFLOADS = {'ETHTOOL_STXCSUM': 0x17, 'ETHTOOL_STSO': 0x1f, 'ETHTOOL_SGSO': 0x24}
RELAY = pathlib.Path(__file__).with_name('relay.py')
TOOLS = ('ip', 'nft', 'tc', 'nsenter', 'setpriv')
libc = ctypes.CDLL(None, use_errno=True)


def _checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Namespace:
    """A network namespace with its loopback up."""

    def __init__(self):
        made = []
        maker = threading.Thread(target=self._make, args=(made,))
        maker.start()
        maker.join()
        if isinstance(made[0], OSError):
            raise made[0]
        self.descriptor = made[0]
        self.run('ip', 'link', 'set', 'lo', 'up')

    @staticmethod
    def _make(made):
        try:
            _checked(libc.unshare(CLONE_NEWNET))
            made.append(os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            made.append(error)

    def close(self):
        os.close(self.descriptor)
        self.descriptor = -1  # the number may soon be another's

    def prefix(self):
        """Put before a command it runs it in here; the descriptor must be passed on."""
        return ['nsenter', f'--net=/proc/self/fd/{self.descriptor}', '--']

    def run(self, *command, input=None, pass_fds=()):
        done = subprocess.run([*self.prefix(), *map(str, command)], input=input, text=True,
                              pass_fds=[self.descriptor, *pass_fds], capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f'{command} ended with {done.returncode}: {done.stderr}\n{input or ""}')
        return done.stdout

    def ip(self, lines, pass_fds=()):
        self.run('ip', '-batch', '-', input='\n'.join(lines) + '\n', pass_fds=pass_fds)

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in here meanwhile; sockets stay where they were made."""
        own = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
        try:
            _checked(libc.setns(self.descriptor, CLONE_NEWNET))
            yield
        finally:
            _checked(libc.setns(own, CLONE_NEWNET))
            os.close(own)

    def socket(self, *arguments):
        with self.entered():
            return socket.socket(*arguments)

    def stop_offloading(self, device):
        """Every packet is as it would be on a wire, so that a relay can take it off and put it back."""
        with self.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            for command in OFFLOADS.values():
                value = ctypes.create_string_buffer(struct.pack('II', command, 0))
                request = struct.pack('16sP', device.encode(), ctypes.addressof(value))
                fcntl.ioctl(control, SIOCETHTOOL, request)


def why_not():
    """Why namespaces cannot be made here; None if they can."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f'not installed: {", ".join(missing)}'
    try:
        network = Network(2)
        network.cut(1, 2)
        network.close()
    except (OSError, RuntimeError) as error:
        return str(error)
    return None


class Network:
    """Nodes are numbered from 1. A link is an ordered pair of them: what the first sends the second."""

    def __init__(self, size):
        self.size = size
        self.dropped = {}  # link: share of the packets that are lost, 1 for all
        self.refused = set()
        self._relays = {}
        self.spaces = {}
        self.switch = Namespace()
        self.switch.ip(['link add peers type bridge', 'link add clients type bridge',
                        'link set peers up', 'link set clients up',
                        'addr add 10.78.0.254/24 dev clients'])
        for node in self.nodes():
            self._add(node)
        self._load_rules()

    def nodes(self):
        return range(1, self.size + 1)

    def links(self, some=None):
        """All links that start or end at one of these nodes."""
        some = set(self.nodes() if some is None else some)
        return [(one, other) for one in self.nodes() for other in self.nodes()
                if one != other and some & {one, other}]

    @staticmethod
    def peer_address(node):
        return f'10.77.0.{node}'

    @staticmethod
    def client_address(node):
        return f'10.78.0.{node}'

    @staticmethod
    def _hardware(node):
        return f'02:77:00:00:00:{node:02x}'

    def _add(self, node):
        space = self.spaces[node] = Namespace()
        away = f'netns /proc/self/fd/{space.descriptor}'
        self.switch.ip([f'link add p{node} type veth peer name peer address {self._hardware(node)} {away}',
                        f'link add c{node} type veth peer name client {away}',
                        f'link set p{node} master peers up', f'link set c{node} master clients up'],
                       pass_fds=[space.descriptor])
        # Fixed neighbours: who cannot be reached is not a question of ARP.
        space.ip([f'addr add {self.peer_address(node)}/24 dev peer', 'link set peer up',
                  f'addr add {self.client_address(node)}/24 dev client', 'link set client up']
                 + [f'neigh add {self.peer_address(other)} lladdr {self._hardware(other)} dev peer '
                    'nud permanent' for other in self.nodes() if other != node])
        space.stop_offloading('peer')

    def close(self):
        for node in list(self._relays):
            self.undelay(node)
        for space in (*self.spaces.values(), self.switch):
            space.close()

    # ---- Lost packets ----

    def cut(self, *nodes):
        """Nothing passes between these nodes."""
        self.lose(1, [(one, other) for one in nodes for other in nodes if one != other])

    def isolate(self, node):
        self.lose(1, self.links([node]))

    def split(self, *groups):
        """Nothing passes between nodes that are in no group together."""
        together = {(one, other) for group in groups for one in group for other in group}
        self.lose(1, [link for link in self.links() if link not in together])

    def lose(self, share, links):
        """Loses this share of the packets of these links, silently."""
        self.dropped.update({link: share for link in links})
        self._load_rules()

    def heal(self):
        """Every packet arrives again. Relays and narrow links stay."""
        self.dropped = {}
        self._load_rules()
        for node in {node for link in self.refused for node in link}:
            self.spaces[node].run('nft', 'flush', 'ruleset')
        self.refused = set()

    def _load_rules(self):
        rules = []
        for (one, other), share in self.dropped.items():
            match = f'ether saddr {self._hardware(one)} ether daddr {self._hardware(other)}'
            chance = '' if share >= 1 else f'numgen random mod 10000 < {round(share * 10000)} '
            rules.append(f'add rule bridge faults forward {match} {chance}counter drop')
        self.switch.run('nft', '-f', '-', input='\n'.join(
            ['add table bridge faults',
             'add chain bridge faults forward { type filter hook forward priority 0; }',
             'flush chain bridge faults forward', *rules]) + '\n')

    def refuse(self, node, other):
        """Both nodes answer each other's packets with a reset: connections break at once."""
        for one, peer in ((node, other), (other, node)):
            self.spaces[one].run('nft', '-f', '-', input='\n'.join(
                ['add table inet faults',
                 'add chain inet faults input { type filter hook input priority 0; }',
                 f'add rule inet faults input ip saddr {self.peer_address(peer)} '
                 'tcp flags & rst == 0 reject with tcp reset']) + '\n')
        self.refused.add((node, other))

    # ---- Narrow links ----

    def narrow(self, node, rate):
        """What a node sends its peers passes at this rate ('1mbit'), and what it gets from them."""
        for space, device in ((self.spaces[node], 'peer'), (self.switch, f'p{node}')):
            space.run('tc', 'qdisc', 'replace', 'dev', device, 'root', 'tbf', 'rate', rate, 'burst',
                      '16kb', 'latency', '400ms')

    def widen(self, node):
        for space, device in ((self.spaces[node], 'peer'), (self.switch, f'p{node}')):
            space.run('tc', 'qdisc', 'del', 'dev', device, 'root')

    # ---- Delay ----

    def delay(self, node, delay_ms, jitter_ms=0, repeat=0.0, seed=1):
        """What a node sends its peers and gets from them is late by that much, give or take the jitter,
        by which packets overtake each other; this share of them arrives twice. The kernel need not have
        netem: a process takes the packets off one wire and puts them on another."""
        self.switch.ip([f'link add r{node} type veth peer name s{node}',
                        f'link set p{node} nomaster', f'link set s{node} master peers up',
                        f'link set r{node} up'])
        relay = subprocess.Popen(
            [*self.switch.prefix(), 'setpriv', '--pdeathsig', 'KILL', sys.executable, str(RELAY),
             f'p{node}', f'r{node}', str(delay_ms), str(jitter_ms), str(repeat), str(seed)],
            pass_fds=[self.switch.descriptor], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self._relays[node] = relay
        if relay.stdout.readline() != b'ready\n':
            raise RuntimeError(f'the relay of node {node} did not start')

    def undelay(self, node):
        relay = self._relays.pop(node)
        relay.kill()
        relay.wait()
        relay.stdout.close()
        self.switch.ip([f'link del r{node}', f'link set p{node} master peers'])
