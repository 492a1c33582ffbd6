# SPDX-License-Identifier: Apache-2.0
"""Starting and ending: options, directories that are in use, foreign or damaged."""
import os
import re
import signal
import socket
import subprocess

import pytest

from client import Client, Wire, expect, target
from daemon import Daemon, binary, environment


def run(*arguments, **environ):
    """Runs curlewd to its end."""
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True,
                          timeout=30, env=environment(**environ), stdin=subprocess.DEVNULL)


def test_help_lists_every_option():
    result = run('--help')
    assert result.returncode == 0 and result.stderr == ''
    for option in ('--data-dir', '--listen', '--id', '--allowed-host', '--cors-origin',
                   '--max-connections', '--max-connections-per-address', '--max-url-bytes',
                   '--max-header-bytes', '--max-body-bytes', '--max-bodies-bytes',
                   '--max-json-depth', '--max-multi-ops', '--max-delete-nodes', '--max-list-items',
                   '--request-timeout', '--idle-timeout', '--wait-default', '--wait-max',
                   '--key-retention', '--key-capacity', '--disk-reserve-bytes',
                   '--checkpoint-journal-bytes', '--live-dir', '--log-level', '--log-format', '--slow-request'):
        assert option in result.stdout, option


def test_version():
    result = run('--version')
    assert result.returncode == 0 and 'curlew' in result.stdout and result.stderr == ''


@pytest.mark.parametrize('wrong, right', [('--data-dri', '--data-dir'), ('--lisen', '--listen'),
                                          ('--max-body-byte', '--max-body-bytes')])
def test_an_unknown_option_suggests_the_nearest(tmp_path, wrong, right):
    result = run('--data-dir', tmp_path / 'd', wrong, 'x')
    assert result.returncode != 0
    assert wrong in result.stderr and right in result.stderr
    assert not (tmp_path / 'd').exists()


@pytest.mark.parametrize('option, value', [
    ('--id', 'x'), ('--max-connections', '-1'), ('--max-connections', ''),
    ('--max-connections', '10x'), ('--request-timeout', '10'), ('--request-timeout', '10 parsecs'),
    ('--request-timeout', '-1s'), ('--log-level', 'loud'), ('--log-format', 'xml'), ('--max-url-bytes', '1')])
def test_a_wrong_value_is_named(tmp_path, option, value):
    result = run('--data-dir', tmp_path / 'd', option, value)
    assert result.returncode != 0
    assert option in result.stderr
    assert not (tmp_path / 'd').exists()


@pytest.mark.parametrize('address', ['nonsense', '127.0.0.1', '127.0.0.1:99999', '127.0.0.1:-1',
                                     '127.0.0.1:x', '[::1:80', '300.0.0.1:80', ':::80', ''])
def test_a_wrong_address_is_named(tmp_path, address):
    result = run('--data-dir', tmp_path / 'd', '--listen', address)
    assert result.returncode != 0
    assert f'{address}' in result.stderr.replace('\\"', '"')


def test_an_option_without_its_value_is_refused(tmp_path):
    assert '--id' in run('--data-dir', tmp_path / 'd', '--id').stderr


def test_an_argument_that_is_no_option_is_refused(tmp_path):
    result = run('--data-dir', tmp_path / 'd', 'serve')
    assert result.returncode != 0 and 'serve' in result.stderr


def test_the_environment_gives_options(start):
    daemon = start(environ={'CURLEW_MAX_BODY_BYTES': '2000', 'CURLEW_ID': '5'})
    api = Client(daemon.port)
    expect(api.put('/a', b'x' * 2001), 413)
    assert api.get('/').headers['X-Node'] == '5'


def test_the_command_line_precedes_the_environment(start):
    daemon = start('--max-body-bytes', 3000, environ={'CURLEW_MAX_BODY_BYTES': '2000'})
    expect(Client(daemon.port).put('/a', b'x' * 3000), 201)


def test_a_wrong_value_in_the_environment_is_refused(tmp_path):
    result = run('--data-dir', tmp_path / 'd', CURLEW_MAX_BODY_BYTES='many')
    assert result.returncode != 0 and 'CURLEW_MAX_BODY_BYTES' in result.stderr


def test_an_empty_variable_is_none(start):
    daemon = start(environ={'CURLEW_MAX_BODY_BYTES': '', 'CURLEW_ID': '', 'CURLEW_PEERS': ''})
    expect(Client(daemon.port).put('/a', b'x' * 3000), 201)


def test_who_gave_which_option_is_logged(start):
    daemon = start('--wait-max', '7s', '--wait-max=8s',
                   environ={'CURLEW_ID': '5', 'CURLEW_WAIT_MAX': '9s', 'CURLEW_PEER': 'a,b', 'CURLEW_LONG': '1',
                            'CURLEW_PORT': 'tcp://10.0.0.1:2180', 'CURLEW_SERVICE_HOST': '10.0.0.1'})
    log = daemon.log()
    assert 'msg="option" name=--id value="5" from=CURLEW_ID\n' in log
    assert 'msg="option" name=--wait-max value="8s" from=command-line\n' in log
    assert 'name=--wait-default' not in log
    assert re.findall('variable="(\\w+)" nearest=(\\w+)', log) == [('CURLEW_PEER', 'CURLEW_PEERS')]


def test_a_second_process_on_a_directory_is_refused(start):
    daemon = start()
    result = run('--data-dir', daemon.directory, '--listen', '127.0.0.1:0')
    assert result.returncode != 0
    assert str(daemon.directory) in result.stderr and 'use' in result.stderr
    expect(Client(daemon.port).put('/a', 'still here'), 201)


def test_a_directory_of_another_node_is_refused(start):
    daemon = start('--id', 3)
    daemon.terminate()
    result = run('--data-dir', daemon.directory, '--listen', '127.0.0.1:0', '--id', '4')
    assert result.returncode != 0
    assert '3' in result.stderr and '4' in result.stderr
    daemon.start()


def test_a_directory_remembers_its_node(start):
    daemon = start('--id', 3)
    daemon.terminate()
    daemon.options = []
    daemon.start()
    assert Client(daemon.port).get('/').headers['X-Node'] == '3'


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        address = '127.0.0.1:%d' % taken.getsockname()[1]
        result = run('--data-dir', tmp_path / 'd', '--listen', address)
    assert result.returncode != 0 and address in result.stderr


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').write_text('not a directory')
    result = run('--data-dir', tmp_path / 'file' / 'data', '--listen', '127.0.0.1:0')
    assert result.returncode != 0 and str(tmp_path / 'file') in result.stderr


def test_the_data_directory_is_private(start):
    daemon = start()
    assert daemon.directory.stat().st_mode & 0o077 == 0


def test_a_directory_without_its_identity_is_refused(start):
    daemon = start()
    expect(Client(daemon.port).put('/a', 'x'), 201)
    daemon.terminate()
    for name in os.listdir(daemon.directory):
        if 'identity' in name:
            (daemon.directory / name).unlink()
    result = run('--data-dir', daemon.directory, '--listen', '127.0.0.1:0')
    assert result.returncode != 0
    assert 'identity' in result.stderr


def test_a_damaged_journal_is_refused_and_named(start):
    daemon = start()
    api = Client(daemon.port)
    for number in range(50):
        expect(api.put('/a', f'{number}' * 500), 201 if number == 0 else 200)
    daemon.terminate()
    journal = sorted((daemon.directory / 'journal').iterdir())[0]
    with open(journal, 'r+b') as file:
        file.seek(3 * 4096 + 100)
        file.write(b'\xde\xad\xbe\xef')
    result = run('--data-dir', daemon.directory, '--listen', '127.0.0.1:0')
    assert result.returncode != 0
    assert journal.name in result.stderr


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path, number):
    daemon = Daemon(tmp_path / 'data').start()
    expect(Client(daemon.port).put('/a', 'x'), 201)
    daemon.process.send_signal(number)
    assert daemon.process.wait(20) == 0
    daemon.start()
    assert Client(daemon.port).data('/a') == b'x'
    daemon.stop()


def test_it_ends_although_connections_are_open(tmp_path):
    daemon = Daemon(tmp_path / 'data').start()
    idle = [Wire(daemon.port) for _ in range(5)]
    half = Wire(daemon.port, f'PUT {target("/a")} HTTP/1.1\r\nHost: localhost\r\n'
                             'Content-Length: 5\r\n\r\nab'.encode())
    busy = Wire(daemon.port, b'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n')
    assert busy.response().status == 200
    daemon.stop()
    for wire in (*idle, half, busy):
        wire.socket.close()


def test_many_restarts_keep_everything(start):
    daemon = start()
    for turn in range(5):
        api = Client(daemon.port)
        expect(api.post(f'/n{turn}', str(turn)), 201)
        daemon.terminate()
        daemon.start()
    api = Client(daemon.port)
    assert [api.data(f'/n{turn}') for turn in range(5)] == [b'0', b'1', b'2', b'3', b'4']


def test_a_checkpoint_carries_everything_over_a_restart(start):
    daemon = start('--checkpoint-journal-bytes', 1 << 20)
    api = Client(daemon.port)
    key = {'Idempotency-Key': 'kept'}
    first = expect(api.post('/q-', 'x', sequential=True, headers=key), 201)
    for number in range(300):
        expect(api.put('/big', bytes([number % 256]) * 30000), 201 if number == 0 else 200)
    tree = api.get('/', view='tree').json
    daemon.terminate()
    assert list((daemon.directory / 'checkpoint').iterdir()), 'no checkpoint was written'
    daemon.start()
    api = Client(daemon.port)
    assert api.get('/', view='tree').json == tree
    assert api.data('/big') == bytes([299 % 256]) * 30000
    again = api.post('/q-', 'x', sequential=True, headers=key)
    assert (again.json, again.headers['Idempotency-Replayed']) == (first.json, 'true')


def test_ipv6_can_be_listened_on(tmp_path):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(('::1', 0))
    except OSError:
        pytest.skip('NO IPv6 ON THIS MACHINE')
    daemon = Daemon(tmp_path / 'data', listen='[::1]:0')
    daemon.spawn()
    found = daemon.wait_line(r'msg="listening" address=\[::1\]:(\d+)')
    assert found, daemon.log()
    with Wire(int(found.group(1)), b'GET /livez HTTP/1.1\r\nHost: [::1]\r\n\r\n', host='::1') as wire:
        assert wire.response().status == 200
    daemon.stop()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_start_that_takes_long(tmp_path, number):
    daemon = Daemon(tmp_path / 'data')
    daemon.start()
    daemon.stop()
    (daemon.directory / 'checkpoint').mkdir(exist_ok=True)
    os.mkfifo(daemon.directory / 'checkpoint' / '0000000000000001')  # to open it takes for ever
    daemon.spawn()
    daemon.wait_line('msg="starting"')
    daemon.process.send_signal(number)
    try:
        assert daemon.process.wait(10) == 0
    finally:
        daemon.kill()
    (daemon.directory / 'checkpoint' / '0000000000000001').unlink()
    daemon.start()
    daemon.stop()


def test_connections_fit_the_descriptors(tmp_path):
    few = ('sh', '-c', 'ulimit -n 200; exec "$@"', 'sh')
    daemon = Daemon(tmp_path / 'data', prefix=few).start()
    assert re.search(r'level=warning .*too few file descriptors.* connections=100 ', daemon.log())
    connections = [socket.create_connection(('127.0.0.1', daemon.port)) for _ in range(140)]
    connections[-1].settimeout(10)
    assert connections[-1].recv(64).startswith(b'HTTP/1.1 503 ')
    for connection in connections:
        connection.close()
    daemon.stop()
