# SPDX-License-Identifier: Apache-2.0
"""The examples with containers in README.md and docs/operations.md are true: see tests/rest/examples.py. They
run under a project and on an address of their own, with the image that was built for the tests; what an
older docker-compose does not know is done in its place."""
import shutil

import pytest

import engine
from daemon import environment
from examples import Shell, examples, execute, section
from project import FILE, Project

ADDRESS = '127.0.0.1'
COMPOSE = 'docker compose -f docker/compose.yaml'


@pytest.fixture
def project(image):
    made = Project(image)
    yield made
    made.check_logs()
    made.close()


@pytest.mark.parametrize('document, title', [('README.md', 'In containers'), ('docs/operations.md', 'Containers')])
def test_the_examples_work(project, tmp_path, document, title):
    if shutil.which('curl') is None:
        pytest.skip('CURL IS NOT INSTALLED: the examples with containers were not executed')
    found = examples(section((engine.SOURCE / document).read_text(encoding='utf-8'), title))
    assert len(found) > 5 and all('docker' in command or 'curl' in command for command, _ in found)
    compose = ' '.join([*engine.compose_command(), '-f', str(FILE), '-p', project.name])
    (tmp_path / 'wait').write_text(
        f"until [ \"$({compose} ps -q | xargs docker inspect -f '{{{{.State.Health.Status}}}}' | grep -c '^healthy')\" = 3 ]\n"
        'do sleep 0.1; done\n')

    def there(command):
        if ' --wait' in command:
            command = command.replace(' --wait', '').replace(' --build', '') + f'; sh {tmp_path}/wait'
        if ' build -q' in command:
            return 'echo'
        return command.replace(COMPOSE, compose).replace('curlew_$', f'{project.name}_$').replace(ADDRESS, project.address) \
            .replace(' curlew -C', f' {project.image} -C')

    shell = Shell(tmp_path, environment(CURLEW_IMAGE=project.image, CURLEW_ADDRESS=project.address))
    try:
        execute(shell, found, there, lambda printed: printed.replace(project.address, ADDRESS))
    finally:
        shell.close()
