# SPDX-License-Identifier: Apache-2.0
"""The cluster of docker/compose.yaml, under a name and on an address that nobody else uses."""
import uuid

import engine
from client import Client, wait_until
from daemon import FAULTS
from examples import loopback_address

FILE = engine.SOURCE / 'docker/compose.yaml'
NODES = (1, 2, 3)
DEADLINE_S = 30


class Project:
    def __init__(self, image):
        self.name, self.address = f'curlewtest{uuid.uuid4().hex[:8]}', loopback_address()
        self.image = image
        self.printed = {}  # what containers that are gone have logged

    # ---- Compose ----

    def compose(self, *arguments):
        environ = {'CURLEW_IMAGE': self.image, 'CURLEW_ADDRESS': self.address}
        return engine.run(*engine.compose_command(), '-f', str(FILE), '-p', self.name, *arguments, environ=environ)

    def up(self, *arguments):
        self.keep_logs()
        self.compose('up', '-d', *arguments)

    def down(self, *arguments):
        self.keep_logs()
        self.compose('down', '--remove-orphans', *arguments)

    def close(self):
        self.down('-v')

    # ---- Containers ----

    def container(self, node):
        found = engine.docker('ps', '-a', '-q', '--filter', f'label=com.docker.compose.project={self.name}',
                              '--filter', f'label=com.docker.compose.service=n{node}').split()
        return found[0] if found else None

    def network(self):
        return f'{self.name}_default'

    def volume(self, node):
        return f'{self.name}_n{node}'

    def ip(self, node):
        return engine.inspect(self.container(node))['NetworkSettings']['Networks'][self.network()]['IPAddress']

    def state(self, node):
        return engine.inspect(self.container(node))['State']

    def is_healthy(self, node):
        return self.state(node)['Health']['Status'] == 'healthy'

    def health(self, node):
        """What `curlewd health` prints inside of the container."""
        return engine.docker('exec', self.container(node), 'curlewd', 'health', check=False)

    def log(self, node):
        return engine.logs(self.container(node))

    def keep_logs(self):
        for node in NODES:
            container = self.container(node)
            if container is not None:
                self.printed[container] = engine.logs(container)

    def check_logs(self):
        """No node may ever have complained, but where a name led to the address that another node has now."""
        self.keep_logs()
        for text in self.printed.values():
            for line in text.splitlines():
                assert not FAULTS.search(line) or "'s address for node" in line, f'{line}\n{text[-4000:]}'

    # ---- Nodes ----

    def port(self, node):
        return 2180 + node

    def client(self, node, **more):
        return Client(self.port(node), host=self.address, **more)

    def ask(self, node, url):
        """The reply to a GET; None while there is none."""
        client = self.client(node, timeout_s=5)
        try:
            return client.request('GET', url)
        except OSError:
            return None
        finally:
            client.close()

    def is_ready(self, node):
        reply = self.ask(node, '/readyz')
        return reply is not None and reply.status == 200

    def wait_ready(self, *nodes):
        for node in nodes or NODES:
            wait_until(lambda: self.is_ready(node), DEADLINE_S, f'n{node} is ready; log:\n{self.log(node)}')

    def wait_healthy(self, *nodes):
        for node in nodes or NODES:
            wait_until(lambda: self.is_healthy(node), DEADLINE_S, f'n{node} is healthy')

    def leader(self):
        self.wait_ready()
        return wait_until(lambda: self.ask(1, '/v1/cluster').json['leader'], DEADLINE_S, 'there is a leader')

    def others(self, node):
        return [other for other in NODES if other != node]

